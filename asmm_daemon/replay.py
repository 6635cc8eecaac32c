"""`asmm replay`: a recorded session through a fresh engine, compared command by command."""

from dataclasses import dataclass
from pathlib import Path

from asmm_daemon import specs
from asmm_daemon.assembly import build_engine, load_policies, make_specs
from asmm_daemon.config import saved
from asmm_daemon.core.engine import Engine
from asmm_daemon.events import Command
from asmm_daemon.service.event_log import Reloaded, Start, read_events, read_start


@dataclass(frozen=True, slots=True)
class Replay:
    """How far a replay went, and where it first differed from the session (None: nowhere)."""

    events: int
    commands: int
    difference: str | None


def replay(path: Path) -> Replay:
    """Feeds a log's events to an engine built as the session's was.

    Raises:
        TapeError: the log cannot be read or is damaged.
        ModelError: the session's model file is gone or another.
    """
    start = read_start(path)
    settings = saved(start.config.encode(), path)
    policies, _ = load_policies(settings)
    engine = build_engine(settings, policies, start)
    number = commands = 0
    for item in read_events(path):
        if isinstance(item, Reloaded):
            _apply(engine, item, start, path)
            continue
        number += 1
        event, expected = item
        made: list[Command] = engine.step(event)
        engine.drain_records()
        if made != expected:
            return Replay(number, commands, f"event {number} ({event!r:.200}): {made} instead of {expected}")
        commands += len(made)
    return Replay(number, commands, None)


def _apply(engine: Engine, reload: Reloaded, start: Start, path: Path) -> None:
    settings = saved(reload.config.encode(), path)
    policies, _ = load_policies(settings)
    after = make_specs(settings, start.instruments, policies, start.capabilities)
    engine.apply(after, specs.account_limits(settings), reload.t_ns)
    engine.drain_records()
