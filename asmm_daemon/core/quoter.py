"""Decisions: features and policy once a cycle, quotes then and whenever price or orders move on."""

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.account import Account
from asmm_daemon.core.decision import DECISION, Clamp, Missing, decide, requote_due
from asmm_daemon.core.desk import Desk
from asmm_daemon.core.explain import Explain, QuoteLine
from asmm_daemon.core.features import features
from asmm_daemon.core.market import advance
from asmm_daemon.core.order_state import OrderState
from asmm_daemon.core.outbox import Outbox
from asmm_daemon.core.oversight import State, Switch
from asmm_daemon.core.params import QuoteParams
from asmm_daemon.core.policy import Action, FixedPolicy, Policy
from asmm_daemon.core.records import RecordKind
from asmm_daemon.core.trader import IOC_LEVEL, Trader
from asmm_daemon.units import NS_PER_S

NUMBERS = tuple(name for name in DECISION.names or () if DECISION[name].shape == () and name != "t_ns")
"""The decision's scalars, all of which `explain` shows."""
IOC_EVERY_S = 1.0
MOVED = frozenset({"place", "amend", "replace", "cancel"})
SENT = MOVED | {"keep", "wait"}
REPEATED = frozenset({"state", "retry"})
"""Triggers of the watchdog's beat: of a run of them only the last is kept in memory."""


class Quoter:
    """Turns what is known of a market into wanted quotes."""

    def __init__(self, account: Account, trader: Trader, outbox: Outbox) -> None:
        self.account = account
        self.trader = trader
        self.outbox = outbox

    def cycle(self, desk: Desk) -> None:
        """One quote cycle: features always (their lags refer to the last cycle), an action while quoting."""
        now = self.outbox.t_ns
        self._prepare(desk)
        advance(desk.market, desk.params, now)
        features(desk.market, desk.params, desk.inventory, now, desk.features)
        if self.may_quote(desk):
            desk.action, desk.fallback = choose(desk.spec.policy, desk.spec.quote, desk.features, now)
            if desk.fallback:
                _count_fallback(desk, desk.fallback)
            elif desk.machine.state is not State.HALTED:
                desk.chosen_ns = now
            self.requote(desk, "cycle")

    def follow_price(self, desk: Desk) -> None:
        """Requotes once the microprice has left the last decision's."""
        waited = self.outbox.t_ns - desk.decided_ns
        if (
            desk.quoting
            and waited >= desk.spec.limits.min_requote_s * NS_PER_S
            and requote_due(desk.market, desk.params, desk.decision)
        ):
            self.requote(desk, "move")

    def refresh(self, desk: Desk) -> None:
        """On the watchdog's beat: starts quoting where nothing is wanted, retries what was refused."""
        if not self.may_quote(desk):
            return
        if not desk.quoting or desk.sides_off().keys() != desk.decided_off:
            self.requote(desk, "state")
        elif desk.refused:
            self.requote(desk, "retry")
        else:
            self.trader.sync(desk)
        self._take(desk)

    def may_quote(self, desk: Desk) -> bool:
        """Whether the trading state wants any order."""
        state = desk.machine.state
        flattening = state is State.HALTED and self.account.limits.flatten_on_halt
        return state in (State.ACTIVE, State.REDUCING) or flattening

    def requote(self, desk: Desk, trigger: str) -> None:
        """Decides anew with the action held, and sends the difference."""
        now = self.outbox.t_ns
        if not self.may_quote(desk):
            return
        self._prepare(desk)
        action = desk.action
        wanted = decide(
            desk.market, desk.params, desk.inventory, action.gamma, action.skew, now, desk.decision
        )
        desk.quoting = bool(wanted) and desk.book_current(now)
        desk.decided_ns, desk.decided_off = now, frozenset(desk.sides_off())
        lines = self.trader.sync(desk)
        desk.refused = any(line.action not in SENT for line in lines)
        self._explain(desk, trigger, lines)

    def _prepare(self, desk: Desk) -> None:
        account = self.account
        room = account.limits.max_exposure - account.other_exposure(desk)
        desk.fill_inventory(
            account.quote_total(desk), room, soft=Switch.SOFT_DRAWDOWN in account.board.causes
        )

    def _take(self, desk: Desk) -> None:
        """After a long REDUCING by post-only orders, optionally a bounded IOC order."""
        limits, now = desk.spec.limits, self.outbox.t_ns
        side, since = desk.reduce_side, desk.reduced_ns
        if not limits.reduce_ioc or since is None or side is None:
            return
        if now - since < limits.reduce_ioc_after_s * NS_PER_S or now - desk.ioc_ns < IOC_EVERY_S * NS_PER_S:
            return
        if any(o.level == IOC_LEVEL for o in desk.table.active()) or not desk.book_current(now):
            return
        top, instrument = desk.market.market[0], desk.spec.instrument
        touch = int(top["ask"] if side > 0 else top["bid"])
        price = touch + side * int(touch * limits.reduce_ioc_bps * 1e-4)
        facts = self.trader.facts(desk)
        free = facts.lots(facts.reducible, up=False) - desk.table.open_lots(side)
        lots = min(free, facts.lots(limits.max_order, up=False))
        if lots >= instrument.min_lots(price):
            desk.ioc_ns = now
            self.trader.take(desk, side, price, lots)
        else:
            for order in desk.table.active():
                if order.side == side and order.level != IOC_LEVEL and order.state is OrderState.LIVE:
                    self.trader.cancel(desk, order, "makes way for a bounded taker order")

    def _explain(self, desk: Desk, trigger: str, lines: tuple[QuoteLine, ...]) -> None:
        chosen, now = desk.decision[0], self.outbox.t_ns
        clamps = [clamp.name or "" for clamp in Clamp if int(chosen["clamps"]) & clamp]
        missing = [what.name or "" for what in Missing if int(chosen["missing"]) & what]
        record = Explain(
            t_ns=now,
            symbol=desk.symbol,
            trigger=trigger,
            state=desk.machine.state.name,
            causes=tuple(self.account.causes(desk)),
            policy=desk.spec.policy.name,
            index=desk.action.index,
            fallback=desk.fallback,
            model={name: float(chosen[name]) for name in NUMBERS},
            clamps=(*clamps, *(f"NO_{name}" for name in missing)),
            quotes=lines,
            book_age_s=desk.book.age_s(now),
            data_latency_s=desk.latency_s,
        )
        if desk.explains and trigger in REPEATED and trigger == desk.explains[-1].trigger:
            desk.explains.pop()
        desk.explains.append(record)
        if trigger == "cycle" or any(line.action in MOVED for line in lines):
            self.outbox.record(RecordKind.EXPLAIN, desk.symbol, trigger, **explain_data(record))


def explain_data(record: Explain) -> dict[str, str | float | int]:
    """An explanation as one flat journal line."""
    quotes = " ".join(f"{q.side:+d}@{q.level}:{q.price}x{q.lots}={q.action}" for q in record.quotes)
    return {
        **record.model,
        "state": record.state,
        "causes": ",".join(record.causes),
        "policy": record.policy,
        "index": record.index,
        "fallback": record.fallback,
        "clamps": ",".join(record.clamps),
        "quotes": quotes,
        "book_age_s": record.book_age_s,
        "data_latency_s": record.data_latency_s,
    }


def choose(
    policy: Policy, quote: QuoteParams, features: NDArray[np.float64], t_ns: int
) -> tuple[Action, str]:
    """The policy's action, or plain quoting and the reason why."""
    plain = Action(quote.gamma, quote.skew, -1)
    if not isinstance(policy, FixedPolicy) and not np.isfinite(features).all():
        return plain, "features"
    action = policy.act(features, t_ns)
    if not (isfinite(action.gamma) and isfinite(action.skew)):
        return plain, "not finite"
    if not (quote.gamma_min <= action.gamma <= quote.gamma_max and abs(action.skew) <= quote.skew_max):
        return plain, "out of range"
    return action, ""


def _count_fallback(desk: Desk, reason: str) -> None:
    desk.tally.fallbacks[reason] = desk.tally.fallbacks.get(reason, 0) + 1
