"""Blocks World by sub-goals: an action says where a block shall lie, and two of the hand's do it.

* Sub-goals for n blocks, in this order: put x on the table (n), put x on y (n (n - 1), by x, then
  y). Each is the action of `rules` that lays x there, behind the one that takes it up, so that the
  hand is empty before and after. They are options of Blocks World (see `lprl_envs.options`).
* Legal where both are, and x does not lie there already.
* Everything else is Blocks World's own. What it counts in actions is half as many sub-goals here:
  the time limit, 4 (n - 1), and the shortest plans (all that lies on a block was laid there, so
  that a plan ends with an empty hand).

A search over these is the same search, over longer steps: "k actions or sub-goals a node" (SLINVIT,
arXiv 2402.16181).
"""

from __future__ import annotations

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.blocks_world.env import BlocksWorld, EnvParams, EnvState
from lprl_envs.blocks_world.rules import HAND, TABLE, is_clear, moves
from lprl_envs.blocks_world.states import with_empty_hand
from lprl_envs.blocks_world.text import by_colour, subgoal_texts_of
from lprl_envs.options import OverOptions

ACTIONS = 2
"""Of the hand, in a sub-goal: a block is taken up and laid down."""


@functools.cache
def subgoals(num_blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Block and target, `i32[n²]` each: those of the actions that lay a block down."""
    lays = slice(num_blocks, num_blocks + num_blocks**2)
    return moves(num_blocks).block[lays], moves(num_blocks).target[lays]


def legal_subgoals(on: jax.Array) -> jax.Array:
    """`bool[n²]`: a clear block, to the table or a clear block, where it does not lie already."""
    block, target = map(jnp.asarray, subgoals(on.size))
    clear = is_clear(on)
    has_room = (target == TABLE) | clear[jnp.maximum(target, 0)]
    return clear[block] & has_room & (on[block] != target)


@functools.cache
def in_order(num_blocks: int) -> np.ndarray:
    """`i32[n²]`: sub-goals by the colour of the block, then of the one below; the table last."""
    place = {block: rank for rank, block in enumerate(by_colour(num_blocks))}
    block, target = subgoals(num_blocks)
    below = [place.get(lower, num_blocks) for lower in target.tolist()]
    return np.lexsort((below, [place[upper] for upper in block.tolist()])).astype(np.int32)


@functools.cache
def _takes(num_blocks: int) -> np.ndarray:
    """`i32[n, n + 1]`: the action that takes a block up, by what it lies on; the table last."""
    found, every = np.zeros((num_blocks, num_blocks + 1), np.int32), moves(num_blocks)
    taken = np.flatnonzero(every.target == HAND)
    found[every.block[taken], every.source[taken]] = taken  # TABLE is -1
    return found


@dataclasses.dataclass(frozen=True)
class Subgoals:
    """The options of Blocks World with n blocks."""

    num_blocks: int
    """n"""

    @property
    def texts(self) -> tuple[str, ...]:
        """They continue "My next action is to"."""
        return subgoal_texts_of(self.num_blocks)

    @property
    def max_actions(self) -> int:
        """Two."""
        return ACTIONS

    def is_legal(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Those whose two actions are legal, one after the other, and change something."""
        del params
        return legal_subgoals(state.on)

    def next_action(self, state: EnvState, option: jax.Array, params: EnvParams) -> jax.Array:
        """To lay the block down where it is held, to take it up where it is not."""
        del params
        block = jnp.asarray(subgoals(self.num_blocks)[0])[option]
        below = state.on[block]
        takes = jnp.asarray(_takes(self.num_blocks))[block, below]  # the table is the last column
        return jnp.where(below == HAND, self.num_blocks + option, takes)

    def is_done(self, state: EnvState, option: jax.Array, params: EnvParams) -> jax.Array:
        """Whether the block lies there."""
        del params
        block, target = (jnp.asarray(part)[option] for part in subgoals(self.num_blocks))
        return state.on[block] == target


class BlocksWorldSubgoals(OverOptions[EnvState, EnvParams]):
    """Blocks World with n blocks, a block a step.

    Args:
        num_blocks: n, 2 to 12; instances may have fewer.
        illegal_reward: Added to the reward of an illegal sub-goal.
        observation: As of `BlocksWorld`; `"index"` and `"onehot"` number the states with an empty
            hand alone: 13, 73, 501 and 4,051 for 3 to 6 blocks.

    Raises:
        InvalidInput: on any argument out of these.
    """

    def __init__(
        self, num_blocks: int = 4, illegal_reward: float = 0.0, observation: str = "features"
    ):
        world = BlocksWorld(num_blocks, illegal_reward, observation)  # refuses what is wrong
        self.blocks, self.num_blocks = world, world.num_blocks
        decisions = None if world.num_states is None else with_empty_hand(world.num_blocks)
        name, options = "BlocksWorldSubgoals-lprl", Subgoals(world.num_blocks)
        super().__init__(world, options, name, world.illegal_reward, decisions)
        self.config = world.config

    def shortest_plans(self, name: str) -> jax.Array:
        """In sub-goals: half of the published lengths."""
        return self.world.shortest_plans(name) // ACTIONS

    def sample_params(
        self,
        key: chex.PRNGKey,
        num_instances: int,
        split: str | None = None,
        num_blocks: int | None = None,
        split_by: str = "goal",
    ) -> EnvParams:
        """A bank of random instances: those of `BlocksWorld` with this key, drawn as there."""
        drawn = self.blocks.sample_params(key, num_instances, split, num_blocks, split_by)
        return self.limited(drawn)

    def legal_actions(self, state: EnvState, params: EnvParams) -> tuple[jax.Array, jax.Array]:
        """By the colour of the block that is put, then of the one below it; the table comes last.

        All are listed, as many states have almost all.
        """
        order = jnp.asarray(in_order(self.num_blocks))
        return order, self.action_mask(state, params)[order]
