"""The command line. Every error that a person can mend is one message and a non-zero exit code."""

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from asmm_daemon import __version__, config, log
from asmm_daemon.commands.backtest import backtest
from asmm_daemon.commands.convert import convert
from asmm_daemon.commands.learn import evaluate, train, tune
from asmm_daemon.commands.options import ConfigOption, SetOption
from asmm_daemon.commands.select_features import select_features
from asmm_daemon.errors import AsmmError, ConfigError

app = typer.Typer(
    name="asmm",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Makes markets on Binance and Bybit with Avellaneda-Stoikov quotes.",
)


def main() -> None:
    """The `asmm` command."""
    try:
        app()
    except AsmmError as error:
        print(f"asmm: {log.redact(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)


def _version(shown: bool) -> None:
    if shown:
        print(f"asmm {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Prints the version.")
    ] = False,
) -> None:
    """Makes markets on Binance and Bybit with Avellaneda-Stoikov quotes."""


def duration_s(text: str) -> float:
    """Seconds of `90`, `90s`, `5m`, `2h` or `1d`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip())
    if match is None or float(match[1]) <= 0:
        raise ConfigError(f"--for {text}: write a duration such as 90s, 5m or 2h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}[match[2]]


@app.command()
def run(
    path: ConfigOption = config.DEFAULT_PATH,
    overrides: SetOption = None,
    run_for: Annotated[
        str | None, typer.Option("--for", metavar="90s", help="Ends by itself, as Ctrl-C would.")
    ] = None,
    summary: Annotated[Path | None, typer.Option(help="Writes the session summary (JSON) here.")] = None,
    record: Annotated[
        Path | None, typer.Option(help="Writes every event and command of the session here.")
    ] = None,
) -> None:
    """Runs the daemon until Ctrl-C, SIGTERM or --for; then cancels everything and verifies it."""
    from asmm_daemon import app as composition

    options = composition.RunOptions(
        path, tuple(overrides or ()), None if run_for is None else duration_s(run_for), summary, record
    )
    raise typer.Exit(composition.run(options))


@app.command()
def check(path: ConfigOption = config.DEFAULT_PATH, overrides: SetOption = None) -> None:
    """Validates a configuration and prints it in effect, with the table of quotes per γ."""
    from asmm_daemon.learn.online import rules
    from asmm_daemon.service import check as checking

    settings = config.load(path, tuple(overrides or ()))
    config.keys(settings)
    rules.check(settings)
    for line in checking.report(settings):
        print(line)


@app.command()
def doctor(path: ConfigOption = config.DEFAULT_PATH, overrides: SetOption = None) -> None:
    """Asks the venue about clock, permissions, filters, fees, protection and foreign orders."""
    from asmm_daemon import errands

    findings = errands.doctor(path, tuple(overrides or ()))
    for finding in findings:
        print(f"{finding.level:<4}  {finding.topic:<13}  {finding.text}")
    raise typer.Exit(1 if any(finding.level == "fail" for finding in findings) else 0)


@app.command()
def status(
    path: ConfigOption = config.DEFAULT_PATH,
    overrides: SetOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole status as JSON.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Why each quote is where it is.")] = False,
) -> None:
    """Reads a running daemon."""
    from asmm_daemon.service import control

    data = control.status(config.state_path(path, tuple(overrides or ())))
    for line in control.render(data, as_json=as_json, explain=explain):
        print(line)


@app.command()
def cancel(
    path: ConfigOption = config.DEFAULT_PATH,
    overrides: SetOption = None,
    after: Annotated[
        Path | None,
        typer.Option(
            "--after",
            metavar="STATE_DIR",
            help="Only what the last daemon of this state folder left, by the settings it ran with.",
        ),
    ] = None,
) -> None:
    """Cancels our orders without the daemon, and verifies that none is open."""
    from asmm_daemon.service.state_dir import unfinished_session

    session = unfinished_session(after) if after else None
    if after and session is None:
        print(f"{after}: the last daemon left none of our orders open")
        return
    from asmm_daemon import errands

    if after and session:
        print(errands.cancel_after(session, after))
    else:
        print(errands.cancel(path, tuple(overrides or ())))


def _operate(action: str, path: Path, overrides: list[str] | None, reason: str) -> None:
    from asmm_daemon.service import control

    print(control.operate(config.state_path(path, tuple(overrides or ())), action, reason))


ReasonOption = Annotated[str, typer.Option(help="Written into the journal.")]


@app.command()
def resume(
    reason: ReasonOption, path: ConfigOption = config.DEFAULT_PATH, overrides: SetOption = None
) -> None:
    """Ends a halt, or re-arms a side that the throttle took off."""
    from asmm_daemon.service import control

    print(control.resume(config.state_path(path, tuple(overrides or ())), reason))


@app.command()
def pause(
    reason: ReasonOption, path: ConfigOption = config.DEFAULT_PATH, overrides: SetOption = None
) -> None:
    """Pulls all quotes of a running daemon until `asmm unpause`."""
    _operate("pause", path, overrides, reason)


@app.command()
def unpause(
    reason: ReasonOption, path: ConfigOption = config.DEFAULT_PATH, overrides: SetOption = None
) -> None:
    """Ends a pause."""
    _operate("unpause", path, overrides, reason)


@app.command()
def halt(reason: ReasonOption, path: ConfigOption = config.DEFAULT_PATH, overrides: SetOption = None) -> None:
    """Cancels everything and latches: only `asmm resume` ends it."""
    _operate("halt", path, overrides, reason)


@app.command()
def replay(log: Annotated[Path, typer.Argument(help="A file that `asmm run --record` wrote.")]) -> None:
    """Feeds a recorded session to a fresh engine and compares every command."""
    from asmm_daemon.replay import replay as run_again

    result = run_again(log)
    if result.difference is not None:
        print(f"differs at {result.difference}")
        raise typer.Exit(1)
    print(f"{result.events} events gave the same {result.commands} commands")


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
def exchange(context: typer.Context) -> None:
    """Runs the embedded exchange alone (see asmm exchange --help)."""
    from asmm_daemon.exchange import run as exchange_run

    arguments: list[Any] = context.args
    raise typer.Exit(exchange_run.main(exchange_run.parse(arguments)))


for command in (convert, backtest, tune, train, evaluate, select_features):
    app.command()(command)


if __name__ == "__main__":
    main()
