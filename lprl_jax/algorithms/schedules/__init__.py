"""When to ask: schedules by one signature, from never to one that learns."""

from lprl_jax.algorithms.schedules.base import Asked, Schedule, Seen

__all__ = ["Asked", "Schedule", "Seen"]
