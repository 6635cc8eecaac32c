"""Supervised tasks: the first one that fails, or ends while it should run, ends the session."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Supervisor:
    """Owns the daemon's long-running tasks.

    Shutdown is the `stop` event, which every task watches; cancellation comes last and only for tasks
    that did not end by themselves (a cancelled TaskGroup or `wait_for` may swallow it on Python 3.11).
    """

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._tasks: dict[asyncio.Task[Any], str] = {}

    def start(self, name: str, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Runs a coroutine that should last until `stop`."""
        self._tasks[asyncio.create_task(coroutine, name=name)] = name

    async def wait(self) -> tuple[str, BaseException | None] | None:
        """Until `stop` is set (None), or a task ended: its name and its exception, if it had one."""
        stopping = asyncio.create_task(self._stop.wait())
        try:
            done, _ = await asyncio.wait({stopping, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        ended = [task for task in done if task in self._tasks]
        failed = [task for task in ended if not task.cancelled() and task.exception() is not None]
        for task in failed:
            return self._tasks[task], task.exception()
        if self._stop.is_set() or not ended:
            return None
        return self._tasks[ended[0]], None

    async def end(self, grace_s: float) -> list[tuple[str, BaseException]]:
        """Waits for the tasks to notice `stop`, cancels the rest, returns what failed meanwhile."""
        self._stop.set()
        if not self._tasks:
            return []
        _, late = await asyncio.wait(self._tasks, timeout=grace_s)
        for _ in range(3):
            for task in late:
                task.cancel()
            if late:
                _, late = await asyncio.wait(late, timeout=1.0)
        failures = []
        for task, name in self._tasks.items():
            if task.done() and not task.cancelled():
                error = task.exception()
                if error is not None:
                    failures.append((name, error))
        return failures
