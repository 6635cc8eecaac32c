"""What holds over all markets of the account: balances, equity, exposure, account-wide causes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from asmm_daemon.core.desk import ZERO, Desk
from asmm_daemon.core.oversight import Board, State, Switch, worst
from asmm_daemon.core.spec import AccountLimits
from asmm_daemon.core.switches import DrawdownWatch
from asmm_daemon.events import BalanceEvent


@dataclass(slots=True)
class Money:
    """Balances against what the ledgers say moved them, since the first comparison of this session."""

    base: dict[str, Decimal] = field(default_factory=dict)
    """Balance less the ledgers' flows at the first comparison, by asset."""
    differences: dict[str, Decimal] = field(default_factory=dict)
    """Venue's balance less ours at the last comparison, where it is not zero."""
    seen: dict[str, int] = field(default_factory=dict)
    """Times in a row that this same difference was seen."""

    def compare(self, asset: str, total: Decimal, flow: Decimal) -> Decimal | None:
        """The difference if there is one. The third sight of the same one takes it as a transfer."""
        base = self.base.setdefault(asset, total - flow)
        difference = total - base - flow
        if not difference:
            self.differences.pop(asset, None)
            self.seen.pop(asset, None)
            return None
        same = difference == self.differences.get(asset)
        self.differences[asset] = difference
        self.seen[asset] = self.seen.get(asset, 0) + 1 if same else 1
        if self.seen[asset] >= 3:
            self.base[asset] = base + difference
            del self.differences[asset], self.seen[asset]
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
