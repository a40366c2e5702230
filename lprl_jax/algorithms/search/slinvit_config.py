"""The settings of SLINVIT."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
from lprl_envs import InvalidInput, values
from lprl_envs.errors import require_one_of

from lprl_jax.algorithms.base import (
    require_above_0,
    require_finite,
    require_fraction,
    same_for_all,
)
from lprl_jax.field_help import described

PROPOSALS = ("draws", "best", "heuristic")
VALUES = ("heuristic", "rollouts")
EXECUTE = ("first", "path")
BUDGETS = ("optimal+1", "time_limit")


@described
@dataclasses.dataclass(frozen=True)
class SLINVITConfig:
    """Settings of a search."""

    depth: int = 2
    """N: actions of the longest path that is looked at."""
    k: int = 3
    """Children of a node, at most."""
    proposals: str = "draws"
    """Which actions become children: k `"draws"` from the prior, with replacement; the prior's k
    `"best"`; or the k that lead where the environment's `"heuristic"` is highest."""
    value: str = "heuristic"
    """What a path's end is worth: the environment's `"heuristic"`, or the mean return of
    `"rollouts"` in which the prior acts, behind the rewards of the path itself."""
    alpha: float = 0.1
    """Weight of the prior: a path's score is its end's value + α Σ p(a|s) along the path."""
    execute: str = "first"
    """What is executed of the best path before the next search: its `"first"` action, or the whole
    `"path"`."""
    budget: int | str = "time_limit"
    """Actions in which an instance must be solved: a number; `"optimal+1"`, one more than a
    shortest plan, where a suite says how long that is; or `"time_limit"`, the environment's."""
    lanes: int = 1024
    """Instances that a device searches at the same time, at most."""
    num_rollouts: int = 4
    """Of a path's end."""
    rollout_length: int = 16
    """Actions of a roll-out, at most."""
    gamma: float = 1.0
    """Discount of the returns; 1 leaves them plain."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        values.check_fields(self)
        require_above_0(self, "depth", "k", "lanes", "num_rollouts", "rollout_length")
        require_fraction(self, "gamma")
        require_one_of("proposals", self.proposals, PROPOSALS)
        require_one_of("value", self.value, VALUES)
        require_one_of("execute", self.execute, EXECUTE)
        if not self.alpha >= 0:
            raise InvalidInput(f"alpha is {self.alpha}; it must be 0 or more")
        require_finite(self, "alpha")
        is_number = type(self.budget) is int and self.budget >= 1
        if not (is_number or (isinstance(self.budget, str) and self.budget in BUDGETS)):
            values.refuse(
                "budget", self.budget, f"valid: {', '.join(BUDGETS)}, or a whole number from 1"
            )

    def hparams(self, num_rows: int) -> HParams:
        """The same hyper-parameters for every row."""
        return same_for_all(HParams, self, num_rows)


class HParams(NamedTuple):
    """What may differ from search to search, `f32[B]`; see the fields of `SLINVITConfig`."""

    alpha: jax.Array
