"""The shadow: a learner that begins as the running model and goes on from there.

Its features are normalised as the running model's are, for good: a shadow that saw the market through
another scale could not begin as the same policy.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from asmm_daemon.errors import ModelError
from asmm_daemon.learn.ddqn import Learner
from asmm_daemon.learn.export import versions
from asmm_daemon.learn.hyper import Hyper
from asmm_daemon.learn.inference import ModelPolicy
from asmm_daemon.learn.model_file import ModelSpec, Tensors, load_policy, policy_of, save_model
from asmm_daemon.learn.networks import as_tensors
from asmm_daemon.learn.replay import Ring

BATCH = 64
UPDATES_PER_TRANSITION = 4
"""More would learn the few transitions by heart; the budget decides how soon they are done."""
AVERAGE_SHARE = 0.01
TARGET_EVERY = 500
_FOREVER = 10**12
_COUNT = 10**6
"""Rows that the model's mean and scale count for; nothing is added to them."""


class Shadow:
    """Learns from transitions; `policy` is what it would do now. Call within `ddqn.reproducible()`."""

    def __init__(
        self, spec: ModelSpec, tensors: Tensors, *, learning_rate: float, seed: int, capacity: int
    ) -> None:
        self._spec = spec
        count = len(spec.feature_names)
        self._hyper = Hyper(
            layers=spec.layers,
            activation="relu" if spec.activation == "relu" else "tanh",
            steps=_FOREVER,
            seed=seed,
            batch=BATCH,
            learning_rate=learning_rate,
            learning_rate_end=learning_rate,
            target_every=TARGET_EVERY,
            average_share=AVERAGE_SHARE,
            replay=capacity,
            feature_clip=spec.clip,
        )
        self._ring = Ring(
            capacity,
            {
                "obs": np.zeros((capacity, count), np.float32),
                "next": np.zeros((capacity, count), np.float32),
                "action": np.zeros(capacity, np.int64),
                "gain": np.zeros(capacity, np.float32),
                "discount": np.full(capacity, self._hyper.discount, np.float32),
            },
            None,
        )
        self._fields = as_tensors(self._ring.fields)
        self._draws = np.random.default_rng([seed, 2])
        self._allowed = 0
        self.updates = 0
        self.start_from(tensors)

    @property
    def transitions(self) -> int:
        """How many it may learn from."""
        return self._ring.size

    def start_from(self, tensors: Tensors) -> None:
        """Takes over a model's weights and forgets the optimiser's past; the transitions stay."""
        learner = Learner(self._hyper, len(self._spec.feature_names), len(self._spec.actions))
        for theta in (learner.online, learner.target, learner.settled):
            for name, tensor in tensors.items():
                theta.named[name].copy_(torch.from_numpy(np.ascontiguousarray(tensor)))
        scale = np.asarray(self._spec.scale)
        learner.features.restore(
            {
                "count": np.array([_COUNT]),
                "mean": np.asarray(self._spec.mean),
                "squares": scale**2 * _COUNT,
            }
        )
        self._learner = learner
        self._measure(self._ring.fields["gain"][: self._ring.size])

    def take(
        self,
        obs: NDArray[np.float32],
        actions: NDArray[np.int64],
        rewards: NDArray[np.float32],
        after: NDArray[np.float32],
    ) -> None:
        """Adds transitions to what is learned from: (n, features), (n,), (n,), (n, features)."""
        if not len(rewards):
            return
        count = len(self._spec.feature_names)
        rows: dict[str, NDArray[Any]] = {
            "obs": obs[:, :count],
            "action": actions,
            "gain": rewards,
            "next": after[:, :count],
        }
        self._ring.append(rows)
        self._measure(np.asarray(rewards, np.float32))
        self._allowed += UPDATES_PER_TRANSITION * len(rewards)

    def update(self) -> bool:
        """One update; False when there is nothing more to learn for now. Raises ModelError for NaN."""
        if self.updates >= self._allowed or self._ring.size < BATCH:
            return False
        loss = self._learner.update(self._fields, self._ring.draw(self._draws, BATCH, 1.0), self._ring)
        if not np.isfinite(loss):
            raise ModelError(f"the shadow's loss is {loss} after {self.updates} updates")
        self.updates += 1
        return True

    def policy(self) -> ModelPolicy:
        """What it would do now. Raises ModelError for NaN."""
        return policy_of("shadow", self._spec, self.tensors())

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """The averaged weights. Raises ModelError where one is not finite."""
        self._learner.settled.fold()
        tensors = self._learner.settled.exported()
        for name, tensor in tensors.items():
            if not np.isfinite(tensor).all():
                raise ModelError(f"the shadow's tensor {name} holds a value that is not finite")
        return tensors

    def save(self, folder: Path, symbol: str) -> tuple[Path, ModelPolicy]:
        """Writes it as `asmm-model/1`, named by the market and its weights' hash, and reads it back."""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            spec = replace(self._spec, steps=self._spec.steps + self.updates, versions=versions())
            draft = save_model(folder / f"{symbol}-draft", spec, self.tensors())
            path = folder / f"{symbol}-{draft.weights_sha256[:16]}.json"
            for suffix in (".safetensors", ".json"):
                (folder / f"{symbol}-draft{suffix}").replace(path.with_suffix(suffix))
        except OSError as error:
            raise ModelError(f"{folder}: the shadow cannot be written ({error.strerror or error})") from None
        return path, load_policy(path)

    def _measure(self, rewards: NDArray[np.float32]) -> None:
        if rewards.size:
            self._learner.rewards.add(rewards[:, None])
        self._learner.prepare(0)
