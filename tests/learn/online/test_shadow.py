"""The shadow begins as the running model, learns, and is refused once it holds NaN."""

import numpy as np
import pytest

from asmm_daemon.errors import ModelError
from asmm_daemon.learn.ddqn import reproducible
from asmm_daemon.learn.model_file import load_policy
from asmm_daemon.learn.online.shadow import UPDATES_PER_TRANSITION, Shadow
from tests.learn.online.models import WIDTH, read, spec, tensors, write


@pytest.fixture(autouse=True)
def one_thread():
    """As the learning thread computes."""
    with reproducible():
        yield


def shadow(**changed):
    """From a small model."""
    made = spec(**changed)
    return Shadow(made, tensors(made), learning_rate=2e-3, seed=1, capacity=4096)


def lesson(count, *, best=7, seed=0):
    """Transitions in which one action pays, whatever the state."""
    rng = np.random.default_rng(seed)
    obs = rng.normal(0.5, 2.0, (count, WIDTH)).astype(np.float32)
    actions = rng.integers(0, 20, count)
    return obs, actions, (actions == best).astype(np.float32), obs[::-1].copy()


def test_it_begins_as_the_running_model(tmp_path):
    """The same action for every state."""
    path = write(tmp_path)
    states = np.random.default_rng(1).normal(0.5, 2.0, (200, WIDTH))
    made, held = read(path)
    begun = Shadow(made, held, learning_rate=1e-4, seed=1, capacity=64)
    assert np.array_equal(begun.policy().act_batch(states), load_policy(path).act_batch(states))


def test_it_learns_what_pays_and_then_rests():
    """So many updates per transition, and no more."""
    made = shadow()
    made.take(*lesson(3000))
    while made.update():
        pass
    assert made.updates == 3000 * UPDATES_PER_TRANSITION
    states = np.random.default_rng(2).normal(0.5, 2.0, (200, WIDTH))
    assert (made.policy().act_batch(states) == 7).mean() > 0.9


def test_the_same_seed_gives_the_same_weights():
    """To the bit."""
    found = []
    for _ in range(2):
        made = shadow()
        made.take(*lesson(64))
        while made.update():
            pass
        found.append(made.tensors())
    assert all(np.array_equal(found[0][name], found[1][name]) for name in found[0])


def test_starting_over_forgets_the_weights_and_keeps_the_transitions():
    """As after a lost trial."""
    made = shadow()
    made.take(*lesson(64))
    made.update()
    begun = tensors(spec())
    made.start_from(begun)
    assert made.transitions == 64
    assert all(np.array_equal(made.tensors()[name], begun[name]) for name in begun)


def test_a_saved_shadow_is_a_model_of_the_daemon(tmp_path):
    """It reads back, named by its hash, and acts as the shadow does."""
    made = shadow()
    made.take(*lesson(64))
    made.update()
    path, policy = made.save(tmp_path, "BTCUSDT")
    states = np.random.default_rng(3).normal(0.5, 2.0, (50, WIDTH))
    assert np.array_equal(policy.act_batch(states), made.policy().act_batch(states))
    assert path.stem == f"BTCUSDT-{policy.sha256[:16]}"
    assert {each.name for each in tmp_path.iterdir()} == {path.name, f"{path.stem}.safetensors"}
    assert read(path)[0].steps == 11


def test_a_shadow_of_nan_is_refused(tmp_path):
    """Neither a trial nor a file can be made of it."""
    made = shadow()
    obs, actions, rewards, after = lesson(64)
    made.take(obs, actions, np.full_like(rewards, np.nan), after)
    with pytest.raises(ModelError, match="loss is nan"):
        made.update()
    for use in (made.policy, lambda: made.save(tmp_path, "BTCUSDT")):
        with pytest.raises(ModelError, match="not finite"):
            use()
    assert not list(tmp_path.glob("*.json"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    """The message says which."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ModelError, match="file: the shadow cannot be written"):
        shadow().save(blocked, "BTCUSDT")
