"""Blocks World: one hand, blocks on a table, and a goal of which block lies on which.

* Rules: STRIPS with four operators, in `rules`. Actions for n blocks, in this order:
  pick up x (n), put down x (n), stack x on y and unstack x from y (n (n - 1) each, by x, then y).
* An illegal action leaves the state unchanged and adds `illegal_reward`; the mask forbids it.
* Reward 1, and the episode's end, where all facts of the goal hold.
* The goal is data like the initial state; an instance may have fewer blocks than the environment.
* Time limit: 8 (n - 1) steps, twice the longest of the shortest plans. (All blocks to the table,
  then the goal built up, is 2 (n - 1) moves of one block each at most, of two actions each.)

A state reads as in PlanBench (but for "holding the", see `text`), for instance:

    My goal is to have that the red block is on top of the blue block.
    As initial conditions I have that, the blue block is clear, the hand is currently holding the
    red block, the blue block is on top of the orange block and the orange block is on the table.
    My next action is to

Instances are in `instances`, states at random and by number in `states`, the wording is in `text`,
the drawing in `picture`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import chex
import jax
import jax.numpy as jnp
from flax import struct
from gymnax.environments import spaces

from lprl_envs import values
from lprl_envs.banks import made_once
from lprl_envs.blocks_world import instances as problems
from lprl_envs.blocks_world.instances import Problems, require_blocks
from lprl_envs.blocks_world.packed import goal_of, rows_of, start_of
from lprl_envs.blocks_world.picture import draw_blocks
from lprl_envs.blocks_world.rules import (
    ABSENT,
    MOST_BLOCKS,
    act,
    features_of,
    is_reached,
    legal_actions,
    settle,
)
from lprl_envs.blocks_world.search import SOLVED, heuristic, list_moves, look_ahead, make_move
from lprl_envs.blocks_world.split import draw_problems, goal_hash, require_splittable
from lprl_envs.blocks_world.states import MOST_NUMBERED, count_states, number_state, numbered_state
from lprl_envs.blocks_world.text import action_texts_of, by_colour, slots_of, template_of
from lprl_envs.errors import NotNumbered
from lprl_envs.observations import require_mode
from lprl_envs.render import Picture
from lprl_envs.template import Template
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import Action, Successor, TextEnvParams, TextEnvState, only_outcome


@struct.dataclass(kw_only=True)
class EnvState(TextEnvState):
    """Where the blocks are."""

    on: jax.Array
    """i32[n]: the block below each, or TABLE, HAND or ABSENT."""


@struct.dataclass(kw_only=True)
class EnvParams(TextEnvParams):
    """`bank` is a `Problems`."""

    derived = ("rows",)
    rows: jax.Array
    """u32[M, w]: the same in few words, see `packed`."""

    @classmethod
    def of_all(cls, bank: Problems, limit: int | jax.Array, **more: Any) -> Self:
        """With a bank, its rows, and a limit in steps."""
        return super().of_all(bank, limit, rows=rows_of(bank.on, bank.goal), **more)


class BlocksWorld(TextEnv[EnvState, EnvParams]):
    """Blocks World with n blocks.

    Args:
        num_blocks: n, 2 to 12; instances may have fewer.
        illegal_reward: Added to the reward of an illegal action.
        observation: `"features"` f32[n (2 n + 3)], what is below each block, and what the goal
            wants there; `"tokens"` i32[4 n + 1], the words of the state's text, numbered by the
            template's vocabulary; up to 6 blocks also `"index"` i32[] of the state, without the
            goal, and `"onehot"` f32 of it.

    Raises:
        InvalidInput: on any argument out of these.
    """

    version = 2
    suites = problems.SUITES

    def __init__(
        self, num_blocks: int = 4, illegal_reward: float = 0.0, observation: str = "features"
    ):
        self.num_blocks = values.whole("num_blocks", num_blocks)
        require_blocks("num_blocks", self.num_blocks, MOST_BLOCKS)
        self.illegal_reward = values.finite("illegal_reward", illegal_reward)
        most = f"is for up to {MOST_NUMBERED} blocks, not {self.num_blocks}"
        right = f"{most}; valid: features, tokens"
        require_mode(observation, self.num_states is not None, right)
        self.observation = observation
        self.config = (self.num_blocks, self.illegal_reward, observation)

    @property
    def name(self) -> str:
        """The registered id."""
        return "BlocksWorld-lprl"

    @property
    def num_actions(self) -> int:
        """2 n²."""
        return 2 * self.num_blocks**2

    @property
    def max_legal(self) -> int:
        """A move for each clear block, or the table and each clear block for the one held."""
        return self.num_blocks

    # -- instances -----------------------------------------------------------------------------

    @property
    @made_once
    def default_params(self) -> EnvParams:
        """A tower of all blocks that is to be turned upside down."""
        return self.params_of([problems.tower_to_turn(self.num_blocks)])

    def params_of(self, instances: Sequence[Any]) -> EnvParams:
        """Parameters with these instances as the bank.

        Args:
            instances: Each `{"init": ["cb", "a"], "goal": ["ba"]}` (see `from_stacks`), or what
                `from_stacks` returns.

        Raises:
            InvalidInput: if one is not well-formed, or has more blocks than the environment.
        """
        parsed = [problems.parse(one) for one in values.instances(instances)]
        return self._params(problems.bank(parsed, self.num_blocks))

    def suite(self, name: str) -> EnvParams:
        """Parameters with a published set of instances as the bank.

        Raises:
            InvalidInput: if there is no such suite, or it needs more blocks.
        """
        return self._params(problems.bank_of_suite(name, self.num_blocks))

    def shortest_plans(self, name: str) -> jax.Array:
        """As published with the suite."""
        return problems.shortest_plans(name)

    def sample_params(
        self,
        key: chex.PRNGKey,
        num_instances: int,
        split: str | None = None,
        num_blocks: int | None = None,
        split_by: str = "goal",
    ) -> EnvParams:
        """A bank of random instances, drawn in the graph.

        The initial state is uniform over all with an empty hand. The goal is all that lies on a
        block in another such state; pairs whose goal is empty or holds at the start are redrawn.

        Args:
            key: Random key.
            num_instances: M.
            split: `"train"`, `"held-out"`, or None for both.
            num_blocks: Of each instance; None for the environment's.
            split_by: `"goal"`, or `"shape"`, which keeps more apart; see `split`.
        """
        blocks = self.num_blocks if num_blocks is None else num_blocks
        require_blocks("num_blocks of an instance", blocks, self.num_blocks)
        require_splittable(split, split_by, blocks)
        name = f"{self.name} of {blocks} blocks"
        drawn = draw_problems(key, num_instances, split, blocks, split_by, name)
        return self._params(problems.resize(drawn, self.num_blocks))

    def _params(self, bank: Problems) -> EnvParams:
        return EnvParams.of_all(bank, limit=8 * (self.num_blocks - 1))

    def identity(self, instance: Problems) -> jax.Array:
        """Initial state and goal; the same in environments of more blocks."""
        whole = problems.resize(instance, MOST_BLOCKS)
        return jnp.concatenate([whole.on, whole.goal])

    def split_hash(self, instance: Problems) -> jax.Array:
        """Of the goal as it is written, whatever the initial state and the number of blocks."""
        return goal_hash(instance)

    # -- gymnax --------------------------------------------------------------------------------

    def initial_state(self, key: chex.PRNGKey, instance: jax.Array, params: EnvParams) -> EnvState:
        """The instance's."""
        del key
        on = start_of(params.rows, instance, self.num_blocks)
        return EnvState(time=jnp.int32(0), instance=instance, on=on)

    def step_env(
        self, key: chex.PRNGKey, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array, dict[Any, Any]]:
        """One step, without auto-reset."""
        state, reward, terminated = self._act(state, jnp.asarray(action, jnp.int32), params)
        state = dataclasses.replace(state, time=state.time + 1)
        return self.observe(key, state, action, params), state, reward, terminated, {}

    def _act(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[EnvState, jax.Array, jax.Array]:
        """`(state, reward, terminated)` of an action."""
        on, legal = act(state.on, action)
        state = self._state(state.time, state.instance, on, params)
        reached = self.is_terminated(state, params)
        penalty = jnp.where(legal, 0.0, self.illegal_reward)
        return state, (reached + penalty).astype(jnp.float32), reached

    def _state(
        self, time: jax.Array, instance: jax.Array, on: jax.Array, params: EnvParams
    ) -> EnvState:
        _, is_missing = goal_of(params.rows, instance, self.num_blocks)
        return EnvState(time=time, instance=instance, on=settle(on, is_missing))

    def _goal(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Gathered block by block, for what looks at it often: unpacking it each time is slower."""
        goal = params.bank.goal
        return jnp.stack([goal[state.instance, b] for b in range(self.num_blocks)])

    def is_terminated(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether all facts of the goal hold."""
        goal, _ = goal_of(params.rows, state.instance, self.num_blocks)
        return is_reached(state.on, goal)

    def is_solved(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether all facts of the goal hold."""
        return self.is_terminated(state, params)

    @property
    def num_features(self) -> int:
        """What is below each block: n blocks, or one of three; the block that the goal wants."""
        return self.num_blocks * (2 * self.num_blocks + 3)

    def features(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Two one-hots a block: what is below it, and the block that the goal wants there."""
        return features_of(state.on, self._goal(state, params))

    def state_space(self, params: EnvParams) -> spaces.Dict:
        """The fields of `EnvState`."""
        fields = super().state_space(params).spaces
        on = spaces.Box(ABSENT, self.num_blocks - 1, (self.num_blocks,), jnp.int32)
        return spaces.Dict({**fields, "on": on})

    # -- text ----------------------------------------------------------------------------------

    @property
    def template(self) -> Template:
        """The wording at the top of this file."""
        return template_of(self.num_blocks)

    @property
    def action_texts(self) -> tuple[str, ...]:
        """They continue "My next action is to"."""
        return action_texts_of(self.num_blocks)

    def slots(self, state: EnvState, params: EnvParams) -> jax.Array:
        """A word a possible fact: of the goal, clear, the hand, on a block, on the table."""
        return slots_of(state.on, self._goal(state, params))

    def render(self, state: EnvState, params: EnvParams) -> Picture:
        """The stacks and the hand, and the goal beside them."""
        return draw_blocks(state.on.tolist(), params.bank.goal[state.instance].tolist())

    # -- law -----------------------------------------------------------------------------------

    def action_mask(self, state: EnvState, params: EnvParams) -> jax.Array:
        """The actions whose preconditions hold."""
        del params
        return legal_actions(state.on)

    def legal_actions(self, state: EnvState, params: EnvParams) -> tuple[jax.Array, jax.Array]:
        """By the colour of the block that is taken or laid upon; putting down comes last."""
        del params
        return list_moves(by_colour(self.num_blocks))(state.on)

    def successor(self, state: EnvState, place: jax.Array, params: EnvParams) -> Successor:
        """As of any environment, but faster; of states that an episode can reach."""
        action, on = make_move(by_colour(self.num_blocks))(state.on, place)
        reached = is_reached(on, self._goal(state, params))
        after = dataclasses.replace(state, on=on)
        return Successor(action, after, reached.astype(jnp.float32), reached, reached)

    def heuristic(self, state: EnvState, params: EnvParams) -> jax.Array:
        """SLINVIT's rules: facts of the goal that hold, can be had at once, or are buried."""
        return heuristic(state.on, self._goal(state, params))

    def look_ahead(self, state: EnvState, params: EnvParams) -> tuple[jax.Array, jax.Array]:
        """As of any environment, but faster."""
        order, goal = by_colour(self.num_blocks), self._goal(state, params)
        values = look_ahead(order)(state.on, goal)
        return values, values == SOLVED

    def transitions(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array]:
        """K = 1: nothing is left to chance."""
        return only_outcome(*self._act(state, action, params))

    @property
    def num_states(self) -> int | None:
        """Up to 6 blocks: 22, 125, 866 and 7,057 for 3 to 6."""
        return count_states(self.num_blocks) if self.num_blocks <= MOST_NUMBERED else None

    def state_index(self, state: EnvState, params: EnvParams) -> jax.Array:
        """The state's number, as if blocks that the instance lacks lay on the table."""
        del params
        if self.num_states is None:
            raise NotNumbered(self.name)
        return number_state(state.on)

    def state_at(
        self, instance: jax.Array | int, index: jax.Array | int, params: EnvParams
    ) -> EnvState:
        """The state of that number, at time 0."""
        if self.num_states is None:
            raise NotNumbered(self.name)
        on = numbered_state(index, self.num_blocks)
        return self._state(jnp.int32(0), jnp.int32(instance), on, params)
