"""The order in which records and commands leave the daemon."""

import asyncio
from types import SimpleNamespace
from typing import Any

from asmm_daemon.core.records import Record, RecordKind
from asmm_daemon.events import Place
from asmm_daemon.service.daemon import Daemon

RECORD = Record(RecordKind.INTENT, 5, "BTCUSDT", "a-1", {"price": 7})
ORDER = Place(0, "a-1", 1, 0, 7, 1, False, "PO")


def _daemon(told):
    async def write(records):
        told.extend(record.key for record in records)

    async def execute(command):
        told.append(command)

    nothing: Any = None
    return Daemon(
        engine=nothing,
        venue=SimpleNamespace(execute=execute),
        journal=SimpleNamespace(write=write),
        state=nothing,
        clock=nothing,
        health=nothing,
        metrics=nothing,
        notifier=nothing,
        cycle_s=5.0,
        shutdown_s=8.0,
        guard=lambda step, _failed: step,
        reload=lambda: None,
    )


def _dispatch(*, sealed):
    told: list[Any] = []

    async def go():
        daemon = _daemon(told)
        daemon._outbox.append(([RECORD], [ORDER]))
        daemon._sealed = sealed
        daemon._drained.set()
        daemon._wake.set()
        await daemon._dispatch()
        await asyncio.gather(*daemon._in_flight)

    asyncio.run(go())
    return told


def test_an_intent_is_written_before_its_order_leaves():
    """S7; and what waits when the session ends is written all the same."""
    assert _dispatch(sealed=False) == ["a-1", ORDER]


def test_no_order_leaves_while_zero_is_verified():
    """An order that waited for a slow disk is journaled, not sent, once everything is being cancelled."""
    assert _dispatch(sealed=True) == ["a-1"]
