"""Frozen Lake: Gymnasium's law, with a bank of maps as data and a text for every state.

Reference: `gymnasium.envs.toy_text.frozen_lake` (>= 1.2.1), whose transition table is reproduced.

* Actions: 0 left, 1 down, 2 right, 3 up; moving off the map stays. On slippery ice the move is
  `a - 1`, `a` or `a + 1` (mod 4) with probabilities fail, success, fail, fail = (1 - success) / 2.
* Reward by the tile landed on: `reward_schedule` = (goal, hole, other).
* Holes and goals are absorbing, with reward 0.
* An episode starts on one of the map's `S` cells, uniformly.

A state reads, with rows numbered from 1 and columns lettered from a:

    Cross the frozen lake to the goal and avoid holes. The ice is firm.
    Holes d3 f4 d5 b6 c6 g6 b7 e7 g7 d8
    Goal h8
    At a1 left edge down ice right ice up edge
    Move

Maps are in `maps`, the wording is in `text`.
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
from flax import struct
from gymnax.environments import spaces

from lprl_envs import values
from lprl_envs.banks import draw_bank, grid_hash, made_once
from lprl_envs.errors import InvalidInput, require_one_of
from lprl_envs.frozen_lake.maps import (
    GOAL,
    HOLE,
    PRESETS,
    SIZES,
    Maps,
    bank,
    bank_of_one_start,
    is_absorbing,
    is_size,
    is_solvable,
    move,
    parse_map,
    parse_size,
    random_tiles,
)
from lprl_envs.frozen_lake.picture import draw_lake
from lprl_envs.frozen_lake.text import ACTION_TEXTS, neighbours, template_of
from lprl_envs.observations import OBSERVATIONS
from lprl_envs.render import Picture
from lprl_envs.template import Template
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import Action, TextEnvParams, TextEnvState
from lprl_envs.threefry import written_out

LEFT, DOWN, RIGHT, UP = range(4)


@struct.dataclass(kw_only=True)
class EnvState(TextEnvState):
    """Where the agent stands."""

    position: jax.Array
    """i32[]: row * W + column."""


@struct.dataclass(kw_only=True)
class EnvParams(TextEnvParams):
    """`bank` is a `Maps`."""


class FrozenLake(TextEnv[EnvState, EnvParams]):
    """Frozen Lake on maps of one size.

    Args:
        map_name: `"4x4"` and `"8x8"` are Gymnasium's maps; any other `"HxW"` fixes the size, and
            the default map is then a random one.
        is_slippery: Whether moves slip sideways.
        success_rate: Probability of the intended move on slippery ice.
        reward_schedule: For landing on the goal, a hole, any other tile.
        observation: `"index"` i32[] of the cell, Gymnasium's; `"onehot"` f32[H * W] of it;
            `"features"` f32[3 * H * W], the cell, the holes and the goals; `"tokens"`
            i32[num_slots], the words of the state's text, numbered by the template's vocabulary.

    Raises:
        InvalidInput: on any argument out of these.
    """

    version = 2

    def __init__(
        self,
        map_name: str = "4x4",
        is_slippery: bool = True,
        success_rate: float = 1.0 / 3.0,
        reward_schedule: Sequence[float] = (1.0, 0.0, 0.0),
        observation: str = "onehot",
    ):
        self.shape = parse_size(map_name)
        self.is_slippery = values.truth("is_slippery", is_slippery)
        self.success_rate = values.number("success_rate", success_rate)
        if not 0.0 <= self.success_rate <= 1.0:
            raise InvalidInput(f"success_rate is {self.success_rate}; it must lie in [0, 1]")
        self.reward_schedule = values.sequence("reward_schedule", reward_schedule, values.finite)
        if len(self.reward_schedule) != 3:
            raise InvalidInput(
                f"reward_schedule is {self.reward_schedule}; it needs three: goal, hole, other"
            )
        require_one_of("observation", values.text("observation", observation), OBSERVATIONS)
        self.map_name = map_name
        self.observation = observation
        self.config = (
            map_name,
            self.is_slippery,
            self.success_rate,
            self.reward_schedule,
            observation,
        )
        self._template = template_of(self.shape, self.is_slippery)

    @property
    def name(self) -> str:
        """The registered id."""
        return "FrozenLake-lprl"

    @property
    def num_actions(self) -> int:
        """Left, down, right, up."""
        return 4

    @property
    @made_once
    def default_params(self) -> EnvParams:
        """Gymnasium's map of that name (4x4 is held out, 8x8 is not), or one random map."""
        if self.map_name in PRESETS:
            return self.params_of([PRESETS[self.map_name]])
        return self.sample_params(jax.random.key(0), 1)

    def params_of(self, instances: Sequence[Any]) -> EnvParams:
        """Parameters with these maps (rows of S, F, H, G, or what `parse_map` returns) as the bank.

        Raises:
            InvalidInput: if a map has another size than the environment.
        """
        given = values.instances(instances)
        parsed = [m if isinstance(m, np.ndarray) else parse_map(m) for m in given]
        for tiles in parsed:
            if tiles.shape != self.shape:
                found, right = "x".join(map(str, tiles.shape)), "x".join(map(str, self.shape))
                what = f"set map_name: {found}" if is_size(*tiles.shape) else f"right: {SIZES}"
                raise InvalidInput(f"a map is {found}, the environment {right}; {what}")
        return self._params(bank(parsed))

    def sample_params(
        self,
        key: chex.PRNGKey,
        num_instances: int,
        split: str | None = None,
        frozen_probability: float = 0.8,
        goal: str = "corner",
    ) -> EnvParams:
        """A bank of solvable random maps, drawn in the graph; as Gymnasium's `generate_random_map`.

        Args:
            key: Random key.
            num_instances: M.
            split: `"train"`, `"held-out"`, or None for both.
            frozen_probability: Of each cell.
            goal: `"corner"`, or `"anywhere"`.
        """
        if split is not None and self.num_states < 9:
            raise InvalidInput(
                f"maps of {self.map_name} are too few to split; use 9 cells or more, or no split"
            )
        draw = random_tiles(self.shape, frozen_probability, goal)
        solvable = functools.partial(is_solvable, shape=self.shape)
        name = f"{self.name} of {self.map_name} with these frozen_probability and goal"
        tiles = draw_bank(key, num_instances, split, draw, self.held_out, solvable, name)
        return self._params(bank_of_one_start(tiles))

    def _params(self, maps: Maps) -> EnvParams:
        return EnvParams.of_all(maps, limit=200 if self.shape == (8, 8) else 100)

    def identity(self, instance: Any) -> jax.Array:
        """The tiles."""
        return instance.tiles if isinstance(instance, Maps) else jnp.asarray(instance)

    def split_hash(self, instance: Any) -> jax.Array:
        """Of where the holes are: maps that differ in start and goal, or are mirrored, go along."""
        return grid_hash(self.identity(instance).reshape(self.shape) == HOLE)

    # -- gymnax --------------------------------------------------------------------------------

    def initial_state(self, key: chex.PRNGKey, instance: jax.Array, params: EnvParams) -> EnvState:
        """On one of the map's starts."""
        which = jnp.int32(0)
        if params.bank.starts.shape[-1] > 1:
            starts = params.bank.num_starts[instance]
            which = jax.random.randint(written_out(key), (), 0, starts, jnp.int32)
        position = params.bank.starts[instance, which]
        return EnvState(time=jnp.int32(0), instance=instance, position=position)

    def step_env(
        self, key: chex.PRNGKey, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array, dict[Any, Any]]:
        """One step, without auto-reset."""
        action = jnp.asarray(action, jnp.int32)
        if self.is_slippery:
            fail = (1.0 - self.success_rate) / 2.0
            draw = jax.random.uniform(written_out(key), dtype=jnp.float32)
            slip = (draw >= fail).astype(jnp.int32) + (draw >= 1.0 - fail) - 1
            action = (action + slip) % 4
        state, reward, terminated = self._land(state, action, params)
        state = dataclasses.replace(state, time=state.time + 1)
        return self.observe(key, state, action, params), state, reward, terminated, {}

    def _land(
        self, state: EnvState, direction: jax.Array, params: EnvParams
    ) -> tuple[EnvState, jax.Array, jax.Array]:
        """Where a move in that direction ends: `(state, reward, terminated)`."""
        tiles = params.bank.tiles
        stuck = is_absorbing(tiles[state.instance, state.position])
        position = jnp.where(stuck, state.position, move(state.position, direction, self.shape))
        tile = tiles[state.instance, position]
        goal, hole, other = self.reward_schedule
        reward = jnp.where(tile == GOAL, goal, jnp.where(tile == HOLE, hole, other))
        reward = jnp.where(stuck, 0.0, reward).astype(jnp.float32)
        return dataclasses.replace(state, position=position), reward, is_absorbing(tile)

    def is_solved(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether the agent stands on a goal."""
        return params.bank.tiles[state.instance, state.position] == GOAL

    @property
    def num_features(self) -> int:
        """Cell, holes and goals."""
        return 3 * self.num_states

    def features(self, state: EnvState, params: EnvParams) -> jax.Array:
        """The cell as one-hot, the holes, the goals."""
        cell = jax.nn.one_hot(state.position, self.num_states, dtype=jnp.float32)
        tiles = params.bank.tiles[state.instance]
        return jnp.concatenate([cell, tiles == HOLE, tiles == GOAL], dtype=jnp.float32)

    def is_terminated(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether the agent stands in a hole or on a goal."""
        return is_absorbing(params.bank.tiles[state.instance, state.position])

    def state_space(self, params: EnvParams) -> spaces.Dict:
        """The fields of `EnvState`."""
        fields = super().state_space(params).spaces
        return spaces.Dict({**fields, "position": spaces.Discrete(self.num_states)})

    # -- text ----------------------------------------------------------------------------------

    @property
    def template(self) -> Template:
        """The wording at the top of this file."""
        return self._template

    @property
    def action_texts(self) -> tuple[str, ...]:
        """They continue "Move"."""
        return ACTION_TEXTS

    def slots(self, state: EnvState, params: EnvParams) -> jax.Array:
        """A word a hole, the goal, the cell, then what lies left, down, right and up."""
        tiles = params.bank.tiles[state.instance]
        around = neighbours(state.position, tiles, self.shape)
        goal = jnp.argmax(tiles == GOAL)
        parts = [tiles == HOLE, goal[None], state.position[None], around]
        return jnp.concatenate(parts, dtype=jnp.int32)

    def render(self, state: EnvState, params: EnvParams) -> Picture:
        """The map from above."""
        tiles = np.asarray(params.bank.tiles[state.instance]).reshape(self.shape)
        return draw_lake(tiles, int(state.position))

    # -- law -----------------------------------------------------------------------------------

    def action_mask(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Every move is legal."""
        del state, params
        return jnp.ones(4, bool)

    def transitions(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array]:
        """K = 3 outcomes on slippery ice (left of the move, the move, right of it), else 1."""
        fail = (1.0 - self.success_rate) / 2.0
        slips = jnp.array([-1, 0, 1] if self.is_slippery else [0], jnp.int32)
        chances = [fail, self.success_rate, fail] if self.is_slippery else [1.0]
        prob, directions = jnp.array(chances, jnp.float32), (action + slips) % 4
        outcome = jax.vmap(lambda d: self._land(state, d, params))(directions)
        return prob, *outcome

    @property
    def num_states(self) -> int:
        """The cells."""
        return self.shape[0] * self.shape[1]

    def state_index(self, state: EnvState, params: EnvParams) -> jax.Array:
        """The cell."""
        del params
        return state.position

    def state_at(
        self, instance: jax.Array | int, index: jax.Array | int, params: EnvParams
    ) -> EnvState:
        """Standing on that cell, at time 0."""
        del params
        return EnvState(time=jnp.int32(0), instance=jnp.int32(instance), position=jnp.int32(index))
