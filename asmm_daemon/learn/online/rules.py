"""What online learning asks of a configuration, and which model it left in force. Needs no torch.

A model that took over is remembered in the state folder beside the hash of the configured one it grew
from: it is in force again after a restart or a reload, as long as that configured model and
`learning.online` stay. Without learning, or with another `policy.model_file`, the file counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import orjson

from asmm_daemon.config import Config, Market
from asmm_daemon.errors import ConfigError, ModelError
from asmm_daemon.files import write_whole
from asmm_daemon.learn.model_file import load_model

FOLDER = "learning"
MODELS_KEPT = 20
"""Of each market, so that recorded sessions of the last days can be replayed."""
_KEYS = {"configured", "model"}


@dataclass(frozen=True, slots=True)
class Options:
    """The numbers of `[learning]` that a student asks for; times in venue seconds."""

    window_s: float
    min_transitions: int
    learning_rate: float
    margin: float
    confidence: float
    seed: int


def options(settings: Config) -> Options:
    """From the configuration."""
    learning = settings.learning
    return Options(
        window_s=learning.window_h * 3600,
        min_transitions=learning.min_transitions,
        learning_rate=learning.learning_rate,
        margin=learning.margin,
        confidence=learning.confidence,
        seed=learning.seed,
    )


def learning_folder(settings: Config) -> Path:
    """Where transitions and learned models lie."""
    return settings.state_path / FOLDER


def learners(settings: Config) -> Iterator[tuple[int, Market]]:
    """The markets that learn: those with a model file."""
    for m, market in enumerate(settings.market):
        if market.policy.model_file:
            yield m, market


def check(settings: Config) -> None:
    """Raises ConfigError, naming the setting, where online learning cannot do what is asked."""
    if not settings.learning.online:
        return
    if find_spec("torch") is None:
        raise ConfigError(
            "learning.online = true needs torch, which is not installed: "
            "pip install -r requirements-learn.lock, or set it to false"
        )
    if settings.account.flatten_on_halt:
        raise ConfigError("account.flatten_on_halt = true: the trials of learning.online cannot simulate it")
    for _, market in learners(settings):
        _check_market(market)


def _check_market(market: Market) -> None:
    path = Path(market.policy.model_file)
    spec, _ = load_model(path)
    if market.limits.reduce_ioc:
        raise ConfigError("limits.reduce_ioc = true: the trials of learning.online cannot simulate it")
    if spec.kind != "mlp":
        raise ConfigError(f"{path}: learning.online trains models of kind mlp, and this one is {spec.kind}")
    if spec.reward != "dampened":
        raise ConfigError(
            f"{path}: learning.online pays the reward 'dampened', and this model learned from {spec.reward!r}"
        )
    if spec.cycle_s != market.quoting.cycle_s:
        raise ConfigError(
            f"quoting.cycle_s = {market.quoting.cycle_s:g}: learning.online needs the {spec.cycle_s:g} s "
            f"that {path} was trained for"
        )


def in_force(settings: Config) -> Config:
    """The settings with the models that learning has put in force since. Raises ModelError."""
    if not settings.learning.online:
        return settings
    markets = list(settings.market)
    for m, market in learners(settings):
        learned = _learned(settings, market)
        if learned is not None:
            policy = market.policy.model_copy(update={"model_file": str(learned)})
            markets[m] = market.model_copy(update={"policy": policy})
    return settings.model_copy(update={"market": tuple(markets)})


def remember(settings: Config, m: int, model: Path) -> None:
    """Notes, durably, that a model has taken over. `settings` as configured. Raises ModelError."""
    market, folder = settings.market[m], learning_folder(settings)
    target = _record(settings, market)
    content = {"configured": _configured(market), "model": model.name}
    try:
        write_whole(target, orjson.dumps(content), durable=True)
        kept = sorted(folder.glob(f"{market.symbol}-*.json"), key=lambda path: path.stat().st_mtime)
        for old in kept[:-MODELS_KEPT]:
            old.with_suffix(".safetensors").unlink(missing_ok=True)
            old.unlink()
    except OSError as error:
        raise ModelError(f"{target} cannot be written: {error.strerror or error}") from None


def _record(settings: Config, market: Market) -> Path:
    return learning_folder(settings) / f"{market.symbol}.json"


def _configured(market: Market) -> str:
    return load_model(Path(market.policy.model_file))[0].weights_sha256


def _learned(settings: Config, market: Market) -> Path | None:
    path = _record(settings, market)
    try:
        record = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, orjson.JSONDecodeError) as error:
        raise ModelError(_damaged(path, str(error))) from None
    if not isinstance(record, dict) or set(record) != _KEYS:
        raise ModelError(_damaged(path, f"keys should be {', '.join(sorted(_KEYS))}"))
    return path.with_name(str(record["model"])) if record["configured"] == _configured(market) else None


def _damaged(path: Path, what: str) -> str:
    return f"{path}: not the note of a learned model ({what}); remove it to go on with policy.model_file"
