"""The pure core: no clock, socket, log or randomness; events in, commands out."""
