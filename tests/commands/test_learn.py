"""Tuning, training and evaluating from the command line, on a made-up market."""

import hashlib
import json

import pytest
from typer.testing import CliRunner

from asmm_daemon.cli import app
from asmm_daemon.errors import AsmmError
from asmm_daemon.exchange.feeds.synthetic import SyntheticSource
from asmm_daemon.learn.model_file import load_policy
from asmm_daemon.tape import checkpoints
from asmm_daemon.tape.parquet import write_source
from asmm_daemon.units import NS_PER_S

runner = CliRunner()
MARKET = ["--data", "synthetic:BTCUSDT", "--hours", "1.5", "--fees", "0"]


def run(*arguments):
    """The outcome of a command that must succeed."""
    outcome = runner.invoke(app, [str(a) for a in arguments])
    assert outcome.exit_code == 0, (outcome.output, outcome.exception)
    return outcome.output


def test_tuning_prints_what_belongs_into_the_configuration():
    """TOML that can be copied, with where it came from."""
    text = run("tune", *MARKET, "--trials", 2)
    assert "[quoting]" in text
    assert "half_spread_factor = " in text


def test_a_trained_model_can_be_backtested(tmp_path):
    """Train, go on from the checkpoint, and quote with the result."""
    out = tmp_path / "run"
    options = ["--out", out, "--validate", "30m", "--steps", 640, "--hyper", "learn_after=64"]
    text = run("train", *MARKET, *options, "--hyper", "layers=[16,16]")
    assert "best.json" in text
    assert load_policy(out / "best.json").actions[0].gamma == 0.01
    run("train", *MARKET, *options, "--hyper", "layers=[16,16]")
    told = json.loads(run("backtest", *MARKET, "--strategy", out / "best.json", "--json", "--jobs", 1))
    assert told["strategies"]["best"]["fills"] > 0


def test_a_training_on_a_tape_leaves_checkpoints_for_the_next(tmp_path, monkeypatch):
    """They lie beside the tape, and the second training builds none; its model names the tape."""
    start_ns = 1_767_657_600 * NS_PER_S
    tape = tmp_path / "day.parquet"
    write_source(tape, SyntheticSource("BTCUSDT", "binanceusdm", start_ns, 1, start_ns + 4000 * NS_PER_S))
    options = ["--data", tape, "--fees", "0", "--validate", "15m", "--steps", 64, "--hyper", "layers=[8]"]
    run("train", *options, "--out", tmp_path / "first")
    assert (tmp_path / "day.checkpoints.npz").is_file()
    monkeypatch.setattr(checkpoints, "build", None)
    run("train", *options, "--out", tmp_path / "second")
    pair = [(tmp_path / name / "best.safetensors").read_bytes() for name in ("first", "second")]
    assert pair[0] == pair[1]
    (seen,) = json.loads((tmp_path / "second" / "best.json").read_text())["data"]
    digest = hashlib.sha256(tape.read_bytes()).hexdigest()
    assert (seen["file"], seen["sha256"]) == ("day.parquet", digest)


def test_an_evaluation_judges_on_what_comes_after():
    """The tuned baseline, the plain ones and the word for each difference."""
    stretches = ["--train", "40m", "--validate", "10m", "--test", "30m", "--purge", "1m"]
    options = [*MARKET, *stretches, "--agents", "none", "--budget", 2]
    text = run("evaluate", *options)
    for word in ("tuned_as", "no_quotes", "glft", "within these days", "does not beat"):
        assert word in text
    assert max(map(len, text.splitlines())) <= 100
    told = json.loads(run("evaluate", *options, "--json"))
    assert set(told) >= {"strategies", "scope", "tuned", "below_floor", "verdicts"}
    assert any("95% interval" in verdict for verdict in told["verdicts"])


def test_agents_are_judged_beside_the_baselines(tmp_path):
    """Each seed of an agent is a strategy of its own, the same by one process and by two."""
    stretches = ["--train", "40m", "--validate", "10m", "--test", "30m", "--purge", "1m"]
    small = ["--hyper", "layers=[16,16]", "--hyper", "learn_after=64"]
    options = [*MARKET, *stretches, "--agents", "alpha_as", "--seeds", 2, "--budget", 2, *small, "--json"]
    one, two = (
        json.loads(run("evaluate", *options, "--jobs", jobs, "--out", tmp_path / str(jobs)))
        for jobs in (1, 2)
    )
    assert {"alpha_as/1", "alpha_as/2", "tuned_as"} <= set(one["strategies"])
    assert one == two
    for seed in (1, 2):
        weights = [tmp_path / str(n) / "fold1" / f"alpha_as-{seed}" / "best.safetensors" for n in (1, 2)]
        assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", *MARKET, "--out", "x", "--validate", "2h"], "--validate 2h"),
        (["train", *MARKET, "--out", "x", "--validate", "10m", "--hyper", "magic=1"], "no 'magic'"),
        (["train", *MARKET, "--out", "x", "--validate", "10m", "--hyper", "batch=many"], "batch is 'many'"),
        (["train", *MARKET, "--out", "/dev/null/x", "--validate", "10m", "--steps", "64"], "/dev/null/x"),
        (["evaluate", *MARKET, "--agents", "bot"], "--agents bot"),
        (["evaluate", *MARKET, "--memory", "30s"], "--memory 30s"),
        (["train", *MARKET, "--out", "x", "--validate", "10m", "--gammas", "0.1,x"], "--gammas 0.1,x"),
        (["train", *MARKET, "--out", "x", "--validate", "10m", "--skews", "0,9"], "allows -2 to 2"),
        (["evaluate", *MARKET, "--agents", "none"], "hold no fold"),
        (["evaluate", *MARKET, "--agents", "none", "--test", "0s"], "--test 0s: more than 0 s"),
    ],
)
def test_bad_input_is_one_clear_message(arguments, said):
    """An error of ours with the name and the value, before anything is trained."""
    outcome = runner.invoke(app, arguments)
    assert isinstance(outcome.exception, AsmmError)
    assert said in str(outcome.exception)
