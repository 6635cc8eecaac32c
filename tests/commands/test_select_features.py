"""The feature study from the command line, on a made-up market."""

import csv
import json
import re

import pytest
import typer
from typer.testing import CliRunner

from asmm_daemon.commands.select_features import select_features
from asmm_daemon.errors import AsmmError

pytest.importorskip("sklearn")

MARKET = ["--data", "synthetic:BTCUSDT", "--hours", "1", "--fees", "0", "--trees", "3", "--embargo", "1m"]
MARKET += ["--jobs", "1"]
app = typer.Typer()
app.command()(select_features)
runner = CliRunner()


def run(*arguments):
    """The outcome of a command that must succeed."""
    outcome = runner.invoke(app, [str(a) for a in (*MARKET, *arguments)])
    assert outcome.exit_code == 0, (outcome.output, outcome.exception)
    return outcome.output


def test_the_kept_are_listed_and_drawn(tmp_path):
    """As many lines as asked for, the accuracies, and a page that draws all and loads nothing."""
    page = tmp_path / "plot.html"
    text = run("--top", 5, "--plot", page)
    assert len(re.findall(r"^ +\d+  \w+ +\d\.\d{3}", text, re.MULTILINE)) == 5
    assert "all candidates, purged" in text
    html = page.read_text()
    assert html.count("<g>") == 112
    assert html.count('class="kept"') == 5 * 4
    assert "prefers-color-scheme: dark" in html
    assert not re.search(r"<script|https?://(?!www\.w3\.org/2000/svg)", html)


def test_json_and_csv_tell_the_same(tmp_path):
    """All 112 from the best to the worst, in both."""
    table = tmp_path / "plot.csv"
    told = json.loads(run("--json", "--plot", table))
    rows = list(csv.DictReader(table.open()))
    assert [row["candidate"] for row in rows] == [each["candidate"] for each in told["candidates"]]
    assert len(rows) == 112
    assert [row["candidate"] for row in rows if row["kept"] == "True"] == told["top"]
    assert len(told["top"]) == 22
    assert float(rows[0]["score"]) == told["candidates"][0]["score"]
    assert set(told["accuracy"]) == {"purged", "unpurged", "shuffled", "selected", "majority"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--plot", "plot.png"], "ends in .html or .csv"),
        (["--horizon", "soon"], "--horizon soon"),
        (["--horizon", "0s"], "horizon = 0 s"),
        (["--folds", "100000"], "do not fill 100000 folds"),
        (["--embargo", "2h"], "samples to learn from"),
        (["--plot", "no/such/folder/plot.csv"], "no folder no/such/folder"),
    ],
)
def test_bad_input_is_one_clear_message(arguments, said):
    """An error of ours with the name and the value."""
    outcome = runner.invoke(app, [*MARKET, *arguments])
    assert isinstance(outcome.exception, AsmmError), outcome.exception
    assert said in str(outcome.exception)
