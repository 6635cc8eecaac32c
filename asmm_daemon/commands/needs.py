"""What a command needs beyond the daemon's own packages, said before any work is done."""

from importlib.util import find_spec

from asmm_daemon.errors import ConfigError


def learning(command: str, *packages: str) -> None:
    """Raises ConfigError when a package of the learning room is not installed."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise ConfigError(
            f"asmm {command} needs {', '.join(missing)}: `scripts/asmm {command}` installs what it needs, "
            "or pip install -r requirements-learn.lock"
        )


def optional(option: str, package: str, extra: str) -> None:
    """Raises ConfigError when the package of an optional extra is not installed."""
    if find_spec(package) is None:
        raise ConfigError(f"{option} needs {package}: pip install 'asmm-daemon[{extra}]'")
