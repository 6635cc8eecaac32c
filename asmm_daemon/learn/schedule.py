"""What changes over a training: exploration, learning rate, importance weights. All linear in steps."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Linear:
    """From `start` to `end` over `steps` steps, and `end` from then on."""

    start: float
    end: float
    steps: int

    def at(self, step: int) -> float:
        """The value at a step."""
        if step >= self.steps:
            return self.end
        return self.start + (self.end - self.start) * max(step, 0) / self.steps
