"""A recording as UTC days, each with the book so far and a stretch before it to warm up from.

Days are run apart from each other, so the result is the same however many run at a time. Each is collected
in a file of its own, so that memory does not grow with the recording.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from asmm_daemon.backtest.spool import Spool
from asmm_daemon.core.book import new_book
from asmm_daemon.errors import TapeError
from asmm_daemon.events import Rows
from asmm_daemon.tape.columns import Source, TapeInfo
from asmm_daemon.tape.window import border, first_message, fold
from asmm_daemon.units import NS_PER_S

DAY_NS = 86_400 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Day:
    """Whole messages; what lies before `begin_ns` (receive clock) is there to warm up from."""

    info: TapeInfo
    rows: Rows
    begin_ns: int
    spool: Spool


@dataclass(slots=True)
class _Open:
    """A day that is being collected."""

    begin_ns: int
    end_ns: int
    spool: Spool = field(default_factory=Spool)

    def day(self, info: TapeInfo) -> Day | None:
        rows = self.spool.rows()
        if not rows.size or rows["local_ns"][-1] < self.begin_ns:
            return None
        return Day(info, rows, self.begin_ns, self.spool)


def days(
    source: Source, *, lead_s: float = 3600.0, start_ns: int | None = None, end_ns: int | None = None
) -> Iterator[Day]:
    """The days of a recording between two times, in order, each as it is complete.

    Raises TapeError when there is nothing between them.
    """
    lead_ns = round(lead_s * NS_PER_S)
    book = new_book()
    opened: list[_Open] = []
    begin_ns: int | None = None
    found = False
    for tape in source:
        rows = tape.rows if end_ns is None else tape.rows[: border(tape.rows, end_ns)]
        if not rows.size:
            break
        if begin_ns is None:
            first_ns = int(rows["local_ns"][0])
            begin_ns = first_ns if start_ns is None else max(start_ns, first_ns // DAY_NS * DAY_NS)
        at = 0
        while rows["local_ns"][-1] >= begin_ns - lead_ns and (end_ns is None or begin_ns < end_ns):
            cut = border(rows, begin_ns - lead_ns)
            if cut >= len(rows):
                break
            _collect(opened, rows[at:cut])
            fold(book, rows[at:cut])
            opened.append(_Open(begin_ns, _next_day(begin_ns)))
            if book.head[0]["lo"] >= 0:
                opened[-1].spool.write(first_message(book, rows[cut]))
            at, begin_ns = cut, _next_day(begin_ns)
        _collect(opened, rows[at:])
        fold(book, rows[at:])
        while opened and opened[0].end_ns <= rows["local_ns"][-1]:
            day = opened.pop(0).day(source.info)
            if day is not None:
                found = True
                yield day
    for each in opened:
        day = each.day(source.info)
        if day is not None:
            found = True
            yield day
    if not found:
        raise TapeError("the recording has no message in the time asked for")


def _next_day(t_ns: int) -> int:
    return (t_ns // DAY_NS + 1) * DAY_NS


def _collect(opened: list[_Open], rows: Rows) -> None:
    for each in opened:
        part = rows[: border(rows, each.end_ns)] if rows.size else rows
        if part.size:
            each.spool.write(part)
