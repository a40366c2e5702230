"""Features of priors: hidden states of plain forward passes, at no further run of the model."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, FAST_TO_COMPILE, TabularMDP, tables
from lm.flax_folders import LAKE, MAP, folder
from priors.tiny import naive_hidden, tiny_model

from lprl_jax.lm.encoder import BertEncoder
from lprl_jax.lm.scoring import Answers, Trie
from lprl_jax.priors import (
    EncodedPrior,
    FlaxLanguagePrior,
    LanguagePrior,
    TabularPrior,
    UniformPrior,
    degrade,
    has_features,
    tabulate,
    tabulate_features,
)

# Four actions of 1 to 4 words, of which some are illegal; the second instance is another process.
MDP = TabularMDP(4, 4)
LEGAL = [[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 1], [0, 1, 1, 1]]
PROCESSES = [tables([[END] * 4] * 4, [[0] * 4] * 4, legal) for legal in (LEGAL, LEGAL[::-1])]
MAPS = [MAP, ("SFFF", "FFFF", "FFHF", "FFFG")]
CASES = {
    "shared prefix": (LAKE, LAKE.params_of(MAPS[:1]), Trie),
    "prefixes": (LAKE, LAKE.params_of(MAPS), Trie),
    "shared prefix, chosen answers": (MDP, MDP.params_of(PROCESSES[:1]), Answers),
    "prefixes, chosen answers": (MDP, MDP.params_of(PROCESSES), Answers),
}


def all_states(env, params):
    """Every state of every instance, `[M * num_states]`."""
    num_instances = params.instances.shape[0]
    instance = jnp.repeat(jnp.arange(num_instances), env.num_states)
    index = jnp.tile(jnp.arange(env.num_states), num_instances)
    return jax.vmap(lambda m, i: env.state_at(m, i, params))(instance, index)


def live(env, params):
    """Which of them are not terminal."""
    return ~np.asarray(jax.vmap(env.is_terminated, (0, None))(all_states(env, params), params))


@functools.cache
def question(method):
    """`log_probs` or `log_probs_and_features` of a prior, compiled once."""
    return jax.jit(method, compiler_options=FAST_TO_COMPILE)


def ask(prior, env, params, needed=None):
    """Log-probs, features and counters of the states that are needed; default, all of them."""
    states = all_states(env, params)
    needed = np.ones(states.time.shape, bool) if needed is None else needed
    return question(prior.log_probs_and_features)(
        prior.params, prior.init(), states, params, jnp.asarray(needed)
    )


@functools.cache
def model_prior(case):
    env, params, kind = CASES[case]
    prior = LanguagePrior.of_model(tiny_model(), env, params, chunk=8)
    if kind is Answers:
        answers = Answers.build(prior.scorer.table.answers)
        scorer = dataclasses.replace(prior.scorer, answers=answers)
        prior = dataclasses.replace(prior, scorer=scorer)
    assert isinstance(prior.scorer.answers, kind)
    return prior


@functools.cache
def bert():
    return BertEncoder.from_pretrained(folder("bert"), LAKE)


# -- a language model's own ----------------------------------------------------------------------


@pytest.mark.parametrize("case", list(CASES))
def test_features_are_the_hidden_state_of_a_plain_forward_pass(case):
    (env, params, _), prior = CASES[case], model_prior(case)
    states = all_states(env, params)
    slots = np.asarray(jax.jit(jax.vmap(env.slots, (0, None)))(states, params))
    expected = naive_hidden(tiny_model(), [env.template.render(row) for row in slots.tolist()])
    _, features, _ = ask(prior, env, params)
    assert features.shape == (len(slots), *prior.feature_shape) == (len(slots), 16)
    np.testing.assert_allclose(features, expected, atol=3e-5)
    assert expected[: env.num_states].std(0).max() > 0.05  # states read differently


@pytest.mark.parametrize("case", list(CASES))
def test_features_cost_no_run_of_the_model(case):
    (env, params, _), prior = CASES[case], model_prior(case)
    states, needed = all_states(env, params), jnp.asarray(live(env, params))
    asked = prior.params, prior.init(), states, params, needed
    alone, both = question(prior.log_probs), question(prior.log_probs_and_features)
    expected, counted = alone(*asked)
    found, _, counters = both(*asked)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert counters == counted == (needed.sum(), needed.sum())
    # And in the programs: as many matrix products, and no more arithmetic than that.
    programs = alone.lower(*asked), both.lower(*asked)
    dots = [program.as_text().count("dot_general") for program in programs]
    costs: list[Any] = [program.compile().cost_analysis() for program in programs]
    flops = [cost["flops"] for cost in costs]
    assert dots[0] == dots[1] > 10
    assert flops[1] == pytest.approx(flops[0], rel=0.01)


# -- any prior -----------------------------------------------------------------------------------


PARAMS = CASES["prefixes"][1]
KINDS = {
    "a model": lambda: model_prior("prefixes"),
    "an encoder": lambda: EncodedPrior(UniformPrior(LAKE), bert(), chunk=8),
    "a table of a model": lambda: tabulated("a model"),
    "a table of an encoder": lambda: tabulated("an encoder"),
    "degraded": lambda: degrade(model_prior("prefixes"), adversarial=True),
}


@functools.cache
def prior_of(kind):
    return KINDS[kind]()


@functools.cache
def tabulated(kind):
    return tabulate_features(prior_of(kind), LAKE, PARAMS, note="copy")


@pytest.mark.parametrize("kind", list(KINDS))
def test_rows_that_are_not_needed_are_zeros(kind):
    prior, params = prior_of(kind), PARAMS
    needed = live(LAKE, params) & (np.arange(32) % 3 > 0)
    log_probs, features, _ = ask(prior, LAKE, params, needed)
    right_log_probs, right, _ = ask(prior, LAKE, params, live(LAKE, params))
    np.testing.assert_allclose(features[needed], right[needed], atol=1e-5)
    np.testing.assert_allclose(log_probs[needed], right_log_probs[needed], atol=1e-5)
    np.testing.assert_array_equal(features[~needed], 0)
    assert np.isfinite(np.max(log_probs, axis=-1)).all()
    assert np.abs(right[needed]).max(-1).all()


@pytest.mark.parametrize("kind", ["a model", "an encoder"])
def test_table_and_live_agree(kind):
    prior, params = prior_of(kind), PARAMS
    table, there = tabulated(kind), live(LAKE, params)
    found, features, counters = ask(table, LAKE, params)
    expected, right, _ = ask(prior, LAKE, params)
    np.testing.assert_allclose(found[there], expected[there], atol=1e-5)
    np.testing.assert_allclose(features[there], right[there], atol=1e-5)
    np.testing.assert_array_equal(features[~there], 0)
    assert (table.name, table.feature_shape) == (prior.name, prior.feature_shape)
    evaluations = there.sum() if kind == "a model" else 0  # an encoder is not counted
    assert counters == (32, evaluations)
    alone = tabulate(prior, LAKE, params, note="copy")
    np.testing.assert_allclose(table.params.table.log_probs, alone.table, atol=1e-6)
    assert (table.table.evaluations, table.table.settings) == (alone.evaluations, alone.settings)


@pytest.mark.parametrize("base", ["uniform", "table"])
def test_an_encoder_beside_any_prior(base):
    params = PARAMS
    prior: Any = UniformPrior(LAKE)
    if base == "table":
        table = jax.nn.log_softmax(jax.random.normal(jax.random.key(0), (2, 16, 4)))
        prior = TabularPrior(LAKE, table, "table", 30)
    encoded, states = EncodedPrior(prior, bert()), all_states(LAKE, params)
    found, features, counters = ask(encoded, LAKE, params)
    every = jnp.ones(32, bool)
    expected, counted = prior.log_probs(prior.params, prior.init(), states, params, every)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    right = question(bert().encode)(bert().params, states, params)
    assert features.shape == (32, *encoded.feature_shape) == (32, 4, 32)
    np.testing.assert_allclose(features, right, atol=1e-5)
    assert (encoded.name, counters) == (prior.name, counted)


def test_a_degraded_prior_reads_as_before():
    prior, worse, params = prior_of("a model"), prior_of("degraded"), PARAMS
    found, features, counters = ask(worse, LAKE, params)
    expected, right, counted = ask(prior, LAKE, params)
    np.testing.assert_allclose(found, jax.nn.log_softmax(-expected), atol=1e-5)
    np.testing.assert_allclose(features, right, atol=1e-6)
    assert counters == counted


def test_which_priors_have_features():
    for kind in KINDS:
        assert has_features(prior_of(kind))
    table = TabularPrior(LAKE, jnp.zeros((1, 16, 4)), "table", 0)
    flax = FlaxLanguagePrior.from_pretrained(folder("gpt2"), LAKE, LAKE.params_of(MAPS[:1]))
    for prior in (None, table, UniformPrior(LAKE), degrade(table), flax):
        assert not has_features(prior)
