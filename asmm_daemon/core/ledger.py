"""One market's account book: positions, costs, fees, funding and equity in exact decimals.

`cash` is the quote currency that trades moved, `cost` what the open position was bought for at
average cost (signed like the position). Then realised = cash + cost and unrealised = qty·mid − cost,
so that their sum never depends on the averaging. Fills are booked once, by the venue's trade id.
"""

from collections.abc import Mapping
from decimal import Decimal

from asmm_daemon.core.position import ZERO, Position
from asmm_daemon.events import FillEvent
from asmm_daemon.units import Instrument

MAX_IDS = 50_000


class Ledger:
    """Books of one market. `asset_prices`: quote price of third assets in which fees may come."""

    def __init__(self, instrument: Instrument, asset_prices: Mapping[str, Decimal] | None = None) -> None:
        self.instrument = instrument
        self.asset_prices = dict(asset_prices or {})
        self.opened_ns: int | None = None
        self.paid = ZERO
        self.adopted = False
        self.fee_cost = ZERO
        self.fees: dict[str, Decimal] = {}
        self.funding = ZERO
        self.volume_base = ZERO
        self.volume_quote = ZERO
        self.fills_buy = 0
        self.fills_sell = 0
        self.hold_excess = ZERO
        self._hold_price: Decimal | None = None
        self._hold_target = ZERO
        self._position = Position()
        self._ids: dict[str, int] = {}
        self._known_before_ns = 0

    def open(self, qty: Decimal, price: Decimal, t_ns: int) -> None:
        """Adopts the inventory that the venue holds where this ledger begins, at the current price."""
        self.opened_ns = t_ns
        self.adopted = bool(qty)
        self._position.move((0, 0), qty, price)

    def transfer(self, qty: Decimal, price: Decimal) -> None:
        """Inventory that came (positive) or went without a trade of ours: neutral to PnL."""
        self.adopted = True
        self._position.move(self._position.latest, qty, price)

    def knows(self, tid: str, venue_ns: int) -> bool:
        """Whether an execution is booked already, or older than this ledger."""
        return tid in self._ids or venue_ns < self._known_before_ns

    def mark_known(self, tid: str, venue_ns: int) -> None:
        """Remembers an execution without booking it: the opening inventory contains it."""
        self._ids[tid] = venue_ns
        if len(self._ids) > MAX_IDS:
            oldest = next(iter(self._ids))
            self._known_before_ns = max(self._known_before_ns, self._ids.pop(oldest))

    def book(self, fill: FillEvent) -> bool:
        """Books an execution; False when its trade id is booked already."""
        if self.knows(fill.tid, fill.venue_ns):
            return False
        self.mark_known(fill.tid, fill.venue_ns)
        self._position.move(_key(fill), fill.side * fill.qty, fill.price)
        self.paid -= fill.side * fill.qty * fill.price
        self._charge(fill)
        self.volume_base += fill.qty
        self.volume_quote += fill.qty * fill.price
        if fill.side > 0:
            self.fills_buy += 1
        else:
            self.fills_sell += 1
        return True

    def book_funding(self, fid: str, amount: Decimal, t_ns: int) -> bool:
        """Books a funding payment (positive: received); False when booked already."""
        key = f"funding:{fid}"
        if self.knows(key, t_ns):
            return False
        self.mark_known(key, t_ns)
        self.funding += amount
        return True

    @property
    def qty(self) -> Decimal:
        """Signed inventory in base."""
        return self._position.now.qty

    @property
    def cash(self) -> Decimal:
        """Quote currency that trades, the opening and transfers moved."""
        return self._position.now.cash

    @property
    def cost(self) -> Decimal:
        """What the open position was bought for, signed like it."""
        return self._position.now.cost

    @property
    def average(self) -> Decimal | None:
        """Average entry price of the open position, None when flat."""
        return self.cost / self.qty if self.qty else None

    @property
    def realised(self) -> Decimal:
        """Profit of closed quantity before fees and funding."""
        return self.cash + self.cost

    def unrealised(self, mid: Decimal) -> Decimal:
        """Profit of the open position at a price."""
        return self.qty * mid - self.cost

    def net(self, mid: Decimal) -> Decimal:
        """Everything earned since the ledger began: trades, fees, funding, at a price."""
        return self.cash + self.qty * mid - self.fee_cost + self.funding

    def flows(self) -> dict[str, Decimal]:
        """What trades, fees and funding moved on the venue's balances, by asset; inventory left out.

        An adopted linear position was bought at a price that we do not know: its quote currency is
        left out too.
        """
        instrument = self.instrument
        moved = {asset: -fee for asset, fee in self.fees.items()}
        if instrument.is_spot:
            moved.pop(instrument.base, None)
            moved[instrument.quote] = moved.get(instrument.quote, ZERO) + self.paid
        elif self.adopted:
            moved.pop(instrument.quote, None)
        else:
            moved[instrument.quote] = moved.get(instrument.quote, ZERO) + self.realised + self.funding
        return moved

    def hold(self, target: Decimal, mid: Decimal) -> Decimal:
        """What holding `target` since the ledger began would have earned.

        A spot maker that idles in a falling market has lost nothing by making; drawdown is measured
        against this. A changed target starts from the price at which it changed.
        """
        if self._hold_price is None:
            self._hold_price, self._hold_target = mid, target
        if target != self._hold_target:
            self.hold_excess += self._hold_target * (mid - self._hold_price)
            self._hold_price, self._hold_target = mid, target
        return self.held(mid)[1]

    def held(self, mid: Decimal) -> tuple[Decimal, Decimal]:
        """The target that `hold` was last told, and what holding it has earned up to `mid`; zeros before."""
        if self._hold_price is None:
            return ZERO, ZERO
        return self._hold_target, self.hold_excess + self._hold_target * (mid - self._hold_price)

    def _charge(self, fill: FillEvent) -> None:
        """Fees are money; a spot fee in the base asset is inventory handed over at the fill's price."""
        if not fill.fee:
            return
        asset = fill.fee_asset
        self.fees[asset] = self.fees.get(asset, ZERO) + fill.fee
        if asset == self.instrument.quote:
            self.fee_cost += fill.fee
        elif asset == self.instrument.base and self.instrument.is_spot:
            self._position.move(_key(fill), -fill.fee, fill.price)
            self.fee_cost += fill.fee * fill.price
        elif asset in self.asset_prices:
            self.fee_cost += fill.fee * self.asset_prices[asset]
        else:
            rate = self.instrument.maker if fill.maker else self.instrument.taker
            self.fee_cost += (fill.qty * fill.price * abs(rate)).copy_sign(fill.fee)


def _key(fill: FillEvent) -> tuple[int, int]:
    """The venue's order: by time, then by trade number where trade ids are numbers."""
    return fill.venue_ns, int(fill.tid) if fill.tid.isdigit() else 0
