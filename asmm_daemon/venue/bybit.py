"""Bybit v5 spot and linear as the adapter sees them: REST requests plus the two kinds of socket."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from asmm_daemon.clock import Clock
from asmm_daemon.events import Event, Rows
from asmm_daemon.units import NS_PER_MS, NS_PER_S
from asmm_daemon.venue.books import BybitBook
from asmm_daemon.venue.bybit_rest import BybitRest, trade_id
from asmm_daemon.venue.dialect import Subscription
from asmm_daemon.venue.limits import Priority
from asmm_daemon.venue.outcomes import Refused
from asmm_daemon.venue.protocol import Capabilities, Finding, VenueSettings
from asmm_daemon.venue.requests import Requests
from asmm_daemon.venue.rows import RowMaker

_DCP_ID = "asmm-dcp"
_DCP_ASK_NS = 60 * NS_PER_S
_DCP_MOST_S = 20.0
"""Longest window: it begins only once the private stream has been given up."""
_AUTH_MS = 10_000


class BybitReader:
    """One market's book, heartbeat and trade messages."""

    def __init__(self, maker: RowMaker, on_top: Callable[[str, str], None]) -> None:
        self._maker = maker
        self._book = BybitBook(maker)
        self._on_top = on_top
        self.acknowledged = False
        self.ended = ""

    @property
    def synced(self) -> bool:
        """Whether the book is known and continues."""
        return self._book.synced

    def reset(self) -> None:
        """A new connection: nothing is known."""
        self._book.reset()
        self.acknowledged, self.ended = False, ""

    def lose_book(self) -> None:
        """The sequence broke: nothing is known until the next snapshot."""
        self._book.reset()

    def read(self, message: Any, now_ns: int) -> Rows | None:
        """Rows of one message, if it has any for us."""
        topic = message.get("topic", "")
        if topic.startswith("orderbook.50"):
            return self._book.message(message, now_ns)
        if topic.startswith("publicTrade"):
            return self._trades(message["data"], now_ns)
        if topic.startswith("orderbook.1."):
            data = message["data"]
            if data["b"] and data["a"]:
                self._on_top(data["b"][0][0], data["a"][0][0])
            return None
        if message.get("op") == "subscribe":
            self.acknowledged = bool(message.get("success"))
            if not self.acknowledged:
                self.ended = f"subscription refused: {message.get('ret_msg', message)}"
        return None

    def _trades(self, data: Sequence[Any], now_ns: int) -> Rows | None:
        """All trades of one message as one group of rows."""
        made = [
            self._maker.trade(
                t["p"], t["v"], 1 if t["S"] == "Buy" else -1, t["T"] * NS_PER_MS, now_ns, trade_id(t["i"])
            )
            for t in data
        ]
        return join_rows(made)

    def join(self, snapshot: Any, now_ns: int) -> Rows | None:  # noqa: ARG002  (the stream brings its own)
        """Bybit's stream starts with its snapshot: there is nothing to join."""
        return None


def join_rows(made: Sequence[Rows]) -> Rows | None:
    """Rows of one venue message in one array; only the last carries `last`."""
    if len(made) < 2:
        return made[0] if made else None
    rows = np.concatenate(made)
    rows["last"] = False
    rows["last"][-1] = True
    return rows


class BybitDialect(BybitRest):
    """Requests and sockets of one Bybit category."""

    needs_snapshot = False

    def __init__(self, requests: Requests, settings: VenueSettings, clock: Clock) -> None:
        super().__init__(requests, settings, clock)
        self.capabilities = Capabilities(
            amend=True, amend_keeps_place=True, deadman=True, heartbeat=True, deadman_by_stream=True
        )
        self._exchange = requests.exchange
        self._dcp_window_s = 0.0
        self._dcp_on = False
        self._dcp_asked_ns = 0
        self._dcp_subscribed = False

    async def arm(self, m: int, window_s: float) -> bool:  # noqa: ARG002  (the switch is the account's)
        """Sets the window of disconnection protection once and asks now and then whether it is on.

        The private stream's pings are what refreshes it; it cannot be disarmed, only left.
        """
        if window_s <= 0:
            return False
        window_s = min(window_s, _DCP_MOST_S)
        now_ns = self._clock.now_ns()
        if now_ns - self._dcp_asked_ns > _DCP_ASK_NS or not self._dcp_on:
            self._dcp_asked_ns = now_ns
            if self._dcp_window_s != window_s:
                await self._set_window(window_s)
            self._dcp_on = await self._dcp_enabled()
        return self._dcp_on and self._dcp_subscribed

    async def _set_window(self, window_s: float) -> None:
        product = "SPOT" if self._category == "spot" else "DERIVATIVES"
        params = {"product": product, "timeWindow": int(window_s)}
        await self._requests.call(
            "privatePostV5OrderDisconnectedCancelAll", params, {"ip": 1}, Priority.SAFETY
        )
        self._dcp_window_s = window_s

    async def _dcp_enabled(self) -> bool:
        product = "SPOT" if self._category == "spot" else "DERIVATIVES"
        result = await self._get("privateGetV5AccountQueryDcpInfo", {}, Priority.SAFETY)
        return any(r["product"] == product and r["dcpStatus"] == "ON" for r in result["dcpInfos"])

    def subscription(self, m: int) -> Subscription:
        """The market's public socket; its number keeps it apart from the other markets'."""
        symbol = self.instruments[m].symbol
        url = self._exchange.implode_hostname(self._exchange.urls["api"]["ws"]["public"][self._category])
        topics = [f"orderbook.50.{symbol}", f"orderbook.1.{symbol}", f"publicTrade.{symbol}"]
        return Subscription(f"{url}?market={m}", {"op": "subscribe", "req_id": f"asmm-{m}", "args": topics})

    def reader(self, m: int, on_top: Callable[[str, str], None]) -> BybitReader:
        """A reader for that socket."""
        return BybitReader(self.makers[m], on_top)

    async def private_url(self) -> str:
        """The private socket's address."""
        return str(self._exchange.implode_hostname(self._exchange.urls["api"]["ws"]["private"]["contract"]))

    def private_frames(self) -> Sequence[dict[str, Any]]:
        """Login, our topics, and disconnection protection, which the account may not have."""
        expires = str(int(self._exchange.milliseconds() + _AUTH_MS * max(1.0, self._clock.speed)))
        text = self._exchange.encode("GET/realtime" + expires)
        signature = self._exchange.hmac(text, self._exchange.encode(self._settings.secret), "sha256")
        topics = ["order", "execution", "wallet"]
        protection = "dcp.spot"
        if self._category == "linear":
            topics.append("position")
            protection = "dcp.future"
        self._dcp_subscribed = False
        return (
            {"op": "auth", "args": [self._settings.key, expires, signature]},
            {"op": "subscribe", "req_id": "asmm-user", "args": topics},
            {"op": "subscribe", "req_id": _DCP_ID, "args": [protection]},
        )

    def private_ping(self) -> dict[str, Any] | None:
        """A frame that the private socket answers."""
        return {"op": "ping", "req_id": "asmm-ping"}

    def private_ack(self, message: Any) -> bool | None:
        """Whether login or subscription was taken; refused protection is no reason to stop."""
        if message.get("op") not in ("auth", "subscribe"):
            return None
        taken = bool(message.get("success")) or message.get("retCode") == 0
        if message.get("req_id") == _DCP_ID:
            self._dcp_subscribed = taken
            return True
        return taken

    def private_end(self, message: Any) -> str:  # noqa: ARG002  (Bybit closes the socket instead)
        """Bybit announces no end."""
        return ""

    def private_events(self, message: Any, now_ns: int) -> list[Event]:
        """Events of a private message."""
        return self.wire.private(message, now_ns) if "topic" in message else []

    async def keep_key(self) -> None:
        """Bybit has no key to renew."""

    async def doctor(self) -> list[Finding]:
        """What the key may do."""
        try:
            reply = await self._requests.call("privateGetV5UserQueryApi", {}, {"ip": 1}, Priority.QUERY)
            key = reply["result"]
        except Refused as error:
            return [Finding("warn", "permissions", f"cannot be read: {error}")]
        if "Withdraw" in (key.get("permissions") or {}).get("Wallet", ()):
            return [Finding("fail", "permissions", "the key may withdraw: make one that may not")]
        if str(key.get("readOnly")) == "1":
            return [Finding("fail", "permissions", "the key is read-only")]
        if key.get("ips") in (None, [], ["*"]):
            return [Finding("warn", "permissions", "the key is not bound to an address")]
        return [Finding("ok", "permissions", "the key may trade, not withdraw, and is bound to an address")]
