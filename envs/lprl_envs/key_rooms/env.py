"""KeyRooms: fetch the key, go through the locked door to the treasure; hard to explore.

L rooms of 5 x 5 cells stand in a row, with a door in each wall between two; the last one is locked.
The world is ours; a relative is MiniGrid's DoorKey (Chevalier-Boisvert et al. 2023, arXiv
2306.13831).

* Actions: 0 left, 1 down, 2 right, 3 up. Into a wall, and into the locked door without the key: the
  agent stays. There is no chance.
* Whoever stands on the key's cell after a step has the key, for good.
* Reward 1 on the treasure, 0 for all else. Treasure and pits end the episode, and are absorbing.
* An episode starts on the instance's start, without the key, and is truncated after 50 L steps.

So random play sees a reward almost never, and the way to it may first lead away from it. A state
reads, with rows numbered from 1 and columns from a to z, then aa to ai:

    Take the key, open the locked door, reach the treasure, avoid pits.
    Key a1
    Doors f2
    Locked door l3
    Treasure p4
    Pits b2 b5 i2 k4 n2 n5
    At d4 without key; left floor down floor right floor up floor
    Move

The law is in `rules`, maps are in `instances`, the wording is in `text`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from gymnax.environments import spaces

from lprl_envs import values
from lprl_envs.banks import draw_bank, grid_hash, made_once
from lprl_envs.errors import InvalidInput, require_one_of
from lprl_envs.key_rooms.instances import (
    FEWEST_ROOMS,
    MOST_PITS,
    MOST_ROOMS,
    PRESET,
    Rooms,
    parse_map,
    random_tiles,
    rooms_of,
    stack,
)
from lprl_envs.key_rooms.picture import draw_rooms
from lprl_envs.key_rooms.rules import (
    CELLS,
    DOOR,
    FLOOR,
    KEY,
    LOCKED,
    PIT,
    SIDE,
    START,
    TREASURE,
    cell_numbers,
    distance,
    is_absorbing,
    is_solvable,
    lands,
    move,
    room_positions,
    width_of,
)
from lprl_envs.key_rooms.states import EnvParams, EnvState
from lprl_envs.key_rooms.text import ACTION_TEXTS, neighbours, template_of
from lprl_envs.observations import OBSERVATIONS
from lprl_envs.render import Picture
from lprl_envs.template import Template
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import Action, only_outcome


class KeyRooms(TextEnv[EnvState, EnvParams]):
    """Rooms in a row, the last one locked.

    Args:
        rooms: L, 2 to 6.
        pits: In each room of a random instance, 0 to 8.
        observation: `"onehot"` f32[num_states] of the state; `"index"` i32[] of it; `"features"`
            f32[25 * W + 1], which is has_key, and masks of the grid: the agent, the key's cell, the
            treasure, the doors, the pits; `"tokens"` i32[num_slots], the words of the state's text,
            numbered by the template's vocabulary.

    Raises:
        InvalidInput: on any argument out of these.
    """

    def __init__(self, rooms: int = 3, pits: int = 2, observation: str = "onehot"):
        self.rooms = values.whole("rooms", rooms)
        if not FEWEST_ROOMS <= self.rooms <= MOST_ROOMS:
            raise InvalidInput(f"rooms is {self.rooms}; it must be {FEWEST_ROOMS} to {MOST_ROOMS}")
        self.pits = values.whole("pits", pits)
        if not 0 <= self.pits <= MOST_PITS:
            raise InvalidInput(f"pits is {pits!r}; it must be 0 to {MOST_PITS}, in each room")
        require_one_of("observation", values.text("observation", observation), OBSERVATIONS)
        self.observation = observation
        self.width = width_of(self.rooms)
        self.config = (self.rooms, self.pits, observation)
        self._template = template_of(self.rooms)

    @property
    def name(self) -> str:
        """The registered id."""
        return "KeyRooms-lprl"

    @property
    def num_actions(self) -> int:
        """Left, down, right, up."""
        return 4

    @property
    @made_once
    def default_params(self) -> EnvParams:
        """A preset of three rooms with two pits each, or one random instance."""
        if (self.rooms, self.pits) == (3, 2):
            return self.params_of([PRESET])
        return self.sample_params(jax.random.key(0), 1)

    def params_of(self, instances: Sequence[Any]) -> EnvParams:
        """Parameters with these maps (rows of characters, or what `parse_map` returns) as the bank.

        Raises:
            InvalidInput: if a map has another number of rooms than the environment.
        """
        given = values.instances(instances)
        parsed = [m if isinstance(m, np.ndarray) else parse_map(m) for m in given]
        for tiles in parsed:
            if tiles.shape != (SIDE, self.width):
                found = "x".join(map(str, tiles.shape))
                raise InvalidInput(
                    f"a map is {found}, the environment of {self.rooms} rooms 5x{self.width}; "
                    "set rooms: L for 5 rows of 6 L - 1"
                )
        return self._params(stack(parsed))

    def sample_params(
        self, key: chex.PRNGKey, num_instances: int, split: str | None = None
    ) -> EnvParams:
        """A bank of random instances (see `random_tiles`), drawn in the graph, all solvable.

        Args:
            key: Random key.
            num_instances: M.
            split: `"train"`, `"held-out"`, or None for both.
        """
        draw = random_tiles(self.rooms, self.pits)
        name = f"{self.name} of {self.rooms} rooms and {self.pits} pits"
        tiles = draw_bank(key, num_instances, split, draw, self.held_out, is_solvable, name)
        return self._params(rooms_of(tiles))

    def _params(self, rooms: Rooms) -> EnvParams:
        return EnvParams.of_all(rooms, limit=50 * self.rooms)

    def identity(self, instance: Any) -> jax.Array:
        """The tiles."""
        return instance.tiles if isinstance(instance, Rooms) else jnp.asarray(instance)

    def split_hash(self, instance: Any) -> jax.Array:
        """Of the map without its start, which no text tells; mirror images go along.

        Mirrored up and down, a map is the same task with other words. Those that are mirrored left
        and right, which never are instances, hash alike as well.
        """
        tiles = self.identity(instance).reshape(SIDE, self.width)
        return grid_hash(jnp.where(tiles == START, FLOOR, tiles))

    # -- gymnax --------------------------------------------------------------------------------

    def initial_state(self, key: chex.PRNGKey, instance: jax.Array, params: EnvParams) -> EnvState:
        """On the instance's start, without the key."""
        del key
        start = params.bank.start[instance]
        return EnvState(
            time=jnp.int32(0), instance=instance, position=start, has_key=jnp.bool_(False)
        )

    def step_env(
        self, key: chex.PRNGKey, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array, dict[Any, Any]]:
        """One step, without auto-reset."""
        action = jnp.asarray(action, jnp.int32)
        state, reward, terminated = self._act(state, action, params)
        state = dataclasses.replace(state, time=state.time + 1)
        return self.observe(key, state, action, params), state, reward, terminated, {}

    def _act(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[EnvState, jax.Array, jax.Array]:
        """Where a move leads: `(state, reward, terminated)`."""
        target = move(state.position, action, self.width)
        here, there = (params.bank.tiles[state.instance, at] for at in (state.position, target))
        succeeds = lands(here, there, state.has_key)
        tile = jnp.where(succeeds, there, here)
        after = dataclasses.replace(
            state,
            position=jnp.where(succeeds, target, state.position),
            has_key=state.has_key | (tile == KEY),
        )
        reward = (succeeds & (tile == TREASURE)).astype(jnp.float32)
        return after, reward, is_absorbing(tile)

    def is_terminated(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether the agent is in a pit or at the treasure."""
        return is_absorbing(params.bank.tiles[state.instance, state.position])

    def is_solved(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether the agent is at the treasure."""
        return state.position == params.bank.treasure[state.instance]

    def heuristic(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Steps that are left, negative, were there no pits: by way of the key, and of the doors.

        Less than any in a pit. Exact where no pit is in the way.
        """
        key, treasure, doors = (
            x[state.instance] for x in (params.bank.key, params.bank.treasure, params.bank.doors)
        )
        to_key = distance(state.position, key, doors, self.width)
        from_key = distance(key, treasure, doors, self.width)
        to_treasure = distance(state.position, treasure, doors, self.width)
        steps = jnp.where(state.has_key, to_treasure, to_key + from_key)
        in_pit = params.bank.tiles[state.instance, state.position] == PIT
        return -jnp.where(in_pit, 2 * SIDE * self.width, steps).astype(jnp.float32)

    @property
    def num_features(self) -> int:
        """Whether the key is held, and five masks of the grid."""
        return 5 * SIDE * self.width + 1

    def features(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Has key; then the agent, the key's cell, the treasure, the doors, the pits as masks."""
        tiles = params.bank.tiles[state.instance]
        cell = jnp.arange(SIDE * self.width, dtype=jnp.int32) == state.position
        masks = [cell, tiles == KEY, tiles == TREASURE, (tiles == DOOR) | (tiles == LOCKED)]
        return jnp.concatenate([state.has_key[None], *masks, tiles == PIT], dtype=jnp.float32)

    def state_space(self, params: EnvParams) -> spaces.Dict:
        """The fields of `EnvState`."""
        fields = super().state_space(params).spaces
        own = {"position": spaces.Discrete(SIDE * self.width), "has_key": spaces.Discrete(2)}
        return spaces.Dict({**fields, **own})

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
        """Key, doors, treasure, a word a pit; the cell, has key, what lies around."""
        rooms = jax.tree.map(lambda leaf: leaf[state.instance], params.bank)
        around = neighbours(state.position, state.has_key, rooms.tiles, self.width)
        parts = [rooms.key[None], rooms.doors // self.width, rooms.treasure[None]]
        parts += [rooms.tiles[room_positions(self.rooms).ravel()] == PIT]
        parts += [state.position[None], state.has_key[None], around]
        return jnp.concatenate(parts, dtype=jnp.int32)

    def render(self, state: EnvState, params: EnvParams) -> Picture:
        """The rooms from above."""
        tiles = np.asarray(params.bank.tiles[state.instance]).reshape(SIDE, self.width)
        return draw_rooms(tiles, int(state.position), bool(state.has_key))

    # -- law -----------------------------------------------------------------------------------

    def action_mask(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Every move is legal."""
        del state, params
        return jnp.ones(4, bool)

    def transitions(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array]:
        """K = 1: there is no chance."""
        return only_outcome(*self._act(state, action, params))

    @property
    def num_states(self) -> int:
        """The cells of rooms and doors, each without and with the key."""
        return 2 * ((CELLS + 1) * self.rooms - 1)

    def state_index(self, state: EnvState, params: EnvParams) -> jax.Array:
        """The cell's number (see `cell_numbers`) * 2 + has_key."""
        del params
        return jnp.asarray(cell_numbers(self.rooms))[state.position] * 2 + state.has_key

    def state_at(
        self, instance: jax.Array | int, index: jax.Array | int, params: EnvParams
    ) -> EnvState:
        """Standing on that cell, without or with the key, at time 0; some no play ever meets."""
        room, place = jnp.divmod(jnp.asarray(index, jnp.int32) // 2, CELLS + 1)
        behind = params.bank.doors[instance, jnp.minimum(room, self.rooms - 2)]
        floor = jnp.asarray(room_positions(self.rooms))[room, jnp.minimum(place, CELLS - 1)]
        return EnvState(
            time=jnp.int32(0),
            instance=jnp.int32(instance),
            position=jnp.where(place == CELLS, behind, floor),
            has_key=jnp.asarray(index, jnp.int32) % 2 == 1,
        )
