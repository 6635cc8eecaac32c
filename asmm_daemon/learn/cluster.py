"""Backtests of a study on a Ray cluster: one task a trial, the recording put into its object store once.

Only the backtests leave this process: the study asks for its trials here and is told their figures in the
order in which it asked, so that neither the number of workers nor which one was faster changes a result.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

from asmm_daemon.backtest.fast.engine import run_fast
from asmm_daemon.backtest.setup import Setup
from asmm_daemon.backtest.statistics import Statistics, measure
from asmm_daemon.backtest.timeline import timeline
from asmm_daemon.errors import AsmmError, ConfigError
from asmm_daemon.events import Rows
from asmm_daemon.tape.columns import TapeInfo

LOCAL = "local"
_LOOPBACK = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a warning about the next release, on every start
}
_KEEP_LOCAL = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""By this Ray takes 127.0.0.1 for the machine's address, on every system; else it looks for a public one."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A recording in memory and the part of it that is run, in ns of its receive clock."""

    info: TapeInfo
    rows: Rows
    begin_ns: int
    end_ns: int


def judge(stretch: Stretch, setup: Setup) -> Statistics:
    """One backtest. The rows are copied: those of an object store cannot be written, which kernels mind."""
    tape = timeline(np.array(stretch.rows))
    return measure(run_fast(setup, stretch.info, tape, begin_ns=stretch.begin_ns, end_ns=stretch.end_ns))


class Cluster:
    """A connection to Ray, to be used as a context.

    Args:
        address: what `ray.init` takes: `local` starts one on this machine, `auto` finds a running one,
            `ray://HOST:PORT` and `HOST:PORT` name one. Its nodes need this package.
        processors: of a local one; all by default.

    Raises:
        ConfigError: nothing answers at the address.
    """

    def __init__(self, address: str, processors: int | None = None) -> None:
        os.environ.update(_SETTINGS | (_KEEP_LOCAL if address == LOCAL else {}))
        import ray  # noqa: PLC0415 (an optional extra, and slow to import)

        self._ray: Any = ray
        self._address = address
        self._stretch: tuple[Stretch, Any] | None = None
        options = {"num_cpus": processors, **_LOOPBACK} if address == LOCAL else {}
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR", **options)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ConfigError(f"--ray {address}: no cluster answers there: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ray.shutdown()

    def judge(self, stretch: Stretch, setups: Sequence[Setup]) -> list[Statistics]:
        """The figures of each set-up, in their order. Raises AsmmError when a worker fails."""
        if self._stretch is None or self._stretch[0] is not stretch:
            self._stretch = stretch, self._ray.put(stretch)
        task = self._ray.remote(judge)
        waiting = [task.remote(self._stretch[1], setup) for setup in setups]
        try:
            return list(self._ray.get(waiting))
        except self._ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None) or error
            if isinstance(cause, AsmmError):
                raise cause from None
            raise AsmmError(f"--ray {self._address}: a backtest failed there: {cause}") from None
