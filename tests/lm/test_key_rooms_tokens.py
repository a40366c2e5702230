"""KeyRooms' texts, token by token, for tokenizers as they are published."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import KeyRooms

from lprl_jax.lm import token_table
from lprl_jax.pretraining.tasks import END_OF_ACTION

NUM_STATES = 256


@pytest.fixture(scope="module", params=[2, 3, 6])
def some(request):
    """An environment, and the slots of states of some instances."""
    env = KeyRooms(request.param, 2)
    params = env.sample_params(jax.random.key(1), 4)

    def slots(i):
        return env.slots(env.state_at(i % 4, (7 * i) % env.num_states, params), params)

    return env, np.asarray(jax.jit(jax.vmap(slots))(jnp.arange(NUM_STATES)))


@pytest.mark.parametrize(
    "kind", ["ours", "gpt-2", "llama-2", "llama-3", "qwen-2", "begins", "doubles"]
)
def test_tokens_in_the_graph_equal_the_tokenizers(tokenizer, kind, some):
    env, slots = some
    answers = [text + END_OF_ACTION for text in env.action_texts]
    table = token_table.compile(env.template, answers, tokenizer(kind))
    tokens, valid = map(np.asarray, jax.jit(jax.vmap(table.render))(slots))
    texts = [env.template.render(row.tolist()) for row in slots]
    expected = tokenizer(kind)(texts)["input_ids"]
    assert [row[mask].tolist() for row, mask in zip(tokens, valid, strict=True)] == expected
    for answer, ids in zip(answers, table.answers, strict=True):
        assert tokenizer(kind).encode(texts[-1] + answer) == expected[-1] + list(ids)
