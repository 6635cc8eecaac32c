"""Spot account functions and the few sapi functions that clients ask at start."""

from decimal import Decimal
from typing import Any

from asmm_daemon.exchange.accounts import Balance
from asmm_daemon.exchange.binance.decimals import fixed
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Call

ZERO = Decimal(0)
_NO_RATES = {
    "maker": "0.00000000",
    "taker": "0.00000000",
    "buyer": "0.00000000",
    "seller": "0.00000000",
}


def eight(value: Decimal) -> str:
    """An amount with 8 decimals."""
    return fixed(value, 8)


class SpotAccount:
    """Functions about the account."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def account(self, call: Call) -> dict[str, Any]:
        """Balances, fee rates and permissions."""
        instrument = next(iter(self.desk.boards.values())).market.instrument
        no_zeros = call.params.flag("omitZeroBalances")
        return {
            "makerCommission": int(instrument.maker * 10_000),
            "takerCommission": int(instrument.taker * 10_000),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {
                "maker": eight(instrument.maker),
                "taker": eight(instrument.taker),
                "buyer": "0.00000000",
                "seller": "0.00000000",
            },
            "canTrade": call.key.can_trade if call.key else True,
            "canWithdraw": call.key.can_withdraw if call.key else False,
            "canDeposit": True,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": call.now_ms,
            "accountType": "SPOT",
            "balances": [
                {"asset": asset, "free": eight(balance.free), "locked": eight(balance.locked)}
                for asset, balance in call.owner.balances.items()
                if balance.total or not no_zeros
            ],
            "permissions": ["SPOT"],
            "uid": 354937868,
        }

    def commission(self, call: Call) -> dict[str, Any]:
        """The account's fee rates on a symbol."""
        instrument = self.desk.board(call.params).market.instrument
        return {
            "symbol": instrument.symbol,
            "standardCommission": {
                "maker": eight(instrument.maker),
                "taker": eight(instrument.taker),
                "buyer": "0.00000000",
                "seller": "0.00000000",
            },
            "specialCommission": _NO_RATES,
            "taxCommission": _NO_RATES,
            "discount": {
                "enabledForAccount": call.owner.fee_burn is not None,
                "enabledForSymbol": call.owner.fee_burn is not None,
                "discountAsset": "BNB",
                "discount": "0.75000000",
            },
        }

    def filters(self, call: Call) -> dict[str, Any]:
        """Filters of this account alone: there are none."""
        self.desk.board(call.params)
        return {"exchangeFilters": [], "symbolFilters": [], "assetFilters": []}

    def trade_fee(self, call: Call) -> list[dict[str, Any]]:
        """Fee rates by symbol."""
        board = self.desk.optional_board(call.params)
        boards = list(self.desk.boards.values()) if board is None else [board]
        return [
            {
                "symbol": b.symbol,
                "makerCommission": f"{b.market.instrument.maker:f}",
                "takerCommission": f"{b.market.instrument.taker:f}",
            }
            for b in boards
        ]


class Sapi:
    """Functions beside trading, of both products."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def system_status(self, _: Call) -> dict[str, Any]:
        """Normal, or maintenance while no symbol trades."""
        trading = any(board.market.is_trading for board in self.desk.boards.values())
        return {"status": 0, "msg": "normal"} if trading else {"status": 1, "msg": "system_maintenance"}

    def restrictions(self, call: Call) -> dict[str, Any]:
        """What the API key may do."""
        key = call.key
        assert key is not None
        return {
            "ipRestrict": key.ip_bound,
            "createTime": 1698645219000,
            "enableReading": True,
            "enableWithdrawals": key.can_withdraw,
            "enableInternalTransfer": False,
            "enableMargin": False,
            "enableFutures": key.can_trade and not self.desk.is_spot,
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
            "enableFixApiTrade": False,
            "enableFixReadOnly": False,
            "enableSpotAndMarginTrading": key.can_trade and self.desk.is_spot,
            "enablePortfolioMarginTrading": False,
        }

    def coins(self, call: Call) -> list[dict[str, Any]]:
        """All assets, without networks: nothing is withdrawn here."""
        units = [board.market.instrument for board in self.desk.boards.values()]
        names = dict.fromkeys([asset for unit in units for asset in (unit.base, unit.quote)])
        rows = []
        for name in names:
            balance = call.owner.balances.get(name, Balance())
            rows.append(
                {
                    "coin": name,
                    "depositAllEnable": False,
                    "free": eight(balance.free),
                    "freeze": "0",
                    "ipoable": "0",
                    "ipoing": "0",
                    "isLegalMoney": False,
                    "locked": eight(balance.locked),
                    "name": name,
                    "networkList": [],
                    "storage": "0",
                    "trading": True,
                    "withdrawAllEnable": False,
                    "withdrawing": "0",
                }
            )
        return rows

    def nothing(self, _: Call) -> list[Any]:
        """A list that is empty here (margin pairs and assets)."""
        return []
