"""USD-M balances and the account as a whole."""

from typing import Any

from asmm_daemon.exchange.binance.decimals import plain
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Call
from asmm_daemon.exchange.binance.usdm_info import MAX_NOTIONAL
from asmm_daemon.exchange.binance.usdm_positions import ZERO, UsdmPositions, eight


class UsdmAccount:
    """Functions about the account."""

    def __init__(self, desk: Desk, positions: UsdmPositions) -> None:
        self.desk = desk
        self.positions = positions

    def balance(self, call: Call) -> list[dict[str, Any]]:
        """Balances by asset."""
        account = call.owner
        return [
            {
                "accountAlias": "SgsR",
                "asset": asset,
                "balance": eight(balance.total),
                "crossWalletBalance": eight(balance.total),
                "crossUnPnl": eight(self.positions.unrealised(account, asset)),
                "availableBalance": eight(max(ZERO, self.desk.exchange.available(account, asset))),
                "maxWithdrawAmount": eight(max(ZERO, self.desk.exchange.available(account, asset))),
                "marginAvailable": True,
                "updateTime": call.now_ms,
            }
            for asset, balance in account.balances.items()
        ]

    def account_v3(self, call: Call) -> dict[str, Any]:
        """The account, positions only where there is one or an order rests."""
        shown = self.positions.held(call.owner)
        positions = [self.positions.summary(call.owner, board) for board in shown]
        return {**self._totals(call), "assets": self._assets(call), "positions": positions}

    def account_v2(self, call: Call) -> dict[str, Any]:
        """The account with the flags and positions of the older versions."""
        positions = []
        for board in self.desk.boards.values():
            position = self.positions.position(call.owner, board)
            positions.append(
                {
                    **self.positions.summary(call.owner, board),
                    "leverage": str(position.leverage),
                    "isolated": False,
                    "entryPrice": plain(round(position.entry, 8)),
                    "breakEvenPrice": plain(round(position.entry, 8)),
                    "maxNotional": MAX_NOTIONAL,
                    "bidNotional": "0",
                    "askNotional": "0",
                }
            )
        return {
            "feeTier": 0,
            "feeBurn": False,
            "canTrade": True,
            "canDeposit": True,
            "canWithdraw": call.key.can_withdraw if call.key else False,
            "updateTime": 0,
            "multiAssetsMargin": False,
            "tradeGroupId": -1,
            **self._totals(call),
            "assets": self._assets(call),
            "positions": positions,
        }

    def _totals(self, call: Call) -> dict[str, Any]:
        account = call.owner
        wallet = sum((balance.total for balance in account.balances.values()), ZERO)
        profit = self.positions.unrealised(account)
        initial = self.desk.exchange.initial_margin(account)
        held = sum((self.positions.margin(p) for p in account.positions.values()), ZERO)
        free = max(ZERO, wallet + profit - initial)
        return {
            "totalInitialMargin": eight(initial),
            "totalMaintMargin": eight(self.positions.maintenance(account)),
            "totalWalletBalance": eight(wallet),
            "totalUnrealizedProfit": eight(profit),
            "totalMarginBalance": eight(wallet + profit),
            "totalPositionInitialMargin": eight(held),
            "totalOpenOrderInitialMargin": eight(max(ZERO, initial - held)),
            "totalCrossWalletBalance": eight(wallet),
            "totalCrossUnPnl": eight(profit),
            "availableBalance": eight(free),
            "maxWithdrawAmount": eight(free),
        }

    def _assets(self, call: Call) -> list[dict[str, Any]]:
        account = call.owner
        totals = self._totals(call)
        zero = eight(ZERO)
        rows = []
        for asset, balance in account.balances.items():
            profit = self.positions.unrealised(account, asset)
            quoted = any(b.market.instrument.quote == asset for b in self.desk.boards.values())
            available = eight(max(ZERO, self.desk.exchange.available(account, asset)))
            rows.append(
                {
                    "asset": asset,
                    "walletBalance": eight(balance.total),
                    "unrealizedProfit": eight(profit),
                    "marginBalance": eight(balance.total + profit),
                    "maintMargin": totals["totalMaintMargin"] if quoted else zero,
                    "initialMargin": totals["totalInitialMargin"] if quoted else zero,
                    "positionInitialMargin": totals["totalPositionInitialMargin"] if quoted else zero,
                    "openOrderInitialMargin": totals["totalOpenOrderInitialMargin"] if quoted else zero,
                    "crossWalletBalance": eight(balance.total),
                    "crossUnPnl": eight(profit),
                    "availableBalance": available,
                    "maxWithdrawAmount": available,
                    "marginAvailable": True,
                    "updateTime": call.now_ms,
                }
            )
        return rows
