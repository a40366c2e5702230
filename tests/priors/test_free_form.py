"""p_map: what a model writes, against all that it could write; and what is not left to chance."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import FAST_TO_COMPILE
from lprl_envs import BlocksWorld, FrozenLake, InvalidInput
from priors.tiny import tiny_model

from lprl_jax.lm import decoder, embedded
from lprl_jax.lm.checkpoint import load
from lprl_jax.lm.projection import normal_form
from lprl_jax.priors import (
    FreeForm,
    FreeFormPrior,
    LanguagePrior,
    TabularPrior,
    distributions,
    tabulate_free_form,
)

LAKE = FrozenLake("4x4", is_slippery=False)
MAPS = (("SFFF", "FHFH", "FFFH", "HFFG"), ("FFFS", "FFHF", "FGFF", "FFFF"))
BLOCKS = BlocksWorld(3)


def lake_params(*rows):
    return LAKE.params_of([list(MAPS[row]) for row in rows])


def states_of(params, *indices):
    """These states of each instance in its turn."""
    num = params.instances.shape[0]
    instance = jnp.repeat(jnp.arange(num), len(indices))
    index = jnp.tile(jnp.array(indices), num)
    return jax.vmap(lambda m, i: LAKE.state_at(m, i, params))(instance, index)


def ask(prior, params, states, needed=None):
    """Log-probabilities and figures."""
    needed = jnp.ones(len(states.time), bool) if needed is None else needed
    run = jax.jit(prior.log_probs_and_figures, compiler_options=FAST_TO_COMPILE)
    return run(prior.params, prior.init(), states, params, needed)


@functools.cache
def tiny_prior(*rows, **form):
    language = LanguagePrior.of_model(talkative(), LAKE, lake_params(*rows), chunk=16)
    return FreeFormPrior.of(language, FreeForm(**form))


@functools.cache
def talkative():
    """The tiny model, where the actions' words, capital ones too, are much of what it writes."""
    model = tiny_model()
    words = [model.tokenizer.encode(text)[0] for text in LAKE.action_texts]
    rows = model.params["head"]
    bent = rows.at[jnp.array(words)].multiply(8.0)
    return model._replace(params={**model.params, "head": bent})


def exact(model, texts, legal, form):
    """p_map of answers of one token, summed over the vocabulary."""
    prior = np.zeros((len(texts), LAKE.num_actions))
    names = [normal_form(text).decode().split() for text in LAKE.action_texts]
    shares = np.zeros((len(texts), 3))
    for row, text in enumerate(texts):
        tokens = model.tokenizer.encode(text)
        logits = decoder.logits(model.config, model.params, jnp.array([tokens]))[0, -1]
        probs = np.asarray(jax.nn.softmax(logits / form.temperature))
        for token, p in enumerate(probs):
            answer = model.tokenizer.decode([token], skip_special_tokens=True).split("\n")[0]
            words = normal_form(answer).decode(errors="replace").split()
            found = [a for a, own in enumerate(names) if legal[row, a] and own[0] in words]
            target = found[:1] or np.flatnonzero(legal[row])
            prior[row, target] += p / len(target)
            shares[row, 2 if not found else int(words != names[found[0]])] += p
    uniform = legal / legal.sum(1, keepdims=True)
    weight = form.smoothing / (form.samples + form.smoothing)
    return (1 - weight) * prior + weight * uniform, shares


@pytest.mark.parametrize("rows", [(0,), (1, 0)], ids=["one map", "maps"])
def test_shares_are_those_of_all_that_could_be_written(rows):
    params = lake_params(*rows)
    prior = tiny_prior(*rows, samples=2_000, max_tokens=1, temperature=1.5, smoothing=500.0)
    states = states_of(params, 0, 6)
    found, figures, counters = ask(prior, params, states)
    texts = [
        LAKE.describe(jax.tree.map(lambda x, i=i: x[i], states), params)
        for i in range(len(states.time))
    ]
    legal = np.ones((len(texts), 4), bool)
    right, shares = exact(talkative(), texts, legal, prior.form)
    np.testing.assert_allclose(np.exp(found), right, atol=0.04)
    np.testing.assert_allclose(figures[:, :3], shares, atol=0.04)
    np.testing.assert_array_equal(figures[:, 3], 1.0)
    assert np.ptp(right, axis=1).max() > 0.3  # there is something to be wrong about
    assert 0.1 < shares[:, 2].mean() < 0.9
    assert (int(counters.queries), int(counters.evaluations)) == (len(texts),) * 2


@functools.cache
def embedded_prior():
    params = lake_params(0)
    return LanguagePrior.of_model(load(embedded.path_of("embedded")), LAKE, params, chunk=64)


def test_converges_to_p_dist_where_only_actions_are_written():
    """The embedded model says nothing else; then its likelihoods are what p_dist compares."""
    params, language = lake_params(0), embedded_prior()
    states = states_of(params, 0, 1, 8, 13)
    needed = jnp.ones(4, bool)
    right, _ = language.log_probs(language.params, language.init(), states, params, needed)
    distances = []
    for samples in (16, 1_024):
        form = FreeForm(samples=samples, max_tokens=3, smoothing=0.5)
        found, figures, _ = ask(FreeFormPrior.of(language, form), params, states)
        distances.append(float(np.abs(np.exp(found) - np.exp(right)).max()))
    np.testing.assert_allclose(figures[:, 0], 1.0, atol=0.01)
    np.testing.assert_allclose(figures[:, 3], 2.0, atol=0.01)  # the word, and its end
    assert distances[1] < 0.04 < distances[0]


def test_the_same_state_has_the_same_samples_wherever_it_stands():
    params = lake_params(1, 0)
    prior = tiny_prior(1, 0, samples=4, max_tokens=2)
    states = states_of(params, 0, 1, 6)
    order = jnp.array([4, 2, 0, 5, 3, 1])
    found, figures, _ = ask(prior, params, states)
    moved = jax.tree.map(lambda x: x[order], states)
    needed = jnp.array([True, True, False, True, True, True])
    again, other, counters = ask(prior, params, moved, needed)
    asked = np.asarray(needed)
    np.testing.assert_allclose(again[asked], found[order][asked], atol=1e-6)
    np.testing.assert_array_equal(other[asked], figures[order][asked])
    np.testing.assert_array_equal(other[~asked], 0.0)
    assert np.isfinite(again[~asked]).any()
    assert int(counters.evaluations) == 5
    # Another seed draws others; the same map in another bank has the same.
    form = dataclasses.replace(prior.form, seed=1)
    assert (ask(dataclasses.replace(prior, form=form), params, states)[0] != found).any()
    alone = prior.with_bank(lake_params(0))
    there, _, _ = ask(alone, lake_params(0), states_of(lake_params(0), 0, 1, 6))
    np.testing.assert_allclose(there, found[3:], atol=1e-6)


def test_a_table_says_the_same_and_has_the_shares(tmp_path):
    params = lake_params(0)
    prior = tiny_prior(0, samples=4, max_tokens=2)
    table = tabulate_free_form(prior, LAKE, params, **prior.settings)
    states = states_of(params, 0, 1, 6)
    found, _, _ = ask(prior, params, states)
    np.testing.assert_allclose(table.table[0, jnp.array([0, 1, 6])], found, atol=1e-6)
    figures = table.figures
    assert list(figures) == ["exact", "contained", "none", "tokens"]
    assert sum(list(figures.values())[:3]) == pytest.approx(1.0, abs=1e-3)
    assert 1 <= figures["tokens"] <= 2
    table.save(tmp_path / "table.npz", params)
    read = TabularPrior.load(tmp_path / "table.npz", LAKE, params)
    assert (read.figures, read.name) == (figures, "tiny (p_map)")
    assert read.settings == {
        "model": "tiny",
        "digest": prior.settings["digest"],
        "dtype": "float32",
        "tokenizer": prior.settings["tokenizer"],
        "end_of_action": "\n",
        "kind": "p_map",
        **dataclasses.asdict(prior.form),
    }


def test_what_is_illegal_is_impossible_and_without_smoothing_what_is_not_named():
    params = BLOCKS.default_params
    language = LanguagePrior.of_model(tiny_model(), BLOCKS, params, chunk=8)
    states = jax.vmap(lambda i: BLOCKS.state_at(jnp.int32(0), i, params))(jnp.arange(6))
    legal = np.asarray(jax.vmap(BLOCKS.action_mask, (0, None))(states, params))
    prior = FreeFormPrior.of(language, FreeForm(samples=2, max_tokens=1))
    found, figures, _ = ask(prior, params, states)
    assert not distributions.wrong(np.asarray(found), legal).any()
    np.testing.assert_array_equal(figures[:, 2], 1.0)  # no action is one token
    uniform = np.where(legal, 1 / legal.sum(1, keepdims=True), 0.0)
    np.testing.assert_allclose(np.exp(found), uniform, atol=1e-6)
    lake = lake_params(0)
    bare = tiny_prior(0, samples=1, max_tokens=1, smoothing=0.0, seed=3)
    found, figures, _ = ask(bare, lake, states_of(lake, *range(6)))
    named = np.asarray(figures[:, 2]) == 0
    assert 0 < named.sum() < 6
    np.testing.assert_array_equal(np.isfinite(found).sum(1), np.where(named, 1, 4))
    np.testing.assert_allclose(np.exp(found).sum(1), 1.0, atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"samples": 0}, "samples is 0; it must be 1 or more"),
        ({"samples": 1.5}, "samples is 1.5; it must be a whole number"),
        ({"max_tokens": 0}, "max_tokens is 0; it must be 1 or more"),
        ({"temperature": 0.0}, "temperature is 0.0; it must be above 0"),
        ({"temperature": float("nan")}, "temperature is nan; it must be a finite number"),
        ({"top_p": 0.0}, r"top_p is 0; it must lie in \(0, 1\]"),
        ({"top_p": 1.5}, r"top_p is 1.5; it must lie in \(0, 1\]"),
        ({"smoothing": -1.0}, "smoothing is -1; it must be 0 or more"),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else "",
)
def test_forms_that_cannot_be_are_refused(fields, said):
    with pytest.raises(InvalidInput, match=said):
        FreeForm(**fields)


def test_answers_longer_than_the_context_are_refused():
    model = tiny_model()
    short = model._replace(config=dataclasses.replace(model.config, max_position_embeddings=160))
    language = LanguagePrior.of_model(short, LAKE, lake_params(0))
    FreeFormPrior.of(language, FreeForm(max_tokens=3))
    with pytest.raises(InvalidInput, match="tokens, and tiny reads 160"):
        FreeFormPrior.of(language, FreeForm(max_tokens=150))


def test_more_samples_than_memory_holds_are_refused():
    language = embedded_prior()
    with pytest.raises(InvalidInput, match=r"samples is \d+.*: the answers take"):
        FreeFormPrior.of(language, FreeForm(samples=2_000_000_000))
