"""Which question a state asks, as a number; and a memory of what was answered to it.

A question is what a model reads (the slots of the completion prompt) and the instance it is of. It
is told apart by a hash of 64 bits, and its key is drawn from that: so an answer is frozen, and no
table of all questions is needed.

The memory is a table a run, directly mapped: a question has one cell, and what stood there before
is forgotten. Read it before it is written in a step, or XLA copies it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs.banks import content_hash

from lprl_jax.completers.base import Answers

_OTHER = 0x5BD1E995
"""Flips bits of what the second word is taken of, so that it is another hash."""


class Memory(NamedTuple):
    """Answers of R runs, in C cells each."""

    tag: jax.Array
    """u32[R, C, 2]: the question's hash; 0 in a cell that is free."""
    completion: jax.Array
    """u16[R, C, S]"""
    readable: jax.Array
    """bool[R, C]"""


def prompt_hash(env: Any, states: Any, env_params: Any) -> jax.Array:
    """`u32[..., 2]`: which question each state asks; never 0 in both words.

    Args:
        env: A `TextEnv` that is `Completable`.
        states: `[...]` of them.
        env_params: Of the environment, unbatched.
    """

    def one(state: Any) -> jax.Array:
        slots = env.slots(env.question(state, env_params), env_params)
        return hash_of(jnp.append(slots, state.instance))

    each = one
    for _ in states.instance.shape:
        each = jax.vmap(each)
    return each(states)


def hash_of(numbers: jax.Array) -> jax.Array:
    """`u32[2]` of `i32[n]`; never 0 in both."""
    numbers = numbers.astype(jnp.uint32)
    words = jnp.stack([content_hash(numbers), content_hash(numbers ^ jnp.uint32(_OTHER))])
    return jnp.where(jnp.any(words > 0), words, jnp.uint32(1))


def question_keys(keys: chex.PRNGKey, hashes: jax.Array) -> chex.PRNGKey:
    """`[B]`: a key for each row's question, of `keys [B]` and `hashes u32[B, 2]`."""

    def one(key: chex.PRNGKey, words: jax.Array) -> chex.PRNGKey:
        return jax.random.fold_in(jax.random.fold_in(key, words[0]), words[1])

    return jax.vmap(one)(keys, hashes)


def empty(num_runs: int, size: int, num_slots: int) -> Memory:
    """Nothing was answered yet.

    Args:
        num_runs: R.
        size: C; a run remembers no more than so many answers.
        num_slots: S, of a completion, each of whose values is below 2^16.
    """
    return Memory(
        jnp.zeros((num_runs, size, 2), jnp.uint32),
        jnp.zeros((num_runs, size, num_slots), jnp.uint16),
        jnp.zeros((num_runs, size), bool),
    )


def look_up(memory: Memory, hashes: jax.Array) -> tuple[jax.Array, Answers]:
    """What is remembered of questions `u32[R, N, 2]`.

    Returns:
        `bool[R, N]`, whether a question's answer is known; and the answers `[R, N]`, which mean
        nothing where it is not.
    """

    def of_run(own: Memory, hashes: jax.Array) -> tuple[jax.Array, Answers]:
        cell = _cell(own, hashes)
        known = jnp.all(own.tag[cell] == hashes, axis=-1)
        completion = own.completion[cell].astype(jnp.int32)
        return known, Answers(completion, known & own.readable[cell])

    return jax.vmap(of_run)(memory, hashes)


def store(memory: Memory, hashes: jax.Array, answers: Answers, mask: jax.Array) -> Memory:
    """Remember answers `[R, N]` to questions `u32[R, N, 2]`, where `mask bool[R, N]`.

    Where several rows of a run have one cell, the last of them is kept.
    """

    def of_run(own: Memory, hashes: jax.Array, answers: Answers, mask: jax.Array) -> Memory:
        cell = _cell(own, hashes)
        row = jnp.arange(len(cell), dtype=jnp.int32)
        # Whoever wins is chosen beforehand: the order of a scatter's duplicates is not defined.
        later = (cell[:, None] == cell[None]) & mask[None] & (row[:, None] < row[None])
        wins = mask & ~jnp.any(later, axis=1)
        place = jnp.where(wins, cell, own.tag.shape[0])
        new = Memory(hashes, answers.completion.astype(jnp.uint16), answers.readable)
        return jax.tree.map(lambda old, x: old.at[place].set(x, mode="drop"), own, new)

    return jax.vmap(of_run)(memory, hashes, answers, mask)


def _cell(own: Memory, hashes: jax.Array) -> jax.Array:
    """`i32[N]`: where the answers to questions `u32[N, 2]` stand, of one run."""
    return (hashes[:, 0] % jnp.uint32(own.tag.shape[0])).astype(jnp.int32)
