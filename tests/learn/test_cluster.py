"""A study on a Ray cluster is the same study: tried on one that this machine starts, on loopback."""

import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from typer.testing import CliRunner

from asmm_daemon.backtest.fast.engine import run_fast
from asmm_daemon.cli import app
from asmm_daemon.commands import needs
from asmm_daemon.errors import AsmmError, ConfigError, TapeError
from asmm_daemon.learn.cluster import Cluster, Stretch
from asmm_daemon.learn.tuning import in_turn, tune
from tests.backtest.markets import setup, synthetic

MARKET = ["--data", "synthetic:BTCUSDT", "--hours", "0.3", "--fees", "0", "--trials", "6", "--batch", "3"]

with_ray = pytest.mark.skipif(find_spec("ray") is None, reason="the extra [ray] is not installed")


@pytest.fixture(scope="module")
def cluster():
    with Cluster("local", processors=2) as made:
        yield made


@with_ray
def test_the_same_parameters_with_ray_and_without(cluster):
    """Every trial and its score, to the bit; the recording is put into the store once."""
    info, tape = synthetic(10)
    stretch = Stretch(info, tape.rows, int(tape.local_ns[0]), int(tape.local_ns[-1]))
    alone = in_turn(lambda s: [run_fast(s, info, tape, begin_ns=stretch.begin_ns, end_ns=stretch.end_ns)])
    here = tune(setup(info), alone, trials=7, seed=5, batch=3)
    there = tune(setup(info), lambda s: cluster.judge(stretch, s), trials=7, seed=5, batch=3)
    assert there.parameters == here.parameters
    assert there.trials == here.trials
    assert there.statistics.as_dict() == here.statistics.as_dict()


@with_ray
def test_an_error_of_ours_comes_back_as_it_is(cluster):
    """A recording without a message there says what it says here."""
    info, tape = synthetic(1)
    nothing = Stretch(info, tape.rows, 2**61, 2**62)
    with pytest.raises(TapeError, match="no whole message"):
        cluster.judge(nothing, [setup(info)])


@with_ray
def test_another_error_is_one_message_too(cluster):
    """What is wrong with the worker, not a traceback of Ray's."""
    info, _ = synthetic(1)
    with pytest.raises(AsmmError, match="--ray local: a backtest failed there") as told:
        cluster.judge(Stretch(info, np.zeros(3), 0, 1), [setup(info)])
    assert "Traceback" not in str(told.value)


@with_ray
def test_the_command_prints_the_same(cluster):
    """In a process of its own, by the cluster's address: nothing of Ray's is on stdout."""
    address = cluster._ray.get_runtime_context().gcs_address
    assert address.startswith("127.0.0.1:")
    command = [sys.executable, "-m", "asmm_daemon.cli", "tune", *MARKET, "--json"]
    here, there = (
        json.loads(subprocess.run([*command, *more], check=True, capture_output=True, timeout=110).stdout)
        for more in ([], ["--ray", address])
    )
    assert here == there


@with_ray
def test_no_cluster_is_one_clear_message(monkeypatch):
    """The address, and that nothing answers."""
    import ray  # noqa: PLC0415 (optional)

    def refuse(**_):
        raise ConnectionError("no running instance")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(ConfigError, match="--ray auto: no cluster answers there: no running instance"):
        Cluster("auto")


def test_without_the_package_the_extra_is_named(monkeypatch):
    """Before the recording is read, and nothing of Ray is imported."""
    monkeypatch.setattr(needs, "find_spec", lambda name: None if name == "ray" else object())
    outcome = CliRunner().invoke(app, ["tune", *MARKET, "--ray", "auto"])
    assert isinstance(outcome.exception, ConfigError)
    assert "pip install 'asmm-daemon[ray]'" in str(outcome.exception)


def test_ray_is_not_imported_unless_asked_for():
    """Neither by the command nor by the module."""
    code = (
        "import sys, asmm_daemon.learn.cluster, asmm_daemon.commands.workshop; sys.exit('ray' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
