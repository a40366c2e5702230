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

The rules are the pure functions at the top; the class is an adapter. Maps: `frozen_lake_maps`.
"""

from __future__ import annotations

import dataclasses
import functools
import string
from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from gymnax.environments import spaces

from lprl_envs.errors import InvalidInput
from lprl_envs.frozen_lake_maps import (
    GOAL,
    HOLE,
    PRESETS,
    START,
    Maps,
    bank,
    parse_map,
    parse_size,
    random_map,
)
from lprl_envs.template import Literal, Scope, Slot, Template
from lprl_envs.text_env import Action, TextEnv, TextEnvParams, TextEnvState, draw_instance

LEFT, DOWN, RIGHT, UP = range(4)
NEIGHBOURS = (" ice", " hole", " goal", " edge")
EDGE = NEIGHBOURS.index(" edge")
OBSERVATIONS = ("onehot", "features", "tokens")

# Row and column changes of the four actions.
_ROW_STEP = np.array([0, 1, 0, -1], np.int32)
_COL_STEP = np.array([-1, 0, 1, 0], np.int32)
# What a neighbouring tile reads as: index into NEIGHBOURS.
_TILE_WORD = np.array([0, 0, 1, 2], np.int32)


@struct.dataclass(kw_only=True)
class EnvState(TextEnvState):
    """Where the agent stands."""

    position: jax.Array
    """i32[]: row * W + column."""


@struct.dataclass(kw_only=True)
class EnvParams(TextEnvParams):
    """`bank` is a `Maps`."""


# -- rules -------------------------------------------------------------------------------------


def move(position: jax.Array, action: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """The cell that a step in direction `action` leads to; off the map stays. Broadcasts."""
    height, width = shape
    row = jnp.clip(position // width + jnp.asarray(_ROW_STEP)[action], 0, height - 1)
    col = jnp.clip(position % width + jnp.asarray(_COL_STEP)[action], 0, width - 1)
    return row * width + col


def neighbours(position: jax.Array, tiles: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """`i32[4]`: what lies left, down, right and up, as indices into NEIGHBOURS."""
    cells = move(position, jnp.arange(4), shape)
    return jnp.where(cells == position, EDGE, jnp.asarray(_TILE_WORD)[tiles[cells]])


def is_absorbing(tile: jax.Array) -> jax.Array:
    """Whether an episode ends on this tile."""
    return (tile == HOLE) | (tile == GOAL)


# -- the environment ---------------------------------------------------------------------------


class FrozenLake(TextEnv[EnvState, EnvParams]):
    """Frozen Lake on maps of one size.

    Args:
        map_name: `"4x4"` and `"8x8"` are Gymnasium's maps; any other `"HxW"` fixes the size, and
            the default map is then a random one.
        is_slippery: Whether moves slip sideways.
        success_rate: Probability of the intended move on slippery ice.
        reward_schedule: For landing on the goal, a hole, any other tile.
        observation: `"onehot"` f32[H * W] of the cell; `"features"` f32[3 * H * W], the cell, the
            holes and the goals; `"tokens"` i32[num_slots], the words of the state's text, numbered
            by the template's own vocabulary.

    Raises:
        InvalidInput: on any argument out of these.
    """

    version = 1

    def __init__(
        self,
        map_name: str = "4x4",
        is_slippery: bool = True,
        success_rate: float = 1.0 / 3.0,
        reward_schedule: Sequence[float] = (1.0, 0.0, 0.0),
        observation: str = "onehot",
    ):
        self.shape = parse_size(map_name)
        if not 0.0 <= success_rate <= 1.0:
            raise InvalidInput(f"success_rate is {success_rate}; it must lie in [0, 1]")
        if len(reward_schedule) != 3:
            raise InvalidInput(
                f"reward_schedule is {tuple(reward_schedule)}; it needs three: goal, hole, other"
            )
        if observation not in OBSERVATIONS:
            raise InvalidInput(
                f"unknown observation {observation!r}; valid: {', '.join(OBSERVATIONS)}"
            )
        self.map_name = map_name
        self.is_slippery = bool(is_slippery)
        self.success_rate = float(success_rate)
        self.reward_schedule = tuple(float(r) for r in reward_schedule)
        self.observation = observation
        self.config = (
            map_name,
            self.is_slippery,
            self.success_rate,
            self.reward_schedule,
            observation,
        )
        self._template = _template(self.shape, self.is_slippery)

    @property
    def name(self) -> str:
        """The registered id."""
        return "FrozenLake-lprl"

    @property
    def num_actions(self) -> int:
        """Left, down, right, up."""
        return 4

    @property
    def default_params(self) -> EnvParams:
        """Gymnasium's map of that name (or one random map), and its time limit."""
        if self.map_name in PRESETS:
            return self.params_of([parse_map(PRESETS[self.map_name])])
        return self.sample_params(jax.random.key(0), 1)

    def params_of(self, maps: Sequence[np.ndarray]) -> EnvParams:
        """Parameters with these maps (as `parse_map` returns them) as the bank.

        Raises:
            InvalidInput: if a map has another size than the environment.
        """
        for tiles in maps:
            if tiles.shape != self.shape:
                found, right = "x".join(map(str, tiles.shape)), "x".join(map(str, self.shape))
                raise InvalidInput(
                    f"a map is {found}, the environment {right}; set map_name: {found}"
                )
        return self._params(bank(maps))

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
        if split not in (None, "train", "held-out"):
            raise InvalidInput(f"unknown split {split!r}; valid: train, held-out")

        def accept(tiles: jax.Array) -> jax.Array:
            return (self.held_out(tiles) == (split == "held-out")) | (split is None)

        keys = jax.random.split(key, num_instances)
        draw = functools.partial(
            random_map,
            shape=self.shape,
            accept=accept,
            frozen_probability=frozen_probability,
            goal=goal,
        )
        tiles = jax.vmap(draw)(keys)
        starts = jnp.argmax(tiles == START, axis=1).astype(jnp.int32)[:, None]
        return self._params(Maps(tiles, starts, jnp.ones(num_instances, jnp.int32)))

    def _params(self, maps: Maps) -> EnvParams:
        limit = 200 if self.shape == (8, 8) else 100
        instances = jnp.arange(maps.tiles.shape[0], dtype=jnp.int32)
        return EnvParams(max_steps_in_episode=jnp.int32(limit), bank=maps, instances=instances)

    def identity(self, instance: Any) -> jax.Array:
        """Where the holes are: maps that differ only in start and goal share a split."""
        tiles = instance.tiles if isinstance(instance, Maps) else instance
        return tiles == HOLE

    # -- gymnax --------------------------------------------------------------------------------

    def reset_env(self, key: chex.PRNGKey, params: EnvParams) -> tuple[jax.Array, EnvState]:
        """Draw a map and one of its starts."""
        key_instance, key_start = jax.random.split(key)
        instance = draw_instance(key_instance, params)
        which = jnp.int32(0)
        if params.bank.starts.shape[-1] > 1:
            which = jax.random.randint(key_start, (), 0, params.bank.num_starts[instance])
        state = EnvState(
            time=jnp.int32(0), instance=instance, position=params.bank.starts[instance, which]
        )
        return self.observe(key, state, None, params), state

    def step_env(
        self, key: chex.PRNGKey, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array, dict[Any, Any]]:
        """One step, without auto-reset."""
        action = jnp.asarray(action, jnp.int32)
        if self.is_slippery:
            fail = (1.0 - self.success_rate) / 2.0
            draw = jax.random.uniform(key)
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

    def observe(
        self, key: chex.PRNGKey, state: EnvState, action: Any, params: EnvParams
    ) -> jax.Array:
        """The observation in the mode chosen at construction."""
        del key, action
        if self.observation == "tokens":
            return self._template.number_words(self.slots(state, params))
        cell = jax.nn.one_hot(state.position, self.num_states, dtype=jnp.float32)
        if self.observation == "onehot":
            return cell
        tiles = params.bank.tiles[state.instance]
        return jnp.concatenate([cell, tiles == HOLE, tiles == GOAL], dtype=jnp.float32)

    def is_terminated(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether the agent stands in a hole or on a goal."""
        return is_absorbing(params.bank.tiles[state.instance, state.position])

    def action_space(self, params: EnvParams | None = None) -> spaces.Discrete:
        """Four moves."""
        del params
        return spaces.Discrete(4)

    def observation_space(self, params: EnvParams) -> spaces.Box:
        """Of the observation mode."""
        del params
        if self.observation == "tokens":
            num_words = self._template.num_words
            return spaces.Box(0, num_words - 1, (self._template.num_slots,), jnp.int32)
        width = self.num_states * (1 if self.observation == "onehot" else 3)
        return spaces.Box(0.0, 1.0, (width,), jnp.float32)

    # -- text ----------------------------------------------------------------------------------

    @property
    def template(self) -> Template:
        """The wording at the top of this file."""
        return self._template

    @property
    def action_texts(self) -> tuple[str, ...]:
        """They continue "Move"."""
        return (" left", " down", " right", " up")

    def slots(self, state: EnvState, params: EnvParams) -> jax.Array:
        """A word a hole, the goal, the cell, then what lies left, down, right and up."""
        tiles = params.bank.tiles[state.instance]
        around = neighbours(state.position, tiles, self.shape)
        goal = jnp.argmax(tiles == GOAL)
        parts = [tiles == HOLE, goal[None], state.position[None], around]
        return jnp.concatenate(parts, dtype=jnp.int32)

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
        slips = [-1, 0, 1] if self.is_slippery else [0]
        prob = jnp.array([fail, self.success_rate, fail] if self.is_slippery else [1.0])
        directions = (action + jnp.array(slips)) % 4
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

    def state_at(self, instance: jax.Array, index: jax.Array, params: EnvParams) -> EnvState:
        """Standing on that cell, at time 0."""
        del params
        return EnvState(time=jnp.int32(0), instance=jnp.int32(instance), position=jnp.int32(index))


def _template(shape: tuple[int, int], is_slippery: bool) -> Template:
    height, width = shape
    cells = [f" {string.ascii_lowercase[c]}{r + 1}" for r in range(height) for c in range(width)]
    ice = "slippery" if is_slippery else "firm"
    intro = f"Cross the frozen lake to the goal and avoid holes. The ice is {ice}.\nHoles"
    return Template(
        (
            Literal(intro),
            *(Slot(f"hole{cell}", ("", cell), Scope.INSTANCE) for cell in cells),
            Literal("\nGoal", Scope.INSTANCE),
            Slot("goal", tuple(cells), Scope.INSTANCE),
            Literal("\nAt", Scope.STATE),
            Slot("cell", tuple(cells)),
            Literal(" left", Scope.STATE),
            Slot("left", NEIGHBOURS),
            Literal(" down", Scope.STATE),
            Slot("down", NEIGHBOURS),
            Literal(" right", Scope.STATE),
            Slot("right", NEIGHBOURS),
            Literal(" up", Scope.STATE),
            Slot("up", NEIGHBOURS),
            Literal("\nMove", Scope.STATE),
        )
    )
