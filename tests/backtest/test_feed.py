"""A venue that lives on the trail does what one does that takes in every row."""

import numpy as np
import pytest

from asmm_daemon.backtest import venue
from asmm_daemon.backtest.fast import fed
from asmm_daemon.backtest.fast.scout import Scout
from asmm_daemon.backtest.timeline import timeline
from asmm_daemon.backtest.venue import AMEND, CANCEL, PLACE, new_venue, request
from asmm_daemon.core.params import QuoteParams, to_record
from asmm_daemon.events import BBO, CLEAR, DEPTH, FUNDING, GAP, MARK, ROW, TRADE
from tests.backtest.markets import MS, setup, synthetic


def wild_rows(n, seed):
    """A lively tape of whole messages: crossing levels, gaps, prints through the book."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(n, ROW)
    rows["kind"] = rng.choice(
        [DEPTH, BBO, TRADE, GAP, CLEAR, MARK, FUNDING], n, p=[0.6, 0.2, 0.17, 0.005, 0.015, 0.005, 0.005]
    )
    rows["kind"][:2] = CLEAR
    rows["side"] = rng.choice([-1, 1], n)
    rows["side"][:2] = 1, -1
    rows["price"] = 10_000 - rows["side"] * rng.integers(-2, 12, n)
    rows["price"][rows["kind"] == CLEAR] = 0
    rows["qty"] = rng.integers(0, 40, n) * (rows["kind"] != CLEAR)
    rows["qty"][rows["kind"] == TRADE] += 1
    rows["id"] = np.arange(n)
    rows["last"] = rng.random(n) < 0.5
    rows["last"][-1] = True
    rows["exch_ns"] = 10**18 + np.cumsum(rng.exponential(20 * MS, n)).astype(np.int64)
    rows["local_ns"] = rows["exch_ns"] + 3 * MS
    return rows


def ask_at_random(rng, v, t_ns, number):
    """A new order, an amendment or a cancel, near the middle of the book."""
    side = int(rng.choice([-1, 1]))
    price, qty = 10_000 - side * int(rng.integers(0, 12)), int(rng.integers(1, 30))
    kind = int(rng.choice([PLACE, PLACE, AMEND, CANCEL]))
    order = number if kind == PLACE else int(rng.integers(max(number - 6, 0), number + 1))
    request(v, t_ns, kind, order, side, price, qty, 0)


@pytest.mark.parametrize("seed", range(6))
def test_both_venues_reply_alike(seed):
    """The same requests get the same replies, to the last field."""
    tape = timeline(wild_rows(4000, seed))
    info, _ = synthetic(0.1)
    spec = setup(info).spec
    scout = Scout(tape, to_record(QuoteParams(), spec.instrument), width=4096)
    first, trail = scout.venue_message, scout.whole()
    told = []
    for go_on, source in ((venue.go_on, tape), (fed.go_on, trail)):
        rng = np.random.default_rng(seed)
        v = new_venue(entry_ns=5 * MS, response_ns=7 * MS, width=4096)
        venue.go_on(v, tape, int(tape.venue_ns[first - 1]))
        replies = []
        for number, t_ns in enumerate(range(int(tape.local_ns[0]), int(tape.local_ns[-1]), 150 * MS)):
            while go_on(v, source, t_ns):
                replies.append(v.replies[int(v.state[0]["read"]) % venue.QUEUE].tolist())
                v.state["read"] += 1
            ask_at_random(rng, v, t_ns, number)
        told.append(replies)
    executed = sum(reply[1] == venue.EXECUTED for reply in told[0])
    assert executed > 10
    assert told[0] == told[1]
