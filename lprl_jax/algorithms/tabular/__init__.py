"""Algorithms over a table of all states: planning and optimistic learning."""
