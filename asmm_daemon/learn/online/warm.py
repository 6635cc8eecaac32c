"""Everything that the learning thread runs, once, before trading begins: compiling would hold the loop up."""

from decimal import Decimal

import numpy as np

from asmm_daemon.backtest.setup import Setup, unseen
from asmm_daemon.core.features import FEATURE_NAMES
from asmm_daemon.core.market import new_market, on_message
from asmm_daemon.core.params import QuoteParams, to_record
from asmm_daemon.core.policy import FixedPolicy
from asmm_daemon.core.spec import AccountLimits, MarketLimits, MarketSpec
from asmm_daemon.exchange.feeds.synthetic import SyntheticSource
from asmm_daemon.learn.ddqn import reproducible
from asmm_daemon.learn.model_file import ModelSpec
from asmm_daemon.learn.online.reel import Reel
from asmm_daemon.learn.online.shadow import BATCH, Shadow
from asmm_daemon.learn.online.trial import Play
from asmm_daemon.tape.columns import concat, message_ends
from asmm_daemon.units import NS_PER_S


def warm_up() -> None:
    """A minute of made-up market recorded and replayed, and one update of a small network."""
    source = SyntheticSource("BTCUSDT", "binanceusdm", 0, 1, 60 * NS_PER_S)
    rows = concat(list(source)).rows
    spec = MarketSpec(source.instrument, QuoteParams(), MarketLimits(), FixedPolicy(0.1))
    params, market, reel = to_record(spec.quote, spec.instrument), new_market(), Reel(30.0)
    begin = 0
    for end in message_ends(rows):
        on_message(market, params, rows[begin:end])
        reel.add(market, rows[begin:end])
        begin = end
    stretch = reel.take()
    if stretch is not None:
        setup = Setup("warm", unseen(spec), AccountLimits(capital=Decimal(100_000)))
        list(Play(setup, stretch.start, stretch.tape(), spec.policy))
    with reproducible():
        _learn()


def _learn() -> None:
    model = ModelSpec.plain((8,), (0.1,), (0.0, 1.0))
    tensors = {name: np.zeros(shape, np.float32) for name, shape in model.shapes().items()}
    shadow = Shadow(model, tensors, learning_rate=1e-4, seed=0, capacity=BATCH)
    blank = np.zeros((BATCH, len(FEATURE_NAMES)), np.float32)
    shadow.take(blank, np.zeros(BATCH, np.int64), np.zeros(BATCH, np.float32), blank)
    shadow.update()
