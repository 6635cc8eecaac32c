"""`asmm backtest`: strategies over a recording, with fees and latency on."""

from pathlib import Path
from typing import Annotated, Literal

import orjson
import typer

from asmm_daemon.commands.options import (
    ConfigOption,
    DataOption,
    FeesOption,
    FromOption,
    HoursOption,
    JobsOption,
    JsonOption,
    LatencyOption,
    SeedOption,
    SetOption,
    SymbolOption,
    ToOption,
    progress_bar,
)
from asmm_daemon.config import DEFAULT_PATH


def backtest(
    data: DataOption,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy",
            help="config (the default), avellaneda_stoikov (as), glft, constant_spread, "
            "linear_constant_spread, or a model NAME.json; may be repeated.",
        ),
    ] = None,
    path: ConfigOption = DEFAULT_PATH,
    overrides: SetOption = None,
    symbol: SymbolOption = None,
    start: FromOption = None,
    end: ToOption = None,
    latency: LatencyOption = "10ms",
    fees: FeesOption = "venue",
    seed: SeedOption = 1,
    hours: HoursOption = 24.0,
    warm_up: Annotated[
        str, typer.Option("--warm-up", metavar="1h", help="Of market before each day, for the estimators.")
    ] = "1h",
    engine: Annotated[
        Literal["fast", "core"],
        typer.Option("--engine", help="core: the daemon's own engine, slower, with the same result."),
    ] = "fast",
    jobs: JobsOption = None,
    as_json: JsonOption = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="OUT.html", help="A page with plots, of one strategy.")
    ] = None,
) -> None:
    """Runs strategies over a recording: the daemon's decisions, the exchange's fills."""
    from rich.console import Console

    from asmm_daemon import config
    from asmm_daemon.backtest.compare import compare
    from asmm_daemon.backtest.report import write_report
    from asmm_daemon.backtest.run import Span, run
    from asmm_daemon.backtest.workers import processors
    from asmm_daemon.commands import strategies
    from asmm_daemon.errors import ConfigError

    wanted = strategy or ["config"]
    if report is not None and len(wanted) > 1:
        raise ConfigError("--report: a page tells of one strategy; give one --strategy")
    settings = config.load(path, tuple(overrides or ()))
    span = Span(
        strategies.moment("--from", start),
        strategies.moment("--to", end),
        strategies.seconds("--warm-up", warm_up),
    )
    source = strategies.open_data(data, symbol, settings, seed=seed, hours=hours)
    setups = strategies.make_setups(wanted, settings, source.info, fee_text=fees, latency_text=latency)
    with progress_bar() as bar:
        task = bar.add_task("backtest", total=None, note="")
        done = 0

        def tell(name: str, *_: object) -> None:
            nonlocal done
            done += 1
            bar.update(task, note=f"{done} days of strategies, last {name}")

        results = run(setups, source, span, engine=engine, jobs=jobs or processors(), progress=tell)
    found = compare(results)
    if as_json:
        print(orjson.dumps(found.as_dict(), option=orjson.OPT_INDENT_2).decode())
    else:
        Console().print(found.table())
    if report is not None:
        write_report(report, results[next(iter(results))])
        if not as_json:
            print(f"report: {report}")
