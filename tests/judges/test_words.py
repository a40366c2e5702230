"""A language model's verdicts: against every string scored on its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import FrozenLake, InvalidInput
from priors.tiny import naive_scores, tiny_model

from lprl_jax.judges import words
from lprl_jax.judges.words import WordJudge

ENV = FrozenLake("4x4", is_slippery=False)
PARAMS = ENV.sample_params(jax.random.key(0), 3)
CELLS = np.array([0, 5, 10, 14], np.int32)


def states():
    rows = jnp.repeat(jnp.arange(3, dtype=jnp.int32), len(CELLS))
    cells = jnp.tile(jnp.asarray(CELLS), 3)
    return jax.vmap(lambda i, c: ENV.state_at(i, c, PARAMS))(rows, cells)


@pytest.fixture(scope="module")
def judge() -> WordJudge:
    return WordJudge.of_model(tiny_model(), ENV, PARAMS, chunk=5)


@pytest.fixture(scope="module")
def ask(judge: WordJudge):
    """`(params) -> log p(v | s, a) [B, A, 3]`, compiled once."""
    given, every = states(), jnp.ones(12, bool)
    return jax.jit(lambda params: judge.log_probs(params, given, PARAMS, every))


def test_log_probs_are_those_of_separate_strings(judge: WordJudge, ask) -> None:
    given = states()
    texts = [ENV.describe(jax.tree.map(lambda x, i=i: x[i], given), PARAMS) for i in range(12)]
    answers = [a + words.SEPARATOR + w for a in ENV.action_texts for w in words.WORDS]
    scores, _ = naive_scores(judge.model, texts, answers)
    right = jax.nn.log_softmax(scores.reshape(12, ENV.num_actions, 3), axis=-1)
    np.testing.assert_allclose(ask(judge.params), right, atol=1e-4)


def test_a_bias_and_a_threshold_compile_nothing_and_do_what_they_say(judge, ask) -> None:
    plain = np.asarray(ask(judge.params))
    bias = words.bias_of(jnp.asarray(plain), jnp.ones(plain.shape[:2], bool))
    mean = plain.mean(axis=(0, 1))
    np.testing.assert_allclose(bias, mean - mean.mean(), atol=1e-5)
    other = judge.calibrated(bias, 0.4)
    right = jax.nn.log_softmax(plain - np.array(bias)[None, None], axis=-1)
    np.testing.assert_allclose(ask(other.params), right, atol=1e-5)
    assert float(other.params.threshold) == pytest.approx(0.4)


def test_verdicts_by_hand() -> None:
    p = jnp.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.3, 0.25, 0.45]])
    hard = words.verdict_of(jnp.log(p), 0.0, soft=False)
    np.testing.assert_array_equal(hard, [1, 0, -1])
    strict = words.verdict_of(jnp.log(p), 0.5, soft=False)
    np.testing.assert_array_equal(strict, [1, 0, 0])
    soft = words.verdict_of(jnp.log(p), 0.9, soft=True)
    np.testing.assert_allclose(soft, [0.5, -0.1, -0.15], atol=1e-6)


def test_only_what_is_needed_is_run(judge: WordJudge) -> None:
    needed = jnp.array([True, False] * 6)
    keys = jax.random.split(jax.random.key(0), 12)
    asked = judge.params, judge.init(), keys, states(), PARAMS, needed
    found, carry = jax.jit(judge.verdicts)(*asked)
    assert (int(carry.queries), int(carry.evaluations)) == (6, 6)
    assert found.shape == (12, ENV.num_actions)
    assert {*np.asarray(found)[::2].ravel()} <= {-1, 0, 1}


REFUSED = {
    "two words": ({"words": (" good", " bad")}, "right: three"),
    "alike": ({"words": (" good", " goodly", " bad")}, "with the same token"),
    "bias": ({"bias": (0.0, 1.0)}, "bias has 2 numbers"),
    "threshold": ({"threshold": 2}, "threshold is 2"),
    "chunk": ({"chunk": 0}, "chunk is 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    options, message = REFUSED[name]
    with pytest.raises(InvalidInput, match=message):
        WordJudge.of_model(tiny_model(), ENV, PARAMS, **options)
