"""Algorithms over a table of all states: `value_iteration` plans, `linvit` learns with optimism.

`optimal_actions` tells what is right by a plan, `habits` fits a `HabitPrior` to it.
"""
