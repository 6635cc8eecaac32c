"""What all parts of the Bybit wire share: markets, candles, executions, sequence, times, accounts."""

from collections import deque
from dataclasses import dataclass
from decimal import Decimal

from asmm_daemon.exchange.accounts import Account, Income, Position
from asmm_daemon.exchange.bybit.candles import Candles
from asmm_daemon.exchange.bybit.codes import PARAMS, ApiError, Category
from asmm_daemon.exchange.bybit.ids import Kind, own_id, venue_id
from asmm_daemon.exchange.bybit.order_json import Execution
from asmm_daemon.exchange.bybit.text import Scale
from asmm_daemon.exchange.core import Exchange
from asmm_daemon.exchange.keys import ApiKey
from asmm_daemon.exchange.market import Market
from asmm_daemon.exchange.server import Server

KNOWN_CATEGORIES = ("linear", "spot", "inverse", "option")
DCP_PRODUCT: dict[Category, str] = {"linear": "DERIVATIVES", "spot": "SPOT"}
DCP_DEFAULT_S = 10
_FIRST_SEQ = 4_688_002_127


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """A payment on a position of `qty` (signed, base) at a mark price; `amount` was received."""

    income: Income
    qty: Decimal
    mark: Decimal
    rate: Decimal
    seq: int


class State:
    """Shared state of one product's wire.

    `funding` lists the (time, rate) of each funding per market, oldest first. `dcp_window_s` is the
    disconnection window per account name. `dcp_enabled` says whether the venue has switched the
    protection on for its accounts (it does so on request only).
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.exchange: Exchange = server.exchange
        self.category: Category = "spot" if self.exchange.product == "bybit-spot" else "linear"
        self.candles = {symbol: Candles() for symbol in self.exchange.markets}
        self.prices = {s: Scale(m.instrument.tick) for s, m in self.exchange.markets.items()}
        self.qtys = {s: Scale(m.instrument.lot) for s, m in self.exchange.markets.items()}
        self.executions: dict[str, deque[Execution]] = {}
        self.payments: dict[str, deque[FundingPayment]] = {}
        self.funding: dict[str, list[tuple[int, Decimal]]] = {}
        self._next_funding_ns: dict[str, int] = {}
        self.max_leverage = Decimal(self.exchange.rules.max_leverage)
        self.seq = _FIRST_SEQ
        self.dcp_enabled = True
        self.dcp_window_s: dict[str, int] = {}

    def note_funding(self, market: Market) -> None:
        """Remembers the rate of a funding time that has passed."""
        due_ns = self._next_funding_ns.get(market.symbol, market.next_funding_ns)
        self._next_funding_ns[market.symbol] = market.next_funding_ns
        if due_ns != market.next_funding_ns:
            self.funding.setdefault(market.symbol, []).append((due_ns, market.funding_rate))

    def next_seq(self) -> int:
        """The engine's next cross sequence."""
        self.seq += 1
        return self.seq

    def market(self, symbol: str | None) -> Market:
        """A market by symbol; the venue's own refusal when it has none of that name."""
        found = self.exchange.markets.get(symbol or "")
        if found is None:
            if self.category == "spot":
                raise ApiError(170121, "Invalid symbol.")
            raise ApiError(PARAMS, f"params error: symbol invalid {symbol or ''}".rstrip())
        return found

    def account(self, key: ApiKey) -> Account:
        """The account that a key opens."""
        return self.exchange.accounts[key.account]

    def executions_of(self, account: Account) -> deque[Execution]:
        """An account's executions, oldest first."""
        return self.executions.setdefault(account.name, deque(maxlen=100_000))

    def payments_of(self, account: Account) -> deque[FundingPayment]:
        """An account's funding payments, oldest first."""
        return self.payments.setdefault(account.name, deque(maxlen=10_000))

    def position(self, account: Account, symbol: str) -> Position:
        """An account's position, flat when it never traded."""
        found = account.positions.get(symbol)
        return found or Position(symbol, leverage=self.exchange.rules.leverage)

    def last_price(self, market: Market) -> str:
        """The last trade's price as text."""
        return self.prices[market.symbol].text(market.last_price)

    def mark(self, market: Market) -> str:
        """The mark price as text, "" on spot."""
        if self.category == "spot":
            return ""
        return format(
            market.mark.quantize(Decimal(1).scaleb(-max(2, self.prices[market.symbol].places))), "f"
        )

    def id_text(self, number: int, kind: Kind) -> str:
        """An id as this category shows it."""
        return venue_id(number, kind, self.category)

    def id_number(self, text: str, kind: Kind) -> int | None:
        """The exchange's integer behind an id, None when this venue never wrote it."""
        return own_id(text, kind, self.category)

    def check_category(self, category: str | None) -> bool:
        """Whether a known category is the one served here; refuses unknown ones."""
        if category not in KNOWN_CATEGORIES:
            raise ApiError(PARAMS, "params error: Category is invalid")
        return category == self.category
