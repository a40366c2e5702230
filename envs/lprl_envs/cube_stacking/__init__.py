"""Stacking cubes in a hidden order."""
