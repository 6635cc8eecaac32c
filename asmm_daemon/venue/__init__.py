"""The boundary to a venue: one adapter over ccxt and the guards that it needs."""
