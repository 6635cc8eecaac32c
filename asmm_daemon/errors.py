"""Errors that a person may read. Each says what was wrong, with its value, and what would be right."""


class AsmmError(Exception):
    """Base of every error that `asmm` reports in one line and a non-zero exit code."""

    exit_code = 1


class ConfigError(AsmmError):
    """A configuration that cannot be used: names the key, the value and what would be right."""

    exit_code = 2


class UnitError(AsmmError):
    """A price or quantity that does not lie on the market's grid."""


class TapeError(AsmmError):
    """A recording that cannot be read: names the file, the line or row, and the reason."""

    exit_code = 3


class ModelError(AsmmError):
    """A model file that is missing, damaged, or made for other features, actions or units."""

    exit_code = 4


class VenueError(AsmmError):
    """The venue refused or could not be reached; `retry` tells whether trying again can help."""

    exit_code = 5

    def __init__(self, message: str, *, code: str = "", retry: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.retry = retry


class StateError(AsmmError):
    """The state folder, journal or lock cannot be used."""

    exit_code = 6


class IllegalTransition(AsmmError):
    """A state machine was asked for a transition that its table does not list."""
