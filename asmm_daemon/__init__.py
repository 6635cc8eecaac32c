"""Market making on Binance and Bybit with Avellaneda-Stoikov quotes and a Double DQN."""

__version__ = "0.1.0"
