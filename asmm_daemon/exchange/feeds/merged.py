"""Streams of several markets as one feed."""

import heapq
from collections.abc import Sequence
from typing import Protocol

from asmm_daemon.errors import ConfigError
from asmm_daemon.events import Rows
from asmm_daemon.units import Instrument


class Stream(Protocol):
    """Messages of one market; `exch_ns` never runs backwards."""

    @property
    def instrument(self) -> Instrument:
        """The market."""
        ...

    @property
    def offset_ns(self) -> int:
        """Venue clock minus the clock of the recording's current pass; 0 where nothing is re-based."""
        ...

    def next_ns(self) -> int | None:
        """Venue time of the next message; None when there is none."""
        ...

    def pop(self) -> Rows:
        """The next message's rows."""
        ...

    def close(self) -> None:
        """Lets go of files and connections."""
        ...


class MergedFeed:
    """Streams of several markets as one feed, in order of venue time, then of the markets' list."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = list(streams)
        self._heap: list[tuple[int, int]] = []
        for index, stream in enumerate(self._streams):
            self._push(index, stream)

    def _push(self, index: int, stream: Stream) -> None:
        at = stream.next_ns()
        if at is not None:
            heapq.heappush(self._heap, (at, index))

    @property
    def instruments(self) -> list[Instrument]:
        """The markets; a message's symbol index counts in this list."""
        return [stream.instrument for stream in self._streams]

    @property
    def offsets_ns(self) -> list[int]:
        """For each market, venue clock minus the recording's clock."""
        return [stream.offset_ns for stream in self._streams]

    def next_ns(self) -> int | None:
        """Venue time of the next message; None when every stream has ended."""
        return self._heap[0][0] if self._heap else None

    def pop(self) -> tuple[int, Rows]:
        """The next message. Raises IndexError when the feed has ended."""
        _, index = heapq.heappop(self._heap)
        stream = self._streams[index]
        rows = stream.pop()
        self._push(index, stream)
        return index, rows

    def close(self) -> None:
        """Lets go of files and connections."""
        for stream in self._streams:
            stream.close()


def check_symbols(instruments: Sequence[Instrument]) -> None:
    """Raises ConfigError when two markets of a feed would have one symbol."""
    seen: set[str] = set()
    for instrument in instruments:
        if instrument.symbol in seen:
            raise ConfigError(
                f"feed: {instrument.symbol} comes twice; name one of them otherwise (replay:PATH?as=SYMBOL)"
            )
        seen.add(instrument.symbol)
