"""Compiles the kernels of the backtest and its environments: `python -m asmm_daemon.learn.warm`."""

from decimal import Decimal
from importlib.util import find_spec

from asmm_daemon.backtest.core_engine import run_core
from asmm_daemon.backtest.fast.engine import run_fast
from asmm_daemon.backtest.setup import Setup, unseen
from asmm_daemon.backtest.timeline import timeline
from asmm_daemon.core.params import QuoteParams, to_record
from asmm_daemon.core.policy import FixedPolicy
from asmm_daemon.core.spec import AccountLimits, MarketLimits, MarketSpec
from asmm_daemon.exchange.feeds.synthetic import SyntheticSource
from asmm_daemon.learn.tape_env import Reward, TapeEnv
from asmm_daemon.tape.checkpoints import build
from asmm_daemon.tape.columns import concat
from asmm_daemon.units import NS_PER_S


def warm_up() -> None:
    """Both engines and the stacked one, on a minute of made-up market."""
    source = SyntheticSource("BTCUSDT", "binanceusdm", 0, 1, 60 * NS_PER_S)
    tape = timeline(concat(list(source)).rows)
    spec = MarketSpec(source.instrument, QuoteParams(), MarketLimits(), FixedPolicy(0.1))
    setup = Setup("warm", unseen(spec), AccountLimits(capital=Decimal(100_000)))
    run_fast(setup, source.info, tape)
    run_core(setup, source.info, tape, end_ns=NS_PER_S)
    checkpoints = build([tape.rows], to_record(spec.quote, spec.instrument), 10.0)
    TapeEnv(setup, tape, checkpoints, Reward(1.0), episode_s=10.0).reset(0)


if __name__ == "__main__":
    warm_up()
    if find_spec("torch"):
        from asmm_daemon.learn.online import warm

        warm.warm_up()
