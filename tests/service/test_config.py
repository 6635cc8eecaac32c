import tomllib
from pathlib import Path

import orjson
import pytest

from asmm_daemon import config
from asmm_daemon.config_sections import Account
from asmm_daemon.errors import ConfigError

SHIPPED = Path(__file__).parents[2] / "config.toml"


def _write(tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


MINIMAL = '[account]\ncapital = 1000\n[[market]]\nsymbol = "BTCUSDT"\n'


def test_shipped_file_names_every_setting_with_its_default():
    """The shipped config.toml carries each setting once, at the default that the code has."""
    shipped = tomllib.loads(SHIPPED.read_text())
    loaded = config.load(SHIPPED)
    for name, section in config.Config.model_fields.items():
        if name == "market":
            continue
        known = getattr(section.annotation, "model_fields", None)
        if known is None:
            assert name in shipped
            assert getattr(loaded, name) == section.default
            continue
        assert set(shipped[name]) == set(known)
        bare = Account(capital=shipped["account"]["capital"]) if name == "account" else section.annotation()
        assert getattr(loaded, name) == bare


def test_markets_inherit_the_common_sections(tmp_path):
    """A market starts from [quoting] and [limits] and overrides only what it names."""
    path = _write(tmp_path, "[quoting]\ngamma = 0.3\n" + MINIMAL + "[market.quoting]\nlevels = 2\n")
    market = config.load(path).market[0]
    assert (market.quoting.gamma, market.quoting.levels) == (0.3, 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[quoting]\ngama = 1\n" + MINIMAL, "quoting.gama = 1: unknown key; did you mean gamma?"),
        ("[quoting]\ngamma = -1\n" + MINIMAL, "quoting.gamma = -1: input should be greater than 0"),
        ('[quoting]\nlevels = "two"\n' + MINIMAL, "quoting.levels = 'two': input should be a valid integer"),
        ('[[market]]\nsymbol = "BTCUSDT"\n', "account: missing"),
        ("[account]\ncapital = 1\n", "market: missing"),
        ('mode = "real"\n' + MINIMAL, "mode = 'real': input should be 'demo', 'paper', 'testnet' or 'live'"),
        (MINIMAL + '[[market]]\nsymbol = "BTCUSDT"\n', "a symbol stands twice"),
        (
            MINIMAL + '[[market]]\nsymbol = "ETHUSDT"\n[market.quoting]\ncycle_s = 1\n',
            "quoting.cycle_s differs between markets",
        ),
        ('mode = "live"\n[demo]\nspeed = 10\n' + MINIMAL, "only a venue on loopback can be scaled"),
        ("[account\n", "is not valid TOML"),
        ("[quoting]\ngamma = true\n" + MINIMAL, "quoting.gamma = True: input should not be true or false"),
        (
            "[limits]\nreduce_above = 0.5\n" + MINIMAL,
            "limits: reduce_below = 0.6 should not be above reduce_above = 0.5",
        ),
        ("[quoting]\ngamma = 50\n" + MINIMAL, "quoting: gamma = 50 should not be above gamma_max = 10"),
        ("[quoting]\nskew = -3\n" + MINIMAL, "quoting: skew = -3 should be within skew_max = 2 of zero"),
        ("[quoting]\nvol_high_factor = inf\n" + MINIMAL, "vol_high_factor = inf: input should be a finite"),
        (
            '[quoting]\ninventory_target = "all"\n' + MINIMAL,
            "unable to parse string as a number, or 'auto'",
        ),
        (
            'mode = "live"\n[venue]\nrest_url = "https://127.0.0.1.example"\n'
            'ws_url = "wss://127.0.0.1.example"\n[demo]\nspeed = 10\n' + MINIMAL,
            "only a venue on loopback can be scaled",
        ),
        ("[quoting]\ngamma = nan\n" + MINIMAL, "quoting.gamma = nan"),
    ],
)
def test_a_bad_file_is_explained(tmp_path, text, expected):
    """Each mistake yields one clear message with the key, the value and what would be right."""
    with pytest.raises(ConfigError) as caught:
        config.load(_write(tmp_path, text))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_set_overrides_nested_and_listed_values(tmp_path):
    """--set reaches into sections and into a market by its index; text needs no quotes."""
    loaded = config.load(
        _write(tmp_path, MINIMAL),
        ["quoting.gamma=0.5", "market.0.quoting.skew=0.25", "demo.feed=replay:/a b"],
    )
    assert loaded.market[0].quoting.gamma == 0.5
    assert loaded.market[0].quoting.skew == 0.25
    assert loaded.demo.feed == "replay:/a b"


@pytest.mark.parametrize("override", ["quoting.gamma", "=1", "market.7.symbol=X"])
def test_a_bad_set_is_explained(tmp_path, override):
    """An override that cannot be placed says so."""
    with pytest.raises(ConfigError, match="--set"):
        config.load(_write(tmp_path, MINIMAL), [override])


def test_environment_overrides_the_file(tmp_path, monkeypatch):
    """ASMM_SECTION__KEY stands above the file."""
    monkeypatch.setenv("ASMM_ACCOUNT__CAPITAL", "77")
    assert config.load(_write(tmp_path, MINIMAL)).account.capital == 77


def test_live_mode_needs_both_keys(tmp_path):
    """A missing key is named; a credentials folder serves as well as the environment."""
    settings = config.load(_write(tmp_path, 'mode = "live"\n' + MINIMAL))
    with pytest.raises(ConfigError, match="ASMM_API_SECRET"):
        config.keys(settings, {"ASMM_API_KEY": "k"})
    (tmp_path / "ASMM_API_KEY").write_text("abc\n")
    (tmp_path / "ASMM_API_SECRET").write_text("def\n")
    keys = config.keys(settings, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert keys.secret.get_secret_value() == "def"
    assert "def" not in repr(keys)


def test_difference_names_old_and_new(tmp_path):
    """A reload's log says which setting went from what to what."""
    before = config.load(_write(tmp_path, MINIMAL))
    after = config.load(_write(tmp_path, MINIMAL), ["account.drawdown_halt=0.2"])
    assert config.difference(before, after) == {"account.drawdown_halt": (0.15, 0.2)}


def test_settings_in_effect_can_be_saved_and_read_back():
    """What a session ran with comes back the same from its state folder, and damage is an error."""
    settings = config.load(SHIPPED, ("quoting.gamma=0.5", "mode=live"))
    source = Path("session.json")
    assert config.saved(orjson.dumps(settings.public()), source) == settings
    with pytest.raises(ConfigError, match=r"session\.json is not valid JSON"):
        config.saved(b"{", source)


def test_a_credential_that_may_not_be_read_is_named(tmp_path):
    """A credentials folder without permission is one message, not a traceback."""
    (tmp_path / "ASMM_API_KEY").mkdir()
    settings = config.load(SHIPPED, ("mode=live",))
    with pytest.raises(ConfigError, match=r"ASMM_API_KEY cannot be read"):
        config.keys(settings, {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_the_state_folder_is_found_in_a_broken_file(tmp_path):
    """A running daemon can be read and halted while its file is half edited."""
    path = _write(tmp_path, 'mode = "paper"\nstate_dir = "/x/y"\n[quoting]\ngamma = -1\nnonsense = 2\n')
    with pytest.raises(ConfigError):
        config.load(path)
    assert config.state_path(path) == Path("/x/y")
    good = _write(tmp_path, '[venue]\nname = "bybit-spot"\n' + MINIMAL)
    assert config.state_path(good) == config.load(good).state_path
    with pytest.raises(ConfigError, match="mode"):
        config.state_path(_write(tmp_path, 'mode = "real"\n' + MINIMAL))


def test_a_misspelt_section_in_the_environment_is_refused(tmp_path, monkeypatch):
    """A variable that names no section is an error, not ignored."""
    monkeypatch.setenv("ASMM_QUOTNG__GAMMA", "3")
    with pytest.raises(
        ConfigError, match="ASMM_QUOTNG__GAMMA: no section quotng; did you mean ASMM_QUOTING__"
    ):
        config.load(_write(tmp_path, MINIMAL))


def test_a_daemon_is_reached_without_its_file(tmp_path, monkeypatch):
    """A file that is cut off or gone keeps nobody from halting: the state folder can be named."""
    cut = _write(tmp_path, MINIMAL[:12])
    for path in (cut, tmp_path / "gone.toml"):
        with pytest.raises(ConfigError, match="--set state_dir=FOLDER"):
            config.state_path(path)
        assert config.state_path(path, ["state_dir=/x/y"]) == Path("/x/y")
    monkeypatch.setenv("ASMM_STATE_DIR", "/x/z")
    assert config.state_path(cut) == Path("/x/z")
