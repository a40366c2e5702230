"""Object arrangement: objects dropped on the cells of a hidden pattern, as cells are offered.

The task of LaGR-SEQ (arXiv 2308.13542), for floors of any size and patterns of many families:

* The floor is free at first. Each step offers one of the H * W cells, uniformly at random.
  Actions: 0 skip, 1 drop an object there.
* An object that the hidden pattern lacks is taken away again, which costs nothing. A drop on a cell
  that has an object changes nothing.
* Reward and end are those of `patterns.env`: at most (objects of the pattern) / (H * W) + 1. The
  time limit is two offers a cell, so that even who knows the pattern seldom completes it.

A state of 3 x 4 cells reads, the first sentences on one line:

    Objects on a floor of 3 x 4 cells form a hidden pattern: x is an object, o is a free cell.
    Drop objects where it has them; one that it lacks is taken away.
    Floor so far
     x o o x
     o o o o
     o o o o
    Offered b2
    Answer
"""

from __future__ import annotations

import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from gymnax.environments import spaces

from lprl_envs.patterns.env import EnvParams, PatternEnv
from lprl_envs.patterns.picture import draw_floor
from lprl_envs.patterns.shapes import between
from lprl_envs.patterns.text import objects_template
from lprl_envs.render import Picture
from lprl_envs.template import Template
from lprl_envs.text_env_data import Action, TextEnvState
from lprl_envs.threefry import written_out

SKIP, DROP = range(2)
DIAMOND = ("..#..", ".#.#.", "#...#", ".#.#.", "..#..")
"""The paper's pattern: 8 objects."""


@struct.dataclass(kw_only=True)
class EnvState(TextEnvState):
    """The objects so far, and the offer."""

    placed: jax.Array
    """bool[H * W]: the cells that have an object, row by row."""
    offered: jax.Array
    """i32[]: the cell that is offered, row * W + column."""


class ObjectArrangement(PatternEnv[EnvState]):
    """Arranging objects in a hidden pattern; 5x5 has the paper's by default.

    Args:
        size: `"HxW"`, 2x2 to 8x8. Sizes without a preset have a random pattern by default.
        observation: `"features"` f32[3 + H * W]: row and column of the cell that is offered, both
            scaled to [0, 1], whether it is on, and the same of every cell; `"tokens"`
            i32[num_slots]; on grids of 9 cells or fewer also `"index"` i32[] and `"onehot"`
            f32[num_states].

    Raises:
        InvalidInput: on any argument out of these.
    """

    presets = {"5x5": DIAMOND}  # noqa: RUF012
    largest = 8
    steps_per_cell = 2
    accepted_percent = 99
    whole = "\nWhole pattern"

    def __init__(self, size: str = "5x5", observation: str = "features"):
        super().__init__(size, observation)
        self._template = objects_template(self.shape)

    @property
    def name(self) -> str:
        """The registered id."""
        return "ObjectArrangement-lprl"

    def initial_state(self, key: chex.PRNGKey, instance: jax.Array, params: EnvParams) -> EnvState:
        """A free floor and a first offer."""
        del params
        return self.state_of(instance, jnp.zeros(self.num_cells, bool), self._offer(key))

    def cells(self, state: EnvState) -> jax.Array:
        """The cells that have an object."""
        return state.placed

    def cell(self, state: EnvState) -> jax.Array:
        """The cell that is offered."""
        return state.offered

    def state_of(self, instance: jax.Array, cells: jax.Array, cell: jax.Array) -> EnvState:
        """At time 0, with objects on these cells and this one offered."""
        return EnvState(time=jnp.int32(0), instance=instance, placed=cells, offered=cell)

    def state_space(self, params: EnvParams) -> spaces.Dict:
        """The fields of `EnvState`."""
        placed = spaces.Box(0, 1, (self.num_cells,), jnp.bool)
        fields = {"placed": placed, "offered": spaces.Discrete(self.num_cells)}
        return spaces.Dict({**super().state_space(params).spaces, **fields})

    # -- law -------------------------------------------------------------------------------------

    def step_env(
        self, key: chex.PRNGKey, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array, dict[Any, Any]]:
        """One step, without auto-reset."""
        placed, reward, terminated = self._decide(state, action, params)
        state = dataclasses.replace(
            state, time=state.time + 1, placed=placed, offered=self._offer(key)
        )
        return self.observe(key, state, action, params), state, reward, terminated, {}

    def transitions(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array]:
        """K = H * W outcomes, one for each next offer, equally likely."""
        placed, reward, terminated = self._decide(state, action, params)
        k = self.num_cells
        after = jax.tree.map(
            lambda x: jnp.broadcast_to(x, (k, *x.shape)), dataclasses.replace(state, placed=placed)
        )
        after = dataclasses.replace(after, offered=jnp.arange(k, dtype=jnp.int32))
        prob, rewards = (jnp.full(k, x, jnp.float32) for x in (1 / k, reward))
        return prob, after, rewards, jnp.full(k, terminated)

    def _offer(self, key: chex.PRNGKey) -> jax.Array:
        chance = jax.random.uniform(written_out(key), dtype=jnp.float32)  # cheaper than randint
        return between(chance, 0, self.num_cells - 1)

    def _decide(
        self, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """`(placed, reward, terminated)` after skipping the cell or dropping an object there."""
        hidden = self.pattern(state, params)
        dropped = (jnp.arange(self.num_cells, dtype=jnp.int32) == state.offered) & (action == DROP)
        placed = state.placed | (dropped & hidden)
        return placed, *self.outcome(state.placed, placed, hidden)

    # -- completion ------------------------------------------------------------------------------

    def follow(self, completion: jax.Array, state: EnvState, params: EnvParams) -> jax.Array:
        """Drop an object where a completion `i32[H * W]` has one."""
        del params
        return (completion[state.offered] == 1).astype(jnp.int32)

    # -- text ------------------------------------------------------------------------------------

    @property
    def template(self) -> Template:
        """The wording at the top of this file."""
        return self._template

    @property
    def action_texts(self) -> tuple[str, ...]:
        """They continue "Answer"."""
        return (" skip", " drop")

    def slots(self, state: EnvState, params: EnvParams) -> jax.Array:
        """The cells, and the one that is offered."""
        del params
        return jnp.append(state.placed.astype(jnp.int32), state.offered)

    def render(self, state: EnvState, params: EnvParams) -> Picture:
        """The floor with its objects, rings on the places of the others, the offer framed."""
        hidden = np.asarray(self.pattern(state, params)).reshape(self.shape)
        return draw_floor(np.asarray(state.placed).reshape(self.shape), hidden, int(state.offered))
