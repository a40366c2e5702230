"""The decoder against torch, and against itself: split, padded, as a tree, in bfloat16."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lprl_jax.lm import decoder
from lprl_jax.lm.layers import LayerNorm, RopeScaling, rope_frequencies

NAMES = (
    *("plain", "grouped-tied", "wide-heads", "narrow-heads", "deep-bfloat16", "llama-3"),
    *("llama-linear", "mistral", "qwen2", "qwen3", "gpt2", "gpt2-untied"),
)

plain_logits = jax.jit(decoder.logits, static_argnums=0)


@functools.partial(jax.jit, static_argnums=0)
def behind(config, params, prefix, prefix_valid, tokens, valid, sees=None, positions=None):
    """Hidden states of suffixes `[G, S, T]` behind prefixes `[G, P]`."""
    key_values, _ = decoder.no_prefix(config, prefix.shape[0])
    if prefix.shape[1]:
        key_values = decoder.encode_prefix(config, params, prefix, prefix_valid)
    if positions is None:
        positions = jnp.cumsum(valid, axis=-1) - 1
    positions += jnp.sum(prefix_valid, axis=-1)[:, None, None]
    sees = np.tril(np.ones((tokens.shape[-1],) * 2, bool)) if sees is None else sees
    mask = jnp.broadcast_to(sees, (*tokens.shape, tokens.shape[-1])) & valid[:, :, None, :]
    hidden, _ = decoder.Decoder(config).apply(
        {"params": params}, tokens, positions, mask, key_values, prefix_valid
    )
    return hidden


def plain_hidden(config, params, tokens):
    """Hidden states of plain sequences `[B, T]`."""
    nothing = np.zeros((1, 0), np.int32)
    args = nothing, nothing.astype(bool), tokens[None], np.ones((1, *tokens.shape), bool)
    return np.asarray(behind(config, params, *args))[0]


def scatter(rng, rows, width, vocab_size, scattered):
    """Rows of tokens in `width` columns among padding of random tokens, and which are valid."""
    tokens = rng.integers(0, vocab_size, (len(rows), width)).astype(np.int32)
    valid = np.zeros(tokens.shape, bool)
    for i, row in enumerate(rows):
        columns = np.arange(len(row))
        if scattered:
            columns = np.sort(rng.choice(width, len(row), replace=False))
        tokens[i, columns], valid[i, columns] = row, True
    return tokens, valid


@pytest.mark.parametrize("name", NAMES)
def test_logits_equal_torch(tiny, name):
    model, tokens, logits = tiny(name)
    ours = plain_logits(model.config, model.params, tokens)
    np.testing.assert_allclose(ours, logits, atol=1e-4)
    assert logits.std() > 1  # so that 1e-4 says something


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("grouped-tied", {"rope_theta": 10_000.0}),
        ("wide-heads", {"norm_eps": 1e-5}),
        ("llama-3", {"rope_scaling": None}),
        ("llama-3", {"rope_scaling": RopeScaling(8.0)}),
        ("llama-linear", {"rope_scaling": None}),
        ("llama-linear", {"qkv_bias": False}),
        ("llama-linear", {"o_bias": False}),
        ("llama-linear", {"mlp_bias": False}),
        ("llama-linear", {"hidden_act": "silu"}),
        ("qwen2", {"qkv_bias": False}),
        ("qwen3", {"qk_norm": False}),
        ("gpt2", {"norm": "rms"}),
        ("gpt2", {"positions": "rotary"}),
        ("gpt2-untied", {"hidden_act": "gelu_new"}),
    ],
)
def test_the_fixtures_would_show_a_field_that_is_ignored(tiny, name, change):
    model, tokens, logits = tiny(name)
    other = plain_logits(dataclasses.replace(model.config, **change), model.params, tokens)
    assert np.abs(other - logits).max() > 0.05


def test_a_prefix_shared_by_the_batch(tiny):
    """And nothing is padded; all places to split are below."""
    (model, tokens, _), split = tiny("grouped-tied"), 5
    tokens = tokens.copy()
    tokens[:, :split] = tokens[0, :split]
    prefix, suffix = tokens[:1, :split], tokens[None, :, split:]
    hidden = behind(
        model.config,
        model.params,
        prefix,
        np.ones(prefix.shape, bool),
        suffix,
        np.ones(suffix.shape, bool),
    )
    whole = plain_hidden(model.config, model.params, tokens)
    np.testing.assert_allclose(hidden[0], whole[:, split:], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "scattered"),
    [("wide-heads", False), *((name, True) for name in ("wide-heads", "llama-3", "qwen3", "gpt2"))],
)
def test_different_prefixes_split_at_every_position_among_padding(tiny, name, scattered):
    """G = 12 prefixes of 0 to 11 tokens, S = 2 suffixes behind each, padded with random tokens."""
    (model, tokens, _), rng = tiny(name), np.random.default_rng(1)
    length, vocab_size = tokens.shape[1], model.config.vocab_size
    splits = range(length)
    begin = [tokens[g % 3, :split] for g, split in enumerate(splits)]
    rest = [[tokens[(g + s) % 3, split:] for s in range(2)] for g, split in enumerate(splits)]
    prefix = scatter(rng, begin, length + 2, vocab_size, scattered)
    flat = [row for pair in rest for row in pair]
    text, valid = scatter(rng, flat, length + 3, vocab_size, scattered)
    shape = (length, 2, length + 3)
    args = (*prefix, text.reshape(shape), valid.reshape(shape))
    hidden = np.asarray(behind(model.config, model.params, *args))
    whole = np.stack([np.r_[b, r] for b, pair in zip(begin, rest, strict=True) for r in pair])
    expected = plain_hidden(model.config, model.params, whole).reshape(length, 2, length, -1)
    for g, split in enumerate(splits):
        for s in range(2):
            ours = hidden[g, s][valid.reshape(shape)[g, s]]
            np.testing.assert_allclose(ours, expected[g, s, split:], atol=1e-5)


@pytest.mark.parametrize("name", ["grouped-tied", "gpt2"])
@pytest.mark.parametrize("common", [0, 1, 3])
def test_a_bank_of_prefixes_behind_what_all_begin_with(tiny, name, common):
    """Three begin with `common` tokens; five rows take one each, and equal whole sequences."""
    (model, tokens, _), rng = tiny(name), np.random.default_rng(1)
    config, length, vocab_size = model.config, tokens.shape[1], model.config.vocab_size
    tokens = tokens[:3].copy()
    tokens[:, :common] = tokens[0, :common]
    splits, rows = np.array([5, 7, 6]), np.array([2, 0, 0, 1, 2])
    own = [tokens[m, common:split] for m, split in enumerate(splits)]
    bank, there = map(jnp.asarray, scatter(rng, own, length, vocab_size, True))
    text, valid = scatter(rng, [tokens[m, splits[m] :] for m in rows], length, vocab_size, False)
    # To the right, as a text that is read at its end.
    for row, is_valid in zip(text, valid, strict=True):
        count = is_valid.sum()
        row[:], is_valid[:] = np.roll(row, -count), np.roll(is_valid, -count)
    positions = common + there.sum(-1)[rows, None] + np.cumsum(valid, -1) - 1
    mask = jnp.asarray(np.tri(length, dtype=bool)[None] & valid[:, None])

    @functools.partial(jax.jit, static_argnums=0)
    def last(config, params):
        begin = tokens[:1, :common], jnp.ones((1, common), bool)
        shared = jax.tree.map(lambda x: x[:, 0], decoder.encode_prefix(config, params, *begin))
        prefix = decoder.encode_prefix(config, params, bank, there, shared)
        read = jnp.asarray(text)[:, None], positions[:, None], mask[:, None], prefix, there
        return decoder.read(config, params, *read, length - 1, jnp.asarray(rows), shared)

    found = last(config, model.params)
    right = plain_hidden(config, model.params, tokens)[rows, -1]
    np.testing.assert_allclose(found[:, 0, 0], right, atol=1e-5)


def test_a_prefix_without_columns_is_no_prefix(tiny):
    model, _, _ = tiny("grouped-tied")
    none = jnp.zeros((2, 0), jnp.int32)
    encoded = decoder.encode_prefix(model.config, model.params, none, none.astype(bool))
    assert encoded.keys.shape == decoder.no_prefix(model.config, 2)[0].keys.shape == (2, 2, 0, 2, 8)


def test_prefixes_are_told_apart(tiny):
    """The same suffix behind two prefixes gives two results; a control for the test above."""
    model, tokens, _ = tiny("grouped-tied")
    prefix, suffix = tokens[:2, :6], np.broadcast_to(tokens[:1, 6:], (2, 1, 6))
    valid = np.ones(prefix.shape, bool), np.ones(suffix.shape, bool)
    hidden = behind(model.config, model.params, prefix, valid[0], suffix, valid[1])
    assert np.abs(hidden[0] - hidden[1]).max() > 0.1


@pytest.mark.parametrize("name", ["grouped-tied", "qwen3", "gpt2"])
def test_a_token_tree_equals_its_branches(tiny, name):
    """Five nodes behind a text of four; a branch is a plain sequence."""
    model, tokens, _ = tiny(name)
    text, nodes = tokens[0, :4], tokens[1, :5]
    parents = [None, 0, 0, 2, None]
    branches = []
    for node, parent in enumerate(parents):
        branches.append([*(branches[parent] if parent is not None else []), node])
    size = len(text) + len(nodes)
    sees = np.tril(np.ones((size, size), bool))
    depth = np.zeros(len(nodes), np.int32)
    for node, branch in enumerate(branches):
        sees[4 + node, 4:] = [other in branch for other in range(len(nodes))]
        depth[node] = len(branch) - 1
    positions = np.r_[np.arange(4), 4 + depth].astype(np.int32).reshape(1, 1, -1)
    packed = np.r_[text, nodes].reshape(1, 1, -1)
    empty = np.zeros((1, 0), np.int32), np.zeros((1, 0), bool)
    one_pass = behind(
        model.config, model.params, *empty, packed, np.ones(packed.shape, bool), sees, positions
    )[0, 0]
    whole = np.zeros((len(nodes), size), np.int32)
    for node, branch in enumerate(branches):
        whole[node, : 4 + len(branch)] = np.r_[text, nodes[branch]]
    apart = plain_hidden(model.config, model.params, whole)
    for node, branch in enumerate(branches):
        np.testing.assert_allclose(one_pass[4 + node], apart[node, 3 + len(branch)], atol=1e-5)


def test_bfloat16_runs_and_stays_close(tiny):
    (model, tokens, logits), split = tiny("deep-bfloat16"), 5
    half = jax.tree.map(lambda x: x.astype(jnp.bfloat16), model.params)
    prefix, suffix = tokens[:, :split], tokens[:, None, split:]
    valid = np.ones(prefix.shape, bool), np.ones(suffix.shape, bool)
    hidden = behind(model.config, half, prefix, valid[0], suffix, valid[1])
    assert hidden.dtype == jnp.bfloat16
    ours = hidden[:, 0].astype(jnp.float32) @ decoder.head(model.params).T
    error = np.abs(ours - logits[:, split:])
    assert error.mean() < 0.05 * logits.std()
    assert error.max() < 0.4 * logits.std()


def test_parameters_are_stacked_and_tied_models_have_no_head():
    config = decoder.DecoderConfig(7, 8, 12, 3, 2, 1, 4)
    init = jax.eval_shape(functools.partial(decoder.init, config=config), jax.random.key(0))
    assert init["layers"]["q"]["kernel"].shape == (3, 8, 8)
    assert init["layers"]["k"]["kernel"].shape == (3, 8, 4)
    assert init["head"].shape == (7, 8)
    config = dataclasses.replace(config, tie_word_embeddings=True)
    tied = jax.eval_shape(functools.partial(decoder.init, config=config), jax.random.key(0))
    assert "head" not in tied
    assert decoder.head(tied) is tied["embedding"]


def test_llama_3_frequencies_worked_by_hand():
    """Waves of 2π 10^i positions; trained on 628: turned 100, 10, 1 and .1 times.

    With factors 2 and 50 and a stretch of 8: 100 turns are left; 10 turns are kept by
    (10 - 2) / 48 = 1/6, which is 1/6 + 5/6 / 8 = .27083; 1 and .1 are divided by 8.
    """
    scaling = RopeScaling(8.0, 628, 2.0, 50.0)
    found = rope_frequencies(8, 10_000.0, scaling) / [1.0, 0.1, 0.01, 0.001]
    np.testing.assert_allclose(found, [1.0, 0.27083, 0.125, 0.125], atol=2e-4)
    np.testing.assert_allclose(rope_frequencies(4, 100.0, RopeScaling(4.0)), [0.25, 0.025])


def test_layer_norm_far_from_zero():
    """Against float64, where the mean is 1000 times the deviation."""
    x = (1000.0 + np.random.default_rng(0).normal(size=(4, 64))).astype(np.float32)
    right = (x - x.mean(-1, keepdims=True, dtype=np.float64)) / x.std(
        -1, keepdims=True, dtype=np.float64
    )
    found, _ = LayerNorm(1e-12).init_with_output(jax.random.key(0), x)
    np.testing.assert_allclose(found, right, atol=2e-4)  # half a unit of 1000 in f32 is 3e-5
