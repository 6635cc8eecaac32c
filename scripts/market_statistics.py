"""Prints the synthetic markets' statistics beside those of recordings given as arguments.

Run as `python scripts/market_statistics.py [PATH…]`; a PATH is a file or folder, every market of it a column.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from asmm_daemon.exchange.feeds.synthetic import SyntheticStream
from asmm_daemon.tape.columns import Tape, TapeInfo
from asmm_daemon.tape.load import open_all
from asmm_daemon.tape.statistics import Statistics, measure, table
from asmm_daemon.units import NS_PER_S, Product

SHOWN: tuple[tuple[str, Product], ...] = (
    ("BTCUSDT", "binanceusdm"),
    ("ETHUSDT", "binance"),
    ("NEXOUSDT", "binance"),
)


def synthetic(symbol: str, product: Product, hours: float, seed: int = 1) -> Statistics:
    """Statistics of the first hours of a made-up market."""
    stream = SyntheticStream(symbol, product, 0, seed)
    listed = stream.instrument
    info = TapeInfo(
        "synthetic", product, symbol, listed.base, listed.quote, listed.tick, listed.lot, listed.min_notional
    )
    messages = []
    while stream.next_ns() < hours * 3600 * NS_PER_S:
        messages.append(stream.pop())
    return measure([Tape(info, np.concatenate(messages))])


def main(paths: list[str]) -> None:
    """Measures and prints."""
    named = {f"{symbol}*": synthetic(symbol, product, 6.0) for symbol, product in SHOWN}
    for path in paths:
        for source in open_all(path):
            named[f"{source.info.venue}:{source.info.symbol}"] = measure(source)
    print("* synthetic")
    print(table(named))


if __name__ == "__main__":
    main(sys.argv[1:])
