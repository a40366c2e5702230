"""Algorithms over a table of all states: `value_iteration` plans, `linvit` learns with optimism."""
