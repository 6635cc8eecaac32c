"""Bybit v5, spot and linear: its REST and WebSocket protocols over the embedded exchange."""
