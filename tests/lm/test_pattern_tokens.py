"""Patterns as tokens: states, prompts for the whole pattern, and whole patterns, as they read."""

import functools

import jax
import numpy as np
import pytest
from envs.patterns.tools import play
from lprl_envs import ImageCompletion, ObjectArrangement

from lprl_jax.lm import token_table
from lprl_jax.pretraining.tasks import END_OF_ACTION

ENVS = (ImageCompletion("10x10"), ObjectArrangement("8x3"))


@functools.cache
def seen(env):
    """Slots `[B, num_slots]` of states, and patterns `[M, H * W]`."""
    params = env.sample_params(jax.random.key(0), 8)
    states = play(env, params, num_envs=8, num_steps=24, act=0.9)["state"]
    slots = jax.jit(jax.vmap(jax.vmap(lambda state: env.slots(state, params))))(states)
    patterns = np.asarray(params.bank.cells).astype(np.int32)
    return np.asarray(slots).reshape(-1, env.template.num_slots), patterns


@pytest.mark.parametrize("env", ENVS, ids=lambda env: f"{env.name}-{env.size}")
@pytest.mark.parametrize(
    "kind", ["ours", "gpt-2", "llama-2", "llama-3", "qwen-2", "begins", "doubles"]
)
def test_tokens_in_the_graph_equal_the_tokenizers(tokenizer, kind, env):
    slots, patterns = seen(env)
    actions = [text + END_OF_ACTION for text in env.action_texts]
    whole = [env.completion.render(pattern.tolist()) for pattern in patterns]
    for template, rows, answers in (
        (env.template, slots, actions),
        (env.completion_prompt, slots, whole),
        (env.completion, patterns, []),
    ):
        table = token_table.compile(template, answers, tokenizer(kind))
        tokens, valid = map(np.asarray, jax.jit(jax.vmap(table.render))(rows))
        expected = tokenizer(kind)([template.render(row.tolist()) for row in rows])["input_ids"]
        found = [row[mask].tolist() for row, mask in zip(tokens, valid, strict=True)]
        assert found == expected
        assert valid[:, -1].all()  # where the answer is read out
