"""Request budgets: 600 requests per 5 s and address, and each endpoint's own rate per account.

Source: https://bybit-exchange.github.io/docs/v5/rate-limit
"""

from collections.abc import Mapping

from asmm_daemon.exchange.bybit.codes import Category
from asmm_daemon.exchange.bybit.text import ms
from asmm_daemon.exchange.limits import Bans, Budget, Limit, Usage

PER_SECOND: dict[Category, Mapping[str, int]] = {
    "linear": {
        "/v5/order/create": 10,
        "/v5/order/amend": 10,
        "/v5/order/cancel": 10,
        "/v5/order/cancel-all": 10,
        "/v5/order/create-batch": 10,
        "/v5/order/amend-batch": 10,
        "/v5/order/cancel-batch": 10,
    },
    "spot": {
        "/v5/order/create": 20,
        "/v5/order/amend": 20,
        "/v5/order/cancel": 20,
        "/v5/order/cancel-all": 20,
        "/v5/order/create-batch": 20,
        "/v5/order/amend-batch": 20,
        "/v5/order/cancel-batch": 20,
    },
}
DEFAULT_PER_SECOND = 50
OTHERS = {
    "/v5/account/fee-rate": 5,
    "/v5/user/query-api": 10,
    "/v5/position/set-leverage": 10,
    "/v5/order/disconnected-cancel-all": 5,
}
IP_LIMIT = Limit("ip", 600, 5.0)
BAN_S = 600.0


class RateLimits:
    """Charges requests; a batch costs as many as it holds orders, and those over the rate fail alone."""

    def __init__(self, category: Category) -> None:
        self._rates = {**OTHERS, **PER_SECOND[category]}
        self._budgets: dict[str, Budget] = {}
        self._ip = Budget(IP_LIMIT)
        self._bans = Bans(strikes=1, ban_s=BAN_S, max_s=BAN_S)

    def is_banned(self, address: str, t_ns: int) -> bool:
        """Charges an address for a request; whether the venue shuts its door (403)."""
        if self._bans.banned_s(address, t_ns) > 0:
            return True
        if self._ip.charge(address, 1, t_ns).ok:
            return False
        self._bans.refused(address, t_ns)
        return True

    def charge(self, account: str, path: str, weight: int, t_ns: int) -> Usage:
        """Charges an account for a request to an endpoint."""
        budget = self._budgets.get(path)
        if budget is None:
            cap = self._rates.get(path, DEFAULT_PER_SECOND)
            budget = self._budgets[path] = Budget(Limit(path, cap, 1.0))
        return budget.charge(account, weight, t_ns)


def allowed(usage: Usage, weight: int) -> int:
    """How many of a request's `weight` orders its budget still let pass."""
    return max(0, min(weight, weight - (usage.used - usage.cap)))


def limit_headers(usage: Usage, t_ns: int) -> dict[str, str]:
    """X-Bapi-*: limit, what is left of it, and when it starts anew (now, while not exceeded)."""
    return {
        "X-Bapi-Limit": str(usage.cap),
        "X-Bapi-Limit-Status": str(max(0, usage.cap - usage.used)),
        "X-Bapi-Limit-Reset-Timestamp": str(ms(t_ns if usage.ok else usage.reset_ns)),
    }
