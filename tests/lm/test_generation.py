"""Writing token by token: equal to running the whole text again for every token."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lprl_jax.lm import decoder, generation
from lprl_jax.lm.generation import Behind

NAME = "grouped-tied"
NUM = 5

plain_logits = jax.jit(decoder.logits, static_argnums=0)


@pytest.fixture(scope="module")
def texts():
    """Three texts, as `(tokens, valid)` with holes, the last column valid."""
    rng = np.random.default_rng(0)
    valid = rng.random((3, 7)) < 0.6
    valid[:, -1] = True
    return rng.integers(0, 61, valid.shape).astype(np.int32), valid


def write(tiny, texts, choose, seed=0):
    model = tiny(NAME)[0]
    keys = jax.random.split(jax.random.key(seed), 3)
    run = jax.jit(generation.generate, static_argnums=(0, 5, 6))
    return np.asarray(run(model.config, model.params, *texts, keys, NUM, choose)), keys


def logits_of(model, text):
    """After the last token of a plain text."""
    padded = np.zeros((1, 16), np.int32)
    padded[0, : len(text)] = text
    return plain_logits(model.config, model.params, padded)[0, len(text) - 1]


def test_greedy_is_the_most_likely_token_of_the_text_so_far(tiny, texts):
    written, _ = write(tiny, texts, generation.greedy)
    assert written.shape == (3, NUM)
    assert written.dtype == np.int32
    for tokens, valid, tail in zip(*texts, written, strict=True):
        text = tokens[valid].tolist()
        for token in tail.tolist():
            assert token == int(jnp.argmax(logits_of(tiny(NAME)[0], text)))
            text.append(token)


def test_draws_are_those_of_softmax_with_a_temperature(tiny, texts):
    written, keys = write(tiny, texts, generation.sampled(2.0))
    for tokens, valid, tail, key in zip(*texts, written, keys, strict=True):
        text = tokens[valid].tolist()
        for token, step_key in zip(tail.tolist(), jax.random.split(key, NUM), strict=True):
            logits = logits_of(tiny(NAME)[0], text) / 2.0
            assert token == int(jax.random.categorical(step_key, logits))
            text.append(token)
    assert (write(tiny, texts, generation.sampled(2.0), seed=1)[0] != written).any()


ROWS = {"one prefix": [0, 0, 0], "prefixes": [1, 0, 1]}


@pytest.mark.parametrize("rows", list(ROWS.values()), ids=list(ROWS))
def test_samples_behind_kept_prefixes_are_those_behind_whole_texts(tiny, texts, rows):
    """Each of k samples with its own key, token for token."""
    model, k = tiny(NAME)[0], 2
    rng = np.random.default_rng(1)
    before = rng.integers(0, 61, (1 + max(rows), 4)).astype(np.int32)
    there = np.ones(before.shape, bool)
    there[:, 0] = [True, False][: len(before)]
    keys = jax.random.split(jax.random.key(2), (len(rows), k))
    choose = generation.sampled(2.0)

    @jax.jit
    def both(params, before, there):
        kept = decoder.encode_prefix(model.config, params, before, there)
        behind = Behind(kept, there, jnp.array(rows))
        own = generation.sample(model.config, params, behind, *texts, keys, NUM, choose)
        whole = [
            jnp.concatenate([x[jnp.array(rows)], y], 1)
            for x, y in zip((before, there), texts, strict=True)
        ]
        plain = [
            generation.generate(model.config, params, *whole, keys[:, i], NUM, choose)
            for i in range(k)
        ]
        return own, jnp.stack(plain, axis=1)

    own, plain = both(model.params, before, there)
    np.testing.assert_array_equal(own, plain)
    assert (own[:, 0] != own[:, 1]).any()


def test_an_end_is_repeated_and_stops_the_loop(tiny, texts):
    """What stands before it is what is written without ends."""
    model = tiny(NAME)[0]
    keys = jax.random.split(jax.random.key(3), (3, 2))
    behind = Behind(*decoder.no_prefix(model.config), jnp.zeros(3, jnp.int32))

    @jax.jit
    def run(params, ends):
        given = model.config, params, behind, *texts, keys, NUM, generation.sampled(2.0)
        return generation.sample(*given), generation.sample(*given, ends)

    for is_end in (lambda token: token % 3 == 0, lambda token: token >= 0):
        ends = is_end(np.arange(61))
        plain, ended = map(np.asarray, run(model.params, ends))
        for left, right in zip(plain.reshape(-1, NUM), ended.reshape(-1, NUM), strict=True):
            over = np.flatnonzero(ends[left])
            last = over[0] if len(over) else NUM - 1
            np.testing.assert_array_equal(left[: last + 1], right[: last + 1])
            assert (right[last + 1 :] == right[last]).all()
    assert (ended == plain[:, :, :1]).all()


def nucleus(logits, top_p):
    """Token by token, from the likeliest."""
    probs = np.exp(logits - logits.max())
    probs /= probs.sum()
    kept, passed = np.full(len(logits), -np.inf), 0.0
    for token in np.argsort(-logits):
        if passed >= top_p:
            break
        kept[token] = logits[token]
        passed += probs[token]
    return kept


@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.9, 0.999])
def test_nucleus_is_the_fewest_likely_tokens(top_p):
    logits = np.random.default_rng(4).normal(size=(20, 61)).astype(np.float32)
    found = jax.vmap(lambda row: generation.nucleus(row, top_p))(logits)
    np.testing.assert_array_equal(found, [nucleus(row, top_p) for row in logits])
    assert (np.isfinite(found).sum(1) < 61).any()


def test_all_of_the_probability_leaves_draws_as_they_are(tiny, texts):
    choose, kept = generation.sampled(2.0), generation.sampled(2.0, 1.0)
    np.testing.assert_array_equal(write(tiny, texts, choose)[0], write(tiny, texts, kept)[0])
    likely = write(tiny, texts, generation.sampled(2.0, 1e-6))[0]
    np.testing.assert_array_equal(likely, write(tiny, texts, generation.greedy)[0])
