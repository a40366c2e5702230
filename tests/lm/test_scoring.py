"""Exact likelihoods of answers: the trie by hand, scores against whole sequences in float64."""

import functools
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lm.test_decoder import NAMES

from lprl_jax.lm import decoder, scoring
from lprl_jax.lm.scoring import Answers, Trie

NAME = "grouped-tied"
VOCAB = 61
# Of one token, of three; shared first words; the beginning of another one; and a whole other one.
ANSWERS = ((5,), (7, 8), (7, 8, 9), (7, 10, 9, 8), (11, 8), (5, 5))

FAST: dict[str, str | bool] = {"xla_backend_optimization_level": "0"}  # to compile
plain_logits = jax.jit(decoder.logits, static_argnums=0, compiler_options=FAST)


@functools.partial(jax.jit, static_argnums=(0, 1), compiler_options=FAST)
def score(config, answers, params, prefix, prefix_valid, tokens, valid):
    key_values = decoder.encode_prefix(config, params, prefix, prefix_valid)
    trie = Trie.build(answers)
    text = key_values, prefix_valid, tokens, valid
    return scoring.score(config, params, *text, trie).log_likelihoods


def direct(model, texts, answers):
    """`[texts, answers]`: every text with every answer as its own sequence."""
    rows = np.zeros((len(texts), len(answers), 16), np.int32)
    for i, text in enumerate(texts):
        for j, answer in enumerate(answers):
            rows[i, j, : len(text) + len(answer)] = [*text, *answer]
    flat = rows.reshape(-1, 16)
    padded = np.pad(flat, ((0, 24 - len(flat)), (0, 0)))  # one shape for all tests
    logits = plain_logits(model.config, model.params, padded)[: len(flat)]
    logits = np.asarray(logits, np.float64).reshape(*rows.shape, -1)
    log_probs = logits - np.log(np.sum(np.exp(logits), axis=-1, keepdims=True))
    sums = np.zeros(rows.shape[:2])
    for i, text in enumerate(texts):
        for j, answer in enumerate(answers):
            for place, token in enumerate(answer, len(text)):
                sums[i, j] += log_probs[i, j, place - 1, token]
    return sums


def draw(groups, suffixes, prefix_width=6, width=5, seed=0):
    """Prefixes and suffixes with holes; the last column of a suffix is valid."""
    rng = np.random.default_rng(seed)
    prefix = rng.integers(0, VOCAB, (groups, prefix_width)).astype(np.int32)
    tokens = rng.integers(0, VOCAB, (groups, suffixes, width)).astype(np.int32)
    prefix_valid = rng.random(prefix.shape) < 0.7
    prefix_valid[:, 0] = True
    valid = rng.random(tokens.shape) < 0.6
    valid[..., -1] = True
    return prefix, prefix_valid, tokens, valid


def texts_of(prefix, prefix_valid, tokens, valid):
    return [
        [*prefix[g][prefix_valid[g]], *tokens[g, s][valid[g, s]]]
        for g, s in np.ndindex(*tokens.shape[:2])
    ]


# -- trie ----------------------------------------------------------------------------------------


def test_trie_worked_by_hand():
    """Nodes are `7` and `7 8`; tokens that only end an answer are not run."""
    trie = Trie.build([(5,), (7, 8), (7, 8, 9), (7, 6)])
    assert trie.tokens.tolist() == [7, 8]
    assert trie.depth.tolist() == [0, 1]
    assert trie.sees.tolist() == [[True, False], [True, True]]
    edges = list(zip(trie.edge_token.tolist(), trie.edge_source.tolist(), strict=True))
    assert sorted(edges) == [(5, 0), (6, 1), (7, 0), (8, 1), (9, 2)]
    used = [{edge for edge, there in zip(edges, row, strict=True) if there} for row in trie.path]
    assert used == [
        {(5, 0)},
        {(7, 0), (8, 1)},
        {(7, 0), (8, 1), (9, 2)},
        {(7, 0), (6, 1)},
    ]
    assert set(trie.path.ravel().tolist()) == {0.0, 1.0}


def test_single_tokens_need_no_nodes():
    trie = Trie.build([(3,), (1,), (2,)])
    assert trie.tokens.shape == (0,)
    assert trie.sees.shape == (0, 0)
    assert trie.edge_token[np.argmax(trie.path, axis=1)].tolist() == [3, 1, 2]
    assert trie.path.sum() == 3


def test_branches_with_the_same_token_do_not_see_each_other():
    trie = Trie.build([(1, 2, 3), (4, 2, 3)])
    assert sorted(trie.tokens.tolist()) == [1, 2, 2, 4]
    parents = {int(t): i for i, t in enumerate(trie.tokens) if trie.depth[i] == 0}
    for i in np.flatnonzero(trie.depth == 1):
        seen = np.flatnonzero(trie.sees[i]).tolist()
        assert sorted(trie.tokens[seen].tolist()) in ([1, 2], [2, 4])
        assert set(seen) <= {i, *parents.values()}
    assert trie.sees.sum() == 6


def test_answers_may_repeat():
    assert Trie.build([(1, 2), (1, 2)]).path.tolist() == [[1.0, 1.0], [1.0, 1.0]]


# -- scores --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "suffixes"), [(1, 4), (4, 1), (2, 2)], ids=["shared", "own", "both"]
)
def test_chosen_scores_equal_whole_sequences(tiny, groups, suffixes):
    model, _, _ = tiny(NAME)
    prefix, prefix_valid, tokens, valid = draw(groups, suffixes)
    chosen = np.random.default_rng(1).integers(0, len(ANSWERS), (groups, suffixes, 3))

    @functools.partial(jax.jit, static_argnums=0)
    def score_chosen(config, params, prefix, prefix_valid, tokens, valid, chosen):
        key_values = decoder.encode_prefix(config, params, prefix, prefix_valid)
        text = key_values, prefix_valid, tokens, valid
        answers = Answers.build(ANSWERS)
        return scoring.score_chosen(config, params, *text, answers, chosen).log_likelihoods

    text = prefix, prefix_valid, tokens, valid
    ours = score_chosen(model.config, model.params, *text, chosen)
    texts = texts_of(prefix, prefix_valid, tokens, valid)
    every = direct(model, texts, ANSWERS).reshape(groups, suffixes, -1)
    np.testing.assert_allclose(ours, np.take_along_axis(every, chosen, -1), atol=2e-5)


@pytest.mark.parametrize(
    ("name", "groups", "suffixes"),
    [(NAME, 1, 4), (NAME, 4, 1), *((name, 2, 2) for name in NAMES)],
)
def test_scores_equal_whole_sequences(tiny, name, groups, suffixes):
    model, _, _ = tiny(name)
    prefix, prefix_valid, tokens, valid = draw(groups, suffixes)
    ours = score(model.config, ANSWERS, model.params, prefix, prefix_valid, tokens, valid)
    texts = texts_of(prefix, prefix_valid, tokens, valid)
    assert len({len(text) for text in texts}) > 1
    expected = direct(model, texts, ANSWERS).reshape(groups, suffixes, -1)
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-5)
    assert np.ptp(expected) > 1


def test_scores_of_single_tokens(tiny):
    """No node is run: everything is predicted at the text's last token."""
    (model, _, _), answers = tiny(NAME), ((5,), (7,))
    prefix, prefix_valid, tokens, valid = draw(2, 2, seed=1)
    ours = score(model.config, answers, model.params, prefix, prefix_valid, tokens, valid)
    texts = texts_of(prefix, prefix_valid, tokens, valid)
    expected = direct(model, texts, answers).reshape(2, 2, -1)
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-5)


def test_scores_of_bfloat16_weights_are_summed_in_float32(tiny):
    """Close to those of f32, and finer than bf16 could tell; what is read out is f32 too."""
    model, _, _ = tiny(NAME)
    half = jax.tree.map(lambda x: x.astype(jnp.bfloat16), model.params)
    rounded = jax.tree.map(lambda x: x.astype(jnp.float32), half)
    found = score(model.config, ANSWERS, half, *draw(2, 2))
    prefix, prefix_valid = decoder.no_prefix(model.config, 2)
    tokens, valid = map(jnp.asarray, draw(2, 2)[2:])
    texts = model.config, half, prefix, prefix_valid, tokens, valid
    chosen = Answers.build(ANSWERS), jnp.zeros((2, 2, 3), int)
    both = (
        lambda: scoring.score(*texts, Trie.build(ANSWERS)),
        lambda: scoring.score_chosen(*texts, *chosen),
    )
    for run in both:
        assert {leaf.dtype for leaf in jax.eval_shape(run)} == {jnp.dtype(jnp.float32)}
    right = np.asarray(score(model.config, ANSWERS, rounded, *draw(2, 2)))
    assert found.dtype == jnp.float32
    assert np.abs(found - right).mean() < 0.05 * right.std()
    assert not np.array_equal(found, np.asarray(found.astype(jnp.bfloat16), np.float32))


@pytest.mark.parametrize("rows_at_a_time", [3, 1000])
def test_no_logits_of_the_whole_batch(tiny, monkeypatch, rows_at_a_time):
    """In the compiled program no array but the head is larger than a chunk of logits."""
    (model, _, _), trie = tiny(NAME), Trie.build(ANSWERS)
    monkeypatch.setattr(scoring, "HEAD_ROWS", rows_at_a_time)

    @jax.jit  # a function of its own: the constant is read when it is traced
    def run(params, prefix, prefix_valid, tokens, valid):
        key_values = decoder.encode_prefix(model.config, params, prefix, prefix_valid)
        text = key_values, prefix_valid, tokens, valid
        return scoring.score(model.config, params, *text, trie).log_likelihoods

    args = (model.params, *draw(2, 2))
    compiled = run.lower(*args).compile()
    rows = 0
    for dims in re.findall(r"f32\[([\d,]+)\]", compiled.as_text() or ""):
        shape = [int(d) for d in dims.split(",")]
        if VOCAB in shape and sorted(shape) != sorted(model.params["embedding"].shape):
            rows = max(rows, int(np.prod(shape)) // VOCAB)
    assert rows == min(rows_at_a_time, 4 * (1 + len(trie.tokens)))
    expected = score(model.config, ANSWERS, *args)
    np.testing.assert_allclose(compiled(*args), expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("answers", [((5,), (7,), (9,)), ANSWERS], ids=["single tokens", "words"])
def test_compared_answers_need_no_normaliser_of_their_first_token(tiny, answers):
    """Their differences are the same; single tokens never meet the vocabulary."""
    (model, _, _), trie = tiny(NAME), Trie.build(answers)

    @jax.jit
    def run(params, prefix, prefix_valid, tokens, valid):
        key_values = decoder.encode_prefix(model.config, params, prefix, prefix_valid)
        text = key_values, prefix_valid, tokens, valid
        normalizer = scoring.of_later_tokens
        return scoring.score(model.config, params, *text, trie, normalizer).log_likelihoods

    args = (model.params, *draw(2, 2))
    compiled = run.lower(*args).compile()
    found, right = np.asarray(compiled(*args)), np.asarray(score(model.config, answers, *args))
    np.testing.assert_allclose(found - found[..., :1], right - right[..., :1], atol=2e-5)
    assert np.abs(found - right).min() > 0.1
    dots = re.findall(r"= f32\[([\d,]+)\]\S* (?:dot|exponential)\(", compiled.as_text() or "")
    meets = [shape for shape in dots if str(VOCAB) in shape.split(",")]
    assert bool(meets) == (answers is ANSWERS)


def test_probabilities_of_all_that_can_be_said_sum_to_one(tiny):
    """Every token but one, and behind that one every token: no answer begins another."""
    model, _, _ = tiny(NAME)
    answers = (*((t,) for t in range(1, VOCAB)), *((0, t) for t in range(VOCAB)))
    log_probs = np.asarray(score(model.config, answers, model.params, *draw(2, 2)), np.float64)
    np.testing.assert_allclose(np.sum(np.exp(log_probs), axis=-1), 1.0, atol=1e-5)
    assert log_probs.max() < 0


# -- a bank of prefixes ----------------------------------------------------------------------------

ROWS = np.array([1, 0, 1, 2, 2, 0])


def from_a_bank(config, answers, params, begin, bank, there, tokens, valid):
    """`f32[B, A]` of states `[B, T]` that stand behind prefixes of a bank of three."""
    shared = decoder.encode_prefix(config, params, begin, jnp.ones(begin.shape, bool))
    shared = jax.tree.map(lambda x: x[:, 0], shared)
    prefix = decoder.encode_prefix(config, params, bank, there, shared)
    texts = config, params, prefix, jnp.asarray(there), tokens[:, None], valid[:, None]
    behind = Trie.build(answers), None, jnp.asarray(ROWS), shared
    return scoring.score(*texts, *behind).log_likelihoods[:, 0]


def draw_from_a_bank():
    bank, there, tokens, valid = draw(3, 2, seed=4)
    begin = np.array([[3, 1, 4, 1]], np.int32)
    return begin, bank, there, tokens.reshape(6, -1), valid.reshape(6, -1)


def test_scores_and_gradients_behind_a_bank_of_prefixes(tiny):
    """Those of every text as its own prefix: a gradient flows through all three parts."""
    (model, _, _), weigh = tiny(NAME), np.random.default_rng(0).normal(size=(6, len(ANSWERS)))
    begin, bank, there, tokens, valid = draw_from_a_bank()
    whole = jnp.concatenate([np.repeat(begin, 6, 0), bank[ROWS], tokens], axis=1)[:, None]
    whole_valid = jnp.concatenate([np.ones((6, 4), bool), there[ROWS], valid], axis=1)[:, None]
    nothing = decoder.no_prefix(model.config, 6)

    def plain(params):
        texts = model.config, params, *nothing, whole, whole_valid
        scores = scoring.score(*texts, Trie.build(ANSWERS)).log_likelihoods[:, 0]
        return jnp.sum(scores * weigh), scores

    def ours(params):
        drawn = begin, bank, there, tokens, valid
        scores = from_a_bank(model.config, ANSWERS, params, *drawn)
        return jnp.sum(scores * weigh), scores

    (found, right) = (
        jax.jit(jax.grad(f, has_aux=True), compiler_options=FAST)(model.params)
        for f in (ours, plain)
    )
    np.testing.assert_allclose(found[1], right[1], rtol=1e-6, atol=1e-5)

    def close(path, ours, theirs):
        assert np.abs(theirs).max() > 1e-3, path
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4, err_msg=str(path))

    jax.tree_util.tree_map_with_path(close, *(x[0] for x in (found, right)))


def test_prefixes_are_gathered_a_layer_at_a_time():
    """What is held while it runs does not grow with layers; keys and values of all would."""
    batch, instances, columns = 64, 8, 100

    def held(layers):
        config = decoder.DecoderConfig(32, 16, 16, layers, 2, 1, 8)
        params = jax.eval_shape(functools.partial(decoder.init, config=config), jax.random.key(0))
        kept: Any = jax.ShapeDtypeStruct((layers, instances, columns, 1, 8), jnp.float32)

        def run(params, prefix, rows):
            there, text = jnp.ones((instances, columns), bool), jnp.ones((batch, 1, 4), jnp.int32)
            texts = config, params, prefix, there, text, text.astype(bool)
            return scoring.score(*texts, Trie.build([(1, 2), (3, 2)]), None, rows).log_likelihoods

        rows = jax.ShapeDtypeStruct((batch,), jnp.int32)
        prefix: Any = decoder.KeyValues(*[kept] * 2)
        program: Any = jax.jit(run).lower(params, prefix, rows).compile()
        return program.memory_analysis().temp_size_in_bytes

    a_layer = 2 * batch * columns * 8 * 4
    assert held(6) < held(2) + a_layer / 2
