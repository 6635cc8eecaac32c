"""The update by numbers worked out by hand, and its gradients against torch's own."""

import numpy as np
import pytest
import torch

from asmm_daemon.errors import ConfigError
from asmm_daemon.learn.ddqn import Learner, reproducible
from asmm_daemon.learn.export import Learned, check_against_torch, numpy_values
from asmm_daemon.learn.hyper import Hyper
from asmm_daemon.learn.networks import DensePass, Parameters, Shape, as_tensors
from asmm_daemon.learn.passes import double_target
from asmm_daemon.learn.protocol import Step
from asmm_daemon.learn.recurrent import LstmPass
from asmm_daemon.learn.replay import Transitions


def parameters(shape, seed=1):
    theta = Parameters(shape)
    theta.initialise(torch.Generator().manual_seed(seed))
    return theta


def test_the_online_network_chooses_and_the_target_network_values():
    """1 + 0.5·30, not 1 + 0.5·40 (target's maximum) nor 1 + 0.5·2; a terminated state adds nothing."""
    gain, discount = torch.tensor([1.0, 1.0]), torch.tensor([0.5, 0.0])
    online, target = torch.tensor([[1.0, 2.0]] * 2), torch.tensor([[40.0, 30.0]] * 2)
    assert double_target(gain, discount, online, target).tolist() == [16.0, 1.0]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_dense_gradients_equal_autograd(activation):
    """Every weight's gradient of Σ δ·Q through three layers, beside torch's."""
    shape = Shape("mlp", 5, (7, 6), 4, activation, dueling=False)
    theta, gradients = parameters(shape), Parameters(shape)
    held = DensePass(shape, rows=9, learned=6)
    held.input.normal_(generator=torch.Generator().manual_seed(2))
    x, delta = held.input[:6].clone(), torch.randn(6, 4, generator=torch.Generator().manual_seed(3))
    held.forward(theta)
    held.delta[-1].copy_(delta)
    held.backward(theta, gradients)
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in theta.named.items()}
    for n in range(2):
        x = getattr(torch, activation)(x @ leaves[f"layers.{n}.weight"].t() + leaves[f"layers.{n}.bias"])
    ((x @ leaves["head.weight"].t() + leaves["head.bias"]) * delta).sum().backward()
    for name, leaf in leaves.items():
        assert torch.allclose(gradients.named[name], leaf.grad, atol=1e-5), name


def test_recurrent_gradients_equal_autograd():
    """Back through four steps, of which one begins an episode and the first only warms up."""
    shape = Shape("lstm", 3, (5,), 2, "relu", dueling=False)
    theta, gradients = parameters(shape), Parameters(shape)
    held = LstmPass(shape, steps=4, rows=2, burn_in=1)
    generator = torch.Generator().manual_seed(4)
    for tensor in (held.input, held.hidden[0], held.memory[0]):
        tensor.normal_(generator=generator)
    held.keep[2, 1] = 0.0
    delta = torch.randn(3, 2, 5, generator=generator)
    output = held.forward(theta).clone()
    held.backward(theta, gradients, delta)
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in theta.named.items()}
    cell = torch.nn.LSTMCell(3, 5)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        delattr(cell, name)
        setattr(cell, name, leaves[f"lstm.{name}"])
    hidden, memory, total = held.hidden[0].clone(), held.memory[0].clone(), 0.0
    for t in range(4):
        hidden, memory = cell(held.input[t], (hidden * held.keep[t], memory * held.keep[t]))
        assert torch.allclose(hidden, output[t], atol=1e-6)
        if t == 0:
            hidden, memory = hidden.detach(), memory.detach()
        else:
            total = total + (hidden * delta[t - 1]).sum()
    total.backward()
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        found, wanted = gradients.named[f"lstm.{name}"], leaves[f"lstm.{name}"].grad
        assert torch.allclose(found, wanted, atol=1e-5), name


def test_a_dueling_head_folds_into_one():
    """V + A − mean(A) equals the folded head's values, and its gradients equal torch's."""
    shape = Shape("mlp", 3, (6,), 4, "relu", dueling=True)
    theta, gradients = parameters(shape), Parameters(shape)
    held = DensePass(shape, rows=5, learned=5)
    held.input.normal_(generator=torch.Generator().manual_seed(5))
    delta = torch.randn(5, 4, generator=torch.Generator().manual_seed(6))
    values = held.forward(theta).clone()
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in theta.named.items()}
    hidden = torch.relu(held.input @ leaves["layers.0.weight"].t() + leaves["layers.0.bias"])
    value = hidden @ leaves["value.weight"].t() + leaves["value.bias"]
    advantage = hidden @ leaves["advantage.weight"].t() + leaves["advantage.bias"]
    expected = value + advantage - advantage.mean(1, keepdim=True)
    assert torch.allclose(values, expected, atol=1e-6)
    (expected * delta).sum().backward()
    held.delta[-1].copy_(delta)
    held.backward(theta, gradients)
    gradients.unfold()
    for name in ("layers.0.weight", "value.weight", "value.bias", "advantage.weight", "advantage.bias"):
        assert torch.allclose(gradients.named[name], leaves[name].grad, atol=1e-5), name
    assert set(theta.exported()) == {"layers.0.weight", "layers.0.bias", "head.weight", "head.bias"}


@pytest.mark.parametrize(
    ("kind", "layers"), [("mlp", (128, 256, 128)), ("mlp", (104, 104)), ("lstm", (16, 8))]
)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_daemons_inference_equals_torch(kind, layers, activation):
    """Exported weights give torch's values within 1e-6, and those the learner acted by."""
    hyper = Hyper(kind=kind, layers=layers, activation=activation, dueling=True)
    learner = Learner(hyper, 22, 20)
    learned = Learned.of(learner, 0)
    check_against_torch(learned)
    rows = np.random.default_rng(1).normal(size=(6, 22)).astype(np.float32)
    cell, found = learner.start(1), []
    with reproducible():
        for row in rows:
            values, cell = learner.values(row[None], cell)
            found.append(values[0].copy())
    assert np.allclose(found, numpy_values(learned, rows.astype(np.float64)), atol=1e-6)


def learn_once(hyper, updates=3):
    learner = Learner(hyper, 2, 3)
    replay = Transitions(50, 10, 2, discount=0.9, n_step=1)
    rng = np.random.default_rng(9)
    for _ in range(5):
        obs, final = rng.normal(size=(2, 10, 2)).astype(np.float32)
        reward = rng.normal(size=10).astype(np.float32)
        ended = np.zeros(10, bool)
        replay.add(obs, rng.integers(0, 3, 10), Step(final, reward, ended, ended, final))
        learner.rewards.add(reward[:, None])
    with reproducible():
        for _ in range(updates):
            learner.prepare(0)
            learner.update(as_tensors(replay.fields), replay.draw(rng, hyper.batch, 0.4), replay)
    return learner


def test_an_update_equals_torchs_own():
    """One update beside autograd, huber_loss, clip_grad_norm_ and Adam of torch."""
    hyper = Hyper(layers=(8,), batch=16, clip_norm=0.1, target_every=100, replay=50)
    before, after = learn_once(hyper, 0), learn_once(hyper, 1)
    layers = [torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)]
    network = torch.nn.Sequential(*layers)
    names = {
        "0.weight": "layers.0.weight",
        "0.bias": "layers.0.bias",
        "2.weight": "head.weight",
        "2.bias": "head.bias",
    }
    network.load_state_dict({own: before.online.named[name] for own, name in names.items()})
    replay, rng = Transitions(50, 10, 2, discount=0.9, n_step=1), np.random.default_rng(9)
    for _ in range(5):
        obs, final = rng.normal(size=(2, 10, 2)).astype(np.float32)
        reward, ended = rng.normal(size=10).astype(np.float32), np.zeros(10, bool)
        replay.add(obs, rng.integers(0, 3, 10), Step(final, reward, ended, ended, final))
    index = replay.draw(rng, 16, 0.4).index
    drawn = {name: torch.from_numpy(field[index]) for name, field in replay.fields.items()}
    adam = torch.optim.Adam(network.parameters(), lr=hyper.learning_rate)
    with torch.no_grad():
        later = network(drawn["next"])
        wanted = drawn["gain"] + drawn["discount"] * later.max(1).values
    values = network(drawn["obs"]).gather(1, drawn["action"][:, None]).squeeze(1)
    torch.nn.functional.huber_loss(values, wanted, delta=5 * float(after.rewards.scale[0])).backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 0.1)
    adam.step()
    for own, tensor in network.state_dict().items():
        assert torch.allclose(tensor, after.online.named[names[own]], atol=1e-5), own


def test_the_same_seed_gives_the_same_weights():
    """Bit for bit, dropout included; another seed gives others."""
    hyper = Hyper(layers=(8, 8), batch=16, dropout=0.2, replay=50)
    first, second = learn_once(hyper), learn_once(hyper)
    assert torch.equal(first.online.flat, second.online.flat)
    other = learn_once(Hyper(layers=(8, 8), batch=16, dropout=0.2, replay=50, seed=1))
    assert not torch.equal(first.online.flat, other.online.flat)


def test_the_target_network_follows():
    """Copied every `target_every` updates, or moved by a share of the way at each."""
    hard = Hyper(layers=(8,), batch=16, target_every=3, replay=50)
    assert not torch.equal((two := learn_once(hard, 2)).target.flat, two.online.flat)
    assert torch.equal((three := learn_once(hard, 3)).target.flat, three.online.flat)
    start = learn_once(hard, 0).online.flat
    soft = learn_once(Hyper(layers=(8,), batch=16, target_every=1, target_share=0.25, replay=50), 1)
    assert torch.allclose(soft.target.flat, start + 0.25 * (soft.online.flat - start), atol=1e-7)


def test_the_settled_weights_are_a_running_average():
    """Moved by their share at each update, and exported; without a share they are the online ones."""
    plain = Hyper(layers=(8,), batch=16, replay=50)
    start, after = learn_once(plain, 0), learn_once(plain, 1)
    learner = learn_once(Hyper(layers=(8,), batch=16, replay=50, average_share=0.25), 1)
    halfway = start.online.flat.lerp(after.online.flat, 0.25)
    assert torch.allclose(learner.settled.flat, halfway, atol=1e-7)
    assert np.array_equal(
        Learned.of(learner, 1).tensors["head.bias"], learner.settled.named["head.bias"].numpy()
    )
    assert after.settled is after.online


def test_acting_drops_nothing():
    """With dropout the values that actions are chosen by are the same every time."""
    learner = learn_once(Hyper(layers=(64,), batch=16, dropout=0.5, replay=50))
    obs = np.ones((4, 2), np.float32)
    with reproducible():
        first = learner.values(obs, learner.start(4))[0].copy()
        assert np.array_equal(first, learner.values(obs, learner.start(4))[0])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"huber": 1.0}, "huber"),
        ({"discount": 1.0}, "discount"),
        ({"kind": "gru"}, "kind"),
        ({"layers": ()}, "layers"),
        ({"layers": (1.5,)}, "layers"),
        ({"layers": 16}, "layers"),
        ({"batch": "many"}, "batch"),
        ({"batch": 1.5}, "batch"),
        ({"dueling": "maybe"}, "dueling"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"discount": float("nan")}, "discount"),
        ({"seed": -1}, "seed"),
    ],
)
def test_hyper_parameters_that_cannot_be_are_refused_by_name(changes, named):
    """The message says which value and what would be right."""
    with pytest.raises(ConfigError, match=f"{named} is .* expected"):
        Hyper(**changes)
