"""USD-M settings, fees and statement of the account."""

from typing import Any

from asmm_daemon.exchange.accounts import Income
from asmm_daemon.exchange.binance.decimals import fixed
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Call
from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.history import newest
from asmm_daemon.exchange.binance.usdm_events import leverage_update
from asmm_daemon.exchange.binance.usdm_info import MAX_NOTIONAL
from asmm_daemon.exchange.binance.usdm_positions import UsdmPositions, eight
from asmm_daemon.exchange.binance.user_stream import UserStream
from asmm_daemon.units import NS_PER_MS

INCOME_KINDS = {
    "transfer": "TRANSFER",
    "realised": "REALIZED_PNL",
    "funding": "FUNDING_FEE",
    "commission": "COMMISSION",
}


class UsdmSettings:
    """Functions about how the account trades, and what it earned."""

    def __init__(self, desk: Desk, positions: UsdmPositions, users: UserStream) -> None:
        self.desk = desk
        self.positions = positions
        self.users = users

    def leverage(self, call: Call) -> dict[str, Any]:
        """Change a contract's leverage."""
        board = self.desk.board(call.params)
        leverage = call.params.integer("leverage")
        self.desk.exchange.set_leverage(call.owner, board.symbol, leverage)
        now_ns = self.desk.exchange.now_ns
        self.users.publish(call.owner.name, leverage_update(board.symbol, leverage, now_ns), now_ns)
        return {"leverage": leverage, "maxNotionalValue": MAX_NOTIONAL, "symbol": board.symbol}

    def margin_type(self, call: Call) -> dict[str, Any]:
        """Margin is always crossed here."""
        self.desk.board(call.params)
        wanted = call.params.text("marginType")
        if wanted == "CROSSED":
            raise ApiError(-4046, "No need to change margin type.")
        if wanted != "ISOLATED":
            raise ApiError(-1130, "Data sent for parameter 'marginType' is not valid.")
        raise ApiError(-4168, "Unable to adjust to isolated-margin mode under the Multi-Assets mode.")

    def position_mode(self, _: Call) -> dict[str, Any]:
        """Positions are one-way."""
        return {"dualSidePosition": False}

    def set_position_mode(self, call: Call) -> dict[str, Any]:
        """Hedge mode is not offered."""
        if call.params.flag("dualSidePosition"):
            raise ApiError(-4084, "Method is not allowed currently. Upcoming soon.")
        raise ApiError(-4059, "No need to change position side.")

    def multi_assets(self, _: Call) -> dict[str, Any]:
        """Margin is single-asset."""
        return {"multiAssetsMargin": False}

    def account_config(self, call: Call) -> dict[str, Any]:
        """The account's flags."""
        return {
            "feeTier": 0,
            "canTrade": True,
            "canDeposit": True,
            "canWithdraw": call.key.can_withdraw if call.key else False,
            "dualSidePosition": False,
            "updateTime": 0,
            "multiAssetsMargin": False,
            "tradeGroupId": -1,
        }

    def symbol_config(self, call: Call) -> list[dict[str, Any]]:
        """Leverage and margin type by contract."""
        board = self.desk.optional_board(call.params)
        boards = list(self.desk.boards.values()) if board is None else [board]
        return [
            {
                "symbol": b.symbol,
                "marginType": "CROSSED",
                "isAutoAddMargin": False,
                "leverage": self.positions.position(call.owner, b).leverage,
                "maxNotionalValue": MAX_NOTIONAL,
            }
            for b in boards
        ]

    def commission_rate(self, call: Call) -> dict[str, Any]:
        """The account's fee rates."""
        instrument = self.desk.board(call.params).market.instrument
        return {
            "symbol": instrument.symbol,
            "makerCommissionRate": fixed(instrument.maker, 6),
            "takerCommissionRate": fixed(instrument.taker, 6),
            "rpiCommissionRate": "0.000000",
        }

    def income(self, call: Call) -> list[dict[str, Any]]:
        """The account's statement."""
        params = call.params
        board = self.desk.optional_board(params)
        kind = params.optional("incomeType")
        start, end = params.optional_time_ms("startTime"), params.optional_time_ms("endTime")
        limit = params.limit(100, 1000)

        def fits(entry: Income) -> bool:
            t_ms = entry.t_ns // NS_PER_MS
            return (
                (board is None or entry.symbol == board.symbol)
                and kind in (None, INCOME_KINDS[entry.kind])
                and (start is None or t_ms >= start)
                and (end is None or t_ms <= end)
            )

        if start is not None:
            chosen = [entry for entry in call.owner.income if fits(entry)][:limit]
        else:
            chosen = newest((entry for entry in reversed(call.owner.income) if fits(entry)), limit)
        return [
            {
                "symbol": entry.symbol,
                "incomeType": INCOME_KINDS[entry.kind],
                "income": eight(entry.amount),
                "asset": entry.asset,
                "info": INCOME_KINDS[entry.kind],
                "time": entry.t_ns // NS_PER_MS,
                "tranId": entry.iid,
                "tradeId": "" if entry.tid is None else str(entry.tid),
            }
            for entry in chosen
        ]

    def trading_status(self, call: Call) -> dict[str, Any]:
        """Quantitative rules: none is violated here."""
        return {"indicators": {}, "updateTime": call.now_ms}

    def adl_quantile(self, call: Call) -> list[dict[str, Any]]:
        """Rank in the queue of automatic deleveraging: the last."""
        return [
            {"symbol": board.symbol, "adlQuantile": {"BOTH": 0, "LONG": 0, "SHORT": 0}}
            for board in self.positions.held(call.owner)
        ]

    def fee_burn(self, call: Call) -> dict[str, Any]:
        """Whether fees are paid in BNB."""
        return {"feeBurn": call.owner.fee_burn is not None}

    def nothing(self, _: Call) -> list[Any]:
        """A list that is empty here."""
        return []
