"""Soak: real recordings replayed at speed to the whole daemon, judged by the venue's own log.

Each row says how long both sides rested near the mid, what filled, and whether the ledger equals the
venue's account: every trade id, price, quantity and fee, and the final balances and positions.
"""

import argparse
import asyncio
import json
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from asmm_daemon.service import audit as auditing
from asmm_daemon.service.journal import FILE_NAME, read
from asmm_daemon.units import PRODUCTS

ROOT = Path(__file__).resolve().parents[1]
SHARE_BOTH, SHARE_SIDE = 0.95, 0.97


@dataclass(frozen=True)
class Market:
    """One market of a session: where it comes from, and settings that suit its price."""

    symbol: str
    feed: str
    settings: str


NEXO = Market(
    "NEXOUSDT",
    "replay:{data}/binance-raw/nexousdt-spot",
    "quoting={order_size=50.0, size_in_quote=true}, limits={max_inventory=8000, max_order=1000}",
)
BTC = Market("BTCUSDT", "replay:{standx}", "quoting={order_size=0.01}, limits={max_inventory=1}")
ETH = Market(
    "ETHUSDT", "synthetic:ETHUSDT", "quoting={order_size=0.2}, limits={max_inventory=10, max_order=2}"
)
SESSIONS = {"nexo": (NEXO,), "standx": (BTC,), "three": (NEXO, BTC, ETH)}


@dataclass
class Result:
    """One session's verdict."""

    product: str
    session: str
    problems: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of recordings"
    )
    parser.add_argument("--minutes", type=float, default=360.0, help="recorded minutes each")
    parser.add_argument("--speed", type=float, default=60.0)
    parser.add_argument("--products", default=",".join(PRODUCTS))
    parser.add_argument("--sessions", default="nexo,standx", help=f"of {', '.join(SESSIONS)}")
    parser.add_argument(
        "--maker-fee-bps", type=float, default=1.0, help="of the exchange; at a spot venue's 10 little fills"
    )
    parser.add_argument("--min-fills", type=int, default=20, help="fills a side that a session must reach")
    parser.add_argument("--jobs", type=int, default=1, help="sessions at a time")
    parser.add_argument("--keep", type=Path, help="keep logs and journals here")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    return parser.parse_args()


async def _session(options: argparse.Namespace, product: str, name: str, folder: Path) -> Result:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log, summary = folder / "venue.jsonl", folder / "summary.json"
    standx = _one_day(options.data / "standx-btc", "2026-01-06", folder / "standx")
    markets = SESSIONS[name]
    feeds = [market.feed.format(data=options.data, standx=standx) for market in markets]
    tables = [f'{{symbol="{market.symbol}", {market.settings}}}' for market in markets]
    settings = [
        f"venue.name={product}",
        f"market=[{', '.join(tables)}]",
        f"demo.feed={';'.join(feeds)}",
        f"demo.speed={options.speed}",
        f"demo.maker_fee_bps={options.maker_fee_bps}",
        f"demo.log={log}",
        f"state_dir={folder / 'state'}",
        "service.http_port=0",
        "service.metrics_port=0",
        "log.style=json",
        *options.overrides,
    ]
    command = [sys.executable, "-m", "asmm_daemon.cli", "run", "--config", str(ROOT / "config.toml")]
    command += ["--for", f"{options.minutes * 60 / options.speed}s", "--summary", str(summary)]
    for setting in settings:
        command += ["--set", setting]
    with (folder / "daemon.log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output, cwd=folder)
        code = await process.wait()
    result = Result(product, name)
    if code != 0 or not summary.exists():
        result.problems.append(f"exit code {code}: {(folder / 'daemon.log').read_text()[-400:]}")
        return result
    _judge(options, result, json.loads(summary.read_text()), log, folder / "state" / FILE_NAME)
    return result


def _one_day(source: Path, day: str, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for file in sorted(source.glob(f"*_{day}_*")):
        link = folder / file.name
        if not link.exists():
            link.symlink_to(file)
    return folder


def _half_spreads(journal: Path) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    with sqlite3.connect(journal) as database:
        rows = database.execute(
            "select symbol, t_ns, json_extract(data, '$.half_spread') from records"
            " where kind = 'explain' order by seq"
        )
        for symbol, t_ns, half_spread in rows:
            if half_spread is not None:
                found.setdefault(symbol, []).append((t_ns, half_spread))
    return found


def _intents(journal: Path) -> dict[str, int]:
    with sqlite3.connect(journal) as database:
        return dict(database.execute("select key, wall_ns from records where kind = 'intent'").fetchall())


def _judge(options: argparse.Namespace, result: Result, summary: dict, log: Path, journal: Path) -> None:
    report = auditing.audit(auditing.read_log(log), half_spreads=_half_spreads(journal))
    records = list(read(journal))
    violations = [
        *report.violations,
        *auditing.compare_fills(report, records),
        *auditing.compare_intents(auditing.read_log(log), _intents(journal)),
    ]
    result.problems += [f"{v.invariant} at {v.t_ns}: {v.text}" for v in violations[:5]]
    if report.open_orders or summary["open_orders"]:
        result.problems.append(f"{report.open_orders} orders rest at the end")
    if not summary["reconciled"]:
        result.problems.append(f"not reconciled: {summary['differences'][:3]}")
    for own in summary["markets"]:
        _judge_market(options, result, report, own)
    booked = sum(1 for record in records if record.kind == "fill")
    result.rows.append(
        f"{'':<21} ledger {booked} trades = venue {len(report.fills)}, balances and positions equal: "
        f"{summary['reconciled']}; loop lag p99 {summary['loop_lag_p99_ms']:.1f} ms, "
        f"memory {summary['rss_mb_max']:.0f} MB"
    )


def _judge_market(options: argparse.Namespace, result: Result, report: auditing.Audit, own: dict) -> None:
    market = report.markets[own["symbol"]]
    bid, ask, both = market.near_shares
    if both < SHARE_BOTH or min(bid, ask) < SHARE_SIDE:
        result.problems.append(f"S20 {own['symbol']}: {bid:.2%} bid, {ask:.2%} ask, {both:.2%} both")
    if min(market.fills_buy, market.fills_sell) < options.min_fills:
        result.problems.append(f"only {market.fills_buy} buys and {market.fills_sell} sells filled")
    position = report.positions.get(own["symbol"])
    if position is not None and position != Decimal(own["inventory"]):
        result.problems.append(f"the venue holds {position}, the ledger {own['inventory']}")
    result.rows.append(
        f"{result.product:<13} {own['symbol']:<9} {market.covered_s / 60:6.1f} min "
        f"bid {bid:7.2%} ask {ask:7.2%} both {both:7.2%} fills {market.fills_buy:>4}/{market.fills_sell:<4} "
        f"orders {own['orders']:>5} amends {own['amends']:>5} net {Decimal(own['pnl_net']):>9.3f}"
    )


async def _all(options: argparse.Namespace, folder: Path) -> Iterable[Result]:
    gate = asyncio.Semaphore(options.jobs)

    async def one(product: str, name: str) -> Result:
        async with gate:
            result = await _session(options, product, name, folder / f"{product}-{name}")
        print("\n".join(result.rows) or f"{product} {name}: failed", flush=True)
        for problem in result.problems:
            print(f"    PROBLEM {problem}", flush=True)
        return result

    names = [name for name in options.sessions.split(",") if name in SESSIONS]
    return await asyncio.gather(*(one(p, name) for p in options.products.split(",") for name in names))


def main() -> int:
    """Runs every session; 1 when one has a problem."""
    options = _arguments()
    if not options.data.is_dir():
        print(f"soak: no recordings at {options.data}; name a folder with --data", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="asmm-soak-") as scratch:
        results = asyncio.run(_all(options, options.keep or Path(scratch)))
    return 1 if any(result.problems for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
