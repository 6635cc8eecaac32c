"""The other side of the control socket: what `asmm status`, `resume`, `pause` and `halt` do."""

import http.client
import socket
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from asmm_daemon.clock import wall_ns
from asmm_daemon.core.records import Record, RecordKind
from asmm_daemon.errors import StateError
from asmm_daemon.service.health import RELOAD_REFUSED
from asmm_daemon.service.journal import append
from asmm_daemon.service.plain import short
from asmm_daemon.service.state_dir import CONTROL_SOCKET, StateDir
from asmm_daemon.units import NS_PER_S

_CODES = frozenset({"missing", "clamps", "model", "mode", "levels"})
"""Numbers of a decision that stand for words, and say nothing to a person."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=5.0)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _ask(folder: Path, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    connection = _UnixConnection(folder / CONTROL_SOCKET)
    try:
        connection.request(method, path, orjson.dumps(body or {}))
        reply = connection.getresponse()
        data = orjson.loads(reply.read())
    except OSError as error:
        raise StateError(
            f"no daemon answers at {folder / CONTROL_SOCKET} ({error.strerror or error}); "
            "is it running with this configuration?"
        ) from None
    except (http.client.HTTPException, orjson.JSONDecodeError) as error:
        raise StateError(f"the daemon at {folder / CONTROL_SOCKET} failed to answer: {error!r}") from None
    finally:
        connection.close()
    if reply.status >= 400:
        raise StateError(str(data.get("error", data)))
    return data


def status(folder: Path) -> dict[str, Any]:
    """The running daemon's status."""
    data: dict[str, Any] = _ask(folder, "GET", "/status")
    return data


def operate(folder: Path, action: str, reason: str) -> str:
    """Carries a person's word to the running daemon."""
    return str(_ask(folder, "POST", f"/operate/{action}", {"reason": reason})["done"])


def resume(folder: Path, reason: str) -> str:
    """Ends a halt: through the running daemon, or in the state folder while none runs."""
    if not reason.strip():
        raise StateError("a reason is needed: it is written into the journal")
    try:
        state = StateDir(folder)
    except StateError:
        return operate(folder, "resume", reason)
    with state:
        latch = state.latch()
        if latch is None:
            return "nothing is halted"
        append(folder, Record(RecordKind.OPERATOR, wall_ns(), "", "resume", {"reason": reason}))
        state.clear_latch()
    return f"halt ended (it was: {latch.reason})"


def render(data: dict[str, Any], *, as_json: bool, explain: bool) -> Iterator[str]:
    """Lines for a person, or JSON."""
    if as_json:
        shown = [market["explain"] for market in data["markets"]] if explain else data
        yield orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode()
        return
    yield (
        f"{data['state']}  equity {short(data['equity'])}  drawdown {data['drawdown']:.2%}  "
        f"open orders {data['open_orders']}" + (f"  ({', '.join(data['causes'])})" if data["causes"] else "")
    )
    if data["service"]["reload_error"]:
        yield f"{RELOAD_REFUSED}: {data['service']['reload_error']}"
    for market in data["markets"]:
        yield from _market(market)
        if explain:
            yield from _explain(market, data["t_ns"])
    if data.get("learning") is not None:
        yield from _learning(data["learning"])


def _market(market: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{market['symbol']}: {market['state']}  market {market['bid'] or '-'} / {market['ask'] or '-'}  "
        f"inventory {market['inventory']} of {market['inventory_limit']}  "
        f"PnL net {short(market['pnl_net'])}  "
        f"fills {market['counts']['fills_buy']}/{market['counts']['fills_sell']}"
        + _bps("edge", market["edge_bps"])
        + _bps("60 s mark-out", market["markout_60s_bps"])
    )
    for order in market["orders"]:
        side = "bid" if order["side"] > 0 else "ask"
        yield f"  {side} {order['left']} @ {order['price']}  {order['state']}  {order['cid']}"
    if market["missing"]:
        yield f"  quotes nothing: {', '.join(market['missing'])}"
    for side, reason in market["sides_off"].items():
        yield f"  {side} off: {reason}"


def _learning(learning: dict[str, Any]) -> Iterator[str]:
    state = (
        f"stopped: {learning['failure']}" if learning["failure"] else f"{learning['cpu_share']:.0%} of a core"
    )
    yield f"learning: {state}"
    for lesson in learning["markets"]:
        yield (
            f"  {lesson['symbol']}: {lesson['transitions']} transitions, {lesson['updates']} updates, "
            f"{lesson['trials']} trials, {lesson['swaps']} taken over; {lesson['verdict']}"
        )


def _bps(name: str, value: float | None) -> str:
    return "" if value is None else f"  {name} {value:.2f} bps"


def _explain(market: dict[str, Any], now_ns: int) -> Iterator[str]:
    explain = market["explain"]
    if explain is None:
        yield "  no decision yet"
        return
    age_s = (now_ns - explain["t_ns"]) / NS_PER_S
    yield f"  decided by {explain['policy']} on {explain['trigger']}, {age_s:.1f} s ago" + (
        f", fallback: {explain['fallback']}" if explain["fallback"] else ""
    )
    for name, value in explain["model"].items():
        if name not in _CODES:
            yield f"    {name:<18} {'-' if value is None else f'{value:.8g}'}"
    if explain["clamps"]:
        yield f"    clamps: {', '.join(explain['clamps'])}"
    tick, lot = Decimal(market["tick"]), Decimal(market["lot"])
    for quote in explain["quotes"]:
        side = "bid" if quote["side"] > 0 else "ask"
        place = f"{side} level {quote['level']}: {quote['lots'] * lot} @ {quote['price'] * tick}"
        yield f"    {place}, {quote['action']}"
