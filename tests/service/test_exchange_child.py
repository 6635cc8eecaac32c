"""The embedded exchange as a child: what the settings say is what it does."""

import asyncio
from pathlib import Path

import orjson
import pytest

from asmm_daemon import config
from asmm_daemon.errors import VenueError
from asmm_daemon.service import exchange_child
from asmm_daemon.service.exchange_child import ExchangeChild

SHIPPED = Path(__file__).resolve().parents[2] / "config.toml"


@pytest.mark.parametrize(("fee", "rate"), [("-0.5", "-0.00005"), ("venue", "0.0002")])
def test_the_exchange_charges_the_fee_of_the_settings(tmp_path: Path, fee: str, rate: str) -> None:
    """A maker fee in bps, rebates too, reaches the venue as a rate; `venue` leaves the standard one."""
    log = tmp_path / "venue.jsonl"

    async def start() -> None:
        settings = config.load(SHIPPED, [f"demo.maker_fee_bps={fee}", f"demo.log={log}"])
        async with ExchangeChild(settings):
            pass

    asyncio.run(start())
    first = orjson.loads(log.read_bytes().splitlines()[0])
    assert [unit["maker"] for unit in first["symbols"]] == [rate]


def test_an_exchange_that_is_too_slow_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word of its own, the message names the time that it was given."""
    monkeypatch.setattr(exchange_child, "_START_S", 0.01)

    async def start() -> None:
        async with ExchangeChild(config.load(SHIPPED)):
            pass

    with pytest.raises(VenueError, match=r"did not start within 0\.01 s"):
        asyncio.run(start())
