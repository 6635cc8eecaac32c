"""What the exchange tells a wire protocol, as it happens on the venue clock."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.orders import OrderRecord, PublicTrade, Trade

if TYPE_CHECKING:
    from asmm_daemon.exchange.market import Market

Level = tuple[int, int, int]
"""(side, price in ticks, published quantity in lots; 0: the level is gone)."""


class Listener(Protocol):
    """A wire protocol's ears. Calls come in the order of the venue clock, inside `Exchange` calls.

    `exch_ns` is when it happened, `local_ns` when a public stream may deliver it (feed latency). A
    listener must not call back into the exchange's order entry.
    """

    def on_depth(self, market: "Market", changes: Sequence[Level], exch_ns: int, local_ns: int) -> None:
        """Published levels changed; `market.update_id` is this change's id (one more than before)."""

    def on_best(self, market: "Market", exch_ns: int, local_ns: int) -> None:
        """The public best changed: read `market.best`. Comes after its `on_depth`."""

    def on_trade(self, market: "Market", trade: PublicTrade, local_ns: int) -> None:
        """A public trade happened (own executions included)."""

    def on_order(self, account: Account, order: OrderRecord, trade: Trade | None, t_ns: int) -> None:
        """An order was accepted, amended, executed (`trade`) or ended; `order` is its new state."""

    def on_account(
        self, account: Account, assets: Sequence[str], symbols: Sequence[str], why: str, t_ns: int
    ) -> None:
        """Balances and positions changed. `why`: order, fill, funding, transfer, liquidation."""

    def on_mark(self, market: "Market", exch_ns: int, local_ns: int) -> None:
        """The mark price or the funding rate changed: read `market.mark`, `market.funding_rate`."""

    def on_status(self, market: "Market", t_ns: int) -> None:
        """Trading status or filters changed."""


class NullListener:
    """Hears everything and does nothing; a base for listeners that need only some calls."""

    def on_depth(self, market: "Market", changes: Sequence[Level], exch_ns: int, local_ns: int) -> None:
        """Ignored."""

    def on_best(self, market: "Market", exch_ns: int, local_ns: int) -> None:
        """Ignored."""

    def on_trade(self, market: "Market", trade: PublicTrade, local_ns: int) -> None:
        """Ignored."""

    def on_order(self, account: Account, order: OrderRecord, trade: Trade | None, t_ns: int) -> None:
        """Ignored."""

    def on_account(
        self, account: Account, assets: Sequence[str], symbols: Sequence[str], why: str, t_ns: int
    ) -> None:
        """Ignored."""

    def on_mark(self, market: "Market", exch_ns: int, local_ns: int) -> None:
        """Ignored."""

    def on_status(self, market: "Market", t_ns: int) -> None:
        """Ignored."""
