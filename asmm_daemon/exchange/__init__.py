"""The embedded exchange: a local server that speaks the venues' protocols."""
