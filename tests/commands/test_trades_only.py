"""A recording of trades alone is one clear error wherever a book is needed, and a tape for `convert`."""

import pytest
from typer.testing import CliRunner

from asmm_daemon.cli import app
from asmm_daemon.errors import TapeError
from asmm_daemon.exchange import run as exchange_run
from asmm_daemon.exchange.feeds.base import make_feed
from asmm_daemon.tape import booked
from asmm_daemon.tape.booked import Booked
from asmm_daemon.tape.load import load_tape, open_source

MS = 1_704_067_200_047
AGGREGATES = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
LINEAR = "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional"
COMMANDS = {
    "backtest": [],
    "tune": ["--trials", "1"],
    "train": ["--out", "runs"],
    "evaluate": ["--agents", "none"],
    "select-features": [],
}


def trades(folder, venue):
    """A minute of trades as the venue publishes them, or as our own tape of those."""
    if venue == "bybit":
        path = folder / "BTCUSDT2024-01-01.csv"
        lines = [LINEAR]
        lines += [f"{MS / 1e3 + n},BTCUSDT,Buy,0.01,42325.{n % 10},PlusTick,id-{n},1,1,1" for n in range(60)]
    else:
        path = folder / "BTCUSDT-aggTrades-2024-01-01.csv"
        lines = [AGGREGATES]
        lines += [f"{n + 1},42283.{n % 10},0.01,{n},{n},{MS + n * 1000},true" for n in range(60)]
    path.write_text("\n".join([*lines, ""]))
    if venue != "own":
        return path
    tape = folder / "tape.parquet"
    outcome = CliRunner().invoke(app, ["convert", str(path), "-o", str(tape)])
    assert outcome.exit_code == 0, outcome.output
    return tape


@pytest.mark.parametrize("venue", ["binance", "bybit", "own"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_quotes_names_the_file_and_what_is_missing(tmp_path, command, venue):
    """No empty result: the file, the symbol, and that book rows are missing."""
    path = trades(tmp_path, venue)
    outcome = CliRunner().invoke(app, [command, "--data", str(path), *COMMANDS[command]])
    assert isinstance(outcome.exception, TapeError), outcome.output
    assert str(outcome.exception).startswith(f"{path}: no book of BTCUSDT, only trades, in its 60 rows")
    assert "need book rows" in str(outcome.exception)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_the_exchange_refuses_it_as_a_feed(tmp_path, venue):
    """Before anything is served; with and without a window."""
    path = trades(tmp_path, venue)
    for more in ("", "?from=2024-01-01T00:00:10"):
        with pytest.raises(TapeError, match="no book of BTCUSDT, only trades"):
            make_feed(f"replay:{path}{more}", "binanceusdm", MS * 1_000_000, 1)


def test_the_exchange_ends_with_one_line(tmp_path, capsys):
    """The program's exit code is a tape's, with the file and no ready line."""
    path = trades(tmp_path, "binance")
    code = exchange_run.main(exchange_run.parse(["--feed", f"replay:{path}", "--port", "0"]))
    said = capsys.readouterr()
    assert (code, said.out) == (3, "")
    assert said.err.startswith(f"asmm exchange: {path}: no book of BTCUSDT")
    assert said.err.count("\n") == 1


def test_a_long_recording_is_not_read_to_its_end(tmp_path, monkeypatch):
    """After so many rows without a book nothing more is expected."""
    monkeypatch.setattr(booked, "PATIENCE", 40)
    with pytest.raises(TapeError, match="in its first 60 rows"):
        list(Booked(open_source(trades(tmp_path, "binance"))))


def test_trades_may_come_before_the_book(shared_data):
    """A recording with a book is handed out as it is, whatever comes first."""
    path = shared_data / "standx-btc" / "orderbook_BTC-USD_2026-01-06_00.parquet"
    source = Booked(open_source(path))
    assert sum(tape.rows.size for tape in source) == load_tape(path).rows.size
    assert source.quality.messages > 0
