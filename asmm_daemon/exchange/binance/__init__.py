"""The wire protocols of Binance spot and USD-M futures, by the venue's public documentation."""

from asmm_daemon.exchange.binance.wire import BinanceWire, make_wire

__all__ = ["BinanceWire", "make_wire"]
