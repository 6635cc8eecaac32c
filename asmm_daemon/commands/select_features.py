"""`asmm select-features`: which of 112 candidates foretell the direction of the mid."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from asmm_daemon.commands.options import (
    ConfigOption,
    DataOption,
    FeesOption,
    FromOption,
    HoursOption,
    JsonOption,
    LatencyOption,
    SeedOption,
    SetOption,
    SymbolOption,
    ToOption,
    progress_bar,
)
from asmm_daemon.config import DEFAULT_PATH


def select_features(
    data: DataOption,
    path: ConfigOption = DEFAULT_PATH,
    overrides: SetOption = None,
    symbol: SymbolOption = None,
    start: FromOption = None,
    end: ToOption = None,
    latency: LatencyOption = "10ms",
    fees: FeesOption = "venue",
    seed: SeedOption = 1,
    hours: HoursOption = 24.0,
    horizon: Annotated[
        str, typer.Option("--horizon", metavar="10s", help="How far ahead the direction is read.")
    ] = "10s",
    step: Annotated[
        str, typer.Option("--step", metavar="5s", help="Between samples, and between lags.")
    ] = "5s",
    folds: Annotated[int, typer.Option("--folds", min=2, help="Test folds, stretches of time.")] = 4,
    embargo: Annotated[
        str, typer.Option("--embargo", metavar="7m", help="Left out of training after each test fold.")
    ] = "7m",
    trees: Annotated[int, typer.Option("--trees", min=1, help="Of every forest.")] = 100,
    top: Annotated[int, typer.Option("--top", min=1, max=112, help="How many to keep.")] = 22,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Threads; as many as there are processors by default.")
    ] = None,
    as_json: JsonOption = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="OUT.html|OUT.csv", help="All candidates, drawn or as CSV."),
    ] = None,
) -> None:
    """Ranks 112 candidate features by random-forest importance on purged folds."""
    from asmm_daemon.commands import needs, strategies
    from asmm_daemon.errors import ConfigError

    needs.learning("select-features", "sklearn")
    if plot is not None and plot.suffix not in (".html", ".csv"):
        raise ConfigError(f"--plot {plot}: a name that ends in .html or .csv")
    if plot is not None and not plot.parent.is_dir():
        raise ConfigError(f"--plot {plot}: there is no folder {plot.parent}")
    from asmm_daemon.backtest.workers import processors
    from asmm_daemon.commands.workshop import open_workshop
    from asmm_daemon.learn.candidates import NAMES, collect
    from asmm_daemon.learn.selection import Study, select
    from asmm_daemon.learn.selection_report import as_dict, lines, write
    from asmm_daemon.units import NS_PER_S

    embargo_ns = round(strategies.seconds("--embargo", embargo) * NS_PER_S)
    step_s, horizon_s = strategies.seconds("--step", step), strategies.seconds("--horizon", horizon)
    shop = open_workshop(
        data,
        path,
        overrides,
        symbol,
        start,
        end,
        latency=latency,
        fees=fees,
        seed=seed,
        hours=hours,
        strategy="config",
    )
    samples = collect(
        shop.setup,
        shop.tape.info,
        shop.timeline,
        begin_ns=shop.begin_ns,
        end_ns=shop.end_ns,
        step_s=step_s,
        horizon_s=horizon_s,
    )
    with progress_bar() as bar:
        task = bar.add_task("forests", total=None, note=f"{samples.up.size} samples")
        found = select(
            NAMES,
            samples.x,
            samples.up,
            samples.start_ns,
            samples.end_ns,
            study=Study(folds, embargo_ns, trees, seed, jobs or processors()),
            top=top,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    about = f"{shop.words}, {horizon_s:g} s ahead"
    if plot is not None:
        write(plot, found, samples, about)
    if as_json:
        print(orjson.dumps(as_dict(found, samples, about), option=orjson.OPT_INDENT_2).decode())
        return
    for line in lines(found, samples, about):
        print(line)
    if plot is not None:
        print(f"plot: {plot}")
