"""Image completion: a hidden binary picture, scanned pixel by pixel.

The task of LaGR-SEQ (arXiv 2308.13542), for pictures of any size and of many families:

* The picture is blank at first. A raster scan passes it five times, which is the time limit; each
  step decides on the next pixel. Actions: 0 keep, 1 flip.
* A pixel that is flipped on, but is off in the hidden picture, is undone; that costs nothing.
  A pixel that is flipped off stays off, which costs where it was right.
* Reward and end are those of `patterns.env`: at most (ones of the picture) / (H * W) + 1.

A state of 3 x 4 pixels reads, the first sentences on one line:

    A picture of 3 x 4 pixels is hidden: x is on, o is off.
    Flip the pixels that differ from it; one that it lacks stays off.
    Picture so far
     x o o x
     o o o o
     o o o o
    Pixel b2 is off
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
from lprl_envs.patterns.picture import draw_image
from lprl_envs.patterns.text import image_template
from lprl_envs.render import Picture
from lprl_envs.template import Template
from lprl_envs.text_env_data import Action, TextEnvState, only_outcome

KEEP, FLIP = range(2)
BOTH_DIAGONALS = (
    "#........#",
    ".#......#.",
    "..#....#..",
    "...#..#...",
    "....##....",
    "....##....",
    "...#..#...",
    "..#....#..",
    ".#......#.",
    "#........#",
)
"""The paper's picture: 20 ones."""


@struct.dataclass(kw_only=True)
class EnvState(TextEnvState):
    """The picture so far, and where the scan is."""

    image: jax.Array
    """bool[H * W]: the pixels that are on, row by row."""
    pixel: jax.Array
    """i32[]: the pixel to decide on, row * W + column."""


class ImageCompletion(PatternEnv[EnvState]):
    """Completing a hidden picture; 10x10 has the paper's by default.

    Args:
        size: `"HxW"`, 2x2 to 16x16. Sizes without a preset have a random pattern by default.
        observation: `"features"` f32[3 + H * W]: row and column of the pixel to decide on, both
            scaled to [0, 1], whether it is on, and the same of every cell; `"tokens"`
            i32[num_slots]; on grids of 9 cells or fewer also `"index"` i32[] and `"onehot"`
            f32[num_states].

    Raises:
        InvalidInput: on any argument out of these.
    """

    presets = {"10x10": BOTH_DIAGONALS}  # noqa: RUF012
    largest = 16
    steps_per_cell = 5
    accepted_percent = 95
    whole = "\nWhole picture"

    def __init__(self, size: str = "10x10", observation: str = "features"):
        super().__init__(size, observation)
        self._template = image_template(self.shape)

    @property
    def name(self) -> str:
        """The registered id."""
        return "ImageCompletion-lprl"

    def initial_state(self, key: chex.PRNGKey, instance: jax.Array, params: EnvParams) -> EnvState:
        """Blank, with the scan at the first pixel."""
        del key, params
        return self.state_of(instance, jnp.zeros(self.num_cells, bool), jnp.int32(0))

    def cells(self, state: EnvState) -> jax.Array:
        """The pixels that are on."""
        return state.image

    def cell(self, state: EnvState) -> jax.Array:
        """The pixel to decide on."""
        return state.pixel

    def state_of(self, instance: jax.Array, cells: jax.Array, cell: jax.Array) -> EnvState:
        """At time 0, with these pixels on and the scan at this one."""
        return EnvState(time=jnp.int32(0), instance=instance, image=cells, pixel=cell)

    def state_space(self, params: EnvParams) -> spaces.Dict:
        """The fields of `EnvState`."""
        image = spaces.Box(0, 1, (self.num_cells,), jnp.bool)
        fields = {"image": image, "pixel": spaces.Discrete(self.num_cells)}
        return spaces.Dict({**super().state_space(params).spaces, **fields})

    # -- law -------------------------------------------------------------------------------------

    def step_env(
        self, key: chex.PRNGKey, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array, dict[Any, Any]]:
        """One step, without auto-reset."""
        state, reward, terminated = self._decide(state, action, params)
        state = dataclasses.replace(state, time=state.time + 1)
        return self.observe(key, state, action, params), state, reward, terminated, {}

    def transitions(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array]:
        """Nothing is left to chance."""
        return only_outcome(*self._decide(state, action, params))

    def _decide(
        self, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[EnvState, jax.Array, jax.Array]:
        """`(state, reward, terminated)` after keeping or flipping the pixel."""
        hidden = self.pattern(state, params)
        flipped = (jnp.arange(self.num_cells, dtype=jnp.int32) == state.pixel) & (action == FLIP)
        flipped &= ~self.is_terminated(state, params)
        image = jnp.where(flipped, ~state.image & hidden, state.image)
        reward, terminated = self.outcome(state.image, image, hidden)
        pixel = (state.pixel + 1) % self.num_cells
        return dataclasses.replace(state, image=image, pixel=pixel), reward, terminated

    # -- completion ------------------------------------------------------------------------------

    def follow(self, completion: jax.Array, state: EnvState, params: EnvParams) -> jax.Array:
        """Flip the pixel where a completion `i32[H * W]` has another."""
        del params
        return (completion[state.pixel] != state.image[state.pixel]).astype(jnp.int32)

    # -- text ------------------------------------------------------------------------------------

    @property
    def template(self) -> Template:
        """The wording at the top of this file."""
        return self._template

    @property
    def action_texts(self) -> tuple[str, ...]:
        """They continue "Answer"."""
        return (" keep", " flip")

    def slots(self, state: EnvState, params: EnvParams) -> jax.Array:
        """The pixels, the one to decide on, and whether that is on."""
        del params
        question = jnp.stack([state.pixel, state.image[state.pixel].astype(jnp.int32)])
        return jnp.concatenate([state.image, question], dtype=jnp.int32)

    def render(self, state: EnvState, params: EnvParams) -> Picture:
        """The picture so far, the hidden one faintly behind it, and the scan's pixel framed."""
        hidden = np.asarray(self.pattern(state, params)).reshape(self.shape)
        return draw_image(np.asarray(state.image).reshape(self.shape), hidden, int(state.pixel))
