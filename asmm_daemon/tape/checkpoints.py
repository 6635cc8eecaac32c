"""The market state after every minute of a tape, so that an episode may begin anywhere at once.

A checkpoint is the state that the rows before it make: its flat records as they lie in memory, and the
occupied cells of the book. It depends on the rows, on the kernels' source and on the parameters that
the estimators read, so a file of checkpoints carries a key of all three and is made anew where that
does not fit. No order of ours rests in a checkpoint.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from asmm_daemon.core.market import MarketState, new_market, on_rows
from asmm_daemon.core.params import Params
from asmm_daemon.errors import TapeError
from asmm_daemon.events import Rows
from asmm_daemon.files import write_whole
from asmm_daemon.kernels import source_key
from asmm_daemon.tape.parquet import sha256
from asmm_daemon.tape.window import border
from asmm_daemon.units import NS_PER_S

FORMAT = "asmm-checkpoints/1"
EVERY_S = 60
STATE_PARAMS = (
    "sigma_halflife_s", "normal_halflife_s", "kappa_halflife_s", "slow_halflife_s",
    "kappa_prior_orders", "kappa_prior", "tick",
)  # fmt: skip
"""The fields of PARAMS that a market state depends on."""
_CODEC = pa.Codec("zstd", compression_level=1)
_DAMAGED = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """States of one tape, in time order; the first one knows nothing yet.

    `rows[i]` is how many rows of the tape made state i, `t_ns[i]` the receive time of the row after
    them. `sizes[i]` bytes at `offsets[i]` of `blobs` hold the state, compressed. `note` says why they
    were made anew, or that they could not be kept; else it is empty.
    """

    rows: NDArray[np.int64]
    t_ns: NDArray[np.int64]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    blobs: NDArray[np.uint8]
    note: str = ""

    def __len__(self) -> int:
        """Number of checkpoints."""
        return int(self.rows.size)

    def find(self, t_ns: int) -> int:
        """The latest checkpoint from which the time `t_ns` can be reached; 0 before the tape's start."""
        return max(0, int(np.searchsorted(self.t_ns, t_ns, side="right")) - 1)

    def restore(self, i: int, into: MarketState) -> int:
        """Makes `into` equal to state i, to the byte. Returns the row to go on with.

        Raises TapeError when `into` has a book of another width or the bytes are damaged.
        """
        packed = self.blobs[self.offsets[i] : self.offsets[i + 1]]
        try:
            raw = np.frombuffer(_CODEC.decompress(packed, int(self.sizes[i]), asbytes=True), np.uint8)
        except (OSError, pa.ArrowException) as error:
            raise TapeError(f"checkpoint {i}: damaged data ({error})") from None
        _unpack(raw, into)
        return int(self.rows[i])


def build(
    chunks: Iterable[Rows], params: Params, every_s: float = EVERY_S, *, width: int = 65536
) -> Checkpoints:
    """Checkpoints of a tape, `[tape.rows]` or the chunks of a file; nothing else of it is kept.

    Args:
        chunks: rows of whole messages, in order.
        params: one PARAMS record.
        every_s: seconds of the tape between two of them; a silence longer than that has none inside.
        width: ticks that the book spans.

    Raises:
        TapeError: there are no rows.
    """
    every_ns = round(every_s * NS_PER_S)
    state = new_market(width)
    found: list[tuple[int, int]] = []
    blobs: list[bytes] = []
    sizes: list[int] = []
    for done, rows, t_ns in _pieces(chunks, every_ns):
        if t_ns >= 0:
            raw = _pack(state)
            found.append((done, t_ns))
            sizes.append(raw.size)
            blobs.append(_CODEC.compress(raw, asbytes=True))
        on_rows(state, params, rows)
    if not found:
        raise TapeError("no rows: the tape is empty")
    places = np.array(found, np.int64)
    offsets = np.cumsum([0, *map(len, blobs)], dtype=np.int64)
    joined = np.frombuffer(b"".join(blobs), np.uint8)
    return Checkpoints(places[:, 0].copy(), places[:, 1].copy(), offsets, np.array(sizes, np.int64), joined)


def load_or_build(path: Path, rows: Rows, params: Params, *, width: int = 65536) -> Checkpoints:
    """The checkpoints of a tape file's rows, kept beside it as NAME.checkpoints.npz.

    A file that is missing, damaged or made for other rows, kernels or parameters is made anew; where it
    cannot be written, the checkpoints live in memory alone.

    Args:
        path: the tape.
        rows: what was read from it, all or one stretch.
        params: one PARAMS record.
        width: ticks that the book spans.

    Raises:
        TapeError: there are no rows.
    """
    beside = path.with_name(path.name.removesuffix(".parquet") + ".checkpoints.npz")
    key = _key(path, rows, params, width)
    note = ""
    if beside.exists():
        try:
            return _read(beside, key)
        except _DAMAGED as error:
            note = f"{beside}: made anew ({error})"
    made = build([rows], params, width=width)
    try:
        _write(beside, key, made)
    except OSError as error:
        note = f"{beside}: cannot be written ({error.strerror or error}); kept in memory"
    return replace(made, note=note)


def _pieces(chunks: Iterable[Rows], every_ns: int) -> Iterator[tuple[int, Rows, int]]:
    """Rows cut at checkpoints: rows before, the piece, and its receive time where a checkpoint lies."""
    start_ns = due_ns = -1
    done = 0
    for rows in chunks:
        local = rows["local_ns"]
        if start_ns < 0 and rows.size:
            start_ns = due_ns = int(local[0])
        low, t_ns = 0, -1
        while rows.size and due_ns <= local[-1] and (high := border(rows, due_ns)) < rows.size:
            if high > low:
                yield done + low, rows[low:high], t_ns
            low, t_ns = high, int(local[high])
            due_ns = start_ns + ((t_ns - start_ns) // every_ns + 1) * every_ns
        yield done + low, rows[low:], t_ns
        done += rows.size


def _records(state: MarketState) -> tuple[NDArray[np.uint8], ...]:
    records = (state.book.head, state.market, state.volatility, state.intensity)
    return tuple(record.view(np.uint8) for record in records)


def _pack(state: MarketState) -> NDArray[np.uint8]:
    """A state as bytes: the records, then for each side how many cells are occupied, their steps, lots."""
    parts = [*_records(state), np.array([state.book.bids.size], np.int64).view(np.uint8)]
    for cells in (state.book.bids, state.book.asks):
        at = np.flatnonzero(cells)
        steps = np.diff(at, prepend=0)
        parts += [array.view(np.uint8) for array in (np.array([at.size]), steps, cells[at])]
    return np.concatenate(parts)


def _unpack(raw: NDArray[np.uint8], into: MarketState) -> None:
    low = 0
    for record in _records(into):
        record[:] = raw[low : low + record.size]
        low += record.size
    numbers = raw[low:].view(np.int64) if (raw.size - low) % 8 == 0 else np.zeros(1, np.int64)
    if numbers[0] != into.book.bids.size:
        raise TapeError(f"a checkpoint of a book of {numbers[0]} ticks, not of {into.book.bids.size}")
    at = 1
    for cells in (into.book.bids, into.book.asks):
        count = int(numbers[at])
        cells[:] = 0
        cells[np.cumsum(numbers[at + 1 : at + 1 + count])] = numbers[at + 1 + count : at + 1 + 2 * count]
        at += 1 + 2 * count


def _key(path: Path, rows: Rows, params: Params, width: int) -> str:
    stretch = f"{rows.size} {rows[:1].tolist()} {rows[-1:].tolist()}"
    digest = hashlib.sha256(f"{FORMAT} {EVERY_S} {width} {source_key()} {sha256(path)} {stretch}".encode())
    for name in STATE_PARAMS:
        digest.update(np.ascontiguousarray(params[name]).tobytes())
    return digest.hexdigest()


def _read(path: Path, key: str) -> Checkpoints:
    """Raises one of _DAMAGED when the file is not whole or not of this key."""
    with np.load(path, allow_pickle=False) as file:
        if str(file["key"]) != key:
            raise ValueError("it belongs to other rows, kernels or parameters")
        found = Checkpoints(*(file[name] for name in ("rows", "t_ns", "offsets", "sizes", "blobs")))
    count = found.rows.size
    if not count or {found.t_ns.size, found.sizes.size, found.offsets.size - 1} != {count}:
        raise ValueError("its arrays differ in length")
    if found.offsets[0] != 0 or found.offsets[-1] != found.blobs.size:
        raise ValueError("its bytes are not all there")
    return found


def _write(path: Path, key: str, made: Checkpoints) -> None:
    packed = io.BytesIO()
    np.savez(
        packed, key=np.array(key), rows=made.rows, t_ns=made.t_ns, offsets=made.offsets, sizes=made.sizes,
        blobs=made.blobs,
    )  # fmt: skip
    write_whole(path, packed.getvalue())
