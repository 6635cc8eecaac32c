"""The 22 features of the guide and the private extras."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.market import MarketState
from asmm_daemon.core.params import Params
from asmm_daemon.kernels import kernel

N_FEATURES = 22
EXTRAS = ("unrealised_pnl", "kappa_sigma_sqrt_tau")
N_STATE = N_FEATURES + len(EXTRAS)
FEATURES_ID = "guide22/1"


@kernel
def features(
    state: MarketState, params: Params, inventory: NDArray[Any], t_ns: int, out: NDArray[np.float64]
) -> None:
    """Fills `out` (N_STATE,) at a cycle; the next call's lagged values refer to this one."""
