"""What Blocks World holds out: one goal in five as it is written, or every goal of several towers.

The text and the right action depend on state and goal, so that a learner that has seen the goal has
seen the instance, wherever it began. There are few goals (72 of 4 blocks): one that is held out has
others to be trained on that are alike but for the blocks' names. `"shape"` leaves none: held out is
every goal of two towers or more, and to be trained on is what neither of the two holds out.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

from lprl_envs.banks import content_hash, draw_bank
from lprl_envs.blocks_world.instances import (
    Problems,
    is_fit,
    random_problem,
    resize,
)
from lprl_envs.blocks_world.rules import MOST_BLOCKS, NONE
from lprl_envs.errors import InvalidInput, require_one_of
from lprl_envs.text_env import HELD_OUT_ONE_IN

SPLITS_BY = {"goal": 3, "shape": 4}
"""What a split can go by, and how many blocks that needs."""
_SALT = 63
"""Hashed with a goal. There are few goals, and chance may hold out too many or too few of them: of
0 to 2,999 this is the first that comes nearest to a fifth of the goals of 3, 4 and 5 blocks and of
PlanBench's customary suites alike."""


def require_splittable(split: str | None, split_by: str, num_blocks: int) -> None:
    """Raises InvalidInput if instances of so many blocks cannot be split by that, if they are."""
    require_one_of("split_by", split_by, SPLITS_BY)
    if split is not None and num_blocks < SPLITS_BY[split_by]:
        raise InvalidInput(
            f"{num_blocks} blocks are too few to split by {split_by}; use {SPLITS_BY[split_by]} or "
            "more, or no split"
        )


def goal_hash(problem: Problems) -> jax.Array:
    """`uint32[]`: of the goal, whatever the initial state and the number of blocks."""
    return content_hash(jnp.append(resize(problem, MOST_BLOCKS).goal, _SALT))


def has_towers(problem: Problems) -> jax.Array:
    """`bool[]`: whether the goal is of two towers or more; a tower has a lowest block each."""
    wanted = problem.goal != NONE
    carries = jnp.any(problem.goal[:, None] == jnp.arange(problem.goal.size)[None], axis=0)
    return jnp.sum(carries & ~wanted) >= 2


@functools.partial(jax.jit, static_argnums=range(1, 6))  # one by one its operations take long
def draw_problems(
    key: chex.PRNGKey, num: int, split: str | None, num_blocks: int, split_by: str, name: str
) -> Problems:
    """A bank of so many random instances of one side, or of both; `draw_bank` on the arguments."""
    draw = random_problem(num_blocks)
    return draw_bank(key, num, split, draw, _held_out_by(split_by, split), is_fit, name)


def _held_out_by(split_by: str, split: str | None) -> Callable[[Problems], jax.Array]:
    """What a bank of that side leaves to the other: a function of an instance to `bool[]`."""

    def by_goal(problem: Problems) -> jax.Array:
        return goal_hash(problem) % HELD_OUT_ONE_IN == 0

    if split_by == "goal":
        return by_goal
    if split == "held-out":
        return has_towers
    return lambda problem: has_towers(problem) | by_goal(problem)
