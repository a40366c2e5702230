"""What image completion and object arrangement share: a hidden pattern that is found cell by cell.

An instance is a pattern, bool[H * W]. A state shows which cells are on, and asks about one cell.
The pattern itself stands in no observation and in no text: it has to be guessed.

* Reward: the change in the number of correct cells, divided by H * W, and 1 on completing.
* The episode ends when the cells equal the pattern; nothing changes after that.

Both implement `completion.Completable`: a language model may be asked for the whole pattern.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import chex
import jax
import jax.numpy as jnp
from flax import struct

from lprl_envs.banks import made_once
from lprl_envs.observations import require_mode
from lprl_envs.patterns.bank import Patterns, bank, draw_patterns, is_held_out, parse_size
from lprl_envs.patterns.shapes import FAMILIES, HELD_OUT_FAMILIES
from lprl_envs.patterns.text import completion_prompt, completion_template
from lprl_envs.template import Template
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import TextEnvParams, TextEnvState

NUMBERED_CELLS = 9
"""States are numbered on grids of so many cells at most: 9 * 2^9 = 4,608 of them."""


@struct.dataclass(kw_only=True)
class EnvParams(TextEnvParams):
    """`bank` is a `Patterns`."""


TState = TypeVar("TState", bound=TextEnvState)


class PatternEnv(TextEnv[TState, EnvParams]):
    """A hidden pattern on a grid of H x W cells; arguments as its two subclasses say."""

    version = 2
    families = tuple(FAMILIES)
    held_out_families = HELD_OUT_FAMILIES
    held_out_as = "content"

    presets: ClassVar[dict[str, tuple[str, ...]]]
    """Default patterns, by size; other sizes have a random one."""
    largest: ClassVar[int]
    """Most rows and columns."""
    steps_per_cell: ClassVar[int]
    """The time limit is so many times H * W steps."""
    accepted_percent: ClassVar[int]
    """A completion passes with more of its cells right than this."""
    whole: ClassVar[str]
    """The words that ask for the whole pattern: the end of the completion's prompt."""

    def __init__(self, size: str, observation: str = "features"):
        self.shape = parse_size(size, self.largest)
        self.size = size
        self.observation = observation
        self.config = (size, observation)
        limit = f"needs {NUMBERED_CELLS} cells or fewer, the size is {size}; use features or tokens"
        require_mode(observation, self.num_states is not None, limit)

    @property
    def num_cells(self) -> int:
        """H * W."""
        return self.shape[0] * self.shape[1]

    @property
    def num_actions(self) -> int:
        """Leave the cell as it is, or act on it."""
        return 2

    # -- states ----------------------------------------------------------------------------------

    @abc.abstractmethod
    def cells(self, state: TState) -> jax.Array:
        """`bool[H * W]`: the cells that are on."""

    @abc.abstractmethod
    def cell(self, state: TState) -> jax.Array:
        """`i32[]`: the cell in question."""

    @abc.abstractmethod
    def state_of(self, instance: jax.Array, cells: jax.Array, cell: jax.Array) -> TState:
        """The state at time 0 with these cells on and this cell in question."""

    def pattern(self, state: TState, params: EnvParams) -> jax.Array:
        """`bool[H * W]`: the hidden pattern."""
        return params.bank.cells[state.instance]

    def is_terminated(self, state: TState, params: EnvParams) -> jax.Array:
        """Whether the pattern is complete."""
        return jnp.all(self.cells(state) == self.pattern(state, params))

    def is_solved(self, state: TState, params: EnvParams) -> jax.Array:
        """Whether the pattern is complete."""
        return self.is_terminated(state, params)

    def outcome(
        self, before: jax.Array, after: jax.Array, pattern: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """`(reward f32[], terminated bool[])` of a step from cells to cells, `bool[H * W]`."""
        right_before, right = jnp.sum(before == pattern), jnp.sum(after == pattern)
        complete = right == self.num_cells
        bonus = complete & (right_before < self.num_cells)
        reward = (right - right_before) / self.num_cells + bonus
        return reward.astype(jnp.float32), complete

    def action_mask(self, state: TState, params: EnvParams) -> jax.Array:
        """Both actions are always legal."""
        del state, params
        return jnp.ones(2, bool)

    @property
    def num_states(self) -> int | None:
        """Any cells on and any in question; None on grids of more than 9 cells."""
        return self.num_cells * 2**self.num_cells if self.num_cells <= NUMBERED_CELLS else None

    def state_index(self, state: TState, params: EnvParams) -> jax.Array:
        """The cells that are on as bits, times H * W, and the cell in question."""
        if self.num_states is None:
            return super().state_index(state, params)
        bits = jnp.sum(
            self.cells(state) << jnp.arange(self.num_cells, dtype=jnp.int32), dtype=jnp.int32
        )
        return bits * self.num_cells + self.cell(state)

    def state_at(
        self, instance: jax.Array | int, index: jax.Array | int, params: EnvParams
    ) -> TState:
        """The state of that index; patterns aside, so that some are never reached."""
        if self.num_states is None:
            return super().state_at(instance, index, params)
        bits, cell = jnp.divmod(jnp.int32(index), self.num_cells)
        cells = (bits >> jnp.arange(self.num_cells, dtype=jnp.int32)) % 2 == 1
        return self.state_of(jnp.int32(instance), cells, cell)

    @property
    def num_features(self) -> int:
        """Row, column and state of the cell in question, and all cells."""
        return 3 + self.num_cells

    def features(self, state: TState, params: EnvParams) -> jax.Array:
        """As the class says; the paper's observation, scaled."""
        del params
        cell, cells = self.cell(state), self.cells(state)
        row, col = jnp.divmod(cell, self.shape[1])
        place = jnp.stack([row / (self.shape[0] - 1), col / (self.shape[1] - 1), cells[cell]])
        return jnp.concatenate([place, cells], dtype=jnp.float32)

    # -- instances -------------------------------------------------------------------------------

    @property
    @made_once
    def default_params(self) -> EnvParams:
        """The paper's pattern at the paper's size, otherwise one random pattern."""
        if self.size in self.presets:
            return self.params_of([self.presets[self.size]])
        return self.sample_params(jax.random.key(0), 1)

    def params_of(self, instances: Sequence[Any]) -> EnvParams:
        """Parameters with these patterns (lists of rows such as `"#..#"`) as the bank.

        Raises:
            InvalidInput: if a pattern has another size or character, or is empty or full.
        """
        return self._params(bank(instances, self.shape, self.largest))

    def sample_params(
        self,
        key: chex.PRNGKey,
        num_instances: int,
        split: str | None = None,
        families: Sequence[str] = (),
    ) -> EnvParams:
        """A bank of random patterns, drawn in the graph.

        Args:
            key: Random key.
            num_instances: M.
            split: `"train"`, `"held-out"`, or None for both.
            families: Names of those to draw from, which are equally likely; none means all that
                fit the size, without those held out where a split is named.

        Raises:
            InvalidInput: if an argument is out of range, or no pattern of that size is in the
                split.
        """
        drawn = draw_patterns(key, num_instances, self.shape, split, families, self.name)
        return self._params(drawn)

    def _params(self, patterns: Patterns) -> EnvParams:
        return EnvParams.of_all(patterns, limit=self.steps_per_cell * self.num_cells)

    def identity(self, instance: Any) -> jax.Array:
        """The cells of the pattern."""
        return instance.cells

    def held_out(self, instance: Any) -> jax.Array:
        """Every frame, and one in five of the other patterns, with its mirror images."""
        return is_held_out(instance.cells.reshape(self.shape))

    # -- completion ------------------------------------------------------------------------------

    @property
    def completion_prompt(self) -> Template:
        """The state's text, asking for the whole pattern."""
        return completion_prompt(self.template, self.whole)

    @property
    def completion(self) -> Template:
        """A slot a cell, row by row: 0 off, 1 on."""
        return completion_template(self.shape)

    def target(self, instance: jax.Array, params: EnvParams) -> jax.Array:
        """`i32[H * W]`: the instance's pattern."""
        return params.bank.cells[instance].astype(jnp.int32)

    def revealed(self, state: TState, params: EnvParams) -> jax.Array:
        """`f32[]`: how many of the pattern's ones are on."""
        pattern = self.pattern(state, params)
        return jnp.sum(self.cells(state) & pattern, dtype=jnp.float32) / jnp.sum(pattern)

    def accepts(self, completion: jax.Array, state: TState, params: EnvParams) -> jax.Array:
        """`bool[]`: whether more than `accepted_percent` of the cells are right."""
        right = jnp.sum(completion == self.target(state.instance, params))
        return 100 * right > self.accepted_percent * self.num_cells

    def question(self, state: TState, params: EnvParams) -> TState:
        """The same cells at time 0, with the first one in question."""
        del params
        return self.state_of(state.instance, self.cells(state), jnp.int32(0))

    @abc.abstractmethod
    def follow(self, completion: jax.Array, state: TState, params: EnvParams) -> jax.Array:
        """`i32[]`: the action on the cell in question by a completion, as of `target`."""
