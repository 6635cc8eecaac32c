"""Binance spot and USD-M as the adapter sees them: REST requests plus the two kinds of socket."""

from collections.abc import Callable, Sequence
from typing import Any

from asmm_daemon.clock import Clock
from asmm_daemon.events import Event, Rows
from asmm_daemon.units import NS_PER_MS
from asmm_daemon.venue.binance_rest import BinanceRest
from asmm_daemon.venue.books import BinanceBook
from asmm_daemon.venue.dialect import Subscription
from asmm_daemon.venue.limits import Priority
from asmm_daemon.venue.outcomes import Refused
from asmm_daemon.venue.protocol import Capabilities, Finding, VenueSettings
from asmm_daemon.venue.requests import Requests, malformed
from asmm_daemon.venue.rows import RowMaker

_ENDINGS = ("listenKeyExpired", "eventStreamTerminated", "serverShutdown")
_PING_ID = "asmm-ping"
_USER_ID = "asmm-user"


class BinanceReader:
    """One market's depth and trade messages, raw or wrapped as a combined stream."""

    def __init__(self, maker: RowMaker, *, futures: bool) -> None:
        self._maker = maker
        self._book = BinanceBook(maker, futures=futures)
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
        """The sequence broke: diffs are held back until the next snapshot."""
        self._book.reset()

    def read(self, message: Any, now_ns: int) -> Rows | None:
        """Rows of one message, if it has any for us."""
        data = message.get("data", message)
        kind = data.get("e")
        if kind == "depthUpdate":
            return self._book.diff(data, now_ns)
        if kind == "trade":
            return self._trade(data, now_ns)
        if kind in _ENDINGS:
            self.ended = kind
        elif "error" in data or data.get("code") is not None:
            self.ended = f"subscription refused: {data}"
        elif "id" in data and data.get("result", "") is None:
            self.acknowledged = True
        return None

    def _trade(self, data: Any, now_ns: int) -> Rows | None:
        if data.get("X", "MARKET") != "MARKET":
            return None
        side = -1 if data["m"] else 1
        return self._maker.trade(data["p"], data["q"], side, data["T"] * NS_PER_MS, now_ns, data["t"])

    def join(self, snapshot: Any, now_ns: int) -> Rows | None:
        """Joins a REST snapshot to the diffs held back; None when it is too old."""
        return self._book.snapshot(snapshot, now_ns)


class BinanceDialect(BinanceRest):
    """Requests and sockets of one Binance product."""

    needs_snapshot = True

    def __init__(self, requests: Requests, settings: VenueSettings, clock: Clock) -> None:
        futures = settings.product == "binanceusdm"
        super().__init__(requests, settings, clock, futures=futures)
        self.capabilities = Capabilities(
            amend=futures, amend_keeps_place=False, deadman=futures, heartbeat=False, replace=not futures
        )
        self._exchange = requests.exchange
        self._listen_key = ""

    async def arm(self, m: int, window_s: float) -> bool:
        """Arms or refreshes the dead-man's switch of a USD-M symbol; 0 disarms."""
        if not self._futures:
            return False
        params = {"symbol": self.instruments[m].symbol, "countdownTime": int(window_s * 1000)}
        reply = await self._requests.call(
            "fapiPrivatePostCountdownCancelAll", params, {"weight": 10}, Priority.SAFETY
        )
        if str(reply.get("countdownTime")) != str(params["countdownTime"]):
            raise malformed(reply)
        return window_s > 0

    def subscription(self, m: int) -> Subscription:
        """The market's public socket; its number keeps it apart from the other markets'."""
        name = self.instruments[m].symbol.lower()
        if self._futures:
            url = self._exchange.get_ws_url("linear", "public")
        else:
            url = self._exchange.urls["api"]["ws"]["spot"]
        frame = {"method": "SUBSCRIBE", "params": [f"{name}@depth@100ms", f"{name}@trade"], "id": m + 1}
        return Subscription(f"{url}/{m}", frame)

    def reader(self, m: int, on_top: Callable[[str, str], None]) -> BinanceReader:  # noqa: ARG002  (no heartbeat here)
        """A reader for that socket."""
        return BinanceReader(self.makers[m], futures=self._futures)

    async def private_url(self) -> str:
        """The user-data socket's address; on USD-M a listen key is asked for."""
        if not self._futures:
            return str(self._exchange.urls["api"]["ws"]["ws-api"]["spot"])
        reply = await self._requests.call("fapiPrivatePostListenKey", {}, {"weight": 1}, Priority.SAFETY)
        try:
            self._listen_key = str(reply["listenKey"])
        except (KeyError, TypeError) as error:
            raise malformed(reply) from error
        return str(self._exchange.get_private_ws_url("linear", self._listen_key))

    def private_frames(self) -> Sequence[dict[str, Any]]:
        """The signed subscription of the spot WebSocket API."""
        if self._futures:
            return ()
        method = "userDataStream.subscribe.signature"
        return ({"id": _USER_ID, "method": method, "params": self._exchange.sign_params({})},)

    def private_ping(self) -> dict[str, Any] | None:
        """A request that the spot WebSocket API answers; USD-M has only WebSocket pings.

        A request has its weight: while the venue asked for silence, WebSocket pings must do on spot too.
        """
        silent = self._requests.limiter.silent_until_ns > self._clock.now_ns()
        return None if self._futures or silent else {"id": _PING_ID, "method": "ping"}

    def private_ack(self, message: Any) -> bool | None:
        """Whether the subscription was taken."""
        if message.get("id") != _USER_ID:
            return None
        return message.get("status") == 200 and "error" not in message

    def private_end(self, message: Any) -> str:
        """An expiry or shutdown that ccxt would swallow."""
        kind = message.get("event", message).get("e", "")
        return str(kind) if kind in _ENDINGS else ""

    def private_events(self, message: Any, now_ns: int) -> list[Event]:
        """Events of a private message."""
        return self.wire.private(message.get("event", message), now_ns)

    async def keep_key(self) -> None:
        """Renews the listen key. Raises Refused when the venue no longer knows it."""
        if self._futures and self._listen_key:
            await self._requests.call(
                "fapiPrivatePutListenKey", {"listenKey": self._listen_key}, {"weight": 1}, Priority.SAFETY
            )

    async def doctor(self) -> list[Finding]:
        """Permissions, position mode and the quantitative rules, as far as the venue answers."""
        found = [await self._permissions()]
        if self._futures:
            found += [await self._position_mode(), await self._trading_rules()]
        return found

    async def _permissions(self) -> Finding:
        try:
            key = await self._get("sapi", "AccountApiRestrictions", {}, 1)
        except Refused as error:
            return Finding("warn", "permissions", f"cannot be read: {error}")
        if key.get("enableWithdrawals"):
            return Finding("fail", "permissions", "the key may withdraw: make one that may not")
        if not key.get("ipRestrict"):
            return Finding("warn", "permissions", "the key is not bound to an address")
        may_trade = key.get("enableFutures" if self._futures else "enableSpotAndMarginTrading")
        if not may_trade:
            return Finding("fail", "permissions", "the key may not trade this product")
        return Finding("ok", "permissions", "the key may trade, not withdraw, and is bound to an address")

    async def _position_mode(self) -> Finding:
        body = await self._get(self._private, "PositionSideDual", {}, 30)
        if body.get("dualSidePosition"):
            return Finding("fail", "position mode", "hedge mode is on: asmm needs one-way mode")
        return Finding("ok", "position mode", "one-way")

    async def _trading_rules(self) -> Finding:
        try:
            body = await self._get(self._private, "ApiTradingStatus", {}, 10)
        except Refused as error:
            return Finding("warn", "trading rules", f"cannot be read: {error}")
        locked = [s for s in self._settings.symbols if body.get("indicators", {}).get(s)]
        if locked:
            return Finding("warn", "trading rules", f"order ratios are being watched on {', '.join(locked)}")
        return Finding("ok", "trading rules", "no symbol is near a lock")
