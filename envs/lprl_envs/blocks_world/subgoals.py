"""Blocks World by sub-goals: an action says where a block shall lie, and two of the hand's do it.

* Sub-goals for n blocks, in this order: put x on the table (n), put x on y (n (n - 1), by x, then
  y). Each is the action of `rules` that lays x there, behind the one that takes it up:
  `ACTIONS` of them, so that the hand is empty before and after.
* Legal where both are, and x does not lie there already. An illegal sub-goal leaves the state
  unchanged and adds `illegal_reward`; the mask forbids it.
* Everything else is Blocks World's own: instances and which are held out, goal, reward, wording,
  heuristic, picture. What it counts in actions is half as many sub-goals here: the time limit,
  4 (n - 1), and the shortest plans (all that lies on a block was laid there, so that a plan ends
  with an empty hand).

A search over these is the same search, over longer steps: "k actions or sub-goals a node" (SLINVIT,
arXiv 2402.16181).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from gymnax.environments import spaces

from lprl_envs.banks import made_once
from lprl_envs.blocks_world.env import BlocksWorld, EnvParams, EnvState
from lprl_envs.blocks_world.instances import SUITES, Problems
from lprl_envs.blocks_world.rules import ABSENT, TABLE, is_clear, moves, settle
from lprl_envs.blocks_world.states import with_empty_hand
from lprl_envs.blocks_world.text import by_colour, subgoal_texts_of
from lprl_envs.errors import NotNumbered
from lprl_envs.render import Picture
from lprl_envs.template import Template
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import Action, only_outcome

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


class BlocksWorldSubgoals(TextEnv[EnvState, EnvParams]):
    """Blocks World with n blocks, a block a step.

    Args:
        num_blocks: n, 2 to 12; instances may have fewer.
        illegal_reward: Added to the reward of an illegal sub-goal.
        observation: As of `BlocksWorld`; `"index"` and `"onehot"` number the states with an empty
            hand alone.

    Raises:
        InvalidInput: on any argument out of these.
    """

    version = 2
    suites = SUITES

    def __init__(
        self, num_blocks: int = 4, illegal_reward: float = 0.0, observation: str = "features"
    ):
        self.world = BlocksWorld(num_blocks, illegal_reward, observation)  # refuses what is wrong
        self.num_blocks = self.world.num_blocks
        self.illegal_reward = self.world.illegal_reward
        self.observation = observation
        self.config = self.world.config

    @property
    def name(self) -> str:
        """The registered id."""
        return "BlocksWorldSubgoals-lprl"

    @property
    def num_actions(self) -> int:
        """n²."""
        return self.num_blocks**2

    # -- instances -----------------------------------------------------------------------------

    @property
    @made_once
    def default_params(self) -> EnvParams:
        """A tower of all blocks that is to be turned upside down."""
        return self._limited(self.world.default_params)

    def params_of(self, instances: Sequence[Any]) -> EnvParams:
        """Parameters with these instances as the bank, written as for `BlocksWorld`.

        Raises:
            InvalidInput: if one is not well-formed, or has more blocks than the environment.
        """
        return self._limited(self.world.params_of(instances))

    def suite(self, name: str) -> EnvParams:
        """Parameters with a published set of instances as the bank.

        Raises:
            InvalidInput: if there is no such suite, or it needs more blocks.
        """
        return self._limited(self.world.suite(name))

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
        """A bank of random instances, drawn in the graph: those of `BlocksWorld` with this key.

        Args:
            key: Random key.
            num_instances: M.
            split: `"train"`, `"held-out"`, or None for both.
            num_blocks: Of each instance; None for the environment's.
            split_by: As of `BlocksWorld`.
        """
        drawn = self.world.sample_params(key, num_instances, split, num_blocks, split_by)
        return self._limited(drawn)

    def _limited(self, params: EnvParams) -> EnvParams:
        limit = jnp.int32(8 * (self.num_blocks - 1) // ACTIONS)
        return dataclasses.replace(params, max_steps_in_episode=limit)

    def identity(self, instance: Problems) -> jax.Array:
        """As of `BlocksWorld`."""
        return self.world.identity(instance)

    def split_hash(self, instance: Problems) -> jax.Array:
        """As of `BlocksWorld`, so that the same instances are held out."""
        return self.world.split_hash(instance)

    # -- gymnax --------------------------------------------------------------------------------

    def initial_state(self, key: chex.PRNGKey, instance: jax.Array, params: EnvParams) -> EnvState:
        """The instance's."""
        return self.world.initial_state(key, instance, params)

    def step_env(
        self, key: chex.PRNGKey, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array, dict[Any, Any]]:
        """One sub-goal, without auto-reset."""
        state, reward, terminated = self._reach(state, jnp.asarray(action, jnp.int32), params)
        state = dataclasses.replace(state, time=state.time + 1)
        return self.observe(key, state, action, params), state, reward, terminated, {}

    def _reach(
        self, state: EnvState, subgoal: jax.Array, params: EnvParams
    ) -> tuple[EnvState, jax.Array, jax.Array]:
        """`(state, reward, terminated)` of a sub-goal."""
        block, target = (jnp.asarray(part)[subgoal] for part in subgoals(self.num_blocks))
        legal = legal_subgoals(state.on)[subgoal]
        on = jnp.where(
            legal & (jnp.arange(self.num_blocks, dtype=jnp.int32) == block), target, state.on
        )
        on = settle(on, params.bank.on[state.instance] == ABSENT)
        state = dataclasses.replace(state, on=on)
        reached = self.is_terminated(state, params)
        penalty = jnp.where(legal, 0.0, self.illegal_reward)
        return state, (reached + penalty).astype(jnp.float32), reached

    def is_terminated(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether all facts of the goal hold."""
        return self.world.is_terminated(state, params)

    def is_solved(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether all facts of the goal hold."""
        return self.world.is_solved(state, params)

    @property
    def num_features(self) -> int:
        """As of `BlocksWorld`."""
        return self.world.num_features

    def features(self, state: EnvState, params: EnvParams) -> jax.Array:
        """As of `BlocksWorld`."""
        return self.world.features(state, params)

    def state_space(self, params: EnvParams) -> spaces.Dict:
        """The fields of `EnvState`."""
        return self.world.state_space(params)

    # -- text ----------------------------------------------------------------------------------

    @property
    def template(self) -> Template:
        """As of `BlocksWorld`."""
        return self.world.template

    @property
    def action_texts(self) -> tuple[str, ...]:
        """They continue "My next action is to"."""
        return subgoal_texts_of(self.num_blocks)

    def slots(self, state: EnvState, params: EnvParams) -> jax.Array:
        """As of `BlocksWorld`."""
        return self.world.slots(state, params)

    def render(self, state: EnvState, params: EnvParams) -> Picture:
        """The stacks, and the goal beside them."""
        return self.world.render(state, params)

    # -- law -----------------------------------------------------------------------------------

    def action_mask(self, state: EnvState, params: EnvParams) -> jax.Array:
        """The sub-goals whose two actions are legal, one after the other, and change something."""
        del params
        return legal_subgoals(state.on)

    def legal_actions(self, state: EnvState, params: EnvParams) -> tuple[jax.Array, jax.Array]:
        """By the colour of the block that is put, then of the one below it; the table comes last.

        All are listed, as many states have almost all.
        """
        order = jnp.asarray(in_order(self.num_blocks))
        return order, self.action_mask(state, params)[order]

    def heuristic(self, state: EnvState, params: EnvParams) -> jax.Array:
        """As of `BlocksWorld`."""
        return self.world.heuristic(state, params)

    def transitions(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array]:
        """K = 1: nothing is left to chance."""
        return only_outcome(*self._reach(state, action, params))

    @property
    def num_states(self) -> int | None:
        """Up to 6 blocks: 13, 73, 501 and 4,051 for 3 to 6."""
        if self.world.num_states is None:
            return None
        return with_empty_hand(self.num_blocks)[0].size

    def state_index(self, state: EnvState, params: EnvParams) -> jax.Array:
        """How many states with an empty hand come before it among those of `BlocksWorld`."""
        if self.num_states is None:
            raise NotNumbered(self.name)
        _, place = with_empty_hand(self.num_blocks)
        return jnp.asarray(place)[self.world.state_index(state, params)]

    def state_at(
        self, instance: jax.Array | int, index: jax.Array | int, params: EnvParams
    ) -> EnvState:
        """The state of that number, at time 0."""
        if self.num_states is None:
            raise NotNumbered(self.name)
        numbers, _ = with_empty_hand(self.num_blocks)
        return self.world.state_at(instance, jnp.asarray(numbers)[index], params)
