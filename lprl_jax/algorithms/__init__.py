"""Learning algorithms, one file each: a config, a state, and pure functions."""
