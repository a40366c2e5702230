"""Advantages against tables worked by hand, and against the sum of n-step returns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lprl_jax.algorithms.policy_based import gae

GAMMA, LAMBDA = 0.5, 0.5
REWARD = [1.0, 2.0, 4.0]
VALUE = [8.0, 4.0, 2.0]
# Values of the states reached, before any reset: 4 and 2 are acted in next, where no episode ends.
# After an end at the second step the state that it led to was worth 6.
ON, ENDED = [4.0, 2.0, 16.0], [4.0, 6.0, 16.0]
# Errors where nothing ends: 1 + 4/2 - 8 = -5;  2 + 2/2 - 4 = -1;  4 + 16/2 - 2 = 10.
# Each advantage is its error and a quarter (γλ) of the next advantage.
TABLES = {
    # A3 = 10;  A2 = -1 + 10/4 = 1.5;  A1 = -5 + 1.5/4 = -4.625.
    "no end": (ON, [0, 0, 0], [0, 0, 0], [-4.625, 1.5, 10.0]),
    # δ2 = 2 + 0 - 4 = -2, and nothing after it counts;  A1 = -5 - 2/4 = -5.5.
    "termination": (ENDED, [0, 1, 0], [0, 0, 0], [-5.5, -2.0, 10.0]),
    # δ2 = 2 + 6/2 - 4 = 1: the state reached goes on;  A1 = -5 + 1/4 = -4.75.
    "truncation": (ENDED, [0, 0, 0], [0, 1, 0], [-4.75, 1.0, 10.0]),
    # A goal reached on the last step that time allows is a goal: as termination.
    "both": (ENDED, [0, 1, 0], [0, 1, 0], [-5.5, -2.0, 10.0]),
    # δ3 = 4 + 0 - 2 = 2;  A2 = -1 + 2/4 = -.5;  A1 = -5 - .5/4 = -5.125.
    "termination at the end": (ON, [0, 0, 1], [0, 0, 0], [-5.125, -0.5, 2.0]),
    # The last state is bootstrapped from anyway, so nothing changes.
    "truncation at the end": (ON, [0, 0, 0], [0, 0, 1], [-4.625, 1.5, 10.0]),
}


def advantages(v_t, terminated, truncated, reward=REWARD, value=VALUE, lambda_=LAMBDA):
    ended = np.logical_or(terminated, truncated)
    discount = GAMMA * (1.0 - jnp.array(terminated))
    rows = jnp.array(reward), discount, 1.0 - jnp.asarray(ended), jnp.array(value), jnp.array(v_t)
    return gae.advantages(*rows, lambda_)


@pytest.mark.parametrize("case", TABLES)
def test_by_hand(case):
    v_t, terminated, truncated, expected = TABLES[case]
    np.testing.assert_allclose(advantages(v_t, terminated, truncated), expected, rtol=1e-6)


def test_the_tables_tell_the_cases_apart():
    found = {case: tuple(table[-1]) for case, table in TABLES.items()}
    assert len({found["no end"], found["termination"], found["truncation"]}) == 3
    assert found["both"] == found["termination"]


@pytest.mark.parametrize("lambda_", [0.0, 0.3, 1.0])
def test_it_is_the_weighted_mean_of_n_step_advantages(lambda_):
    # (1 - λ) Σ λ^(n-1) (n-step return - value), the longest one with all the weight that is left.
    rng = np.random.default_rng(0)
    length = 12
    reward, value = rng.normal(size=(2, length))
    terminated, truncated = np.zeros((2, length), bool)
    terminated[[3, 8]], truncated[[5, 8]] = True, True
    v_t = np.where(terminated | truncated, rng.normal(size=length), np.append(value[1:], 0.7))
    expected = np.zeros(length)
    for start in range(length):
        end = next((t for t in range(start, length) if terminated[t] or truncated[t]), length - 1)
        estimates = []
        for last in range(start, end + 1):
            steps = np.arange(start, last + 1)
            paid = np.sum(GAMMA ** (steps - start) * reward[steps])
            worth = 0.0 if terminated[last] else v_t[last]
            estimates.append(paid + GAMMA ** (last + 1 - start) * worth - value[start])
        weights = (1 - lambda_) * lambda_ ** np.arange(len(estimates))
        weights[-1] = lambda_ ** (len(estimates) - 1)
        expected[start] = np.dot(weights, estimates)
    found = advantages(v_t, terminated, truncated, reward, value, lambda_)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_environments_are_apart():
    keys = jax.random.split(jax.random.key(0), 5)
    rows = jnp.stack([jax.random.uniform(key, (7, 3)) for key in keys])

    def of(rows):
        reward, discount, continues, value, after = rows
        return gae.advantages(reward, discount, continues, value, after, 0.9)

    together = of(rows)
    for i in range(3):
        np.testing.assert_allclose(together[:, i], of(rows[..., i]), rtol=1e-6)
