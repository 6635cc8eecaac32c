"""Backtests: the daemon's decision and the exchange's fill kernel over a recording, and what came of it."""
