"""JAX's own random numbers, sooner: the rounds of Threefry, written out.

On CPUs JAX compiles the twenty rounds as a loop. Of many numbers that costs nothing; of the few
that a step of a small learner draws, the loop takes as long as much of a network. Written out, the
rounds are one program. The numbers are JAX's to the bit. Elsewhere JAX writes the rounds out
itself, and nothing is done here.

A compiled function turns the keys that it is given by `written_out`, draws from them by
`jax.random` as from any others, and hands them back, or on to code that it does not know, by
`as_given`: `jax.random.poisson` takes JAX's own keys alone. JAX's check for keys that are used
twice follows a turned key, but not that the given one is used up by turning it.

Reference: Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3, sec. 3 (Threefry-2x32).
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import define_prng_impl

IMPLEMENTATION = "threefry2x32"
"""Whose numbers these are, by JAX's name."""
ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
"""In bits, of a round each, from the start again after eight."""
ROUNDS, ROUNDS_A_KEY = 20, 4
PARITY = np.uint32(0x1BD11BDA)
"""The third word of a key is the exclusive or of its two and of this."""
HALF = np.uint32(32)
FEW = 4
"""Numbers that are made one by one."""

Words = tuple[Any, Any]
"""Two u32 arrays of one shape, or of shapes that broadcast."""


def encipher(key: Words, block: Words) -> Words:
    """The block `u32[...]`, enciphered by the key: numbers that look drawn."""
    words = *key, key[0] ^ key[1] ^ PARITY
    x, y = block[0] + words[0], block[1] + words[1]
    for number in range(1, ROUNDS + 1):
        left = np.uint32(ROTATIONS[(number - 1) % len(ROTATIONS)])
        x += y
        y = x ^ ((y << left) | (y >> (HALF - left)))
        if number % ROUNDS_A_KEY == 0:
            turn = number // ROUNDS_A_KEY
            x += words[turn % 3]
            y += words[(turn + 1) % 3] + np.uint32(turn)
    return x, y


def written_out(tree: Any) -> Any:
    """A tree whose keys are JAX's, of any shape, with keys that draw the same by `encipher`."""
    # Not partitionable, JAX counts blocks in another way.
    if jax.default_backend() != "cpu" or not jax.threefry_partitionable.value:
        return tree
    return _with_keys(tree, IMPLEMENTATION, _WRITTEN_OUT)


def as_given(tree: Any) -> Any:
    """`written_out` undone."""
    return _with_keys(tree, _WRITTEN_OUT, IMPLEMENTATION)


def _with_keys(tree: Any, found: Any, instead: Any) -> Any:
    def turn(leaf: Any) -> Any:
        is_key = jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)
        if not is_key or jax.random.key_impl(leaf) != found:
            return leaf
        return jax.random.wrap_key_data(jax.random.key_data(leaf), impl=instead)

    return jax.tree.map(turn, tree)


def _blocks(key: jax.Array, shape: tuple[int, ...]) -> Words:
    """Of the numbers from 0 on, fewer than 2^32 of them.

    Few are made one by one: of many keys their axis would be the last, and vector instructions take
    that one.
    """
    size = math.prod(shape)
    if 0 < size <= FEW:
        each = [encipher((key[0], key[1]), (np.uint32(0), np.uint32(n))) for n in range(size)]
        high, low = (jnp.stack(words).reshape(shape) for words in zip(*each, strict=True))
        return high, low
    count = jnp.arange(size, dtype=jnp.uint32).reshape(shape)
    return encipher((key[0], key[1]), (jnp.zeros(shape, jnp.uint32), count))


def _seed(seed: jax.Array) -> jax.Array:
    return jax.random.key_data(jax.random.key(seed, impl=IMPLEMENTATION))


def _split(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jnp.stack(_blocks(key, shape), axis=-1)


def _fold_in(key: jax.Array, data: Any) -> jax.Array:
    number = jnp.asarray(data, jnp.uint32)
    return jnp.stack(encipher((key[0], key[1]), (jnp.zeros_like(number), number)))


def _random_bits(key: jax.Array, bit_width: int, shape: tuple[int, ...]) -> jax.Array:
    high, low = _blocks(key, shape)
    if bit_width == 64:
        return (high.astype(jnp.uint64) << 32) | low.astype(jnp.uint64)
    return (high ^ low).astype(f"uint{bit_width}")


_WRITTEN_OUT = define_prng_impl(
    key_shape=(2,),
    seed=_seed,
    split=_split,
    random_bits=_random_bits,
    fold_in=_fold_in,
    name="threefry2x32, written out",
    tag="written out",
)
