"""The journal: what must survive a crash, in SQLite (WAL, synchronous=FULL), written by one thread.

`write` answers only when its records are on disk, so that an intent is durable before its request
leaves. Writes that wait together share one transaction.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from asmm_daemon.clock import wall_ns
from asmm_daemon.core.records import Record, RecordKind
from asmm_daemon.errors import StateError
from asmm_daemon.units import NS_PER_S

_SCHEMA = """
create table if not exists sessions (
    epoch integer primary key autoincrement,
    started_wall_ns integer not null, ended_wall_ns integer,
    mode text not null, venue text not null, symbols text not null,
    config_sha256 text not null, model_sha256 text not null, exit text
);
create table if not exists records (
    seq integer primary key autoincrement,
    epoch integer not null references sessions(epoch),
    wall_ns integer not null, t_ns integer not null,
    kind text not null, symbol text not null, key text not null, data text not null
);
create unique index if not exists intent_once on records(key) where kind = 'intent';
create unique index if not exists fill_once on records(symbol, key) where kind = 'fill';
create index if not exists by_kind on records(kind, seq);
"""
FILE_NAME = "journal.sqlite"
_BEGIN = """
insert into sessions (epoch, started_wall_ns, mode, venue, symbols, config_sha256, model_sha256)
select max(coalesce(max(epoch), 0) + 1, ?), ?, ?, ?, ?, ?, ? from sessions
"""
"""The epoch is the second of the start, unless the last one is not below it: a journal that was lost, or
came from a backup, leads to no client order id that its venue has seen before."""
_CACHE_KIB = 256
"""Pages kept in memory: the writer only appends, and a larger cache would fill for hours."""
EXPLAINS_KEPT = 250_000
"""Decisions' explanations kept on disk, about 200 MB; what rebuilds the state is kept for good."""
PRUNE_EVERY = 1000
"""Explanations written between two prunings; one removes at most twice as many, to stay short."""
_PRUNE = """
delete from records where seq in (
    select seq from records where kind = :kind and seq <= (
        select seq from records where kind = :kind order by seq desc limit 1 offset :kept
    ) order by seq limit :most
)
"""


@dataclass(slots=True)
class _Batch:
    records: Sequence[Record]
    done: asyncio.Future[None]
    loop: asyncio.AbstractEventLoop


class Journal:
    """Opens (or makes) the journal in a state folder and begins a session in it.

    Raises:
        StateError: the folder or file cannot be written, or the file is damaged.
    """

    def __init__(
        self,
        folder: Path,
        *,
        mode: str,
        venue: str,
        symbols: Sequence[str],
        config_sha256: str,
        model_sha256: str,
        explains_kept: int = EXPLAINS_KEPT,
    ) -> None:
        self._explains_kept, self._explains = explains_kept, 0
        self.path = folder / FILE_NAME
        self._queue: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self.failure: str | None = None
        try:
            self._db = _connect(self.path)
            with self._db:
                now_ns = wall_ns()
                cursor = self._db.execute(
                    _BEGIN,
                    (now_ns // NS_PER_S, now_ns, mode, venue, " ".join(symbols), config_sha256, model_sha256),
                )
            self.epoch = int(cursor.lastrowid or 0)
        except sqlite3.Error as error:
            raise StateError(
                f"journal {self.path} cannot be used: {error}; is the folder writable, the file whole?"
            ) from None
        self.path.chmod(0o600)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def records(self) -> Iterator[Record]:
        """Every record that rebuilds the state, oldest first (decisions' explanations left out)."""
        return read(self.path)

    async def write(self, records: Sequence[Record]) -> None:
        """Returns once the records are on disk. Raises StateError when they cannot be written."""
        if not records:
            return
        loop = asyncio.get_running_loop()
        batch = _Batch(records, loop.create_future(), loop)
        self._queue.put(batch)
        await batch.done

    async def close(self, exit_reason: str) -> None:
        """Ends the session's row and closes the file once everything queued is written."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        with contextlib.suppress(sqlite3.Error):
            with self._db:
                self._db.execute(
                    "update sessions set ended_wall_ns = ?, exit = ? where epoch = ?",
                    (wall_ns(), exit_reason, self.epoch),
                )
            self._db.execute("pragma wal_checkpoint(truncate)")
        self._db.close()

    def _run(self) -> None:
        open_ = True
        while open_:
            batches = []
            item = self._queue.get()
            while True:
                if item is None:
                    open_ = False
                else:
                    batches.append(item)
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
            self._commit(batches)
            self._prune(batches)

    def _commit(self, batches: Sequence[_Batch]) -> None:
        rows = [_row(self.epoch, record) for batch in batches for record in batch.records]
        failure: StateError | None = None
        try:
            with self._db:
                self._db.executemany(
                    "insert or ignore into records (epoch, wall_ns, t_ns, kind, symbol, key, data)"
                    " values (?, ?, ?, ?, ?, ?, ?)",
                    rows,
                )
        except sqlite3.Error as error:
            failure = StateError(f"journal {self.path} cannot be written: {error}")
            self.failure = str(failure)
        for batch in batches:
            with contextlib.suppress(RuntimeError):  # the loop ended while the disk was slow
                batch.loop.call_soon_threadsafe(_resolve, batch.done, failure)

    def _prune(self, batches: Sequence[_Batch]) -> None:
        """Now and then, once every writer has its answer, drops the oldest explanations."""
        self._explains += sum(r.kind is RecordKind.EXPLAIN for batch in batches for r in batch.records)
        if self._explains < PRUNE_EVERY:
            return
        self._explains = 0
        values = {"kind": RecordKind.EXPLAIN.value, "kept": self._explains_kept, "most": 2 * PRUNE_EVERY}
        with contextlib.suppress(sqlite3.Error), self._db:  # a disk that fails is told by the next write
            self._db.execute(_PRUNE, values)


def _resolve(done: asyncio.Future[None], failure: StateError | None) -> None:
    if done.done():
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)


def _row(epoch: int, record: Record) -> tuple[int, int, int, str, str, str, str]:
    data = orjson.dumps(record.data, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    return (epoch, wall_ns(), record.t_ns, record.kind.value, record.symbol, record.key, data)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, check_same_thread=False, isolation_level="IMMEDIATE")
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = full")
    db.execute(f"pragma cache_size = -{_CACHE_KIB}")
    db.executescript(_SCHEMA)
    return db


def read(path: Path) -> Iterator[Record]:
    """Reads a journal from outside: every record but the explanations, oldest first."""
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        with contextlib.closing(db):
            for t_ns, kind, symbol, key, data in db.execute(
                "select t_ns, kind, symbol, key, data from records where kind != ? order by seq",
                (RecordKind.EXPLAIN.value,),
            ):
                yield Record(RecordKind(kind), t_ns, symbol, key, orjson.loads(data))
    except (sqlite3.Error, ValueError) as error:
        raise StateError(f"journal {path} cannot be read: {error}") from None


def append(folder: Path, record: Record) -> None:
    """Adds one record to the last session of a journal while no daemon runs."""
    path = folder / FILE_NAME
    try:
        with contextlib.closing(_connect(path)) as db, db:
            db.execute(
                "insert into records (epoch, wall_ns, t_ns, kind, symbol, key, data)"
                " select coalesce(max(epoch), 0), ?, ?, ?, ?, ?, ? from sessions",
                _row(0, record)[1:],
            )
    except sqlite3.Error as error:
        raise StateError(f"journal {path} cannot be written: {error}") from None


def last_decision(folder: Path, symbol: str) -> dict[str, object] | None:
    """The numbers of a market's last journaled decision; None when there is none."""
    path = folder / FILE_NAME
    if not path.exists():
        return None
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            row = db.execute(
                "select data from records where kind = ? and symbol = ? order by seq desc limit 1",
                (RecordKind.EXPLAIN.value, symbol),
            ).fetchone()
    except sqlite3.Error as error:
        raise StateError(f"journal {path} cannot be read: {error}") from None
    return None if row is None else orjson.loads(row[0])
