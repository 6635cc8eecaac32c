"""A person's or signal's word: pause, halt, resume, stop. Each is journaled with its reason."""

from asmm_daemon.core.account import Account
from asmm_daemon.core.outbox import Outbox
from asmm_daemon.core.oversight import Switch
from asmm_daemon.core.records import RecordKind
from asmm_daemon.events import Operator
from asmm_daemon.units import BUY


def operate(event: Operator, account: Account, outbox: Outbox) -> None:
    """Raises or ends the cause that a word stands for."""
    outbox.record(RecordKind.OPERATOR, "", event.action, reason=event.reason)
    board = account.board
    if event.action == "pause":
        board.set(Switch.OPERATOR_PAUSE, event.reason)
    elif event.action == "unpause":
        board.clear(Switch.OPERATOR_PAUSE)
    elif event.action == "stop":
        board.set(Switch.STOPPING, event.reason)
    elif event.action == "halt":
        if board.set(Switch.OPERATOR_HALT, event.reason):
            outbox.record(RecordKind.LATCH, "", Switch.OPERATOR_HALT, on=True, reason=event.reason)
    else:
        _resume(event.reason, account, outbox)


def _resume(reason: str, account: Account, outbox: Outbox) -> None:
    """Ends latches and re-arms sides; the loss that tripped the drawdown switch is accepted."""
    ended = account.board.resume()
    for switch in ended:
        outbox.record(RecordKind.LATCH, "", switch, on=False, reason=reason)
    equity = account.equity()
    if Switch.DRAWDOWN in ended and equity is not None:
        old = account.drawdown.peak
        account.drawdown.reset(equity)
        outbox.record(
            RecordKind.PEAK, "", "reset", peak=str(equity), equity=str(equity), old=str(old), reason=reason
        )
    for desk in account.desks:
        if ended:
            desk.board.set(Switch.RECONCILE, "after resume")
        for side in list(desk.repeat.off_ns):
            desk.repeat.rearm(side)
            name = "repeat_buy" if side == BUY else "repeat_sell"
            outbox.record(RecordKind.LATCH, desk.symbol, name, on=False, reason=reason)
