"""Learning; of this room the daemon loads the model file alone."""
