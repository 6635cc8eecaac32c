"""USD-M positions and the margin they hold."""

from decimal import Decimal
from typing import Any

from asmm_daemon.exchange.accounts import Account, Position
from asmm_daemon.exchange.binance.board import Board
from asmm_daemon.exchange.binance.decimals import fixed, plain
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Call
from asmm_daemon.exchange.binance.usdm_info import MAX_NOTIONAL
from asmm_daemon.units import NS_PER_MS

ZERO = Decimal(0)


def eight(value: Decimal) -> str:
    """An amount with 8 decimals."""
    return fixed(value, 8)


class UsdmPositions:
    """Functions about positions, and their sums over an account."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def position(self, account: Account, board: Board) -> Position:
        """The account's position on a contract, flat where it has none."""
        return account.positions.get(board.symbol) or Position(
            board.symbol, leverage=self.desk.exchange.rules.leverage
        )

    def unrealised(self, account: Account, asset: str | None = None) -> Decimal:
        """Unrealised profit of all positions (margined in an asset) at the mark prices."""
        return sum(
            (
                position.unrealised(self.desk.boards[symbol].market.mark)
                for symbol, position in account.positions.items()
                if asset in (None, self.desk.boards[symbol].market.instrument.quote)
            ),
            ZERO,
        )

    def maintenance(self, account: Account) -> Decimal:
        """Maintenance margin of all positions."""
        return sum((self._maintenance(p) for p in account.positions.values()), ZERO)

    def _maintenance(self, position: Position) -> Decimal:
        mark = self.desk.boards[position.symbol].market.mark
        return abs(position.qty) * mark * self.desk.exchange.rules.maintenance_rate

    def margin(self, position: Position) -> Decimal:
        """Initial margin of a position at the mark price."""
        mark = self.desk.boards[position.symbol].market.mark
        return abs(position.qty) * mark / position.leverage

    def held(self, account: Account) -> list[Board]:
        """Contracts with a position or a resting order."""
        resting = {order.symbol for order in self.desk.exchange.open_orders(account)}
        return [
            board
            for symbol, board in self.desk.boards.items()
            if symbol in resting or self.position(account, board).qty
        ]

    def summary(self, account: Account, board: Board) -> dict[str, Any]:
        """A position as the account shows it."""
        position = self.position(account, board)
        initial = self.desk.exchange.initial_margin(account, board.symbol)
        held = self.margin(position)
        return {
            "symbol": board.symbol,
            "positionSide": "BOTH",
            "positionAmt": fixed(position.qty, board.scales.qty.digits),
            "unrealizedProfit": eight(position.unrealised(board.market.mark)),
            "isolatedMargin": "0",
            "notional": eight(position.qty * board.market.mark),
            "isolatedWallet": "0",
            "initialMargin": eight(initial),
            "maintMargin": eight(self._maintenance(position)),
            "positionInitialMargin": eight(held),
            "openOrderInitialMargin": eight(max(ZERO, initial - held)),
            "updateTime": position.updated_ns // NS_PER_MS,
        }

    def risk_v3(self, call: Call) -> list[dict[str, Any]]:
        """Positions, only where there is one or an order rests."""
        board = self.desk.optional_board(call.params)
        held = self.held(call.owner)
        boards = held if board is None else [b for b in held if b is board]
        return [self._risk(call.owner, b) for b in boards]

    def risk_v2(self, call: Call) -> list[dict[str, Any]]:
        """Positions of all contracts, with leverage and margin type."""
        board = self.desk.optional_board(call.params)
        boards = list(self.desk.boards.values()) if board is None else [board]
        return [
            {
                **self._risk(call.owner, b),
                "maxNotionalValue": MAX_NOTIONAL,
                "leverage": str(self.position(call.owner, b).leverage),
                "marginType": "cross",
                "isAutoAddMargin": "false",
            }
            for b in boards
        ]

    def _risk(self, account: Account, board: Board) -> dict[str, Any]:
        position = self.position(account, board)
        base = self.summary(account, board)
        return {
            "symbol": board.symbol,
            "positionSide": "BOTH",
            "positionAmt": base["positionAmt"],
            "entryPrice": plain(round(position.entry, 8)),
            "breakEvenPrice": plain(round(position.entry, 8)),
            "markPrice": eight(board.market.mark),
            "unRealizedProfit": base["unrealizedProfit"],
            "liquidationPrice": self._liquidation(account, board),
            "isolatedMargin": "0",
            "notional": base["notional"],
            "marginAsset": board.market.instrument.quote,
            "isolatedWallet": "0",
            "initialMargin": base["initialMargin"],
            "maintMargin": base["maintMargin"],
            "positionInitialMargin": base["positionInitialMargin"],
            "openOrderInitialMargin": base["openOrderInitialMargin"],
            "adl": 1,
            "bidNotional": "0",
            "askNotional": "0",
            "updateTime": base["updateTime"],
        }

    def _liquidation(self, account: Account, board: Board) -> str:
        """The mark price at which this position alone would use up the cross margin."""
        position = self.position(account, board)
        if not position.qty:
            return "0"
        wallet = sum((balance.total for balance in account.balances.values()), ZERO)
        others = self.unrealised(account) - position.unrealised(board.market.mark)
        held = self.maintenance(account) - self._maintenance(position)
        rate = self.desk.exchange.rules.maintenance_rate
        at = (position.cost - wallet - others + held) / (position.qty - abs(position.qty) * rate)
        return fixed(max(ZERO, at), 8)
