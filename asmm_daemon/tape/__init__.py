"""Recordings: columns, loaders and sinks."""
