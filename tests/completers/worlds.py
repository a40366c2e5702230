"""The three worlds with a pattern, states of theirs, and how a completer is asked about them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import FAST_TO_COMPILE
from lprl_envs import CubeStacking, ImageCompletion, ObjectArrangement

CUBES, OBJECTS, IMAGE = CubeStacking(8), ObjectArrangement("5x5"), ImageCompletion("10x10")
WORLDS = pytest.mark.parametrize("env", [CUBES, OBJECTS, IMAGE], ids=["cubes", "objects", "image"])


def shown(env, params, counts, instance=0, place=0):
    """States of an instance that show so many elements of its pattern, the first ones."""
    if isinstance(env, CubeStacking):
        return jax.vmap(lambda i: env.state_at(instance, i, params))(jnp.asarray(counts))
    pattern = np.asarray(params.bank.cells[instance])
    cells = pattern & (np.cumsum(pattern)[None] <= np.asarray(counts)[:, None])
    rows = jnp.full(len(cells), instance, jnp.int32), jnp.asarray(cells)
    return jax.vmap(env.state_of)(*rows, jnp.full(len(cells), place, jnp.int32))


def keys_of(num, seed=0):
    return jax.random.split(jax.random.key(seed), num)


def ask(completer, params, states, keys, needed=None):
    """Answers and counters."""
    needed = jnp.ones(len(states.time), bool) if needed is None else jnp.asarray(needed)
    run = jax.jit(completer.complete, compiler_options=FAST_TO_COMPILE)
    return run(completer.params, completer.init(), keys, states, params, needed)


def accepted(env, params, states, answers):
    """`bool[B]`"""
    passes = jax.vmap(env.accepts, (0, 0, None))(answers.completion, states, params)
    return np.asarray(passes & answers.readable)


def refusal(error):
    """The message, which is one line."""
    assert "\n" not in str(error.value)
    return str(error.value)
