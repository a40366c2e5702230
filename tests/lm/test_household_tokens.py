"""Household's texts, token by token, for tokenizers as they are published."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import Household

from lprl_jax.lm import token_table
from lprl_jax.pretraining.tasks import END_OF_ACTION

NUM_ROOMS, NUM_STEPS = 8, 40


@functools.cache
def met(room):
    """An environment, and the slots of states that random legal actions meet."""
    env = Household(room)
    params = env.sample_params(jax.random.key(1), NUM_ROOMS)

    def step(state, key):
        mask = env.action_mask(state, params)
        action = jax.random.categorical(key, jnp.where(mask, 0.0, -jnp.inf))
        return env.step_env(key, state, action, params)[1], env.slots(state, params)

    def play(instance, key):
        start = env.initial_state(key, instance, params)
        return jax.lax.scan(step, start, jax.random.split(key, NUM_STEPS))[1]

    keys = jax.random.split(jax.random.key(2), NUM_ROOMS)
    slots = jax.jit(jax.vmap(play))(jnp.arange(NUM_ROOMS, dtype=jnp.int32), keys)
    return env, np.asarray(slots).reshape(NUM_ROOMS * NUM_STEPS, -1)


@pytest.mark.parametrize(
    ("kind", "room"),
    [
        ("ours", "kitchen-small"),
        ("gpt-2", "bedroom"),
        ("llama-2", "bathroom"),
        ("llama-3", "kitchen-small"),
        ("qwen-2", "livingroom"),
        ("begins", "bathroom"),
        ("doubles", "bedroom"),
    ],
)
def test_tokens_in_the_graph_equal_the_tokenizers(tokenizer, kind, room):
    env, slots = met(room)
    answers = [text + END_OF_ACTION for text in env.action_texts]
    table = token_table.compile(env.template, answers, tokenizer(kind))
    tokens, valid = map(np.asarray, jax.jit(jax.vmap(table.render))(slots))
    texts = [env.template.render(row.tolist()) for row in slots]
    expected = tokenizer(kind)(texts)["input_ids"]
    assert [row[mask].tolist() for row, mask in zip(tokens, valid, strict=True)] == expected
    for answer, ids in zip(answers, table.answers, strict=True):
        assert tokenizer(kind).encode(texts[-1] + answer) == expected[-1] + list(ids)
