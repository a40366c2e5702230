"""Blocks World, by single actions and by sub-goals."""
