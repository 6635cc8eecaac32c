"""A short training on the model market, as a module and as a process that can be killed."""

import sys
from dataclasses import replace
from pathlib import Path

from asmm_daemon.learn.hyper import Hyper
from asmm_daemon.learn.model_market import ModelMarket, ModelMarketEnv, offset_grid
from asmm_daemon.learn.train import train

MARKET = ModelMarket()
HYPER = Hyper(
    layers=(16, 16), steps=6400, learn_after=200, steps_per_update=8, batch=16, replay=3000,
    epsilon_steps=2000, target_every=50, evaluate_every=1600, evaluate_steps=20,
    report_every=800, checkpoint_every_s=0.05,
)  # fmt: skip
OPTIONS = replace(HYPER, dueling=True, n_step=3, prioritised=True, dropout=0.1, target_share=0.5)
OPTIONS = replace(OPTIONS, average_share=0.1)
LSTM = replace(HYPER, kind="lstm", sequence=8, burn_in=4, n_step=2, prioritised=True, steps_per_update=32)
VARIANTS = {"mlp": HYPER, "every option": OPTIONS, "lstm": LSTM}


def env():
    """Eight copies of the market with nine actions."""
    return ModelMarketEnv(MARKET, offset_grid(MARKET, (0.2, 0.8, 1.6)), 8, episode=50)


def run(folder, variant):
    """To the end, from the folder's checkpoint if there is one."""
    return train(env(), env(), VARIANTS[variant], Path(folder))


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2])
