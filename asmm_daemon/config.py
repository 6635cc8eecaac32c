"""The configuration: `config.toml`, then the environment, then `--set`, validated as a whole.

Unknown keys, wrong types and values out of range are errors that name the key, the value and what
would be right. Keys come from the environment or a systemd credentials folder alone.
"""

import difflib
import hashlib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import orjson
import platformdirs
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from asmm_daemon.config_sections import (
    Account,
    Demo,
    Learning,
    Limits,
    Log,
    Policy,
    Quoting,
    Service,
    VenueSection,
)
from asmm_daemon.errors import ConfigError

Mode = Literal["demo", "paper", "testnet", "live"]
DEFAULT_PATH = Path("config.toml")


class Market(BaseModel):
    """One `[[market]]` table: a symbol, and what differs from the common sections."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    symbol: Annotated[str, Field(pattern=r"^[A-Z0-9]{2,30}$")]
    quoting: Quoting = Quoting()
    limits: Limits = Limits()
    policy: Policy = Policy()


class Config(BaseSettings):
    """Everything the owner decides. Frozen: a reload makes a new one."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="ASMM_", env_nested_delimiter="__", env_ignore_empty=True
    )
    mode: Mode = "demo"
    state_dir: str = ""
    venue: VenueSection = VenueSection()
    demo: Demo = Demo()
    account: Account
    quoting: Quoting = Quoting()
    limits: Limits = Limits()
    policy: Policy = Policy()
    learning: Learning = Learning()
    service: Service = Service()
    log: Log = Log()
    market: Annotated[tuple[Market, ...], Field(min_length=1)]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (pydantic calls with these names)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment stands above the file; `--set` is merged into what the file said."""
        return (env_settings, init_settings)

    @model_validator(mode="before")
    @classmethod
    def _markets_inherit(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Each market starts from the common sections."""
        markets = data.get("market")
        if not isinstance(markets, (list, tuple)):
            return data
        merged = []
        for market in markets:
            full = dict(market) if isinstance(market, Mapping) else market
            if isinstance(full, dict):
                for name in ("quoting", "limits", "policy"):
                    common, own = data.get(name, {}), full.get(name, {})
                    if isinstance(common, Mapping) and isinstance(own, Mapping):
                        known = {key: value for key, value in common.items() if key in _SECTIONS[name]}
                        full[name] = {**known, **own}
            merged.append(full)
        return {**data, "market": merged}

    @field_validator("market")
    @classmethod
    def _together(cls, markets: tuple[Market, ...]) -> tuple[Market, ...]:
        symbols = [market.symbol for market in markets]
        if len(set(symbols)) != len(symbols):
            raise ValueError("a symbol stands twice; each [[market]] needs its own")
        if len({market.quoting.cycle_s for market in markets}) > 1:
            raise ValueError("quoting.cycle_s differs between markets; one quote cycle serves all of them")
        return markets

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.demo.speed != 1 and not self.on_loopback:
            raise ValueError(
                f"demo.speed = {self.demo.speed:g}: only a venue on loopback can be scaled; use 1"
            )
        if (self.venue.rest_url == "") != (self.venue.ws_url == ""):
            raise ValueError("venue.rest_url and venue.ws_url: set both, or neither")
        if self.learning.online and not any(market.policy.model_file for market in self.market):
            raise ValueError(
                "learning.online = true: no market has a policy.model_file to start from; train one with "
                "`asmm train`, or set it to false"
            )
        return self

    @property
    def on_loopback(self) -> bool:
        """Whether every address of the venue is on this machine."""
        if self.embedded:
            return True
        urls = (self.venue.rest_url, self.venue.ws_url)
        return all(urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1") for url in urls)

    @property
    def embedded(self) -> bool:
        """Whether `asmm run` starts the embedded exchange itself."""
        return self.mode in ("demo", "paper") and not self.venue.rest_url

    @property
    def state_path(self) -> Path:
        """Where journal, latch and lock live."""
        if self.state_dir:
            return Path(self.state_dir).expanduser()
        return Path(platformdirs.user_state_dir("asmm")) / f"{self.mode}-{self.venue.name}"

    def public(self) -> dict[str, Any]:
        """The effective values without secrets (there are none in here by construction)."""
        return self.model_dump(mode="json")

    def sha256(self) -> str:
        """Hash of the effective values."""
        return hashlib.sha256(orjson.dumps(self.public(), option=orjson.OPT_SORT_KEYS)).hexdigest()


_SECTIONS = {
    "quoting": frozenset(Quoting.model_fields),
    "limits": frozenset(Limits.model_fields),
    "policy": frozenset(Policy.model_fields),
}


_ALTERNATIVE = re.compile(r"float|constrained-float|literal\[.*\]")
"""What pydantic adds to a setting's place where it may be a number or a word."""


class Keys(BaseModel):
    """The venue's API key and secret. Their values never leave SecretStr but for signing."""

    model_config = ConfigDict(frozen=True)
    key: SecretStr
    secret: SecretStr


def load(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Reads, merges and validates. Raises ConfigError with every problem found."""
    _check_environment(os.environ)
    return _validated(_overridden(_read(path), overrides), path)


def _check_environment(names: Iterable[str]) -> None:
    """Refuses variables that are meant for us and name no section: they would be ignored in silence."""
    known = {name.upper() for name in Config.model_fields}
    for name in names:
        section = name.removeprefix("ASMM_").partition("__")[0]
        if name.startswith("ASMM_") and "__" in name and section.upper() not in known:
            close = difflib.get_close_matches(section.upper(), known, n=1)
            hint = f"; did you mean ASMM_{close[0]}__…?" if close else ""
            raise ConfigError(f"environment variable {name}: no section {section.lower()}{hint}")


def state_path(path: Path, overrides: Sequence[str] = ()) -> Path:
    """Where the daemon of a configuration keeps its state, whatever else in the file is wrong.

    So that a running daemon can be read and halted while its file is half edited, or gone where `--set`
    or the environment names the folder. Raises ConfigError when the state folder cannot be told.
    """
    unread: ConfigError | None = None
    try:
        data = _read(path)
    except ConfigError as error:
        data, unread = {}, error
    _overridden(data, overrides)
    if unread and not (data.get("state_dir") or os.environ.get("ASMM_STATE_DIR")):
        raise ConfigError(f"{unread}; --set state_dir=FOLDER reaches its daemon all the same")
    told: dict[str, Any] = {name: data[name] for name in ("mode", "state_dir") if name in data}
    venue = data.get("venue", {})
    if isinstance(venue, dict) and "name" in venue:
        told["venue"] = {"name": venue["name"]}
    return _validated({**told, "account": {"capital": 1}, "market": [{"symbol": "ANY"}]}, path).state_path


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no configuration at {path}; copy the project's config.toml there") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None


def _overridden(data: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    for override in overrides:
        _override(data, override)
    return data


def saved(text: bytes, source: Path) -> Config:
    """The settings that `public` gave, read back. Raises ConfigError when they are damaged."""
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{source} is not valid JSON: {error}") from None
    return _validated(data, source)


def _validated(data: dict[str, Any], source: Path) -> Config:
    try:
        return Config(**data)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{source}: {line}" for line in _explain(error))) from None


def _override(data: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError(f"--set {override}: write KEY=VALUE, for example quoting.gamma=0.2")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    node: Any = data
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        if isinstance(node, list):
            if not key.isdigit() or int(key) >= len(node):
                raise ConfigError(
                    f"--set {override}: {key} is no index into {len(node)} tables; the first is 0"
                )
            if following is None:
                node[int(key)] = value
                return
            node = node[int(key)]
        elif following is None:
            node[key] = value
        else:
            node = node.setdefault(key, {})
        if following is not None and not isinstance(node, (dict, list)):
            raise ConfigError(f"--set {override}: {key} is a value, not a section")


def _explain(error: ValidationError) -> Iterable[str]:
    seen = set()
    items = _one_each(error.errors())
    inside_markets = any(item["loc"][:1] == ("market",) and len(item["loc"]) > 1 for item in items)
    for item in items:
        place = [str(part) for part in item["loc"]]
        if place == ["market"] and inside_markets:
            continue
        if len(place) > 2 and place[0] == "market" and (place[2], place[-1]) in seen:
            continue
        seen.add((place[0], place[-1]) if place else ("", ""))
        name = ".".join(place) or "configuration"
        if item["type"] == "extra_forbidden":
            close = difflib.get_close_matches(place[-1], _known_keys(place), n=1)
            yield f"{name} = {_short(item['input'])}: unknown key" + (
                f"; did you mean {close[0]}?" if close else ""
            )
        elif item["type"] == "missing":
            yield f"{name}: missing, and it has no default"
        elif item["type"] == "value_error":
            given = f" = {_short(item['input'])}" if isinstance(item["input"], bool) else ""
            yield (f"{name}{given}: " if place else "") + str(item["ctx"]["error"])
        else:
            yield f"{name} = {_short(item['input'])}: {_lowered(item['msg'])}"


def _one_each(items: Iterable[Any]) -> list[dict[str, Any]]:
    """One error a setting: pydantic has one for each type that a number-or-word might have been."""
    merged: dict[tuple[Any, ...], dict[str, Any]] = {}
    for item in items:
        whole = item["loc"]
        place = whole[:-1] if whole and _ALTERNATIVE.fullmatch(str(whole[-1])) else whole
        if place in merged:
            other = item["msg"].removeprefix("Input should be ")
            merged[place]["msg"] += f", or {other}"
        else:
            merged[place] = {**item, "loc": place}
    return list(merged.values())


def _lowered(text: str) -> str:
    return text[0].lower() + text[1:]


def _known_keys(place: Sequence[str]) -> list[str]:
    fields: Mapping[str, Any] = Config.model_fields
    for part in place[:-1]:
        if part.isdigit():
            continue
        annotation = Market if part == "market" else fields[part].annotation if part in fields else None
        fields = getattr(annotation, "model_fields", {})
    return list(fields)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def keys(config: Config, environ: Mapping[str, str] | None = None) -> Keys:
    """The keys from the environment or `$CREDENTIALS_DIRECTORY`; the embedded exchange has its own.

    Raises:
        ConfigError: a mode that needs keys has none, only one of the two, or may not read them.
    """
    environ = os.environ if environ is None else environ
    found = {}
    for name in ("ASMM_API_KEY", "ASMM_API_SECRET"):
        value = environ.get(name, "")
        folder = environ.get("CREDENTIALS_DIRECTORY", "")
        found[name] = value or (_credential(Path(folder) / name) if folder else "")
    missing = [name for name, value in found.items() if not value]
    if config.embedded or (missing and config.mode in ("demo", "paper")):
        return Keys(key=SecretStr("KEY"), secret=SecretStr("SECRET"))
    if missing:
        raise ConfigError(
            f"mode = {config.mode!r} needs {' and '.join(missing)}: set them in the environment, "
            "or as systemd credentials of those names"
        )
    return Keys(key=SecretStr(found["ASMM_API_KEY"]), secret=SecretStr(found["ASMM_API_SECRET"]))


def _credential(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigError(f"credential {path} cannot be read: {error.strerror}") from None


def fingerprint(keys: Keys) -> str:
    """A short name for an account that tells nothing about its key."""
    return hashlib.sha256(b"asmm-account:" + keys.key.get_secret_value().encode()).hexdigest()[:12]


def difference(before: Config, after: Config) -> dict[str, tuple[Any, Any]]:
    """Every setting that differs, by dotted name: (old, new)."""
    old, new = dict(_flat("", before.public())), dict(_flat("", after.public()))
    names = sorted(old.keys() | new.keys())
    return {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}


def _flat(prefix: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping):
        items: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    else:
        yield prefix, value
        return
    for key, item in items:
        yield from _flat(f"{prefix}.{key}" if prefix else str(key), item)
