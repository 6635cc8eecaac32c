"""Order flow of the embedded exchange: synthetic, replayed, mirrored."""
