"""Readers of other people's recordings, one module a format."""
