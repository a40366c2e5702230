"""A language model of which only adapters are trained: what starts, what moves, and what cannot."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import FAST_TO_COMPILE, PROBES, TabularMDP, begin, trainer
from lprl_envs import InvalidInput
from priors.tiny import tiny_model

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.policy_based import ppo
from lprl_jax.algorithms.policy_based.language_policy import LanguagePolicy
from lprl_jax.algorithms.policy_based.ppo_config import PPOConfig
from lprl_jax.lm.partition import LANGUAGE_MODEL
from lprl_jax.priors import LanguagePrior

# What is best does not depend on luck: one step, and rewards by action, or by place and action.
PLACES = TabularMDP(2, 3)
NAMES = ("by action", "by both")
WORLD = PLACES.params_of([PROBES[name] for name in NAMES], max_steps=2)
CONFIG = PPOConfig(
    policy="tiny",
    lora_rank=4,
    lora_targets=("q", "v", "down"),
    lora_alpha=8.0,
    num_envs=64,
    rollout_length=2,
    num_epochs=2,
    num_minibatches=2,
    normalize_advantages=False,
    learning_rate=1e-2,
    entropy_coef=0.0,
)
POLICY = LanguagePolicy.of_model(tiny_model(), PLACES, WORLD)
PRIOR = LanguagePrior.of_model(tiny_model(), PLACES, WORLD)
DATA = Data((), WORLD, policy_params=POLICY.params)
ALGORITHM = ppo.make(CONFIG, PLACES, None, POLICY)
UPDATES, CHUNK = 27, 3


def places_of(run):
    """Both places of the instance that a run plays."""
    return jax.vmap(lambda i: PLACES.state_at(jnp.int32(run % 2), i, WORLD))(jnp.arange(2))


def policy_of(state, run):
    """Log-probabilities `[2, A]` of a run in its two places."""
    params = jax.tree.map(lambda x: x[run], state.params)
    return judge(params, state.run_instances[run], places_of(run))


@functools.partial(jax.jit, compiler_options=FAST_TO_COMPILE)
def judge(params, instances, states):
    actor = POLICY.actor_critic(CONFIG.adapters)
    return actor.apply(params, actor.prepare(params, instances, DATA), states, DATA).log_probs


def prior_of(prior, run):
    """The same by a prior."""
    every = jnp.ones(2, bool)
    return prior.log_probs(prior.params, prior.init(), places_of(run), WORLD, every)[0]


def start_with(runs):
    return begin(ALGORITHM, CONFIG, DATA, runs, jnp.array([[run % 2] for run in runs]))


@pytest.fixture(scope="module")
def fresh():
    return start_with(range(3))


@pytest.fixture(scope="module")
def chunks(fresh):
    """After every CHUNK updates, `(state, metrics)`."""
    found = [(fresh, {})]
    for _ in range(UPDATES // CHUNK):
        found.append(trainer(ALGORITHM, CHUNK)(found[-1][0], DATA))
    return found[1:]


def test_at_the_start_every_run_is_the_frozen_prior(fresh):
    for run in range(3):
        np.testing.assert_allclose(policy_of(fresh, run), prior_of(PRIOR, run), atol=1e-5)


def test_a_run_holds_adapters_and_the_values_head_alone(fresh):
    own = fresh.params[LANGUAGE_MODEL]["layers"]
    shapes = {name: {leaf: x.shape for leaf, x in part.items()} for name, part in own.items()}
    assert shapes == {
        "q": {"lora_a": (3, 2, 16, 4), "lora_b": (3, 2, 4, 16)},
        "v": {"lora_a": (3, 2, 16, 4), "lora_b": (3, 2, 4, 8)},
        "down": {"lora_a": (3, 2, 24, 4), "lora_b": (3, 2, 4, 16)},
    }
    assert fresh.params.keys() == {LANGUAGE_MODEL, "value"}
    assert fresh.params[LANGUAGE_MODEL].keys() == {"layers"}
    moments = sum(x.size for x in jax.tree.leaves(fresh.opt_state))
    learnt = sum(x.size for x in jax.tree.leaves(fresh.params))
    assert moments == 2 * learnt + 3  # and how many steps were taken
    a = own["q"]["lora_a"]
    assert np.abs(a[0] - a[1]).max() > 0.1  # drawn for each run


def test_training_raises_the_return_and_the_model_stays_as_it_was(fresh, chunks):
    untouched = [np.array(leaf) for leaf in jax.tree.leaves(tiny_model().params)]
    state, metrics = chunks[-1]
    for run in range(3):
        name = NAMES[run % 2]
        places = sorted({int(place) for place in PROBES[name].starts})
        before, after = (np.exp(policy_of(x, run)) for x in (fresh, state))
        gains = [np.sum(p * PROBES[name].reward, axis=-1)[places] for p in (before, after)]
        assert gains[1].min() > 0.9 > gains[0].min()
        assert np.mean(metrics["reward"][:, run]) > 0.9 * 128
    own = state.params[LANGUAGE_MODEL]["layers"]
    for part in own.values():
        for leaf in part.values():
            assert np.abs(leaf[0] - leaf[2]).max() > 1e-3  # of one instance, drawn otherwise
    for name, part in fresh.params[LANGUAGE_MODEL]["layers"].items():
        for leaf, x in part.items():
            assert np.abs(own[name][leaf] - x).max() > 1e-3
    for leaf, right in zip(jax.tree.leaves(DATA.policy_params.start), untouched, strict=True):
        np.testing.assert_array_equal(leaf, right)


def test_runs_at_once_equal_each_alone(chunks):
    at_once, right = chunks[0]
    alone, seen = trainer(ALGORITHM, CHUNK)(start_with([1]), DATA)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x[0], y[1], atol=2e-4),
        alone.params,
        at_once.params,
    )
    np.testing.assert_allclose(seen["reward"][:, 0], right["reward"][:, 1])


def test_the_merged_model_is_the_policy(chunks):
    state = chunks[-1][0]
    own = jax.tree.map(lambda x: x[2], state.params)
    merged = POLICY.model_of(own, CONFIG.adapters)
    assert jax.tree.structure(merged.params) == jax.tree.structure(tiny_model().params)
    found = prior_of(LanguagePrior.of_model(merged, PLACES, WORLD), 2)
    right = policy_of(state, 2)
    seen = np.asarray(right) > -9  # far below, log-probabilities are differences of large numbers
    np.testing.assert_allclose(np.exp(found), np.exp(right), atol=1e-5)
    np.testing.assert_allclose(found[seen], right[seen], atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lora_rank": -1}, "lora_rank is -1; it must be 0 or above"),
        ({"lora_alpha": 0}, "lora_alpha is 0.0; it must be above 0"),
        ({"lora_alpha": float("inf")}, "lora_alpha is inf; it must be a finite number"),
        ({"lora_targets": ("query",)}, "lora_targets is .*; it must be some of q, k, v, o, gate"),
        ({"lora_targets": ()}, "lora_targets is .*; it must be some of"),
        ({"lora_targets": ("q", "q")}, "lora_targets is .*each once"),
        ({"lora_rank": 0}, "lora_targets is .*, and lora_rank is 0, which trains all weights"),
        ({"policy": "network"}, "lora_rank is 4, and the policy is a network"),
    ],
    ids=["rank", "alpha", "infinite", "unknown", "none", "twice", "needless", "network"],
)
def test_configs_that_are_refused(changes, words):
    with pytest.raises(InvalidInput, match=words):
        dataclasses.replace(CONFIG, **changes)


def test_a_matrix_that_the_model_lacks_is_refused():
    plain = dataclasses.replace(tiny_model().config, mlp="plain")
    reader = dataclasses.replace(POLICY.scorer.reader, config=plain)
    policy = dataclasses.replace(POLICY, scorer=dataclasses.replace(POLICY.scorer, reader=reader))
    config = dataclasses.replace(CONFIG, lora_targets=("gate", "up"))
    with pytest.raises(InvalidInput, match="the model 'tiny' has no matrix gate, but q, k, v"):
        ppo.make(config, PLACES, None, policy)
