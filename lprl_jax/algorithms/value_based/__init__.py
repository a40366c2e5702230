"""Algorithms that learn action values, online or from data alone."""
