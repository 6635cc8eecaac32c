"""Wallet and positions as REST and the private topics show them, for a one-way unified account.

Sources: https://bybit-exchange.github.io/docs/v5/account/wallet-balance,
https://bybit-exchange.github.io/docs/v5/position and .../websocket/private/position
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from asmm_daemon.exchange.accounts import Account, Balance, Position
from asmm_daemon.exchange.bybit.text import ms, plain
from asmm_daemon.exchange.core import Exchange
from asmm_daemon.exchange.market import Market

_ZERO = Decimal(0)
_MONEY = Decimal("1e-8")
RISK_LIMIT = "2000000"


def _rate(part: Decimal, whole: Decimal) -> str:
    return plain((part / whole).quantize(Decimal("1e-4"))) if whole > 0 else "0"


def _money(amount: Decimal) -> str:
    return plain(amount.quantize(_MONEY))


def position_margin(position: Position, mark: Decimal, leverage: int) -> Decimal:
    """Initial margin of a position at its mark price, in quote."""
    return abs(position.qty) * mark / leverage


def usd_price(exchange: Exchange, asset: str) -> Decimal:
    """What one unit of an asset is worth in quote currency: 1 for a quote, else its market's mark."""
    for market in exchange.markets.values():
        if market.instrument.quote == asset:
            return Decimal(1)
    for market in exchange.markets.values():
        if market.instrument.base == asset:
            return market.mark
    return _ZERO


def _quote_positions(exchange: Exchange, account: Account, asset: str) -> list[tuple[Position, Market]]:
    found = []
    for position in account.positions.values():
        market = exchange.markets.get(position.symbol)
        if market is not None and market.instrument.quote == asset:
            found.append((position, market))
    return found


def _coin(exchange: Exchange, account: Account, asset: str, balance: Balance) -> dict[str, Any]:
    held = _quote_positions(exchange, account, asset)
    unrealised = sum((p.unrealised(m.mark) for p, m in held), _ZERO)
    in_positions = sum((position_margin(p, m.mark, p.leverage) for p, m in held), _ZERO)
    total_margin = exchange.initial_margin(account) if held else _ZERO
    maintenance = sum((abs(p.qty) * m.mark for p, m in held), _ZERO) * exchange.rules.maintenance_rate
    equity = balance.total + unrealised
    return {
        "coin": asset,
        "equity": _money(equity),
        "usdValue": _money(equity * usd_price(exchange, asset)),
        "walletBalance": _money(balance.total),
        "locked": _money(balance.locked),
        "borrowAmount": "0",
        "spotBorrow": "0",
        "availableToBorrow": "",
        "availableToWithdraw": "",
        "accruedInterest": "0",
        "totalOrderIM": _money(max(_ZERO, total_margin - in_positions)),
        "totalPositionIM": _money(in_positions),
        "totalPositionMM": _money(maintenance),
        "unrealisedPnl": _money(unrealised),
        "cumRealisedPnl": _money(sum((p.realised - p.fees + p.funding for p, _ in held), _ZERO)),
        "bonus": "0",
        "collateralSwitch": True,
        "marginCollateral": True,
        "spotHedgingQty": "0",
    }


def wallet_json(exchange: Exchange, account: Account, coins: Iterable[str] | None = None) -> dict[str, Any]:
    """The unified account with its coins: those asked for, else every one that is not zero."""
    wanted = None if coins is None else set(coins)
    rows, equity, wallet, upl = [], _ZERO, _ZERO, _ZERO
    margin, maintenance = _ZERO, _ZERO
    for asset, balance in account.balances.items():
        row = _coin(exchange, account, asset, balance)
        price = usd_price(exchange, asset)
        equity += Decimal(row["equity"]) * price
        wallet += balance.total * price
        upl += Decimal(row["unrealisedPnl"]) * price
        margin += (Decimal(row["totalOrderIM"]) + Decimal(row["totalPositionIM"])) * price
        maintenance += Decimal(row["totalPositionMM"]) * price
        if balance.total if wanted is None else asset in wanted:
            rows.append(row)
    locked = sum((b.locked * usd_price(exchange, a) for a, b in account.balances.items()), _ZERO)
    return {
        "accountType": "UNIFIED",
        "accountLTV": "0",
        "accountIMRate": _rate(margin, equity),
        "accountMMRate": _rate(maintenance, equity),
        "accountIMRateByMp": _rate(margin, equity),
        "accountMMRateByMp": _rate(maintenance, equity),
        "totalEquity": _money(equity),
        "totalWalletBalance": _money(wallet),
        "totalMarginBalance": _money(wallet + upl),
        "totalAvailableBalance": _money(wallet + upl - margin - locked),
        "totalPerpUPL": _money(upl),
        "totalInitialMargin": _money(margin),
        "totalMaintenanceMargin": _money(maintenance),
        "totalInitialMarginByMp": _money(margin),
        "totalMaintenanceMarginByMp": _money(maintenance),
        "coin": rows,
    }


def position_json(exchange: Exchange, position: Position, market: Market, seq: int) -> dict[str, Any]:
    """A position as `/v5/position/list` shows it; a flat one has side "" and size "0"."""
    value = abs(position.cost)
    margin = position_margin(position, market.mark, position.leverage)
    return {
        "positionIdx": 0,
        "riskId": 1,
        "riskLimitValue": RISK_LIMIT,
        "symbol": market.symbol,
        "side": "" if not position.qty else "Buy" if position.qty > 0 else "Sell",
        "size": plain(abs(position.qty)),
        "avgPrice": plain(position.entry.quantize(_MONEY)),
        "positionValue": _money(value) if position.qty else "",
        "tradeMode": 0,
        "positionStatus": "Normal",
        "autoAddMargin": 0,
        "adlRankIndicator": 2 if position.qty else 0,
        "leverage": str(position.leverage),
        "positionBalance": _money(margin),
        "markPrice": plain(market.mark),
        "liqPrice": "",
        "bustPrice": "",
        "positionMM": _money(abs(position.qty) * market.mark * exchange.rules.maintenance_rate),
        "positionIM": _money(margin),
        "positionMMByMp": _money(abs(position.qty) * market.mark * exchange.rules.maintenance_rate),
        "positionIMByMp": _money(margin),
        "tpslMode": "Full",
        "takeProfit": "",
        "stopLoss": "",
        "trailingStop": "0",
        "unrealisedPnl": _money(position.unrealised(market.mark)) if position.qty else "",
        "curRealisedPnl": _money(position.realised - position.fees + position.funding),
        "cumRealisedPnl": _money(position.realised - position.fees + position.funding),
        "sessionAvgPrice": "",
        "delta": "",
        "gamma": "",
        "vega": "",
        "theta": "",
        "seq": seq,
        "isReduceOnly": False,
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
        "createdTime": str(ms(position.updated_ns)),
        "updatedTime": str(ms(position.updated_ns)),
    }


def position_event(exchange: Exchange, position: Position, market: Market, seq: int) -> dict[str, Any]:
    """A position as the `position` topic pushes it: the average price is `entryPrice` there."""
    body = position_json(exchange, position, market, seq)
    return {"category": "linear", "entryPrice": body["avgPrice"], **body}
