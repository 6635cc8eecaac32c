"""Accounts of the embedded exchange: balances with locks, linear positions, fees, income. Exact decimals.

Money is rounded in one way (`money`: 8 decimals, half to even), so that a client which applies the
same rule to the same fills arrives at the same account to the last digit. Fees are rounded per
fill. When part of a linear position closes, its share of the entry cost is rounded and taken out
of `Position.cost`; realised profit is proceeds minus that share, so a round trip adds up exactly.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from asmm_daemon.exchange.orders import ZERO, Trade
from asmm_daemon.units import Side

IncomeKind = Literal["transfer", "realised", "funding", "commission"]
_MONEY = Decimal("1e-8")


def money(amount: Decimal) -> Decimal:
    """An amount rounded to 8 decimals, half to even: the one rounding of fees and released cost."""
    return amount.quantize(_MONEY, ROUND_HALF_EVEN)


@dataclass(slots=True)
class Balance:
    """An asset's balance; `free` may be reserved by nothing, `locked` by resting spot orders."""

    free: Decimal = ZERO
    locked: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """Free and locked together."""
        return self.free + self.locked


@dataclass(slots=True)
class Position:
    """A one-way linear position: signed `qty` in base, signed entry `cost` in quote.

    `realised`, `fees` and `funding` are sums since the start, in quote (funding: received).
    """

    symbol: str
    qty: Decimal = ZERO
    cost: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    leverage: int = 20
    updated_ns: int = 0

    @property
    def entry(self) -> Decimal:
        """Average entry price; 0 when flat."""
        return self.cost / self.qty if self.qty else ZERO

    def unrealised(self, mark: Decimal) -> Decimal:
        """Profit in quote if closed at `mark`."""
        return self.qty * mark - self.cost

    def trade(self, side: Side, qty: Decimal, price: Decimal) -> Decimal:
        """Books an execution and returns the realised profit before fees."""
        signed = side * qty
        realised = ZERO
        if self.qty * signed < 0:
            closed = min(qty, abs(self.qty))
            released = self.cost if closed == abs(self.qty) else money(self.cost * closed / abs(self.qty))
            realised = -side * closed * price - released
            self.cost -= released
            self.qty += side * closed
            signed -= side * closed
        self.qty += signed
        self.cost += signed * price
        self.realised += realised
        return realised


@dataclass(frozen=True, slots=True)
class Income:
    """One entry of an account's statement: positive amounts were received."""

    kind: IncomeKind
    asset: str
    amount: Decimal
    symbol: str
    t_ns: int
    iid: int
    tid: int | None


@dataclass(frozen=True, slots=True)
class FeeBurn:
    """Fees are paid in a third asset (BNB) at a price in quote."""

    asset: str
    price: Decimal


@dataclass(slots=True, eq=False)
class Account:
    """One account. The exchange is its only writer; wires read.

    `trades` and `income` keep the most recent 100,000 entries. For linear products the wallet
    balance of an asset is its `Balance.free`, and margin is worked out by the exchange.
    """

    name: str
    balances: dict[str, Balance] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    fee_burn: FeeBurn | None = None
    trades: deque[Trade] = field(default_factory=lambda: deque(maxlen=100_000))
    income: deque[Income] = field(default_factory=lambda: deque(maxlen=100_000))

    def balance(self, asset: str) -> Balance:
        """The asset's balance, made on first use."""
        return self.balances.setdefault(asset, Balance())


def open_account(name: str, deposits: Mapping[str, Decimal]) -> Account:
    """An account with its first deposits."""
    return Account(name, {asset: Balance(free=amount) for asset, amount in deposits.items()})
