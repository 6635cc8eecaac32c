"""The page of a backtest, as text and in a real browser."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import escape
from html.parser import HTMLParser

import numpy as np
import pytest

from asmm_daemon.backtest.report import render, write_report
from asmm_daemon.errors import AsmmError
from tests.backtest.made_results import DAY, T0, made_result, market_result

CHROMIUM = shutil.which("chromium")
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> {{js}} & \"'"

DRAG = """<script>
setTimeout(() => {
  const over = document.querySelectorAll(".u-over")[0], r = over.getBoundingClientRect();
  const at = (type, x) => over.dispatchEvent(new MouseEvent(type, {
    bubbles: true, clientX: r.left + x, clientY: r.top + 9, button: 0, buttons: 1, movementX: 5 }));
  ["mousemove", "mousedown"].forEach(type => at(type, 300));
  ["mousemove", "mouseup"].forEach(type => at(type, 340));
  setTimeout(() => at("mousemove", 100), 300);
}, 300);
</script></body>"""


class _Page(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.links, self.text = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text.append(data)


def _data(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_page_loads_nothing():
    """One file: no link but the empty icon, and a policy that forbids any."""
    page = _Page(render([market_result(hours=1)]))
    assert page.links == ["data:,"]
    assert page.tags.count("script") == 3
    assert "Copyright (c) 2022 Leon Sorokin" in "".join(page.text)


def test_page_tells_the_run():
    """Strategy, market, dates, fees, latency, settings, figures and hours are readable without a script."""
    text = " ".join(_Page(render([market_result(hours=3, settings={"data": "day.parquet"})])).text)
    for words in (
        "avellaneda_stoikov",
        "BTCUSDT on binance (binanceusdm), 2024-10-04 00:00 to 2024-10-04 03:00 UTC",
        "latency_ms",
        "maker_fee_bps",
        "day.parquet",
        "Sharpe per step",
        "P&L-to-MAP",
        "Adverse selection",
        "2024-10-04 02:00",
        "order_size",
    ):
        assert words in text, words


def test_what_users_name_is_text():
    """A strategy, symbol or setting that looks like HTML stays text."""
    result = market_result(hours=1, strategy=HOSTILE, settings={HOSTILE: HOSTILE, "nested": {"a": [HOSTILE]}})
    hostile = replace(result, info=replace(result.info, symbol=HOSTILE, quote=HOSTILE))
    page = render([hostile])
    parsed = _Page(page)
    assert parsed.tags.count("script") == 3
    assert "img" not in parsed.tags
    assert _data(page)["units"]["quote"] == HOSTILE


def test_several_days():
    """Consecutive runs are one page, with a row a day and the hours folded away when there are many."""
    days = [
        market_result(seed=i, hours=25 - 24 * (i == 2), cycle_s=60.0, t0=T0 + i * 2 * DAY) for i in range(3)
    ]
    days = [replace(day, settings={}) for day in days]
    page = render(days)
    assert "<th>Day</th>" in page
    assert "<details><summary>51 hours</summary>" in page


@pytest.mark.parametrize("equity", [[], [0.0], np.zeros(50)])
def test_run_without_anything_has_a_page(equity):
    """No steps, one step, or no fills: dashes instead of figures."""
    page = render([made_result(equity)])
    assert "–" in page
    assert _data(page)["fills"]["side"] == []


def test_written_whole_or_not_at_all(tmp_path):
    """The file appears with its whole content; a folder that is not there is one clear error."""
    target = tmp_path / "report.html"
    write_report(target, [market_result(hours=1)])
    assert target.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(AsmmError, match=r"report .*missing/r.html cannot be written: No such file"):
        write_report(tmp_path / "missing" / "r.html", [market_result(hours=1)])


def _browse(page, folder, *flags):
    """What Chromium's console said and the page's DOM after its scripts ran."""
    target = folder / "page.html"
    target.write_text(page, encoding="utf-8")
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr",
            "--virtual-time-budget=3000",
            "--window-size=1400,2400",
            *flags,
            "--dump-dom",
            target.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line], done.stdout


@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
@pytest.mark.parametrize("case", ["market", "hostile", "empty", "days"])
def test_in_a_browser(case, tmp_path):
    """Every plot is drawn and the console stays silent: no error, nothing that the policy had to block."""
    results = {
        "market": [market_result(hours=2)],
        "hostile": [replace(market_result(hours=1), strategy=HOSTILE, settings={HOSTILE: HOSTILE})],
        "empty": [made_result([])],
        "days": [made_result([1.0, 2.0]), made_result([1.0, 2.0], t0=T0 + DAY)],
    }[case]
    console, dom = _browse(render(results), tmp_path)
    assert console == []
    assert dom.count("<canvas") == (0 if case == "empty" else 9)
    assert f"<title>{escape(results[0].strategy, quote=False)} on BTCUSDT" in dom


@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
@pytest.mark.parametrize("harm", ["throw new Error('broken')", "fetch('http://127.0.0.1:9/')"])
def test_the_browser_would_tell(harm, tmp_path):
    """A script that fails, or that asks the network, is what the console speaks of."""
    page = render([made_result([])]).replace("</body>", f"<script>{harm}</script></body>")
    console, _ = _browse(page, tmp_path)
    assert console


@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
def test_zoom_and_cursor_are_shared(tmp_path):
    """A drag on the first plot zooms all; the cursor then shows one time in every legend."""
    page = render([market_result(hours=2)]).replace("</body>", DRAG)
    console, dom = _browse(page, tmp_path)
    assert console == []
    shown = re.findall(
        r"2024-10-04 \d\d:\d\d:\d\d", dom[dom.index('id="plots"') : dom.index('id="markouts"')]
    )
    assert len(shown) == 8
    times = {time for time in shown if not time.endswith("30:00")}
    assert len(times) == 1
    hour, minute = (int(part) for part in times.pop()[11:16].split(":"))
    assert 20 < hour * 60 + minute < 45
