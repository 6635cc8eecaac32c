"""Small parts of the simulation: times, names of refusals, the exchange's listener, market specs."""

from asmm_daemon.core.params import QuoteParams
from asmm_daemon.core.policy import FixedPolicy
from asmm_daemon.core.spec import MarketLimits, MarketSpec
from asmm_daemon.events import (
    DEPTH,
    TRADE,
    Cause,
    OrderStatus,
)
from asmm_daemon.exchange.listener import NullListener
from asmm_daemon.exchange.orders import OrderState, Reject

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
S = 1_000_000_000
CAUSES = {
    Reject.POST_ONLY: Cause.POST_ONLY,
    Reject.BALANCE: Cause.BALANCE,
    Reject.REDUCE_ONLY: Cause.REDUCE_ONLY,
    Reject.UNKNOWN_ORDER: Cause.NOT_FOUND,
    Reject.ORDER_DONE: Cause.NOT_FOUND,
    Reject.DUPLICATE_CID: Cause.DUPLICATE_ID,
}
STATUS = {
    OrderState.NEW: OrderStatus.OPEN,
    OrderState.PARTIAL: OrderStatus.OPEN,
    OrderState.FILLED: OrderStatus.FILLED,
    OrderState.CANCELLED: OrderStatus.CANCELLED,
    OrderState.EXPIRED: OrderStatus.EXPIRED,
}


class Ears(NullListener):
    """Turns what the exchange tells into the events that an adapter would emit."""

    def __init__(self, sim):
        self.sim = sim

    def on_depth(self, market, changes, exch_ns, local_ns):
        """Changed levels as DEPTH rows."""
        rows = [(exch_ns, local_ns, DEPTH, side, price, qty, -1, False) for side, price, qty in changes]
        self.sim.publish(market, rows, local_ns)

    def on_trade(self, market, trade, local_ns):
        """A trade as a TRADE row."""
        row = (trade.t_ns, local_ns, TRADE, trade.side, trade.price, trade.qty, trade.tid, False)
        self.sim.publish(market, [row], local_ns)

    def on_order(self, account, order, trade, t_ns):
        """An order's news on the private stream."""
        self.sim.tell_order(order, trade, t_ns)

    def on_account(self, account, assets, symbols, why, t_ns):
        """Funding payments, as an adapter tells them."""
        if why == "funding":
            self.sim.tell_funding(account, symbols)


def spec(instrument, *, quote=None, limits=None, policy=None):
    """A market with quick estimators and small orders."""
    quote = quote or QuoteParams(order_size=0.01)
    return MarketSpec(
        instrument=instrument,
        quote=quote,
        limits=limits or MarketLimits(),
        policy=policy or FixedPolicy(quote.gamma, quote.skew),
        can_amend=instrument.product != "binance",
        can_replace=instrument.product == "binance",
    )
