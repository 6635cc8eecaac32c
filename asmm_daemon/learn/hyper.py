"""Every number of the learner, and where it departs from Alpha-AS (Falces Marín et al., PLOS ONE 2022).

| what | Alpha-AS | here | why |
|---|---|---|---|
| target | max over one network, blended with 0.85 of the old value | Double DQN: the online network chooses, the target network values | the maximum of noisy values is biased upwards |
| discount | 0.75 (0.95) | 0.99 | fills come minutes apart; 0.75 sees 20 s |
| loss | squared error | Huber, linear beyond `huber` ≥ 5 deviations of the reward | squares let one jump of the market set the weights |
| optimiser | SGD with Nesterov, rate 0.01, momentum 0.5 | Adam, gradients clipped by their norm | needs no scale of the rewards |
| output | tanh on rewards of any size | linear | tanh cannot express values beyond 1 |
| inputs | rounded, z-scored once | running mean and scale, clipped, saved with the model | the agent sees what it saw in training |
| network | 104–104 | the guide's 128–256–128 | the guide's default |
| recurrent | LSTM over the same replay of single steps | sequences with the state they began in, warmed up (R2D2) | a state that the present weights would not give misleads |
| replay | 10,000, batch 500 | 100,000, batch 64 | the guide's; older days stay represented |
| weights used | the last | their running average as an option, the best by validation | single batches are noise |
| options | none | dueling, n-step, prioritised replay | each off by default |
"""  # noqa: E501  (a table has long rows)

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any, Literal

from asmm_daemon.errors import ConfigError

GUIDE_LAYERS = (128, 256, 128)
_POSITIVE = (
    "steps", "steps_per_update", "n_step", "batch", "learning_rate", "clip_norm",
    "target_every", "replay", "sequence", "feature_clip", "evaluate_every", "evaluate_steps", "report_every",
)  # fmt: skip
_NOT_NEGATIVE = (
    "seed", "learn_after", "learning_rate_end", "epsilon_steps", "burn_in", "checkpoint_every_s",
)  # fmt: skip


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_TYPES: dict[type, tuple[str, Callable[[Any], bool]]] = {
    bool: ("true or false", lambda value: isinstance(value, bool)),
    int: ("a whole number", _whole),
    float: ("a number", lambda value: (_whole(value) or isinstance(value, float)) and isfinite(value)),
    str: ("a word", lambda value: isinstance(value, str)),
    tuple: ("whole numbers such as [128,64]", lambda v: isinstance(v, tuple) and all(map(_whole, v))),
}
"""By the type of a default: what a value of it is called, and whether one is."""


@dataclass(frozen=True, slots=True)
class Hyper:
    """Hyper-parameters of one training. Steps count transitions of single environments."""

    kind: Literal["mlp", "lstm"] = "mlp"
    layers: tuple[int, ...] = GUIDE_LAYERS
    """Widths of the hidden layers; of an `lstm` the first is the recurrent one."""
    activation: Literal["relu", "tanh"] = "relu"
    dueling: bool = False
    """Q = V + A − mean(A) (Wang et al. 2016); exported as the one linear head that it is."""
    dropout: float = 0.0
    """Share of hidden units dropped, in the values being learned alone."""

    steps: int = 1_000_000
    learn_after: int = 2_000
    """Steps before the first update."""
    steps_per_update: float = 1.0
    seed: int = 0

    discount: float = 0.99
    n_step: int = 1
    """Rewards summed before the bootstrap."""
    batch: int = 64
    """Transitions per update; sequences if recurrent."""
    learning_rate: float = 1e-3
    learning_rate_end: float = 1e-3
    """Reached linearly at the last step."""
    huber: float = 5.0
    """Where the loss turns linear, in standard deviations of the reward."""
    clip_norm: float = 10.0
    """Largest norm of a gradient."""
    target_every: int = 1_000
    """Updates between moves of the target network."""
    target_share: float = 1.0
    """How far it moves: 1 copies, less is Polyak averaging."""
    average_share: float = 1.0
    """Share of the newest weights in their running average, which is what is evaluated and exported; 1: none.
    The average forgets the noise of single batches, which tells near-equal actions apart."""

    epsilon: float = 1.0
    epsilon_end: float = 0.05
    epsilon_steps: int = 200_000
    """Steps over which ε falls linearly."""

    replay: int = 100_000
    """Transitions kept; sequences times their length if recurrent."""
    prioritised: bool = False
    """Proportional prioritised replay (Schaul et al. 2016)."""
    priority_power: float = 0.6
    importance_power: float = 0.4
    """β at the first step; it grows to 1 at the last."""
    sequence: int = 20
    """Steps of a sequence that are learned from (recurrent only)."""
    burn_in: int = 10
    """Steps before them that only warm up the state."""

    feature_clip: float = 10.0
    """Normalised features are clipped to ± this."""
    evaluate_every: int = 50_000
    evaluate_steps: int = 1_000
    """Steps of every validation environment per greedy evaluation."""
    report_every: int = 5_000
    checkpoint_every_s: float = 20.0

    def __post_init__(self) -> None:
        """Raises ConfigError naming the first value that cannot be."""
        for field in fields(self):
            value = getattr(self, field.name)
            right, fits = _TYPES[type(field.default)]
            _require(fits(value), field.name, value, right)
        for name in _POSITIVE:
            _require(getattr(self, name) > 0, name, getattr(self, name), "more than 0")
        for name in _NOT_NEGATIVE:
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        for name in ("epsilon", "epsilon_end", "priority_power", "importance_power"):
            _require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "within [0, 1]")
        _require(self.kind in ("mlp", "lstm"), "kind", self.kind, "mlp or lstm")
        _require(self.activation in ("relu", "tanh"), "activation", self.activation, "relu or tanh")
        _require(bool(self.layers) and min(self.layers) > 0, "layers", self.layers, "widths of 1 or more")
        _require(0 <= self.dropout < 1, "dropout", self.dropout, "within [0, 1)")
        _require(0 < self.discount < 1, "discount", self.discount, "within (0, 1)")
        for name in ("target_share", "average_share"):
            _require(0 < getattr(self, name) <= 1, name, getattr(self, name), "within (0, 1]")
        _require(self.huber >= 5, "huber", self.huber, "5 or more: less cuts off ordinary rewards")
        _require(self.batch <= self.replay, "replay", self.replay, f"at least the batch of {self.batch}")
        _require(self.n_step <= self.sequence, "n_step", self.n_step, f"at most sequence ({self.sequence})")

    def as_json(self) -> dict[str, Any]:
        """By name, as JSON writes it."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


def _require(good: bool, name: str, value: object, right: str) -> None:  # noqa: FBT001
    if not good:
        raise ConfigError(f"{name} is {value!r}, expected {right}")
