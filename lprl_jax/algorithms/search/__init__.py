"""Search in a known law."""
