"""The state folder: one daemon at a time, the halt latch, and the settings under which orders rest.

The latch is a file of its own beside the journal: a journal that was lost must not end a halt.
"""

import fcntl
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import orjson

from asmm_daemon.clock import wall_ns
from asmm_daemon.errors import StateError
from asmm_daemon.files import write_whole

CONTROL_SOCKET = "control.sock"
_LATCH = "halted.json"
_SESSION = "session.json"
_LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Latch:
    """Why trading halted, and when (machine's clock)."""

    reason: str
    wall_ns: int


class StateDir:
    """A locked state folder. Raises StateError when it cannot be used or is in use."""

    def __init__(self, path: Path, *, locks: tuple[str, ...] = ()) -> None:
        self.path = path
        self._held: list[int] = []
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock(path / _LOCK, f"another daemon uses the state folder {path}")
            for name in locks:
                shared = _shared_lock_dir() / f"{name}.lock"
                self._lock(shared, f"another daemon trades {name} with this key")
        except OSError as error:
            self.close()
            raise StateError(f"state folder {path} cannot be used: {error.strerror or error}") from None
        except StateError:
            self.close()
            raise

    def _lock(self, path: Path, busy: str) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._held.append(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            raise StateError(f"{busy} (process {holder or 'unknown'}); stop it first") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    @property
    def control_socket(self) -> Path:
        """Where a running daemon answers `status` and `resume`."""
        return self.path / CONTROL_SOCKET

    def latch(self) -> Latch | None:
        """The halt that is in force, if any. An unreadable file counts as one: fail closed."""
        try:
            return Latch(**orjson.loads((self.path / _LATCH).read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            return Latch(f"the latch file cannot be read: {error}", 0)

    def set_latch(self, reason: str) -> None:
        """Halts until `clear_latch`; on disk before this returns."""
        self._write(_LATCH, "halt latch", orjson.dumps(asdict(Latch(reason, wall_ns()))))

    def clear_latch(self) -> None:
        """Ends the halt, durably. Raises StateError when it cannot."""
        self._remove(_LATCH, "halt latch")

    def begin_session(self, settings: bytes) -> None:
        """Notes the settings under which orders will rest, for whoever cancels them after a crash."""
        self._write(_SESSION, "session's settings", settings)

    def end_session(self) -> None:
        """Says that nothing of ours rests any more. Raises StateError when it cannot."""
        self._remove(_SESSION, "session's settings")

    def _remove(self, name: str, what: str) -> None:
        try:
            (self.path / name).unlink(missing_ok=True)
            self._sync()
        except OSError as error:
            raise StateError(f"the {what} in {self.path} cannot be removed: {error.strerror}") from None

    def _write(self, name: str, what: str, content: bytes) -> None:
        try:
            write_whole(self.path / name, content, durable=True)
            self._sync()
        except OSError as error:
            raise StateError(f"the {what} in {self.path} cannot be written: {error.strerror}") from None

    def _sync(self) -> None:
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Gives the locks back."""
        while self._held:
            os.close(self._held.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def unfinished_session(folder: Path) -> bytes | None:
    """The settings of a session that did not end with zero open orders verified, if there is one.

    Raises:
        StateError: there may be one, but it cannot be read, or there is no such folder.
    """
    if not folder.is_dir():
        raise StateError(f"{folder}: no such state folder")
    try:
        return (folder / _SESSION).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{folder / _SESSION} cannot be read: {error.strerror}") from None


def _shared_lock_dir() -> Path:
    """One place a user for locks that hold whatever the state folder is."""
    path = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp") / f"asmm-{os.getuid()}"  # noqa: S108 (locks only)
    path.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_uid != os.getuid():
        raise StateError(f"{path} belongs to another user")
    return path
