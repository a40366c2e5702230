"""Frozen Lake: Gymnasium's law, banks of maps."""
