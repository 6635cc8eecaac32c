"""Funding as the venue tells of it: rates applied, and each payment as an execution of its own type.

Source: https://bybit-exchange.github.io/docs/v5/websocket/private/execution (execType Funding)
"""

from typing import Any

from asmm_daemon.exchange.accounts import Account, Income
from asmm_daemon.exchange.bybit.state import FundingPayment, State
from asmm_daemon.exchange.bybit.text import ms, plain


def payment(state: State, account: Account, income: Income) -> FundingPayment:
    """What is known of a payment just booked."""
    market = state.exchange.markets[income.symbol]
    held = state.position(account, income.symbol).qty
    return FundingPayment(income, held, market.mark, market.funding_rate, state.next_seq())


def funding_json(state: State, paid: FundingPayment) -> dict[str, Any]:
    """A payment as an execution; `execFee` is positive when the account paid."""
    income, size = paid.income, plain(abs(paid.qty))
    mark = plain(paid.mark)
    return {
        "symbol": income.symbol,
        "orderId": state.id_text(income.iid, "order"),
        "orderLinkId": "",
        "side": "Buy" if paid.qty > 0 else "Sell",
        "orderPrice": "0",
        "orderQty": "0",
        "leavesQty": "0",
        "orderType": "UNKNOWN",
        "stopOrderType": "UNKNOWN",
        "execFee": plain(-income.amount),
        "execId": state.id_text(income.iid, "trade"),
        "execPrice": mark,
        "execQty": size,
        "execType": "Funding",
        "execValue": plain(abs(paid.qty) * paid.mark),
        "execTime": str(ms(income.t_ns)),
        "isMaker": False,
        "feeRate": plain(paid.rate),
        "feeCurrency": income.asset,
        "tradeIv": "",
        "markIv": "",
        "markPrice": mark,
        "indexPrice": "",
        "underlyingPrice": "",
        "blockTradeId": "",
        "closedSize": "0",
        "isLeverage": "0",
        "marketUnit": "",
        "seq": paid.seq,
        "createType": "",
    }
