"""What online learning refuses, and which model it leaves in force."""

import pytest

from asmm_daemon import config
from asmm_daemon.errors import ConfigError, ModelError
from asmm_daemon.learn.model_file import load_policy
from asmm_daemon.learn.online import rules
from tests.learn.online.models import write


def settings(folder, *extra, model=None, online="true"):
    """A configuration with a state folder of its own."""
    path = folder / "config.toml"
    path.write_text('[account]\ncapital = 1000\n[[market]]\nsymbol = "BTCUSDT"\n')
    given = [f"learning.online={online}", f"state_dir={folder / 'state'}", *extra]
    return config.load(path, [*given, *([f"policy.model_file={model}"] if model else [])])


def test_learning_needs_a_model_to_start_from(tmp_path):
    """The message says what would be right."""
    with pytest.raises(ConfigError, match=r"no market has a policy\.model_file to start from; train one"):
        settings(tmp_path)


@pytest.mark.parametrize(
    ("changed", "extra", "said"),
    [
        ({"kind": "lstm", "layers": (8, 16)}, (), "trains models of kind mlp, and this one is lstm"),
        ({"reward": "penalised"}, (), "this model learned from 'penalised'"),
        ({"cycle_s": 2.0}, (), "quoting.cycle_s = 5: learning.online needs the 2 s"),
        ({}, ("limits.reduce_ioc=true",), "limits.reduce_ioc = true: the trials"),
        ({}, ("account.flatten_on_halt=true",), "account.flatten_on_halt = true: the trials"),
    ],
)
def test_what_cannot_be_learned_is_refused(tmp_path, changed, extra, said):
    """By the name of the setting or the file; with learning off it is no matter."""
    model = write(tmp_path, **changed)
    with pytest.raises(ConfigError, match=said):
        rules.check(settings(tmp_path, *extra, model=model))
    rules.check(settings(tmp_path, *extra, model=model, online="false"))


def test_without_torch_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    """Learning alone needs it."""
    made = settings(tmp_path, model=write(tmp_path))
    rules.check(made)
    monkeypatch.setattr(rules, "find_spec", lambda _: None)
    with pytest.raises(
        ConfigError, match=r"needs torch, which is not installed: pip install -r requirements"
    ):
        rules.check(made)


def learned(tmp_path, made, name="BTCUSDT-1"):
    """A model that has taken over."""
    folder = rules.learning_folder(made)
    folder.mkdir(parents=True, exist_ok=True)
    path = write(folder, name, always=4)
    rules.remember(made, 0, path)
    return path


def test_a_learned_model_is_in_force_after_a_restart(tmp_path):
    """As long as learning is on and the configured model is the one that it grew from."""
    model = write(tmp_path)
    made = settings(tmp_path, model=model)
    assert rules.in_force(made) == made
    path = learned(tmp_path, made)
    assert rules.in_force(made).market[0].policy.model_file == str(path)
    off = settings(tmp_path, model=model, online="false")
    assert rules.in_force(off) == off
    other = settings(tmp_path, model=write(tmp_path, "other", always=2))
    assert rules.in_force(other) == other


def test_a_damaged_note_is_refused(tmp_path):
    """With the way out."""
    made = settings(tmp_path, model=write(tmp_path))
    learned(tmp_path, made)
    note = rules.learning_folder(made) / "BTCUSDT.json"
    for content in (b"{", b'{"model": "x"}'):
        note.write_bytes(content)
        with pytest.raises(ModelError, match=r"remove it to go on with policy\.model_file"):
            rules.in_force(made)


def test_old_models_are_dropped(tmp_path, monkeypatch):
    """The newest stay, for replays of recorded sessions."""
    monkeypatch.setattr(rules, "MODELS_KEPT", 2)
    made = settings(tmp_path, model=write(tmp_path))
    paths = [learned(tmp_path, made, f"BTCUSDT-{n}") for n in range(4)]
    assert [path.exists() for path in paths] == [False, False, True, True]
    assert load_policy(paths[-1]).name == "BTCUSDT-3"
    assert not paths[0].with_suffix(".safetensors").exists()
