"""Bad data through the command line: one message with file and place, or a repair that is counted."""

import gzip
import json

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from asmm_daemon.cli import app
from asmm_daemon.errors import ModelError, TapeError
from asmm_daemon.learn.model_file import save_model
from tests.learn.test_model_file import make_spec, make_tensors

STANDX = "standx-btc/orderbook_BTC-USD_2026-01-05_22.parquet"
DEPTH = "binance-depth-5min/lobdeep_btc_spot_2026-02-16_04.parquet"
BITMEX = "bitmex/orderbook10_b.csv.gz"


def refused(path, *more):
    """What a backtest says of the file before it ends with a recording's error."""
    outcome = CliRunner().invoke(app, ["backtest", "--data", str(path), *more])
    assert isinstance(outcome.exception, TapeError), (outcome.output, outcome.exception)
    assert outcome.exception.exit_code == 3
    said = str(outcome.exception)
    assert said.startswith(f"{path}: "), said
    return said


def quality(path, *more):
    """The report of a conversion that went through."""
    outcome = CliRunner().invoke(
        app, ["convert", str(path), "-o", str(path.with_name(f"{path.stem}_tape.parquet")), "--json", *more]
    )
    assert outcome.exit_code == 0, (outcome.output, outcome.exception)
    return json.loads(outcome.stdout)["quality"]


def swapped(a, b):
    """Two columns with each other's names."""
    return lambda table: table.rename_columns([{a: b, b: a}.get(name, name) for name in table.column_names])


def with_value(column, row, value, level=None):
    """One value, or one level of it, replaced."""

    def change(table):
        values = table[column].to_pylist()
        if level is None:
            values[row] = value
        else:
            values[row][level] = value
        at = table.schema.get_field_index(column)
        return table.set_column(at, column, pa.array(values, table.schema.field(column).type))

    return change


PARQUET = [
    (STANDX, with_value("bid_prices", 4, np.nan, 0), "row 5: bid_prices holds nan"),
    (STANDX, with_value("bid_quantities", 4, -1.0, 0), "row 5: bid_quantities holds -1.0"),
    (STANDX, swapped("bid_prices", "bid_quantities"), "out of order: are columns swapped?"),
    (STANDX, swapped("bid_prices", "ask_prices"), "row 1: bid_prices[1] holds"),
    (STANDX, with_value("symbol", 7, "ETH-USD"), "row 8: symbol is 'ETH-USD', where 'BTC-USD'"),
    (STANDX, lambda table: table.slice(0, 0), "row 1: no rows"),
    (DEPTH, with_value("asks_px", 4, np.nan, 0), "row 5: asks_px holds nan"),
    (DEPTH, with_value("asks_qty", 4, -1.0, 0), "row 5: asks_qty holds -1.0"),
    (DEPTH, swapped("bids_px", "bids_qty"), "out of order: are columns swapped?"),
    (DEPTH, swapped("bids_px", "asks_px"), "row 1: bids_px[1] holds"),
    (DEPTH, with_value("symbol", 7, "ETHUSDT"), "row 8: symbol is 'ETHUSDT', where 'BTCUSDT'"),
    (DEPTH, lambda table: table.slice(0, 0), "row 1: no rows"),
]


@pytest.mark.parametrize(("name", "change", "named"), PARQUET)
def test_a_damaged_parquet_recording_is_named(shared_data, tmp_path, name, change, named):
    """Not a number, negative, columns swapped, another market, an empty day: the file and the row."""
    path = tmp_path / name.rpartition("/")[2]
    pq.write_table(change(pq.read_table(shared_data / name).slice(0, 60)), path)
    assert named in refused(path)


@pytest.mark.parametrize("name", [STANDX, DEPTH])
def test_a_cut_parquet_file_is_named(shared_data, tmp_path, name):
    """Its end is missing: nothing of it is used."""
    path = tmp_path / name.rpartition("/")[2]
    path.write_bytes((shared_data / name).read_bytes()[:20_000])
    assert "not a readable Parquet file" in refused(path)


def exchanged(first, second):
    """Fields of a line exchanged with others."""

    def change(line):
        fields = line.split(",")
        fields[first], fields[second] = fields[second], fields[first]
        return ",".join(fields)

    return change


LINES = [
    (lambda line: line.replace("8724.5", "nan"), "line 5: not a book of prices and quantities"),
    (lambda line: line.replace("1428527", "-5"), "line 5: not a book of prices and quantities"),
    (exchanged(slice(3, 13), slice(13, 23)), "line 5: ask 2 is 131079.0, out of order: are columns swapped?"),
    (exchanged(slice(3, 23), slice(23, 43)), "line 5: ask 2 is 8723.5, out of order: are columns swapped?"),
]


def bitmex_lines(shared_data):
    """The first books of a recording whose symbols alternate."""
    return gzip.decompress((shared_data / BITMEX).read_bytes()).decode().splitlines()[:60]


@pytest.mark.parametrize(("change", "named"), LINES)
def test_a_damaged_bitmex_recording_is_named(shared_data, tmp_path, change, named):
    """Not a number, negative, prices for quantities, bids for asks: the file and the line."""
    lines = bitmex_lines(shared_data)
    lines[4] = change(lines[0])
    path = tmp_path / "a.csv"
    path.write_text("\n".join([*lines, ""]))
    assert named in refused(path, "--symbol", "XBTUSD")


def test_a_cut_gzip_file_is_named(shared_data, tmp_path):
    """With the line where it ends."""
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress("\n".join(bitmex_lines(shared_data)).encode())[:-40])
    assert "Compressed file ended" in refused(path, "--symbol", "XBTUSD")


def test_another_symbol_than_there_is(shared_data):
    """The message says which there are."""
    assert "no recording of NOPE; there is ETHUSD" in refused(shared_data / "bitmex", "--symbol", "NOPE")


def test_time_that_goes_back_is_repaired_and_counted(shared_data, tmp_path):
    """An hour back in the middle: BitMEX has one clock, which is held; a book told late is left out."""
    lines = bitmex_lines(shared_data)
    at = next(n for n, line in enumerate(lines) if n > 20 and "XBTUSD" in line)
    lines[at] = lines[at].replace(" 11:", " 10:")
    (tmp_path / "a.csv").write_text("\n".join([*lines, ""]))
    assert quality(tmp_path / "a.csv", "--symbol", "XBTUSD")["late_local"] == 1
    table = pq.read_table(shared_data / DEPTH).slice(0, 200)
    back = with_value("exch_ts_ms", 50, table["exch_ts_ms"][50].as_py() - 3_600_000)
    pq.write_table(back(table), tmp_path / "lobdeep_x.parquet")
    assert quality(tmp_path / "lobdeep_x.parquet")["duplicates"] == 1


def test_a_model_of_another_grid_is_refused(tmp_path):
    """Weights of other actions than its table says: the tensor is named, nothing is run."""
    spec = make_spec()
    save_model(tmp_path / "agent", spec, make_tensors(spec))
    path = tmp_path / "agent.json"
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | {"gammas": [0.1, 0.2]}))
    arguments = ["backtest", "--data", "synthetic", "--hours", "0.1", "--strategy", str(path)]
    outcome = CliRunner().invoke(app, arguments)
    assert isinstance(outcome.exception, ModelError)
    assert outcome.exception.exit_code == 4
    assert "head." in str(outcome.exception)
