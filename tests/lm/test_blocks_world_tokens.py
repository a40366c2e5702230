"""Blocks World's tokens in the graph equal the tokenizer's, for pre-tokenizers as published."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import BlocksWorld, BlocksWorldSubgoals

from lprl_jax.lm import token_table
from lprl_jax.pretraining.tasks import END_OF_ACTION

KINDS = ("ours", "gpt-2", "llama-2", "llama-3", "qwen-2", "begins", "doubles")
NUM_INSTANCES, NUM_STEPS = 16, 8


@functools.cache
def walked(n):
    """Slots `[N, num_slots]` of states on random walks, with their texts."""
    env = BlocksWorld(n)
    params = env.sample_params(jax.random.key(n), NUM_INSTANCES)

    def walk(key, instance):
        def step(state, key):
            legal = jnp.where(env.action_mask(state, params), 0.0, -jnp.inf)
            action = jax.random.categorical(key, legal)
            return env.step_env(key, state, action, params)[1], env.slots(state, params)

        start = env.initial_state(key, instance, params)
        return jax.lax.scan(step, start, jax.random.split(key, NUM_STEPS))[1]

    keys = jax.random.split(jax.random.key(0), NUM_INSTANCES)
    slots = np.asarray(jax.jit(jax.vmap(walk))(keys, jnp.arange(NUM_INSTANCES)))
    slots = slots.reshape(NUM_INSTANCES * NUM_STEPS, -1)
    return slots, [env.template.render(row.tolist()) for row in slots]


@functools.cache
def compiled(tokenizer, kind, n):
    """The text's table, behind it the actions of both environments: one text, so one proof."""
    actions = (*BlocksWorld(n).action_texts, *BlocksWorldSubgoals(n).action_texts)
    answers = [text + END_OF_ACTION for text in actions]
    return answers, token_table.compile(BlocksWorld(n).template, answers, tokenizer(kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [4, 12])
def test_tokens_in_the_graph_equal_the_tokenizers(tokenizer, kind, n):
    env, (slots, texts) = BlocksWorld(n), walked(n)
    answers, table = compiled(tokenizer, kind, n)
    tokens, valid = map(np.asarray, jax.jit(jax.vmap(table.render))(slots))
    ours = [row[mask].tolist() for row, mask in zip(tokens, valid, strict=True)]
    assert ours == tokenizer(kind)(texts)["input_ids"]
    for action in (0, n, 2 * n, env.num_actions - 1):
        whole = tokenizer(kind).encode(texts[0] + answers[action])
        assert whole == ours[0] + list(table.answers[action])


@pytest.mark.parametrize("kind", KINDS)
def test_sub_goals_continue_the_same_text(tokenizer, kind):
    env, (slots, texts) = BlocksWorldSubgoals(12), walked(12)
    assert env.template == BlocksWorld(12).template
    answers, table = compiled(tokenizer, kind, 12)
    answers, own = answers[-env.num_actions :], table.answers[-env.num_actions :]
    tokens, valid = map(np.asarray, jax.jit(table.render)(slots[0]))
    whole = tokenizer(kind)([texts[0] + answer for answer in answers])["input_ids"]
    assert whole == [tokens[valid].tolist() + list(answer) for answer in own]
