"""Online learning in the real daemon: it records, learns, tries its shadow, and survives a kill."""

import json
import signal
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from process_tools import CLI, ROOT, wait_for

from asmm_daemon.core.features import FEATURE_NAMES
from asmm_daemon.learn.model_file import ModelSpec, save_model

GAMMAS = (0.01, 4.0, 5.0, 6.0, 8.0, 10.0)
"""Narrow quotes and several wide ones: where no spread covers the fee, the narrow ones lose by far most."""


def _model(folder):
    """A model that always quotes narrowly."""
    spec = replace(ModelSpec.plain((32,), GAMMAS, (0.0,)), reward_unit=0.1)
    tensors = {name: np.zeros(shape, np.float32) for name, shape in spec.shapes().items()}
    tensors["layers.0.weight"][:] = np.random.default_rng(0).normal(0, 0.05, (32, len(FEATURE_NAMES)))
    tensors["head.bias"][GAMMAS.index(0.01)] = 0.1
    save_model(folder / "eager", spec, tensors)
    return folder / "eager.json"


def _configure(folder):
    """The shipped configuration with the model to start from."""
    text = (ROOT / "config.toml").read_text()
    (folder / "config.toml").write_text(text.replace('model_file = ""', f'model_file = "{_model(folder)}"'))


SETTINGS = (
    "demo.speed=20",
    "demo.maker_fee_bps=20",
    "quoting.fee_in_spread=false",
    "account.drawdown_soft=0.9",
    "account.drawdown_halt=0.99",
    "learning.online=true",
    "learning.window_h=0.07",
    "learning.min_transitions=64",
    "learning.learning_rate=0.01",
)


def _lesson(maker):
    status = maker.status()
    return status["learning"]["markets"][0] if status and status["learning"] else None


def _lines(maker, event):
    found = [json.loads(line) for line in maker.text().splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == event]


def _reload(maker, content, said):
    """Reloads a configuration; waits until it is refused with these words, or taken where there are none."""

    def done():
        service = maker.status()["service"]
        return said in service["reload_error"] if said else service["reload_ok"]

    maker.config.write_text(content)
    maker.send(signal.SIGHUP)
    wait_for(done)


def _wait_for_lesson(maker, number):
    """What the thread said when it began for the so-manyth time."""
    wait_for(lambda: len(_lines(maker, "learning")) >= number)
    return _lines(maker, "learning")[number - 1]


@pytest.mark.timeout(420)
def test_a_shadow_is_tried_takes_over_and_outlives_a_kill(tmp_path, daemon):
    """Every trial ends with its reason in the log; what won stays in force, whatever kills it."""
    log = tmp_path / "events.jsonl"
    _configure(tmp_path)
    maker = daemon(*SETTINGS, arguments=("--record", str(log)))
    maker.wait_until_quoting()
    before = maker.status()["service"]["model_sha256"]
    wait_for(lambda: (_lesson(maker) or {"swaps": 0})["swaps"], 240, every=0.5)
    wait_for(maker.quoting)
    assert _lesson(maker)["verdict"].startswith("shadow ")
    (taken,) = _lines(maker, "shadow model took over")[:1]
    assert maker.status()["service"]["model_sha256"] == taken["sha256"] != before
    assert taken["model"] == f"BTCUSDT-{taken['sha256'][:16]}"
    assert maker.status()["learning"]["failure"] == ""
    assert maker.status()["learning"]["cpu_share"] < 0.25
    assert maker.end() == 0, maker.text()
    replayed = subprocess.run(
        [*CLI, "replay", str(log)], check=False, capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr

    killed = daemon(*SETTINGS, "learning.window_h=4")
    killed.wait_until_quoting()
    first = _wait_for_lesson(killed, 2)
    assert first["model"] == taken["model"]
    wait_for(lambda: _lesson(killed)["updates"] > 0)
    killed.end(signal.SIGKILL)

    again = daemon(*SETTINGS, "learning.window_h=4")
    again.wait_until_quoting()
    assert _wait_for_lesson(again, 3)["stored_transitions"] >= first["stored_transitions"] > 50
    text = again.config.read_text()
    for old, new, said in (
        ("explore = 0.0 ", "explore = 0.9 ", "learning.explore = 0.9: input should be less"),
        ("eager.json", "other.json", "policy.model_file: cannot change while running"),
        ("cpu_share = 0.2 ", "cpu_share = 0.1 ", ""),
    ):
        _reload(again, text.replace(old, new), said)
    assert again.status()["service"]["model_sha256"] == taken["sha256"]
    assert again.end() == 0, again.text()


def test_check_says_what_learning_lacks(tmp_path):
    """`asmm check`: no model to start from, and a model of another cycle."""
    command = [*CLI, "check", "--config", str(ROOT / "config.toml"), "--set", "learning.online=true"]
    for extra, said in (
        ([], "no market has a policy.model_file"),
        (
            ["--set", f"policy.model_file={_model(tmp_path)}", "--set", "quoting.cycle_s=2"],
            "quoting.cycle_s = 2",
        ),
    ):
        done = subprocess.run([*command, *extra], check=False, capture_output=True, text=True, timeout=120)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
