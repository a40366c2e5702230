"""What the proof of a table demands of a tokenizer, states need: no join that none of them shows.

A tokenizer may merge whatever it likes that no text holds (",," say), and must not be refused for
it. So every kind of join that `token_table.compile` proves is one that some state shows.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import (
    BlocksWorld,
    BlocksWorldSubgoals,
    CartPole,
    CubeStacking,
    FrozenLake,
    ImageCompletion,
    KeyRooms,
    ObjectArrangement,
    Pendulum,
)

from lprl_jax.lm import token_table

WORLDS = [
    FrozenLake("4x4"),
    CubeStacking(3),
    BlocksWorld(3),
    BlocksWorldSubgoals(3),
    ImageCompletion("3x3"),
    ObjectArrangement("3x3"),
    KeyRooms(2),
    CartPole(),
    Pendulum(),
]
NUM_INSTANCES = 32


def kind(character: str) -> str:
    """Letters are alike to a tokenizer, so are digits; every other character is its own kind."""
    return "letter" if character.isalpha() else "digit" if character.isdigit() else character


def kinds(pairs) -> set[tuple[str, str]]:
    return {(kind(left[-1]), kind(right[0])) for left, right in pairs}


def shown(env) -> set[tuple[str, str]]:
    """Kinds of joins in the texts of states that random legal actions meet."""
    params = env.sample_params(jax.random.key(1), NUM_INSTANCES)

    def walk(key, instance):
        def step(state, key):
            legal = jnp.where(env.action_mask(state, params), 0.0, -jnp.inf)
            action = jax.random.categorical(key, legal)
            return env.step_env(key, state, action, params)[1], env.slots(state, params)

        start = env.initial_state(key, instance, params)
        return jax.lax.scan(step, start, jax.random.split(key, 8))[1]

    keys = jax.random.split(jax.random.key(0), NUM_INSTANCES)
    slots = np.asarray(jax.jit(jax.vmap(walk))(keys, jnp.arange(NUM_INSTANCES)))
    found = set()
    for row in slots.reshape(-1, slots.shape[-1]):
        values = iter(row.tolist())
        pieces = [
            segment.values[next(values)] if hasattr(segment, "values") else segment.text
            for segment in env.template.segments
        ]
        found |= kinds(itertools.pairwise(piece for piece in pieces if piece))
    return found


@pytest.mark.parametrize("env", WORLDS, ids=lambda env: env.name)
def test_every_kind_of_join_that_is_proven_is_shown(env, monkeypatch):
    demanded = []
    monkeypatch.setattr(
        token_table.Encoder, "prove", lambda self, pairs, at_start=False: demanded.extend(pairs)
    )
    token_table._prove_pairs(object.__new__(token_table.Encoder), env.template.segments)
    assert demanded
    assert kinds(demanded) <= shown(env)
