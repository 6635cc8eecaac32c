"""What holds over all markets of the account: balances, equity, exposure, account-wide causes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from asmm_daemon.core.desk import ZERO, Desk
from asmm_daemon.core.oversight import Board, State, Switch, worst
from asmm_daemon.core.spec import AccountLimits
from asmm_daemon.core.switches import DrawdownWatch
from asmm_daemon.events import BalanceEvent
from asmm_daemon.units import NS_PER_S

TRANSFER_AFTER_S = 300.0
"""How long a balance may differ before the difference counts as a transfer: funding is told late."""


@dataclass(slots=True)
class Money:
    """Balances against what the ledgers say moved them, since the first comparison of this session."""

    base: dict[str, Decimal] = field(default_factory=dict)
    """Balance less the ledgers' flows at the first comparison, by asset."""
    differences: dict[str, Decimal] = field(default_factory=dict)
    """Venue's balance less ours at the last comparison, where it is not zero."""
    since_ns: dict[str, int] = field(default_factory=dict)
    """Since when this same difference has been seen."""

    def compare(self, asset: str, total: Decimal, flow: Decimal, t_ns: int) -> Decimal | None:
        """The difference if there is one; one that stays is a transfer, from which counting goes on."""
        base = self.base.setdefault(asset, total - flow)
        difference = total - base - flow
        if not difference:
            self.differences.pop(asset, None)
            self.since_ns.pop(asset, None)
            return None
        if difference != self.differences.get(asset):
            self.since_ns[asset] = t_ns
        self.differences[asset] = difference
        if t_ns - self.since_ns[asset] > TRANSFER_AFTER_S * NS_PER_S:
            self.base[asset] = base + difference
            del self.differences[asset], self.since_ns[asset]
        return difference


class Account:
    """The account's shared state; `desks` are its markets."""

    def __init__(self, limits: AccountLimits, desks: Sequence[Desk]) -> None:
        self.limits = limits
        self.desks = desks
        self.board = Board()
        self.drawdown = DrawdownWatch()
        self.equity_start: Decimal | None = None
        self.balances: dict[str, BalanceEvent] = {}
        self.money = Money()

    def causes(self, desk: Desk) -> dict[Switch, str]:
        """Every cause that holds for a market: its own and the account's."""
        return {**desk.board.causes, **self.board.causes}

    def target_state(self, desk: Desk) -> State:
        """The worst state that a cause asks for."""
        return worst(self.causes(desk))

    def equity(self) -> Decimal | None:
        """Capital and every market's result; None while a needed mid is unknown."""
        total = self.limits.capital
        for desk in self.desks:
            profit = desk.profit(against_holding=self.limits.spot_equity == "hold_target")
            if profit is None:
                return None
            total += profit
        return total

    def other_exposure(self, desk: Desk) -> Decimal:
        """Quote currency that the other markets' positions and open orders could reach."""
        return sum((d.reach() for d in self.desks if d is not desk), ZERO)

    def quote_total(self, desk: Desk) -> Decimal | None:
        """Spot: quote currency that this market's bids may use; None when unknown or not binding."""
        instrument = desk.spec.instrument
        balance = self.balances.get(instrument.quote)
        if not instrument.is_spot or balance is None:
            return None
        locked = ZERO
        for other in self.desks:
            if other is not desk and other.spec.instrument.quote == instrument.quote:
                step = other.spec.instrument.tick * other.spec.instrument.lot
                locked += step * sum(o.open_lots * max(o.prices()) for o in other.table if o.side > 0)
        return balance.free + balance.locked - locked

    @property
    def flat(self) -> bool:
        """Whether no market holds anything that could be reduced."""
        return all(desk.flat for desk in self.desks)
