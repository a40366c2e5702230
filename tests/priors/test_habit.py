"""HabitPrior: its weights against means, numbers by hand and the gradient; what it refuses."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, TabularMDP, tables
from lprl_envs import FrozenLake, InvalidInput
from lprl_envs.frozen_lake.maps import GOAL, HOLE

import lprl_jax
from lprl_jax import Data
from lprl_jax.algorithms.value_based import dqn
from lprl_jax.priors import HabitPrior, TabularPrior, UniformPrior, degrade, habit, tabulate

LAKE = FrozenLake("3x3", is_slippery=False)
FLOOR = 2e-6
"""What smoothing may change in a probability."""


def weights_of(right, legal):
    return np.exp(np.asarray(habit.fit(np.array(right), np.array(legal, bool)), np.float64))


def test_where_all_is_legal_it_is_the_mean_of_right_answers():
    right = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 1, 0]], bool)
    # (1, 0, 0), (½, ½, 0) and (0, ½, ½); the third state is not asked about.
    expected = [1.5 / 3, 1 / 3, 0.5 / 3, 0]
    found = weights_of(right, np.ones((4, 4)))
    np.testing.assert_allclose(found, expected, atol=FLOOR)
    assert 0 < found[3] < FLOOR  # what is never right is unlikely, not impossible


def test_numbers_count_by_their_share_in_a_state():
    right = [[0.2, 0.6], [3.0, 1.0]]  # shares ¼, ¾ and ¾, ¼
    np.testing.assert_allclose(weights_of(right, np.ones((2, 2))), [0.5, 0.5], atol=FLOOR)


def test_a_masked_example_worked_by_hand():
    """Of a and b, a is right in 2 of 3 states; of b and c, b is in 3 of 4.

    So w_a : w_b = 2 : 1 and w_b : w_c = 3 : 1, which both pairs have exactly: 6 : 3 : 1. The mean
    of right answers, 2 : 4 : 1, is another.
    """
    pair, other = [1, 1, 0], [0, 1, 1]
    legal = [pair] * 3 + [other] * 4
    right = [[1, 0, 0]] * 2 + [[0, 1, 0]] + [[0, 1, 0]] * 3 + [[0, 0, 1]]
    np.testing.assert_allclose(weights_of(right, legal), [0.6, 0.3, 0.1], atol=FLOOR * 5)


@pytest.mark.parametrize("seed", range(4))
def test_no_gradient_is_left(seed):
    """Of the log-likelihood with respect to log w, by automatic differentiation."""
    rng = np.random.default_rng(seed)
    legal = rng.random((300, 6)) < 0.6
    right = legal & (rng.random((300, 6)) < [0.9, 0.5, 0.5, 0.3, 0.2, 0.1])
    asked = right.any(1)
    assert not asked.all()
    shares = right[asked] / right[asked].sum(1, keepdims=True)

    def mean_log_likelihood(log_weights):
        log_probs = jax.nn.log_softmax(jnp.where(legal[asked], log_weights, -jnp.inf), axis=-1)
        return jnp.mean(jnp.sum(jnp.where(right[asked], shares * log_probs, 0.0), axis=-1))

    found = habit.fit(right, legal)
    assert np.abs(jax.grad(mean_log_likelihood)(found)).max() < 2e-6
    worse = found.at[0].add(0.01)
    assert mean_log_likelihood(worse) < mean_log_likelihood(found)
    assert float(jnp.sum(jnp.exp(found))) == pytest.approx(1)


def test_what_is_always_better_ends_somewhere():
    """The first is right wherever it is legal: no finite weight is enough, but for smoothing."""
    legal = [[1, 1, 0], [1, 1, 1], [0, 1, 1]]
    found = weights_of([[1, 0, 0], [1, 0, 0], [0, 1, 0]], legal)
    assert found[0] > 100 * found[1] > 1e4 * found[2] > 0


@pytest.mark.parametrize(
    ("right", "legal", "words"),
    [
        ([[0, 0]], [[1, 1]], "nothing is right in any of 1 states"),
        ([[1, 0]], [[0, 1]], "an illegal action that is right"),
        ([[-1.0, 0]], [[1, 1]], "numbers below 0"),
        ([[np.nan, 0]], [[1, 1]], "numbers below 0"),
        ([[1, 0]], [[1, 1, 1]], "right is [1, 2] and legal [1, 3]"),
        ([1, 0], [1, 1], "both are [states, actions]"),
    ],
    ids=range(6),
)
def test_what_cannot_be_fitted_is_refused(right, legal, words):
    with pytest.raises(InvalidInput) as error:
        weights_of(right, legal)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


# -- the prior -----------------------------------------------------------------------------------

ENV = TabularMDP(2, 4)
PARAMS = ENV.params_of([tables([[END] * 4] * 2, [[0] * 4] * 2, [[1, 1, 1, 0], [0, 1, 0, 1]])])
WEIGHTS = np.array([0.1, 0.2, 0.3, 0.4])
HABIT = HabitPrior(ENV, jnp.log(jnp.float32(WEIGHTS)))


def ask(prior):
    states = jax.vmap(lambda i: ENV.state_at(0, i, PARAMS))(jnp.arange(2))
    needed = jnp.array([True, False])
    log_probs, carry = prior.log_probs(prior.params, prior.init(), states, PARAMS, needed)
    return np.exp(log_probs), carry


def test_it_is_the_weights_over_what_is_legal_and_asks_nobody():
    found, carry = ask(HABIT)
    np.testing.assert_allclose(found, [[1 / 6, 1 / 3, 1 / 2, 0], [0, 1 / 3, 0, 2 / 3]], rtol=1e-6)
    assert carry == (0, 0)
    assert lprl_jax.HabitPrior is HabitPrior


def test_its_weights_are_arguments_of_what_is_compiled():
    state, traced = jax.tree.map(lambda x: x[None], ENV.state_at(0, 0, PARAMS)), []

    @jax.jit
    def probs(params):
        traced.append(params)
        return jnp.exp(HABIT.log_probs(params, HABIT.init(), state, PARAMS, jnp.ones(1, bool))[0])

    np.testing.assert_allclose(probs(HABIT.params), [[1 / 6, 1 / 3, 1 / 2, 0]], rtol=1e-6)
    other = HabitPrior(ENV, jnp.zeros(4))
    np.testing.assert_allclose(probs(other.params), [[1 / 3, 1 / 3, 1 / 3, 0]], rtol=1e-6)
    assert len(traced) == 1


def test_it_can_be_degraded():
    found, _ = ask(degrade(HABIT, epsilon=0.5))
    np.testing.assert_allclose(found[1], [0, 1 / 6 + 1 / 4, 0, 1 / 3 + 1 / 4], rtol=1e-6)
    found, _ = ask(degrade(HABIT, adversarial=True))
    np.testing.assert_allclose(found[1], [0, 2 / 3, 0, 1 / 3], rtol=1e-6)


@pytest.mark.parametrize("weights", [[0.0, 0.0], [0.0, 0.0, -np.inf, 0.0], [[0.0] * 4]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(InvalidInput, match=r"log_weights is .*; right: 4 finite numbers, one"):
        HabitPrior(ENV, jnp.asarray(weights))


def test_it_belongs_to_an_environment_and_to_no_bank():
    lakes = [FrozenLake("3x3", is_slippery=slippery) for slippery in (False, True)]
    own, other = (HabitPrior(lake, jnp.zeros(4)) for lake in lakes)
    config = dqn.DQNConfig()
    with pytest.raises(InvalidInput, match="'habit' was made for FrozenLake-lprl"):
        dqn.make(config, lakes[0], other)
    algorithm = dqn.make(config, lakes[0], own)
    keys, hparams = jax.random.split(jax.random.key(0), 2), config.hparams(2)
    for seed in (0, 1):  # banks
        bank = lakes[0].sample_params(jax.random.key(seed), 2)
        algorithm.init(keys, hparams, Data(own.params, bank))
    with pytest.raises(InvalidInput, match="'habit' was made for FrozenLake-lprl"):
        algorithm.init(keys, hparams, Data(other.params, bank))


# -- of a prior ----------------------------------------------------------------------------------


def test_of_a_prior_it_is_its_mean_over_states_that_are_not_over():
    params = LAKE.sample_params(jax.random.key(0), 4, "train")
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), (4, 9))
    prior = TabularPrior(LAKE, jnp.log(jnp.float32(p)), "mine", 0)
    found = HabitPrior.of_prior(prior, LAKE, params)
    tiles = np.asarray(params.bank.tiles)
    goes_on = (tiles != HOLE) & (tiles != GOAL)
    assert 0 < goes_on.sum() < goes_on.size - 4
    np.testing.assert_allclose(np.exp(found.log_weights), p[goes_on].mean(0), atol=FLOOR)
    assert found.name == "mine (its habit)"
    assert HabitPrior.of_prior(prior, LAKE, params, "hers").name == "hers"


def test_a_habit_of_the_uniform_prior_is_uniform():
    found = HabitPrior.of_prior(UniformPrior(LAKE), LAKE, training())
    np.testing.assert_allclose(np.exp(found.log_weights), [0.25] * 4, rtol=1e-5)


def test_it_is_not_fitted_on_held_out_instances():
    held_out = LAKE.sample_params(jax.random.key(0), 1, "held-out")
    mixed: Any = jax.tree.map(lambda *x: jnp.concatenate(x), training().bank, held_out.bank)
    bank = dataclasses.replace(held_out, bank=mixed, instances=jnp.arange(4))
    with pytest.raises(InvalidInput) as error:
        HabitPrior.of_prior(UniformPrior(LAKE), LAKE, bank)
    assert str(error.value) == (
        "a habit is fitted on training instances; instance 3 is held out; draw them with "
        "split='train'"
    )


def training():
    return LAKE.sample_params(jax.random.key(0), 3, "train")


def test_a_table_of_it_is_the_habit():
    params = training()
    prior = HabitPrior(LAKE, jnp.log(jnp.float32(WEIGHTS)))
    table = tabulate(prior, LAKE, params).table
    start = int(params.bank.starts[0, 0])
    np.testing.assert_allclose(np.exp(table[0, start]), WEIGHTS, rtol=1e-6)
    assert prior.settings == HABIT.settings  # the same weights
    assert prior.settings != HabitPrior(LAKE, jnp.zeros(4)).settings
