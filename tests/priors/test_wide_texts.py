"""Texts of very different lengths: few columns give the numbers that all columns give."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import FAST_TO_COMPILE
from lprl_envs import CartPole, FrozenLake, Household
from priors.tiny import tiny_model

from lprl_jax.lm.scoring import Answers
from lprl_jax.priors import LanguagePrior
from lprl_jax.priors.base import normalize
from lprl_jax.priors.sizes import Size, sizes_of

ROOMS, STEPS, CHUNK = 4, 40, 3
compiled = functools.partial(jax.jit, compiler_options=FAST_TO_COMPILE)


@functools.cache
def household():
    """A prior, parameters, and states that random legal actions meet, with slots and legality."""
    env = Household("bathroom")
    params = env.sample_params(jax.random.key(1), ROOMS)

    def step(state, key):
        mask = env.action_mask(state, params)
        action = jax.random.categorical(key, jnp.where(mask, 0.0, -jnp.inf))
        read = state, env.slots(state, params), mask
        return env.step_env(key, state, action, params)[1], read

    def play(instance, key):
        start = env.initial_state(key, instance, params)
        return jax.lax.scan(step, start, jax.random.split(key, STEPS))[1]

    keys = jax.random.split(jax.random.key(2), ROOMS)
    met = jax.jit(jax.vmap(play))(jnp.arange(ROOMS, dtype=jnp.int32), keys)
    met = jax.tree.map(lambda x: x.reshape(ROOMS * STEPS, *x.shape[2:]), met)
    return LanguagePrior.of_model(tiny_model(), env, params, chunk=CHUNK), params, *met


@functools.cache
def scorers():
    """All columns, and as many as a batch needs; of weights, prefixes, instances, slots, legal."""
    scorer = household()[0].scorer
    return compiled(scorer.score_slots), compiled(scorer.score_narrow)


def lengths():
    """Columns that a state fills, by rendering it, and the tokens of its answers that are run."""
    prior, _, _, slots, legal = household()
    columns = jax.jit(jax.vmap(prior.scorer.table.suffix.render))(slots)[1].sum(axis=1)
    nodes = np.array([len(answer) - 1 for answer in prior.scorer.table.answers])
    return np.asarray(columns), np.asarray(legal) @ nodes


def places():
    """The size of each state, counted by hand."""
    columns, nodes = lengths()
    found = np.full(len(columns), -1)
    for place, size in reversed(list(enumerate(household()[0].scorer.sizes()))):
        found[(columns <= size.columns) & (nodes <= size.nodes)] = place
    return found


def assert_same(found, expected):
    """Sums of up to thirty nats a token."""
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-5)


def test_sizes_of_a_room():
    scorer = household()[0].scorer
    assert isinstance(scorer.answers, Answers)
    small, half, largest = scorer.sizes()
    assert largest.columns == len(scorer.table.suffix.slot)
    longest = sorted((len(answer) - 1 for answer in scorer.table.answers), reverse=True)
    assert largest.nodes == sum(longest[: scorer.env.max_legal])
    assert (half.columns, half.nodes) == (largest.columns // 2, largest.nodes // 2)
    assert small.columns == largest.columns * 3 // 8


def test_every_row_has_the_smallest_size_that_it_fits_in():
    prior, _, _, slots, legal = household()
    np.testing.assert_array_equal(prior.scorer.reader.lengths_of(slots), lengths()[0])
    found = prior.scorer.place_of(slots, legal, prior.scorer.sizes())
    np.testing.assert_array_equal(found, places())
    assert lengths()[0].min() >= prior.scorer.reader.shortest > 0
    assert set(places().tolist()) >= {0, 1}


def batch_of(place):
    """Three rows of which the largest is of this size; behind the last one, as no state is."""
    prior, _, states, slots, legal = household()
    rows = np.flatnonzero(places() <= min(place, 1))[:2]
    rows = np.append(rows, np.flatnonzero(places() == min(place, 1))[-1])
    slots = np.array(slots[rows])
    if place == 2:  # every slot as long as it can be, and the actions of a state
        slots[1] = prior.scorer.reader._lengths[:-1].argmax(axis=1)
    return states.instance[rows], jnp.asarray(slots), legal[rows]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_few_columns_give_the_scores_of_all(place):
    prior = household()[0]
    instance, slots, legal = batch_of(place)
    found = prior.scorer.place_of(slots, legal, prior.scorer.sizes())
    assert found.max() == place
    asked = prior.params.weights, prior.params.prefix, prior.params.prefix_valid
    whole, narrow = (score(*asked, instance, slots, legal) for score in scorers())
    for ours, expected in zip(narrow, whole, strict=True):
        assert np.isfinite(ours).all()
        assert_same(ours, expected)
    scores = np.asarray(whole.log_likelihoods)
    assert np.ptp(scores[np.asarray(legal)]) > 1
    assert (scores[~np.asarray(legal)] == 0).all()


def test_mixed_batches_equal_all_columns():
    """Rows of both sizes, some of them not needed; and none needed at all."""
    prior, params, states, slots, legal = household()
    rows = np.concatenate([np.flatnonzero(places() == 0)[-4:], np.flatnonzero(places() == 1)[:4]])
    rows = np.random.default_rng(0).permutation(rows)
    here = jax.tree.map(lambda x: x[rows], states)
    ask = compiled(prior.log_probs_and_features)
    needed = np.array([1, 1, 0, 1, 1, 1, 0, 1], bool)
    found, features, carry = ask(prior.params, prior.init(), here, params, jnp.asarray(needed))
    asked = prior.params.weights, prior.params.prefix, prior.params.prefix_valid
    for start in range(0, len(rows), 3):
        part = np.resize(rows[start : start + 3], 3)
        scores, readout = scorers()[0](*asked, states.instance[part], slots[part], legal[part])
        expected = normalize(scores, legal[part])
        for i in range(min(3, len(rows) - start)):
            if needed[start + i]:
                assert_same(found[start + i], expected[i])
                assert_same(features[start + i], readout[i])
    assert not features[~needed].any()
    assert carry == (6, 6)
    found, features, carry = ask(prior.params, prior.init(), here, params, jnp.zeros(8, bool))
    assert not features.any()
    assert np.isfinite(found).any(axis=1).all()
    assert carry == (0, 0)


@pytest.mark.parametrize(
    ("largest", "shortest", "nodes_vary", "expected"),
    [
        (Size(1000, 800), 50, True, [(375, 300), (500, 400), (1000, 800)]),
        (Size(995, 728), 62, True, [(373, 273), (497, 364), (995, 728)]),  # rounded down
        (Size(1000, 800), 400, True, [(500, 400), (1000, 800)]),  # no text fits in the first
        (Size(1000, 800), 1000, True, [(1000, 800)]),
        (Size(1000, 100), 50, False, [(500, 100), (1000, 100)]),  # 475 of 600 is not worth it
        (Size(1000, 2000), 50, False, [(1000, 2000)]),  # the trie is run in any case
        (Size(200, 55), 10, True, [(200, 55)]),  # short
    ],
)
def test_a_program_more_must_be_worth_it(largest, shortest, nodes_vary, expected):
    assert list(sizes_of(largest, shortest, nodes_vary)) == expected


@pytest.mark.parametrize("env", [FrozenLake("4x4"), CartPole()], ids=["numbered", "short"])
def test_where_nothing_can_be_saved_there_is_one_program(env):
    params = env.sample_params(jax.random.key(0), 1)
    prior = LanguagePrior.of_model(tiny_model(), env, params)
    assert len(prior.scorer.sizes(prior.params.width)) == 1
    states = jax.vmap(lambda key: env.reset_env(key, params)[1])(
        jax.random.split(jax.random.key(0))
    )
    asked = prior.params, prior.init(), states, params, jnp.ones(2, bool)
    assert " cond[" not in str(jax.make_jaxpr(prior.log_probs)(*asked))
