"""A judge in words, calibrated: on training instances alone, so that no word is likelier there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, TabularMDP, tables
from lprl_envs import CartPole, FrozenLake, InvalidInput
from priors.tiny import tiny_model

from lprl_jax.algorithms.tabular.word_calibration import (
    INSTANCES,
    STEPS,
    asked_about,
    calibrated,
    played,
)
from lprl_jax.judges.words import WordJudge

ENV = CartPole()


PLAIN = (("families", ("plain",)),)


@pytest.fixture(scope="module")
def asked():
    """States and the training instances they are of."""
    return asked_about(ENV, PLAIN)


@pytest.fixture(scope="module")
def judges() -> tuple[WordJudge, WordJudge]:
    """Of a held-out bank: as it is, and calibrated."""
    bank = ENV.sample_params(jax.random.key(0), 2, "held-out")
    plain = WordJudge.of_model(tiny_model(), ENV, bank, threshold=0.4)
    return plain, calibrated(plain, PLAIN)


def test_no_word_is_likelier_on_average_in_training(judges, asked) -> None:
    plain, found = judges
    states, taught = asked
    every = jnp.ones(INSTANCES * STEPS, bool)
    ask = jax.jit(plain.with_bank(taught).log_probs)
    moved = plain.with_bank(taught).params
    before = np.asarray(ask(moved, states, taught, every)).mean(axis=(0, 1))
    assert np.ptp(before) > 0.5
    after = ask(moved._replace(bias=found.params.bias), states, taught, every)
    np.testing.assert_allclose(np.ptp(np.asarray(after).mean(axis=(0, 1))), 0, atol=1e-4)
    np.testing.assert_allclose(found.params.bias, before - before.mean(), atol=1e-4)


def test_nothing_of_the_judges_own_bank_is_looked_at(judges, asked) -> None:
    plain, found = judges
    _, taught = asked
    held_out = jax.vmap(ENV.held_out)
    assert not held_out(taught.bank).any()
    assert held_out(ENV.sample_params(jax.random.key(0), 2, "held-out").bank).all()
    assert not taught.bank.swapped.any()
    other = calibrated(WordJudge.of_model(tiny_model(), ENV, bias=(1, 0, 2)), PLAIN)
    np.testing.assert_array_equal(other.params.bias, found.params.bias)
    assert float(found.params.threshold) == pytest.approx(0.4)
    assert found.params.prefix is plain.params.prefix


def test_players_are_anywhere_that_legal_actions_lead_and_nowhere_else() -> None:
    """Action 2 alone leads to state 2, and is illegal where the others lead."""
    legal = np.array([[1, 1, 0], [1, 1, 0], [1, 1, 1]], bool)
    env = TabularMDP(3, 3)
    leads = [[0, 1, 2], [END, 0, 2], [2, 2, 2]]
    bank = env.params_of([tables(leads, np.zeros((3, 3)), legal)] * 2)
    states = played(env, 64, 16, bank, jax.random.key(0))
    index = np.asarray(jax.vmap(env.state_index, (0, None))(states, bank))
    assert index.shape == (1024,)
    # From 0 to 1 half the time, and always back: by an action, or since the episode ends.
    share = np.bincount(index, minlength=3) / len(index)
    np.testing.assert_allclose(share, [2 / 3, 1 / 3, 0], atol=0.06)
    assert set(np.unique(states.instance)) == {0, 1}


def test_a_world_without_training_instances_is_refused() -> None:
    env = FrozenLake("2x2")
    with pytest.raises(InvalidInput, match="a judge is calibrated on training instances: "):
        calibrated(WordJudge.of_model(tiny_model(), env))
