"""When to ask: schedules by one signature, from never to one that learns.

    fixed      by chance, by the clock, by the prompt: never, always, random, every, first,
               on_change, once, linear_decay
    by_values  by the primary learner's values: importance, selective_sampling, head_variance,
               adaptive_percentile
    seq        SEQ, the bandit of LaGR-SEQ: a table, or a network
    cost       when2ask: a learned gate that pays for its queries
    budget     a bound on the queries, on top of any
    named      all of them by name, from flat settings

`base` says what a schedule is.
"""

from lprl_jax.algorithms.schedules.base import Asked, Schedule, Seen, queried
from lprl_jax.algorithms.schedules.budget import budgeted
from lprl_jax.algorithms.schedules.named import SCHEDULES, ScheduleConfig, schedule_of

__all__ = [
    "SCHEDULES",
    "Asked",
    "Schedule",
    "ScheduleConfig",
    "Seen",
    "budgeted",
    "queried",
    "schedule_of",
]
