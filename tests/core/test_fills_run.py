"""The backtest's loop against the exchange's event by event use."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmm_daemon.core.fills import (
    AMEND,
    CANCEL,
    COMMAND,
    CROSSED,
    DONE,
    FULL,
    IMMEDIATE,
    NOT_FOUND,
    PARTIAL,
    PLACE,
    POST_ONLY,
    RESTED,
    FillModel,
    new_matching,
    run,
)
from asmm_daemon.core.matching import on_row
from asmm_daemon.events import BBO, CLEAR, DEPTH, GAP, ROW, TRADE
from asmm_daemon.tape.load import load_tape


def event_by_event(rows, commands, **options):
    """What the embedded exchange does: message by message, each command after the messages before it."""
    model = FillModel(**options)
    fills, outcomes = [], []
    ends = np.flatnonzero(rows["last"]) + 1
    messages = np.split(rows, ends[:-1])
    now, at = 0, 0
    for command in commands:
        while at < len(messages) and max(now, messages[at]["exch_ns"].max()) <= command["t_ns"]:
            fills.append(model.on_rows(messages[at]))
            now = max(now, messages[at]["exch_ns"].max())
            at += 1
        now = max(now, obey(model, command, fills, outcomes))
    fills += [model.on_rows(message) for message in messages[at:]]
    return np.concatenate([*fills, model.on_rows(rows[:0])]), outcomes


def obey(model, command, fills, outcomes):
    """Passes one command to the model and notes its outcome; the time that it took effect, if it did."""
    t_ns, order, price, qty, kind, side, flags = (int(value) for value in command.tolist())
    if kind == CANCEL:
        outcomes.append(DONE if model.cancel(order) else NOT_FOUND)
        return 0
    post_only = bool(flags & POST_ONLY)
    if kind == AMEND:
        if not model.left(order):
            outcomes.append(NOT_FOUND)
            return 0
        result = model.amend(order, price, qty, t_ns, post_only=post_only)
    else:
        rest = not flags & IMMEDIATE
        result = model.place(order, side, price, qty, t_ns, post_only=post_only, rest=rest)
    fills.append(result.fills)
    outcomes.append(CROSSED if result.would_cross else RESTED if result.rested else DONE)
    return t_ns


def random_commands(rows, number, seed):
    """Placements around the trades of the tape, with amendments and cancels of earlier ones."""
    rng = np.random.default_rng(seed)
    trades = rows[rows["kind"] == TRADE]
    commands = np.zeros(number, COMMAND)
    commands["t_ns"] = np.sort(rng.integers(rows["exch_ns"][0], rows["exch_ns"][-1], number))
    commands["kind"] = rng.choice([PLACE, PLACE, AMEND, CANCEL], number)
    commands["order"] = np.where(
        commands["kind"] == PLACE, np.arange(number), np.arange(number) - rng.integers(1, 40, number)
    ).clip(0)
    commands["side"] = rng.choice([1, -1], number)
    near = trades["price"][np.searchsorted(trades["exch_ns"], commands["t_ns"]).clip(0, trades.size - 1)]
    commands["price"] = near - commands["side"] * rng.integers(-2, 8, number)
    commands["qty"] = rng.integers(1, 3000, number)
    commands["flags"] = rng.choice([POST_ONLY, POST_ONLY, 0, IMMEDIATE], number)
    return commands


@pytest.mark.parametrize("end_on_gap", [True, False])
def test_the_loop_fills_as_the_exchange_does(shared_data, end_on_gap):
    """Orders of all kinds over a real tape with gaps: the same fills and outcomes to the nanosecond."""
    rows = load_tape(shared_data / "standx-btc" / "orderbook_BTC-USD_2026-01-06_00.parquet").rows[:60_000]
    assert (rows["kind"] == GAP).sum() > 5
    commands = random_commands(rows, 3000, seed=5)
    result = run(rows, commands, end_on_gap=end_on_gap)
    fills, outcomes = event_by_event(rows, commands, end_on_gap=end_on_gap)
    assert result.outcomes.tolist() == outcomes
    assert result.fills.tolist() == fills.tolist()
    assert {RESTED, DONE, CROSSED, NOT_FOUND} == set(outcomes)
    assert fills["maker"].sum() > 50
    assert (~fills["maker"]).sum() > 50
    assert (np.diff(fills["t_ns"]) >= 0).all()


MARKET = st.lists(
    st.tuples(
        st.sampled_from([DEPTH, DEPTH, DEPTH, BBO, TRADE, TRADE, CLEAR, GAP]),
        st.sampled_from([1, -1]),
        st.integers(20, 32),
        st.integers(0, 9),
        st.booleans(),
    ),
    min_size=1,
    max_size=80,
)
ORDERS = st.lists(
    st.tuples(
        st.integers(0, 80),
        st.sampled_from([1, -1]),
        st.integers(20, 32),
        st.integers(1, 9),
        st.sampled_from([0, POST_ONLY, IMMEDIATE]),
        st.sampled_from([PLACE, PLACE, PLACE, AMEND, CANCEL]),
    ),
    max_size=30,
)


def tape_of(market):
    """Rows of a generated market, one a nanosecond; a trade carries at least one lot."""
    rows = np.zeros(len(market), ROW)
    for i, (kind, side, price, qty, last) in enumerate(market):
        lots = max(qty, 1) if kind == TRADE else qty
        rows[i] = (i, i, kind, side, 0 if kind == CLEAR else price, lots, i, last or i == len(market) - 1)
    return rows


def commands_of(orders):
    """COMMANDs of generated orders; amendments and cancels speak of the order three places before."""
    commands = np.zeros(len(orders), COMMAND)
    for i, (t_ns, side, price, qty, flags, kind) in enumerate(sorted(orders, key=lambda order: order[0])):
        commands[i] = (t_ns, i if kind == PLACE else max(i - 3, 0), price, qty, kind, side, flags)
    return commands


@settings(deadline=None, max_examples=300)
@given(MARKET, ORDERS, st.sampled_from([PARTIAL, FULL]))
def test_loop_and_events_agree_on_any_market(market, orders, mode):
    """Rows of every kind in any order, messages of any length, orders of any kind, in both modes."""
    rows, commands = tape_of(market), commands_of(orders)
    result = run(rows, commands, mode=mode, end_on_gap=False, width=256)
    fills, outcomes = event_by_event(rows, commands, mode=mode, end_on_gap=False, width=256)
    assert result.outcomes.tolist() == outcomes
    assert result.fills.tolist() == fills.tolist()


@settings(deadline=None, max_examples=300)
@given(MARKET, ORDERS)
def test_fills_carry_no_more_than_arrived(market, orders):
    """No trade fills more lots than it has, no order more than it asked, none at a worse price."""
    rows, commands = tape_of(market), commands_of(orders)
    fills = run(rows, commands, end_on_gap=False, width=256).fills
    for trade in np.unique(fills["trade"][fills["trade"] >= 0]):
        assert fills["qty"][fills["trade"] == trade].sum() <= rows["qty"][trade]
    assert (fills["qty"] > 0).all()
    for order in np.unique(fills["order"]):
        own = fills[fills["order"] == order]
        asked = commands[commands["order"] == order]
        assert own["qty"].sum() <= asked["qty"].sum()
        limit = max(own["side"][0] * asked["price"]) * own["side"][0]
        assert (own["side"] * (limit - own["price"]) >= 0).all()


@settings(deadline=None, max_examples=200)
@given(MARKET, ORDERS, st.sampled_from([PARTIAL, FULL]))
def test_the_short_way_for_quiet_rows_changes_nothing(market, orders, mode):
    """Books, queues and fills are those of the full rules, row by row."""
    rows = tape_of(market)
    model = FillModel(mode=mode, width=256)
    slow = new_matching(power=3.0, mode=mode, end_on_gap=False, width=256)
    for number, (_, side, price, qty, *_) in enumerate(orders[:8]):
        model.place(number, side, price, qty, 0, post_only=True)
        FillModel.place(_around(slow), number, side, price, qty, 0, post_only=True)
    quick = model.on_rows(rows)
    for row in rows:
        on_row(slow, row)
    assert slow.fills[: slow.state[0]["fills"]].tolist() == quick.tolist()
    assert model.resting(1).tolist() == slow.bids[: slow.state[0]["bids"]].tolist()
    assert model.resting(-1).tolist() == slow.asks[: slow.state[0]["asks"]].tolist()
    assert all((a == b).all() for a, b in zip(model.book, slow.book, strict=True))


def _around(matching):
    model = FillModel(width=16)
    model._m = matching
    return model
