"""The options that the research commands share, and what they say while they work."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Overrides one setting; may be repeated."),
]
DataOption = Annotated[
    str,
    typer.Option(
        "--data", metavar="PATH", help="A recording, a folder of them, or synthetic or synthetic:SYMBOL."
    ),
]
SymbolOption = Annotated[str | None, typer.Option("--symbol", help="Which market of the recording.")]
FromOption = Annotated[str | None, typer.Option("--from", metavar="TIME", help="UTC, as 2026-01-06T18:00.")]
ToOption = Annotated[str | None, typer.Option("--to", metavar="TIME", help="UTC; up to, without it.")]
LatencyOption = Annotated[
    str,
    typer.Option("--latency", metavar="10ms", help="To the venue and back; or two, as 10ms,25ms."),
]
FeesOption = Annotated[
    str,
    typer.Option(
        "--fees", metavar="MAKER[,TAKER]", help="bps, negative for a rebate; the venue's standard by default."
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Of whatever is random.")]
HoursOption = Annotated[
    float, typer.Option("--hours", min=0.01, max=8784, help="Length of a synthetic market.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="The figures as JSON on standard output.")]
JobsOption = Annotated[
    int | None, typer.Option("--jobs", min=1, help="Processes; as many as there are processors by default.")
]


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress bar on standard error, silent where that is no terminal."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        yield bar
