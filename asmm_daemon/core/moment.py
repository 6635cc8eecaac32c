"""What a learner may know of one quote cycle of one market."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.desk import ZERO, Desk


@dataclass(frozen=True, slots=True)
class Moment:
    """A cycle in which a policy's own action was taken.

    `features` in raw units as the policy saw them; `index` the action in the model's grid, -1 from none.
    `wealth` is what the dampened reward is the change of, in quote currency: realised profit and funding,
    plus an unrealised loss, less fees; on spot beyond holding the target. `pauses` counts how often quoting
    was paused or halted so far: two moments with different counts have an interruption between them.
    """

    t_ns: int
    features: NDArray[np.float32]
    index: int
    wealth: float
    pauses: int


def moment_of(desk: Desk, t_ns: int) -> Moment | None:
    """The cycle at `t_ns`; None when no action was chosen in it, or the book or the ledger is not known."""
    mid, ledger = desk.mid, desk.ledger
    if desk.chosen_ns != t_ns or not desk.valid or mid is None or ledger.opened_ns is None:
        return None
    _, held = ledger.held(mid)
    wealth = ledger.realised + ledger.funding + min(ledger.unrealised(mid) - held, ZERO) - ledger.fee_cost
    return Moment(t_ns, desk.features.astype(np.float32), desk.action.index, float(wealth), desk.pauses)
