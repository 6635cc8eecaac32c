"""The orders of a venue log, replayed through the backtest's loop, fill as they did in the exchange."""

import io
from decimal import Decimal

import numpy as np
import orjson
import pytest

from asmm_daemon.core.fills import (
    AMEND,
    BUY_AT_ANY,
    CANCEL,
    COMMAND,
    IMMEDIATE,
    PLACE,
    POST_ONLY,
    SELL_AT_ANY,
    run,
)
from asmm_daemon.events import TRADE
from asmm_daemon.exchange.core import Exchange
from asmm_daemon.exchange.feeds.base import make_feed
from asmm_daemon.exchange.log import VenueLog
from asmm_daemon.exchange.orders import NewOrder, OrderType, Stp, Tif, VenueReject

START_NS = 1_700_000_000_000_000_000
SPAN_NS = 240_000_000_000


def trade_at_random(exchange, seed):
    """Two accounts send every kind of order near the market for the span, and change and cancel them."""
    rng = np.random.default_rng(seed)
    market = next(iter(exchange.markets.values()))
    unit = market.instrument
    accounts = list(exchange.accounts.values())
    now = START_NS + 1_000_000_000
    while now < START_NS + SPAN_NS:
        now += int(rng.exponential(0.05e9))
        exchange.advance(now)
        account = accounts[rng.integers(len(accounts))]
        mine = exchange.open_orders(account)
        side = int(rng.choice([1, -1]))
        best = market.best.bid if side > 0 else market.best.ask
        price = unit.price(best - side * int(rng.integers(-3, 8)))
        qty = unit.qty(int(rng.integers(1, 800)))
        act = rng.integers(4)
        try:
            if act == 0 and mine:
                exchange.cancel(account, mine[rng.integers(len(mine))])
            elif act == 1 and mine:
                order = mine[rng.integers(len(mine))]
                keep = rng.integers(3) == 0
                exchange.amend(account, order, price=None if keep else price, qty=qty)
            else:
                tif = Tif(rng.choice([Tif.PO, Tif.PO, Tif.GTC, Tif.IOC, Tif.FOK]))
                kind = OrderType.MARKET if rng.integers(20) == 0 else OrderType.LIMIT
                limit = price if kind is OrderType.LIMIT else None
                stp = Stp(rng.choice(list(Stp)))
                exchange.place(account, NewOrder(unit.symbol, side, kind, tif, qty, limit, stp=stp))
        except VenueReject:
            continue


def commands_of(lines, unit):
    """What the log says was asked of the book, as the backtest's commands.

    Fill-or-kill and self-trade prevention are the exchange's, not the book's: what they ended at its
    arrival is asked for as far as it traded, and a resting order that they removed goes first.
    """
    ended = {(line["oid"], line["t_ns"]): unit.lots(line["left"]) for line in lines if line["ev"] == "cancel"}
    terms, commands = {}, []
    for line in lines:
        if line["ev"] not in ("accept", "fill", "amend", "cancel"):
            continue
        oid, t_ns = int(line["oid"]), line["t_ns"]
        given_up = ended.get((line["oid"], t_ns), 0)
        if line["ev"] == "accept":
            side = 1 if line["side"] == "buy" else -1
            price = unit.ticks(line["px"]) if "px" in line else BUY_AT_ANY if side > 0 else SELL_AT_ANY
            flags = POST_ONLY if line["tif"] == "PO" else 0
            terms[oid] = {"side": side, "flags": flags, "qty": unit.lots(line["qty"]), "filled": 0}
            commands.append(place(t_ns, oid, price, terms[oid], given_up))
        elif line["ev"] == "fill":
            terms[oid]["filled"] += unit.lots(line["qty"])
        elif line["ev"] == "amend":
            terms[oid]["qty"] = unit.lots(line["qty"])
            left = terms[oid]["qty"] - terms[oid]["filled"]
            price = unit.ticks(line["px"])
            if line["kept_priority"]:
                commands.append((t_ns, oid, price, left, AMEND, 0, 0))
            else:
                commands.append((t_ns, oid, 0, 0, CANCEL, 0, 0))
                commands.append(place(t_ns, oid, price, terms[oid], given_up))
        elif commands[-1][1] != oid or commands[-1][0] != t_ns:
            before = line["why"] == "stp"
            commands.insert(len(commands) - before, (t_ns, oid, 0, 0, CANCEL, 0, 0))
    return np.array([command for command in commands if command[4] != PLACE or command[3]], COMMAND)


def place(t_ns, oid, price, terms, given_up):
    """An arrival of what was left of an order, less what the exchange gave up of it at once."""
    flags = IMMEDIATE if given_up else terms["flags"]
    return (t_ns, oid, price, terms["qty"] - terms["filled"] - given_up, PLACE, terms["side"], flags)


@pytest.mark.parametrize(
    ("product", "recording"),
    [
        ("binanceusdm", "binance-raw/btcusdt-usdm/usdm_btcusdt_20240718.gz"),
        ("bybit-linear", "standx-btc/orderbook_BTC-USD_2026-01-06_00.parquet"),
    ],
)
def test_the_backtest_repeats_the_fills_of_a_venue_log(shared_data, product, recording):
    """Same orders, same tape: each fill has the same order, nanosecond, price, quantity and maker flag."""
    spec = f"replay:{shared_data / recording}"
    sink = io.BytesIO()
    deposit = {"USDT": Decimal(10**9), "USD": Decimal(10**9)}
    exchange = Exchange(
        product,
        make_feed(spec, product, START_NS, 1),
        VenueLog(sink, lambda: 0),
        start_ns=START_NS,
        deposits={"main": deposit, "other": deposit},
    )
    trade_at_random(exchange, seed=3)
    exchange.log.flush()
    lines = [orjson.loads(line) for line in sink.getvalue().splitlines()]
    unit = next(iter(exchange.markets.values())).instrument
    logged = [
        (int(f["oid"]), f["t_ns"], unit.ticks(f["px"]), unit.lots(f["qty"]), f["maker"])
        for f in lines
        if f["ev"] == "fill"
    ]
    messages, feed = [], make_feed(spec, product, START_NS, 1)
    while (due := feed.next_ns()) is not None and due <= exchange.now_ns:
        messages.append(feed.pop()[1])
    rows = np.concatenate(messages)
    fills = run(rows, commands_of(lines, unit), end_on_gap=False).fills
    assert fills[["order", "t_ns", "price", "qty", "maker"]].tolist() == logged
    assert sum(maker for *_, maker in logged) > 100
    assert sum(not maker for *_, maker in logged) > 100
    assert (rows["kind"] == TRADE).sum() > 100
