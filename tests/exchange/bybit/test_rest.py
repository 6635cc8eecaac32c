"""REST below the client libraries: headers, signatures, budgets, pages, funding, injected failures."""

import hashlib
import hmac
import urllib.parse
import urllib.request
from decimal import Decimal
from urllib.error import HTTPError

import orjson
import pytest

from asmm_daemon.exchange.bybit.limits import RateLimits
from asmm_daemon.exchange.fault_table import parse_fault


class Desk:
    """Signed and unsigned requests to one venue."""

    def __init__(self, venue):
        self.venue = venue

    def get(self, path, *, signed=True, window=None, age_ms=0, **params):
        """A GET; (status, headers, body)."""
        query = urllib.parse.urlencode(params)
        headers = self._headers(query, window, age_ms) if signed else {}
        return self._send(urllib.request.Request(f"{self.venue.rest_url}{path}?{query}", headers=headers))

    def post(self, path, **body):
        """A signed POST; (status, headers, body)."""
        raw = orjson.dumps(body)
        headers = {"Content-Type": "application/json", **self._headers(raw.decode(), None, 0)}
        return self._send(urllib.request.Request(self.venue.rest_url + path, raw, headers))

    def _headers(self, payload, window, age_ms):
        stamp = str(self.venue.call(self.venue.server.time_ms) - age_ms)
        sign = hmac.new(
            b"SECRET", f"{stamp}KEY{window or 5000}{payload}".encode(), hashlib.sha256
        ).hexdigest()
        headers = {"X-BAPI-API-KEY": "KEY", "X-BAPI-TIMESTAMP": stamp, "X-BAPI-SIGN": sign}
        return headers | ({"X-BAPI-RECV-WINDOW": str(window)} if window else {})

    def _send(self, request):
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.headers, orjson.loads(answer.read())
        except HTTPError as error:
            return error.code, error.headers, error.read()

    def wallet(self, coin):
        """A coin's wallet balance."""
        _, _, body = self.get("/v5/account/wallet-balance", accountType="UNIFIED", coin=coin)
        return Decimal(body["result"]["list"][0]["coin"][0]["walletBalance"])

    def order(self, **fields):
        """Body of a resting order."""
        base = {"category": self.venue.category, "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
        return base | {"qty": "0.1", "price": "90"} | fields


@pytest.fixture
def rest(venue):
    """A Desk at the module's venue."""
    return Desk(venue)


def test_every_answer_has_the_envelope(rest):
    """retCode, retMsg, result, retExtInfo and time; the path of an unknown endpoint is not found."""
    _, _, body = rest.get("/v5/market/time", signed=False)
    assert list(body) == ["retCode", "retMsg", "result", "retExtInfo", "time"]
    assert (body["retCode"], body["retMsg"], body["retExtInfo"]) == (0, "OK", {})
    assert rest.get("/v5/market/nothing", signed=False)[0] == 404


def test_signed_requests_report_their_budget(rest):
    """X-Bapi-Limit counts down per endpoint and tells when it starts anew."""
    _, headers, body = rest.get("/v5/account/wallet-balance", accountType="UNIFIED")
    assert body["retCode"] == 0
    assert headers["X-Bapi-Limit"] == "50"
    assert int(headers["X-Bapi-Limit-Status"]) < 50
    assert abs(int(headers["X-Bapi-Limit-Reset-Timestamp"]) - body["time"]) < 1000


def test_time_and_window_are_checked(rest):
    """A request older than its recv_window, or more than a second ahead, is refused with 10002."""
    path, params = "/v5/account/info", {"x": "1"}
    assert rest.get(path, age_ms=4_000, **params)[2]["retCode"] == 0
    late = rest.get(path, age_ms=6_000, **params)[2]
    assert late["retCode"] == 10002
    assert "recv_window[5000]" in late["retMsg"]
    assert rest.get(path, age_ms=6_000, window=10_000, **params)[2]["retCode"] == 0
    assert rest.get(path, age_ms=-1_500, **params)[2]["retCode"] == 10002
    assert rest.get(path, signed=False, **params)[2]["retCode"] == 10001


def test_a_batch_over_the_rate_fails_in_part(rest):
    """Orders of a batch beyond what is left of the second fail alone with 10006."""
    cap = {"linear": 10, "spot": 20}[rest.venue.category]
    size = {"linear": 16, "spot": 10}[rest.venue.category]
    entry = {key: value for key, value in rest.order().items() if key != "category"}
    codes = []
    while 10006 not in codes:
        _, headers, body = rest.post(
            "/v5/order/create-batch", category=rest.venue.category, request=[entry] * size
        )
        assert headers["X-Bapi-Limit"] == str(cap)
        codes = [row["code"] for row in body["retExtInfo"].get("list", [{"code": body["retCode"]}])]
    assert codes in ([0] * 10 + [10006] * 6, [10006])
    rest.post("/v5/order/cancel-all", category=rest.venue.category, symbol="BTCUSDT")


def test_an_address_over_the_limit_is_shut_out():
    """More than 600 requests in 5 s bring ten minutes of 403."""
    limits = RateLimits("linear")
    t_ns = 10**18
    assert not any(limits.is_banned("1.2.3.4", t_ns) for _ in range(600))
    assert limits.is_banned("1.2.3.4", t_ns)
    assert limits.is_banned("1.2.3.4", t_ns + 599 * 10**9)
    assert not limits.is_banned("5.6.7.8", t_ns)
    assert not limits.is_banned("1.2.3.4", t_ns + 601 * 10**9)


def test_pages_follow_their_cursor(rest):
    """A list is walked page by page without a row twice or missing, newest first."""
    ids = [rest.post("/v5/order/create", **rest.order())[2]["result"]["orderId"] for _ in range(5)]
    query, seen, cursor = {"category": rest.venue.category, "symbol": "BTCUSDT", "limit": "2"}, [], None
    while cursor != "":
        result = rest.get("/v5/order/realtime", **query | ({"cursor": cursor} if cursor else {}))[2]["result"]
        seen += [row["orderId"] for row in result["list"]]
        cursor = result["nextPageCursor"]
    assert seen == ids[::-1]
    rest.post("/v5/order/cancel-all", category=rest.venue.category, symbol="BTCUSDT")
    closed = rest.get("/v5/order/realtime", **query | {"openOnly": "1", "limit": "5"})[2]["result"]["list"]
    assert {row["orderStatus"] for row in closed} == {"Cancelled"}
    for wanted, count in (({"orderStatus": "Cancelled"}, 2), ({"orderStatus": "Filled"}, 0)):
        assert len(rest.get("/v5/order/history", **query | wanted)[2]["result"]["list"]) == count
    for wanted, count in (({"orderFilter": "Order"}, 2), ({"orderFilter": "StopOrder"}, 0)):
        assert len(rest.get("/v5/order/history", **query | wanted)[2]["result"]["list"]) == count


def test_lists_want_a_market(rest):
    """Contract queries without symbol, base or settle coin are refused; other categories are empty."""
    code = rest.get("/v5/order/realtime", category=rest.venue.category)[2]["retCode"]
    assert code == {"linear": 10001, "spot": 0}[rest.venue.category]
    assert rest.get("/v5/order/realtime", category="inverse", symbol="BTCUSD")[2]["result"]["list"] == []
    assert rest.get("/v5/order/realtime", category="odd")[2]["retCode"] == 10001
    assert rest.get("/v5/position/list", category="spot")[2]["retCode"] == 10001


def test_malformed_bodies_are_refused(rest):
    """A body that is no JSON object is a parameter error, not a crash."""
    raw = "[1"
    headers = rest._headers(raw, None, 0)
    request = urllib.request.Request(rest.venue.rest_url + "/v5/order/create", raw.encode(), headers)
    assert rest._send(request)[2]["retCode"] == 10001


def test_funding_is_an_execution(running):
    """A funding payment moves the wallet and is listed with execType Funding; its rate is in the history."""
    with running("bybit-linear") as venue:
        rest = Desk(venue)
        rest.post("/v5/order/create", **rest.order(orderType="Market", qty="1"))
        before = rest.wallet("USDT")
        venue.call(lambda: venue.exchange.settle_funding("BTCUSDT", Decimal("0.0002")))
        after = rest.wallet("USDT")
        rows = rest.get("/v5/execution/list", category="linear", execType="Funding")[2]["result"]["list"]
        (row,) = rows
        assert (row["execType"], row["execQty"], row["side"], row["feeRate"]) == (
            "Funding",
            "1",
            "Buy",
            "0.0002",
        )
        assert Decimal(row["execFee"]) == before - after
        every = rest.get("/v5/execution/list", category="linear")[2]["result"]["list"]
        assert {entry["execType"] for entry in every} == {"Trade", "Funding"}


def test_injected_failures_look_like_the_venue(running):
    """A 5xx carries the envelope, an accepted order's lost answer leaves the order resting."""
    broken = {"match": {"path": "/v5/account/info"}, "arg": {"status": 503, "code": 10016}}
    lost = {"match": {"path": "/v5/order/create"}, "arg": {"status": 504}}
    faults = [
        parse_fault({"id": "a", "on": "response", "do": "status"} | broken, "a"),
        parse_fault({"id": "b", "on": "response", "do": "drop_after_accept"} | lost, "b"),
    ]
    with running("bybit-spot", faults=faults) as venue:
        rest = Desk(venue)
        status, _, body = rest.get("/v5/account/info", x="1")
        assert (status, orjson.loads(body)["retCode"]) == (503, 10016)
        status, _, body = rest.post("/v5/order/create", **rest.order(orderLinkId="lost"))
        assert (status, orjson.loads(body)["retCode"]) == (504, 10000)
        found = rest.get("/v5/order/realtime", category="spot", orderLinkId="lost")[2]["result"]["list"]
        assert [row["orderStatus"] for row in found] == ["New"]
