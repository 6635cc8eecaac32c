"""`asmm convert`: recordings of any known format become one tape, with a report of their quality."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from asmm_daemon.errors import TapeError
from asmm_daemon.units import NS_PER_MS, NS_PER_S, utc_ns, wire

if TYPE_CHECKING:
    from asmm_daemon.events import Rows
    from asmm_daemon.tape.columns import Quality, Source
    from asmm_daemon.tape.parquet import TapeMeta


def convert(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SRC...", help="Recordings, or folders of one market's recordings."),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="TAPE", dir_okay=False, help="The tape to write (Parquet)."),
    ],
    symbol: Annotated[str | None, typer.Option(help="Which market, where there are several.")] = None,
    spot: Annotated[
        bool | None, typer.Option("--spot/--perpetual", help="Which of two markets of one symbol.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="First moment, as 2024-07-24T06:00 (UTC).")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="First moment left out.")] = None,
    tick: Annotated[str | None, typer.Option(help="Price step, instead of what the data shows.")] = None,
    lot: Annotated[str | None, typer.Option(help="Quantity step, instead of what the data shows.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Converts recordings to a tape and reports gaps, crossed books, clock skew and what was repaired."""
    from asmm_daemon.tape.load import on_grid, open_source
    from asmm_daemon.tape.parquet import write_source
    from asmm_daemon.tape.window import Window

    steps = step("--tick", tick), step("--lot", lot)
    bounds = moment_ns("--from", start), moment_ns("--to", end)
    source = on_grid(open_source(sources, symbol, spot=spot), *steps)
    if output.resolve() in [path.resolve() for path in source.files]:
        raise TapeError(f"{output}: is one of the recordings to convert; name another file")
    window = source if bounds == (None, None) else Window(source, *bounds)
    with _progress(source) as advance:
        meta = write_source(output, window, advance)
    if as_json:
        print(orjson.dumps(summary(output, meta), option=orjson.OPT_INDENT_2).decode())
    else:
        for line in report(output, meta):
            print(line)


def moment_ns(name: str, text: str | None) -> int | None:
    """Nanoseconds of an ISO 8601 time, UTC unless it says otherwise. Raises typer.BadParameter."""
    if text is None:
        return None
    try:
        return utc_ns(text)
    except ValueError:
        raise typer.BadParameter(f"{text}: write a time such as 2024-07-24T06:00", param_hint=name) from None


def step(name: str, text: str | None) -> Decimal | None:
    """A price or quantity step. Raises typer.BadParameter."""
    if text is None:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or value <= 0:
        raise typer.BadParameter(f"{text}: write a step above 0 such as 0.1", param_hint=name)
    return value


@contextmanager
def _progress(source: "Source") -> "Iterator[Any]":
    """A progress bar on standard error, where that is a terminal: bytes read, rows, moment reached."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    total = sum(path.stat().st_size for path in source.files)
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[rows]:,} rows to {task.fields[moment]}"),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(source.info.symbol, total=total, rows=0, moment="-")
        rows = 0

        def advance(quality: "Quality", chunk: "Rows") -> None:
            nonlocal rows
            rows += chunk.size
            moment = _moment(int(chunk["local_ns"][-1]))
            progress.update(task, completed=quality.bytes, rows=rows, moment=moment)

        yield advance


def _moment(t_ns: int) -> str:
    return f"{datetime.fromtimestamp(t_ns / NS_PER_S, UTC):%Y-%m-%d %H:%M:%S}"


def summary(path: Path, meta: "TapeMeta") -> dict[str, Any]:
    """The report as a dictionary: what the tape's key says."""
    info = meta.info
    return {
        "tape": str(path), "venue": info.venue, "product": info.product, "symbol": info.symbol,
        "tick": wire(info.tick), "lot": wire(info.lot), "rows": meta.rows, "start_ns": meta.start_ns,
        "end_ns": meta.end_ns, "bytes": path.stat().st_size, "quality": meta.quality,
        "sources": [{"file": name, "sha256": digest} for name, digest in meta.sources],
    }  # fmt: skip


def report(path: Path, meta: "TapeMeta") -> list[str]:
    """The report for a person, one finding a line."""
    info, q = meta.info, meta.quality
    count = {name: f"{value:,}" for name, value in q.items()}
    ms = {name: f"{value / NS_PER_MS:,.1f}" for name, value in q.items()}
    market = f"{info.symbol} of {info.venue} ({info.product})"
    locked = f"{count['locked_left']} locked, {count['locked']} locked ones moved apart"
    skew = f"{ms['skew_min_ns']} / {ms['skew_median_ns']} / {ms['skew_max_ns']} ms"
    mended = f"{count['duplicates']} duplicates, {count['stale_rows']} stale rows, {count['ignored']} ignored"
    lines = [
        f"tape      {path} ({path.stat().st_size / 1e6:,.1f} MB of {q['bytes'] / 1e6:,.1f} MB)",
        f"market    {market}, tick {wire(info.tick)}, lot {wire(info.lot)}",
        f"span      {_moment(meta.start_ns)} to {_moment(meta.end_ns)} UTC, {_duration(q['span_ns'])}",
        f"rows      {count['rows']} in {count['messages']} messages",
        f"books     {count['books']} changes; {count['crossed']} crossed, {locked}",
        f"trades    {count['trades']}, the side of {count['sides_inferred']} inferred",
        f"gaps      {count['gaps']}, the book unknown for {_duration(q['gap_ns'])}",
        f"sequence  {count['sequence_breaks']} breaks",
        f"silences  {count['silences']} longer than 3 s, the longest {_duration(q['silence_max_ns'])}",
        f"clock     received {skew} after the venue's time (min / median / max)",
        f"raised    {count['late_local']} receive times, by up to {ms['local_shift_ns']} ms",
        f"mended    {mended}, {count['off_grid']} numbers off the grid",
    ]
    if not q["books"]:
        lines.append("warning   no book in it, trades alone: a strategy cannot quote on this tape")
    if q["off_grid"]:
        lines.append("warning   the grid does not fit every number: name it with --tick and --lot")
    return lines


def _duration(t_ns: int) -> str:
    seconds = t_ns / NS_PER_S
    if seconds < 120:
        return f"{seconds:,.1f} s"
    return f"{seconds / 60:,.1f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
