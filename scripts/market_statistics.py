"""Prints the synthetic markets' statistics beside those of recordings given as arguments.

Run as `python scripts/market_statistics.py [PATH…]`; a PATH is a file or folder, every market of it a column.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from asmm_daemon.exchange.feeds.synthetic import SyntheticSource
from asmm_daemon.tape.load import open_all
from asmm_daemon.tape.statistics import measure, table
from asmm_daemon.units import NS_PER_S, Product

SHOWN: tuple[tuple[str, Product], ...] = (
    ("BTCUSDT", "binanceusdm"),
    ("ETHUSDT", "binance"),
    ("NEXOUSDT", "binance"),
)
SHOWN_NS = 6 * 3600 * NS_PER_S


def main(paths: list[str]) -> None:
    """Measures and prints."""
    named = {
        f"{symbol}*": measure(SyntheticSource(symbol, product, 0, 1, SHOWN_NS)) for symbol, product in SHOWN
    }
    for path in paths:
        for source in open_all(path):
            named[f"{source.info.venue}:{source.info.symbol}"] = measure(source)
    print("* synthetic")
    print(table(named))


if __name__ == "__main__":
    main(sys.argv[1:])
