"""Timers of the venue clock."""

import heapq
import itertools
from collections.abc import Callable

Action = Callable[[int], None]


class Timers:
    """Actions by time; those of the same time fire in the order in which they were added."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int]] = []
        self._actions: dict[int, Action] = {}
        self._number = itertools.count()

    def add(self, t_ns: int, action: Action) -> Callable[[], None]:
        """Calls `action(t_ns)` at `t_ns`; returns what cancels it."""
        number = next(self._number)
        self._actions[number] = action
        heapq.heappush(self._heap, (t_ns, number))

        def cancel() -> None:
            self._actions.pop(number, None)

        return cancel

    def next_ns(self) -> int | None:
        """When the next action is due."""
        while self._heap and self._heap[0][1] not in self._actions:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def fire(self) -> None:
        """Calls the next action."""
        t_ns, number = heapq.heappop(self._heap)
        action = self._actions.pop(number, None)
        if action is not None:
            action(t_ns)
