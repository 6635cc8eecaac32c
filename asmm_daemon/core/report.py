"""Totals over time, and the frozen views that status, metrics and the summary read."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from asmm_daemon.core.account import Account
from asmm_daemon.core.channels import Channels
from asmm_daemon.core.decision import Missing
from asmm_daemon.core.desk import RESTING, ZERO, Desk
from asmm_daemon.core.orders import Order
from asmm_daemon.core.oversight import EFFECT, State
from asmm_daemon.core.risk import Gate, Refusal
from asmm_daemon.core.supervisor import Supervisor
from asmm_daemon.core.view import EngineView, MarketCounts, MarketView, OrderView
from asmm_daemon.units import NS_PER_S

_LACKING = {
    Missing.BOOK: "the book is not valid",
    Missing.SIGMA: "σ is not ready",
    Missing.PRICE: "a number of the model is not finite",
}
"""What a decision cannot do without."""
LONGEST_BEAT_S = 1.0
"""A gap between two beats longer than this (a stall) counts for no state."""


@dataclass(slots=True)
class Clockwork:
    """Seconds spent in each state, counted on the watchdog's beat."""

    last_ns: int = 0
    state_s: dict[str, float] = field(default_factory=lambda: {state.name: 0.0 for state in State})

    def count(self, account: Account, t_ns: int) -> None:
        """Adds the time since the last beat to the state that held."""
        beat_s = (t_ns - self.last_ns) / NS_PER_S if self.last_ns else 0.0
        self.last_ns = t_ns
        self.state_s[_worst_state(account.desks).name] += beat_s
        for desk in account.desks:
            _count_quoted(desk, t_ns, min(beat_s, LONGEST_BEAT_S))


def _worst_state(desks: Sequence[Desk]) -> State:
    return max(desk.machine.state for desk in desks)


def _count_quoted(desk: Desk, t_ns: int, beat_s: float) -> None:
    tally = desk.tally
    if desk.machine.state is State.ACTIVE:
        tally.active_s += beat_s
    if desk.first_active_ns is None or not desk.book_current(t_ns):
        return
    tally.healthy_s += beat_s
    resting = [o for o in desk.table if o.state in RESTING and o.left > 0]
    bids = [o.price for o in resting if o.side > 0]
    asks = [o.price for o in resting if o.side < 0]
    tally.bid_s += beat_s if bids else 0.0
    tally.ask_s += beat_s if asks else 0.0
    if bids and asks:
        tally.both_s += beat_s
        half_bps = (min(asks) - max(bids)) / 2 / desk.mid_ticks * 1e4
        tally.half_spread_bps_s += half_bps * beat_s


def engine_view(
    account: Account,
    channels: Channels,
    supervisor: Supervisor,
    gate: Gate,
    clockwork: Clockwork,
    t_ns: int,
) -> EngineView:
    """The whole engine as it stands."""
    equity = account.equity()
    peak = account.drawdown.peak
    lost = account.drawdown.drawdown(equity) if equity is not None else 0.0
    silence_s = account.limits.disconnect_after_s
    ages = channels.ages(t_ns, [desk.symbol for desk in account.desks])
    shared = {
        "drawdown": _distance(lost, account.limits.drawdown_halt),
        "disconnect": _distance(max(ages.values(), default=0.0), silence_s),
    }
    markets = tuple(market_view(account, desk, shared, t_ns) for desk in account.desks)
    return EngineView(
        t_ns=t_ns,
        state=_worst_state(account.desks).name,
        causes=tuple(dict.fromkeys(cause for market in markets for cause in market.causes)),
        equity=equity if equity is not None else account.limits.capital,
        equity_start=account.equity_start or account.limits.capital,
        equity_peak=peak if peak is not None else account.limits.capital,
        drawdown=lost,
        drawdown_max=account.drawdown.worst,
        channel_age_s=ages,
        state_seconds=dict(clockwork.state_s),
        transitions=tuple(supervisor.transitions),
        messages_per_s=gate.messages(t_ns),
        open_orders=sum(len(desk.table.active()) for desk in account.desks),
        unknown_orders=sum(market.unknown_orders for market in markets),
        markets=markets,
    )


def market_view(account: Account, desk: Desk, shared: dict[str, float], t_ns: int) -> MarketView:
    """One market as it stands."""
    instrument, ledger, limits = desk.spec.instrument, desk.ledger, desk.spec.limits
    top, chosen, mid = desk.market.market[0], desk.decision[0], desk.mid
    active = desk.table.active()
    price = mid if mid is not None else ZERO
    tick = float(instrument.tick)
    return MarketView(
        symbol=desk.symbol,
        tick=instrument.tick,
        lot=instrument.lot,
        state=desk.machine.state.name,
        causes=tuple(account.causes(desk)),
        missing=_missing(account, desk),
        bid=instrument.price(int(top["bid"])) if desk.valid else None,
        ask=instrument.price(int(top["ask"])) if desk.valid else None,
        mid=desk.mid_ticks * tick,
        microprice=float(top["micro"]) * tick if mid is not None else float("nan"),
        book_age_s=desk.book.age_s(t_ns) if desk.book.proof_ns else float("nan"),
        sigma=float(chosen["sigma"]),
        kappa=float(chosen["kappa"]),
        intensity_a=float(chosen["intensity_a"]),
        gamma=float(chosen["gamma"]),
        skew=float(chosen["skew"]),
        half_spread=float(chosen["half_spread"]),
        edge_bps=_edge_bps(desk),
        markout_60s_bps=desk.markouts.mean_bps,
        reservation=float(chosen["reservation"]),
        inventory=ledger.qty,
        inventory_target=desk.target,
        inventory_limit=instrument.qty(instrument.floor_lots(desk.max_inventory)),
        pnl_realised=ledger.realised,
        pnl_unrealised=ledger.unrealised(price) if mid is not None else ZERO,
        pnl_net=ledger.net(price),
        fees=dict(ledger.fees),
        funding=ledger.funding,
        volume_base=ledger.volume_base,
        volume_quote=ledger.volume_quote,
        sides_off={("buy" if side > 0 else "sell"): why for side, why in desk.sides_off().items()},
        orders=tuple(_order_view(desk, order) for order in active),
        unknown_orders=sum(order.state.unknown for order in active),
        reconciled=desk.reconciliation.agreed
        and ledger.opened_ns is not None
        and not account.money.differences,
        reconciled_age_s=(t_ns - desk.reconciliation.done_ns) / NS_PER_S,
        rejects=dict(desk.tally.rejects),
        fallbacks=dict(desk.tally.fallbacks),
        refusals=dict(desk.tally.refusals),
        counts=_counts(desk),
        distances={
            **shared,
            "inventory": _distance(desk.share, limits.reduce_above),
            "stale_book": _distance(desk.book.age_s(t_ns), limits.stale_after_s),
            "flash_crash": _distance(desk.flash.move(), limits.flash_move),
        },
        explain=desk.explains[-1] if desk.explains else None,
    )


def _edge_bps(desk: Desk) -> float:
    chosen = desk.decision[0]
    price, half = float(chosen["m"]), float(chosen["half_spread"])
    return (half / price - float(desk.spec.instrument.maker)) * 1e4 if price > 0 else float("nan")


def _missing(account: Account, desk: Desk) -> tuple[str, ...]:
    """Why nothing is quoted: causes that pause, what the last decision lacked, sizes that do not fit."""
    waits = [f"{s}: {why}" for s, why in account.causes(desk).items() if EFFECT[s] >= State.PAUSED]
    if waits or not desk.decided_ns:
        return tuple(waits)
    chosen = desk.decision[0]
    lacking = int(chosen["missing"])
    if words := tuple(text for what, text in _LACKING.items() if lacking & what):
        return words
    if desk.machine.state is not State.ACTIVE or desk.mid is None:
        return ()
    empty = not (chosen["bid_qty"].any() or chosen["ask_qty"].any())
    refused = _refused(desk)
    if empty or Refusal.SIZE in refused:
        return (_no_size(desk),)
    return (f"the pre-trade gate refuses every quote: {', '.join(refused)}",) if refused else ()


def _refused(desk: Desk) -> tuple[str, ...]:
    """Why the gate let no quote of the last decision pass; empty where one did, or rests."""
    if desk.table.active() or not desk.explains:
        return ()
    told = {quote.action for quote in desk.explains[-1].quotes}
    return tuple(sorted(told)) if told <= set(Refusal) else ()


def _no_size(desk: Desk) -> str:
    """Why no order of either side is large enough for the venue."""
    instrument, limits = desk.spec.instrument, desk.spec.limits
    least = instrument.qty(instrument.min_lots(instrument.floor_ticks(desk.mid or ZERO)))
    caps = {"limits.max_order": limits.max_order, "the effective maximum inventory": desk.max_inventory}
    small = [f"{name} is {value:.6g}" for name, value in caps.items() if value < least]
    if limits.max_order_value < least * (desk.mid or ZERO):
        small.append(f"limits.max_order_value is {limits.max_order_value:.6g} {instrument.quote}")
    return f"no order fits: the venue takes at least {least:f} {instrument.base}, " + (
        " and ".join(small) or "inventory, exposure and balance leave less"
    )


def _order_view(desk: Desk, order: Order) -> OrderView:
    instrument = desk.spec.instrument
    return OrderView(
        order.cid,
        order.oid,
        int(order.side),
        order.level,
        instrument.price(order.price),
        instrument.qty(order.open_lots),
        str(order.state),
    )


def _counts(desk: Desk) -> MarketCounts:
    tally = desk.tally
    return MarketCounts(
        cycles=tally.cycles,
        cycles_late=tally.late,
        cycles_skipped=tally.skipped,
        active_s=tally.active_s,
        healthy_s=tally.healthy_s,
        quoted_bid_s=tally.bid_s,
        quoted_ask_s=tally.ask_s,
        quoted_both_s=tally.both_s,
        half_spread_bps_mean=tally.half_spread_bps_s / tally.both_s if tally.both_s else 0.0,
        orders=tally.orders,
        amends=tally.amends,
        cancels=tally.cancels,
        refused=sum(tally.refusals.values()),
        fills_buy=desk.ledger.fills_buy,
        fills_sell=desk.ledger.fills_sell,
        fallbacks=sum(tally.fallbacks.values()),
        inventory_abs_max=max(tally.inventory_abs_max, abs(desk.ledger.qty)),
    )


def _distance(value: float, limit: float) -> float:
    """How far a value is from its trigger: 1 far, 0 tripped."""
    return min(max(1.0 - value / limit, 0.0), 1.0) if limit > 0 else 0.0
