"""Transitions in files: their format, how they are collected, Minari both ways."""
