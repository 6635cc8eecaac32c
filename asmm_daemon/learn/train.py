"""The training loop: collects, learns, evaluates, keeps the best, and survives being killed.

    result = train(env, validation, Hyper(seed=1), Path("runs/1"), about=About(...))

The folder then holds `checkpoint.json` with its arrays, `curves.csv`, `events/` for TensorBoard, and,
where `about` says what market the actions belong to, `best` and `last` as `asmm-model/1` files for the
daemon. Without it, `export_model(path, result.best, about)` writes them later.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.errors import ModelError
from asmm_daemon.learn.checkpoint import load_checkpoint, part, save_checkpoint
from asmm_daemon.learn.collect import Collector, evaluate
from asmm_daemon.learn.curves import Curves, Progress
from asmm_daemon.learn.ddqn import Learner, reproducible
from asmm_daemon.learn.export import About, Learned, export_model
from asmm_daemon.learn.hyper import Hyper
from asmm_daemon.learn.protocol import VectorEnv
from asmm_daemon.learn.rng import restore_rng, rng_state
from asmm_daemon.learn.schedule import Linear

NAN = float("nan")
Validator = Callable[[Learned], float]
"""What a network is worth on data that it does not learn from: higher is better."""
EVALUATION_SEED = 7
"""Every evaluation sees the same episodes, so that models are compared and not luck."""


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training came to."""

    best: Learned
    """The network of the highest evaluation."""
    last: Learned
    evaluation: float
    """What validation said of `best`: the mean reward per step, or the judge's figure."""
    step: int
    updates: int
    finished: bool
    """False when it was asked to stop before its last step."""


def train(
    env: VectorEnv,
    validation: VectorEnv | Validator,
    hyper: Hyper,
    folder: Path,
    *,
    progress: Callable[[Progress], object] | None = None,
    resume: bool = True,
    about: About | None = None,
    stop: Callable[[], bool] | None = None,
) -> TrainResult:
    """Trains a Double DQN and returns its best network by validation.

    Args:
        env: the environments to learn from.
        validation: environments on other data, only ever acted on greedily; or a judge of the network,
            of which the higher figure is the better.
        hyper: every number of it.
        folder: where everything is written; made if missing.
        progress: called with every report.
        resume: goes on from the folder's checkpoint if there is one, else starts anew.
        about: what the model files say of the market; None writes none.
        stop: asked after every step; True writes a checkpoint and returns.

    Raises:
        ModelError: the checkpoint is damaged or of another training, or a file cannot be written.
    """
    try:
        with reproducible():
            return _Training(env, validation, hyper, folder, resume=resume, about=about).run(progress, stop)
    except OSError as error:
        raise ModelError(f"{folder}: cannot be written ({error.strerror or error})") from None


class _Training:
    def __init__(
        self,
        env: VectorEnv,
        validation: VectorEnv | Validator,
        hyper: Hyper,
        folder: Path,
        *,
        resume: bool,
        about: About | None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._hyper, self._folder, self._about = hyper, folder, about
        self._env, self._validation = env, validation
        self._learner = Learner(hyper, env.n_features, env.n_actions)
        self._collector = Collector(env, self._learner)
        self._draws = np.random.default_rng([hyper.seed, 2])
        self._beta = Linear(hyper.importance_power, 1.0, hyper.steps)
        self._step = 0
        self._loss, self._losses = 0.0, 0
        self._best: Learned | None = None
        self._best_evaluation = NAN
        if resume:
            self._restore()
        self._curves = Curves(folder, self._step)
        self._reported = (self._step, time.monotonic())
        self._saved = time.monotonic()

    def run(
        self, progress: Callable[[Progress], object] | None, stop: Callable[[], bool] | None
    ) -> TrainResult:
        """To the last step, or until asked to stop."""
        stopped = False
        while self._step < self._hyper.steps and not stopped:
            self._advance(progress)
            if time.monotonic() - self._saved >= self._hyper.checkpoint_every_s:
                self._save()
            stopped = stop is not None and stop()
        if self._best is None:
            self._evaluate()
        self._save()
        self._curves.close()
        last = Learned.of(self._learner, self._step)
        if self._about is not None:
            export_model(self._folder / "last", last, self._about)
        assert self._best is not None
        done = self._step >= self._hyper.steps
        return TrainResult(
            self._best, last, self._best_evaluation, self._step, self._learner.updates, finished=done
        )

    def _advance(self, progress: Callable[[Progress], object] | None) -> None:
        hyper, before = self._hyper, self._step
        self._collector.step(before)
        self._step += self._env.n_envs
        if self._step >= hyper.learn_after and self._collector.replay.size:
            self._learn(int((self._step - hyper.learn_after) / hyper.steps_per_update) + 1)
        last = self._step >= hyper.steps
        evaluation = NAN
        if last or self._passed(before, hyper.evaluate_every):
            evaluation = self._evaluate()
        if not math.isnan(evaluation) or self._passed(before, hyper.report_every):
            self._report(evaluation, progress)

    def _passed(self, before: int, every: int) -> bool:
        return before // every != self._step // every

    def _learn(self, until: int) -> None:
        replay, learner = self._collector.replay, self._learner
        beta = self._beta.at(self._step)
        while learner.updates < until:
            draw = replay.draw(self._draws, self._hyper.batch, beta)
            self._loss += learner.update(self._collector.fields, draw, replay)
            self._losses += 1

    def _evaluate(self) -> float:
        learned = Learned.of(self._learner, self._step)
        if callable(self._validation):
            found = self._validation(learned)
        else:
            steps = self._hyper.evaluate_steps
            found = evaluate(self._learner, self._validation, steps, EVALUATION_SEED)
        if not found <= self._best_evaluation:
            self._best, self._best_evaluation = learned, found
            if self._about is not None:
                export_model(self._folder / "best", self._best, self._about)
        return found

    def _report(self, evaluation: float, progress: Callable[[Progress], object] | None) -> None:
        step, since = self._reported
        now = time.monotonic()
        collector, learner = self._collector, self._learner
        report = Progress(
            step=self._step,
            steps=self._hyper.steps,
            updates=learner.updates,
            loss=self._loss / self._losses if self._losses else NAN,
            reward=collector.reward_sum / max(collector.reward_count, 1),
            evaluation=evaluation,
            best=self._best_evaluation,
            epsilon=collector.epsilon(self._step),
            learning_rate=learner.rate(self._step),
            per_s=(self._step - step) / max(now - since, 1e-9),
        )
        self._loss, self._losses = 0.0, 0
        collector.reward_sum, collector.reward_count = 0.0, 0
        self._reported = (self._step, now)
        self._curves.add(report)
        if progress is not None:
            progress(report)

    def _save(self) -> None:
        arrays: dict[str, NDArray[Any]] = {
            "draws": rng_state(self._draws),
            "loss": np.array([self._loss, self._losses]),
        }
        parts: dict[str, Any] = {"learner": self._learner.state(), "collector": self._collector.state()}
        if self._best is not None:
            held = self._best
            parts["best"] = {"mean": held.mean, "scale": held.scale, "step": np.array([held.step])}
            parts["best"] |= {f"tensor.{name}": value for name, value in held.tensors.items()}
        for name, kept in parts.items():
            arrays |= {f"{name}.{key}": value for key, value in kept.items()}
        best = None if self._best is None else self._best_evaluation
        meta = {"hyper": self._hyper.as_json(), "env": self._env_sizes(), "step": self._step, "best": best}
        save_checkpoint(self._folder, self._step, meta, arrays)
        self._saved = time.monotonic()

    def _restore(self) -> None:
        found = load_checkpoint(self._folder)
        if found is None:
            return
        meta, arrays = found
        mine = {"hyper": self._hyper.as_json(), "env": self._env_sizes()}
        for name, own in mine.items():
            for key, value in own.items():
                if meta[name].get(key) != value:
                    raise ModelError(
                        f"{self._folder}: its checkpoint has {key} {meta[name].get(key)!r}, not {value!r}; "
                        "use another folder, or start anew without resuming"
                    )
        self._step = int(meta["step"])
        self._learner.restore(part(arrays, "learner"))
        self._collector.restore(part(arrays, "collector"))
        restore_rng(self._draws, arrays["draws"])
        self._loss, self._losses = float(arrays["loss"][0]), int(arrays["loss"][1])
        if meta["best"] is not None:
            kept = part(arrays, "best")
            self._best_evaluation = float(meta["best"])
            self._best = Learned(
                self._learner.shape, part(kept, "tensor"), kept["mean"], kept["scale"],
                self._hyper.feature_clip, self._hyper.seed, int(kept["step"][0]),
            )  # fmt: skip

    def _env_sizes(self) -> dict[str, int]:
        return {name: getattr(self._env, name) for name in ("n_envs", "n_features", "n_actions")}
