"""What a request is to the venue's functions, whichever transport brought it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.keys import ApiKey
from asmm_daemon.exchange.orders import ENGINE, Origin
from asmm_daemon.units import NS_PER_MS


class Security(Enum):
    """Who may call: anyone, any key holder, or a signed request (to read, or to trade)."""

    NONE = "none"
    KEY = "key"
    USER_DATA = "user_data"
    TRADE = "trade"

    @property
    def signed(self) -> bool:
        """Whether timestamp and signature are asked for."""
        return self in (Security.USER_DATA, Security.TRADE)


@dataclass(slots=True)
class Call:
    """One admitted request. `account` is set where the endpoint needs a key; `now_ns` is venue time."""

    params: Params
    now_ns: int
    account: Account | None = None
    key: ApiKey | None = None
    origin: Origin = ENGINE

    @property
    def owner(self) -> Account:
        """The account of a call that needs one."""
        assert self.account is not None
        return self.account

    @property
    def now_ms(self) -> int:
        """Venue time in milliseconds."""
        return self.now_ns // NS_PER_MS


Handler = Callable[[Call], Any]
Weight = int | Callable[[Params], int]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One function of the API.

    `ws` is its method name in the WebSocket API (empty: none). `acts` marks order entry, which runs
    at the exchange's order latency; `orders` is how many it charges to the order rate limits.
    """

    method: str
    path: str
    handler: Handler
    security: Security = Security.NONE
    weight: Weight = 1
    ws: str = ""
    acts: bool = False
    orders: Callable[[Params], int] | None = None

    def cost(self, params: Params) -> int:
        """Request weight of a call."""
        return self.weight if isinstance(self.weight, int) else self.weight(params)


def one(_: Params) -> int:
    """One order."""
    return 1


def each(single: int, every: int) -> Callable[[Params], int]:
    """A weight for requests that name a symbol, and one for those that ask for all."""

    def weight(params: Params) -> int:
        return single if params.has("symbol") else every

    return weight
