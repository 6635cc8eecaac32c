"""Training over a recording: episodes of the training stretch, the best network by a backtest of another.

A network is worth what a backtest of its greedy policy over the validation stretch scores, by the very
figure that tuning goes by, so that one rule chooses both; and under a floor a little above that one, since
the days to come are not those that it is chosen on.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from asmm_daemon.backtest.statistics import measure
from asmm_daemon.learn.curves import Progress
from asmm_daemon.learn.export import About, Learned, spec_of
from asmm_daemon.learn.hyper import Hyper
from asmm_daemon.learn.lessons import Goal, Lessons
from asmm_daemon.learn.model_file import policy_of
from asmm_daemon.learn.tape_env import Reward
from asmm_daemon.learn.train import TrainResult, train
from asmm_daemon.learn.tuning import FLOOR, score_of
from asmm_daemon.units import NS_PER_S

MARGIN = 0.05
"""Added to the participation floor where a network is chosen."""


def train_on_tape(
    lessons: Lessons,
    goal: Goal,
    hyper: Hyper,
    folder: Path,
    *,
    n_envs: int = 32,
    episode_s: float = 3600.0,
    data: tuple[dict[str, str], ...] = (),
    progress: Callable[[Progress], object] | None = None,
    resume: bool = True,
) -> TrainResult:
    """One training; the folder holds its checkpoint, curves and model files.

    Args:
        lessons: the market and its stretches; episodes are shortened where the stretch is short.
        goal: reward and score.
        hyper: every number of the learner; `evaluate_steps` is not used.
        folder: made if missing.
        n_envs: copies of the daemon that are stepped at once.
        episode_s: length of an episode.
        data: what the model file says it has seen.
        progress: called with every report.
        resume: goes on from the folder's checkpoint if there is one.

    Raises:
        ConfigError: not even one short episode fits.
        ModelError: the checkpoint is damaged or of another training, or a file cannot be written.
    """
    about = About(
        feature_names=lessons.feature_names,
        gammas=lessons.gammas,
        skews=lessons.skews,
        reward=goal.reward,
        reward_unit=lessons.reward_unit,
        cycle_s=lessons.setup.cycle_s,
        data=data,
    )

    def judge(learned: Learned) -> float:
        policy = policy_of("learned", spec_of(learned, about), learned.tensors)
        spec = replace(lessons.setup.spec, policy=policy)
        result = lessons.backtest(replace(lessons.setup, spec=spec), lessons.validation)
        return score_of(measure(result), goal.score, FLOOR + MARGIN)

    stretch_s = (lessons.train.end_ns - lessons.train.start_ns) / NS_PER_S
    env = lessons.env(
        lessons.train,
        Reward(lessons.reward_unit, goal.reward, goal.penalty, goal.memory_s),
        n_envs=n_envs,
        episode_s=min(episode_s, stretch_s / 2),
    )
    return train(env, judge, hyper, folder, about=about, progress=progress, resume=resume)
