"""The administrator's endpoint under /admin: faults, deposits, halts, keys. Loopback only, unsigned.

| method, path | body (JSON) | what it does |
|---|---|---|
| GET /admin/state | | time, connections, open orders, balances, faults |
| GET, POST, DELETE /admin/faults | a fault, a list, JSON lines | lists, adds (now unless `at_s`), removes |
| DELETE /admin/faults/ID | | removes one |
| POST /admin/transfer | {"account": "main", "amounts": {"USDT": "-5"}} | deposits or withdraws |
| POST /admin/status | {"symbol", "status"} | TRADING, HALT, DELISTED |
| POST /admin/filters | {"symbol", "tick", "lot"} | coarser filters |
| POST /admin/funding | {"symbol", "rate"} | settles funding now |
| POST /admin/fee-asset | {"account", "asset", "price"} | fees in a third asset; no asset: ends it |
| POST /admin/key | {"key", "secret", "revoked", …} | adds or changes a key |
| POST /admin/close | {"name": "private"} | closes matching WebSockets |
| POST /admin/ACTION | parameters | an action of the wire's own |
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from asmm_daemon.errors import ConfigError
from asmm_daemon.exchange.accounts import Account, FeeBurn
from asmm_daemon.exchange.fault_table import parse_fault
from asmm_daemon.exchange.keys import ApiKey
from asmm_daemon.exchange.orders import VenueReject
from asmm_daemon.exchange.wire import Wire
from asmm_daemon.units import wire as text

if TYPE_CHECKING:
    from asmm_daemon.exchange.server import Server

_KEY_FIELDS = ("secret", "account", "revoked", "can_trade", "can_withdraw", "ip_bound")


class Admin:
    """Carries out the administrator's requests."""

    def __init__(self, server: "Server", wire: Wire) -> None:
        self._server = server
        self._wire = wire
        self._added = 0
        self._actions: dict[str, Callable[[dict[str, Any]], object]] = {
            "transfer": self._transfer,
            "status": self._status,
            "filters": self._filters,
            "funding": self._funding,
            "fee-asset": self._fee_asset,
            "key": self._key,
            "close": self._close,
        }

    def routes(self, app: web.Application) -> None:
        """Adds the endpoint's routes."""
        app.router.add_get("/admin/state", self._state)
        app.router.add_get("/admin/faults", self._list_faults)
        app.router.add_post("/admin/faults", self._add_faults)
        app.router.add_delete("/admin/faults", self._remove_faults)
        app.router.add_delete("/admin/faults/{id}", self._remove_faults)
        app.router.add_post("/admin/{action}", self._act)

    async def _state(self, _: web.Request) -> web.Response:
        now_ns = self._server.now_ns()
        exchange, hub = self._server.exchange, self._server.hub
        accounts = exchange.accounts.values()
        return _json(
            {
                "t_ns": now_ns,
                "elapsed_s": self._server.faults.elapsed_s(now_ns),
                "symbols": {m.symbol: m.status for m in exchange.markets.values()},
                "connections": [
                    {"conn": c.id, "name": c.name, "streams": sorted(c.streams)} for c in hub.connections()
                ],
                "open_orders": {a.name: len(exchange.open_orders(a)) for a in accounts},
                "balances": {
                    a.name: {asset: [text(b.free), text(b.locked)] for asset, b in a.balances.items()}
                    for a in accounts
                },
                "positions": {
                    a.name: {symbol: text(p.qty) for symbol, p in a.positions.items()} for a in accounts
                },
                "faults": [fault.as_json() for fault in self._server.faults.all()],
            }
        )

    async def _list_faults(self, _: web.Request) -> web.Response:
        return _json([fault.as_json() for fault in self._server.faults.all()])

    async def _add_faults(self, request: web.Request) -> web.Response:
        body = (await request.read()).strip()
        try:
            items = _items(body)
            default_at_s = self._server.faults.elapsed_s(self._server.now_ns())
            faults = []
            for item in items:
                self._added += 1
                faults.append(parse_fault(item, f"admin-{self._added}", default_at_s=default_at_s))
        except (orjson.JSONDecodeError, ConfigError) as error:
            return _json({"error": str(error)}, status=400)
        for fault in faults:
            self._server.faults.add(fault)
        self._server.now_ns()
        return _json({"ids": [fault.id for fault in faults]})

    async def _remove_faults(self, request: web.Request) -> web.Response:
        faults = self._server.faults
        name = request.match_info.get("id")
        ids = [fault.id for fault in faults.all()] if name is None else [name]
        return _json({"removed": [fault_id for fault_id in ids if faults.remove(fault_id)]})

    async def _act(self, request: web.Request) -> web.Response:
        name = request.match_info["action"]
        body = await request.read()
        self._server.now_ns()
        try:
            params = orjson.loads(body) if body else {}
            action = self._actions.get(name)
            if action is not None:
                result = action(params)
            elif self._wire.admin(name, {key: str(value) for key, value in params.items()}):
                result = None
            else:
                return _json({"error": f"unknown action {name}"}, status=404)
        except (orjson.JSONDecodeError, InvalidOperation, ValueError, KeyError, VenueReject) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, status=400)
        self._server.now_ns()
        return _json({"ok": True, "result": result})

    def _account(self, params: dict[str, Any]) -> Account:
        return self._server.exchange.accounts[params.get("account", "main")]

    def _transfer(self, params: dict[str, Any]) -> None:
        amounts = {asset: Decimal(str(amount)) for asset, amount in params["amounts"].items()}
        self._server.exchange.transfer(self._account(params), amounts)

    def _status(self, params: dict[str, Any]) -> None:
        self._server.exchange.set_status(params["symbol"], params["status"])

    def _filters(self, params: dict[str, Any]) -> None:
        market = self._server.exchange.market(params["symbol"])
        tick, lot = Decimal(str(params.get("tick", market.tick))), Decimal(str(params.get("lot", market.lot)))
        self._server.exchange.set_filters(market.symbol, tick, lot)

    def _funding(self, params: dict[str, Any]) -> None:
        self._server.exchange.settle_funding(params["symbol"], Decimal(str(params["rate"])))

    def _fee_asset(self, params: dict[str, Any]) -> None:
        asset = params.get("asset")
        burn = FeeBurn(asset, Decimal(str(params["price"]))) if asset else None
        self._account(params).fee_burn = burn

    def _key(self, params: dict[str, Any]) -> None:
        known = {key.key: key for key in self._server.keys.all()}
        key = known.get(params["key"])
        if key is None:
            key = ApiKey(params["key"], params["secret"])
            self._server.keys.add(key)
        for name in _KEY_FIELDS:
            if name in params:
                setattr(key, name, params[name])

    def _close(self, params: dict[str, Any]) -> int:
        name = params.get("name", "")
        chosen = [c for c in self._server.hub.connections() if name in c.name]
        for connection in chosen:
            connection.close(1001, "administrator")
        return len(chosen)


def _items(body: bytes) -> list[Any]:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return [orjson.loads(line) for line in body.splitlines() if line.strip()]
    return data if isinstance(data, list) else [data]


def _json(data: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(data), content_type="application/json")
