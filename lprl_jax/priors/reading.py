"""How a model reads a world's states: their instances' texts once, and then what differs.

What the states of an instance share is run through the model beforehand and kept as keys and
values; a state's own text stands behind that. What is to be said of it, actions or a whole pattern,
is another's business.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import TextEnv, TextEnvParams
from lprl_envs.short_repr import short_repr

from lprl_jax import memory
from lprl_jax.lm import decoder, token_table
from lprl_jax.lm.decoder import DecoderConfig, KeyValues
from lprl_jax.lm.token_table import TokenTable
from lprl_jax.priors.options import Prompt, render_bank

INSTANCES = 16
"""Texts that are run at a time when those of many instances are encoded."""
STATES = 4_096
"""States that are rendered at a time when the longest is looked for."""


class Prefix(NamedTuple):
    """Keys and values of the texts of M instances, which begin alike."""

    shared: KeyValues
    """`[L, C, K, H]`: of what they begin with; a long wording is there once."""
    own: KeyValues
    """`[L, M, P - C, K, H]`: of the rest of each."""


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Width:
    """Columns that a bank's states are read in; part of a program's shape, as an array's is."""

    columns: int
    """Enough for the longest text of a state."""


@dataclasses.dataclass(frozen=True, eq=False)
class Reader:
    """An environment's states as one model reads them."""

    __repr__ = short_repr

    env: TextEnv[Any, Any]
    """Writes the texts."""
    config: DecoderConfig
    """Of the model."""
    prompt: Prompt
    """How a state reads: with the slots of the environment's own template."""
    table: TokenTable
    """The prompt's template for the model's tokenizer."""

    @property
    def begins_with(self) -> int:
        """C: tokens that all texts of all instances begin with, whatever their slots hold."""
        literal = self.table.suffix.slot[-1]  # the last segment is one
        return int(np.cumprod(self.table.prefix.slot == literal).sum())

    def render(self, env_params: TextEnvParams) -> tuple[jax.Array, jax.Array]:
        """Tokens `i32[M, P]` and validity of every instance's text."""
        return render_bank(self.table, self.env, env_params)

    def measure(self, env_params: TextEnvParams) -> Width:
        """The width of a bank's states, each of which is looked at.

        A template has a column for every token that a slot may have, and few states have them all.
        Where states are not numbered, and where none is shorter, all columns are kept.
        """
        suffix, env = self.table.suffix, self.env
        sizes = [*(len(slot.values) for slot in self.prompt.template.slots), 1]
        columns = zip(suffix.valid, suffix.slot, strict=True)
        if env.num_states is None or all(row[: sizes[slot]].all() for row, slot in columns):
            return Width(len(suffix.slot))
        num_instances = jax.tree.leaves(env_params.bank)[0].shape[0]
        longest = _longest(self, env.num_states, num_instances, env_params)
        return Width(int(longest))

    @functools.cached_property
    def _lengths(self) -> np.ndarray:
        """i32[num_slots + 1, max_values]: tokens of a slot's values; the last row is literals."""
        suffix = self.table.suffix
        lengths = np.zeros((len(self.prompt.template.slots) + 1, suffix.valid.shape[1]), np.int32)
        np.add.at(lengths, suffix.slot, suffix.valid)
        return lengths

    @property
    def shortest(self) -> int:
        """Columns that the text of any state fills."""
        sizes = [*(len(slot.values) for slot in self.prompt.template.slots), 1]
        return sum(int(row[:size].min()) for row, size in zip(self._lengths, sizes, strict=True))

    def lengths_of(self, slots: jax.Array) -> jax.Array:
        """`i32[B]`: tokens behind the instance's text, of slots `i32[B, num_slots]`."""
        of_slots, literals = self._lengths[:-1], int(self._lengths[-1, 0])
        number = np.arange(len(of_slots))[None]
        return literals + jnp.sum(jnp.asarray(of_slots)[number, slots], axis=1)

    def encode(self, weights: Any, tokens: jax.Array, valid: jax.Array) -> Prefix:
        """Keys and values of texts `[M, P]`, some of them at a time.

        As `decoder.encode_prefix`; attention scores `[M, heads, P, P]` are of a chunk only.
        """
        common = self.begins_with
        return _encode(self.config, min(INSTANCES, len(tokens)), common, weights, tokens, valid)

    def keep(self, weights: Any, tokens: jax.Array, valid: jax.Array) -> Prefix:
        """As `encode`, on the host.

        Raises:
            InvalidInput: if they take more memory than there is.
        """
        kept = jax.eval_shape(self.encode, weights, tokens, valid)
        size = {"instances": valid.shape[0]}
        part = memory.Part(("instances",), memory.num_bytes(kept))
        memory.require("keys and values of their texts", [part], size)
        return self.encode(weights, tokens, valid)

    def read_states(
        self, states: Any, env_params: Any, width: Width | None = None
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """What B states read behind their instance's text, in so many columns.

        Args:
            states: B of them.
            env_params: Of the environment.
            width: What `measure` found for the bank; all columns, where it is not given.

        Returns:
            Tokens `i32[B, T]` and validity `bool[B, T]`, the last column valid; and `bool[B]`,
            whether a text is not cut, as it is if it is longer than all that were measured.
        """
        return self.read_slots(self.slots_of(states, env_params), width)

    def slots_of(self, states: Any, env_params: Any) -> jax.Array:
        """`i32[B, num_slots]` of B states."""
        return jax.vmap(self.env.slots, in_axes=(0, None))(states, env_params)

    def read_slots(
        self, slots: jax.Array, width: Width | None = None
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """As `read_states`, of slots `i32[B, num_slots]`, whether or not a state has them."""
        tokens, valid = jax.vmap(self.table.suffix.render)(slots)
        if width is None or width.columns >= tokens.shape[1]:
            return tokens, valid, jnp.ones(len(tokens), bool)
        compact = functools.partial(token_table.compact_right, width=width.columns)
        return *jax.vmap(compact)(tokens, valid), jnp.sum(valid, axis=1) <= width.columns


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _longest(reader: Reader, num_states: int, num_instances: int, env_params: Any) -> jax.Array:
    """Of all states of a bank, the largest number of tokens."""

    def length(place: jax.Array) -> jax.Array:
        state = reader.env.state_at(place // num_states, place % num_states, env_params)
        return jnp.sum(reader.table.suffix.render(reader.env.slots(state, env_params))[1])

    places = jnp.arange(num_instances * num_states, dtype=jnp.int32)
    return jnp.max(jax.lax.map(length, places, batch_size=min(STATES, len(places))))


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _encode(
    config: DecoderConfig,
    chunk: int,
    common: int,
    weights: Any,
    tokens: jax.Array,
    valid: jax.Array,
) -> Prefix:
    """See `Reader.encode`; the first `common` tokens are those of all."""
    count = len(tokens)
    begin = decoder.encode_prefix(config, weights, tokens[:1, :common], valid[:1, :common])
    shared = jax.tree.map(lambda x: x[:, 0], begin)
    rows = [jnp.pad(x[:, common:], [(0, -count % chunk), (0, 0)]) for x in (tokens, valid)]
    rows = [x.reshape(len(x) // chunk, chunk, x.shape[1]) for x in rows]
    encode = functools.partial(decoder.encode_prefix, config, weights)
    found = jax.lax.map(lambda x: encode(x[0], x[1], shared), rows)

    def join(x: jax.Array) -> jax.Array:
        x = jnp.moveaxis(x, 0, 1)  # layers first
        return x.reshape(x.shape[0], len(x[0]) * chunk, *x.shape[3:])[:, :count]

    return Prefix(shared, jax.tree.map(join, found))
