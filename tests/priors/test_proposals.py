"""Proposals by inverse CDF: no chance number leads to an action of probability 0."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lprl_jax.priors.sampling import choose_at, proposals_at

MOST = np.nextafter(np.float32(1), np.float32(0))
"""The highest number below 1: 1 - 2^-24."""


def adversarial(log_probs: np.ndarray) -> np.ndarray:
    """Chance numbers `f32[B, k]` at and beside every step of the rows' CDFs, and at the ends."""
    top = log_probs.max(axis=-1, keepdims=True)
    cdf = np.asarray(jnp.cumsum(jnp.exp(log_probs - top), axis=-1))
    steps = cdf / cdf[:, -1:]
    ends = np.broadcast_to(np.array([0, 2.0**-149, 0.5, MOST], np.float32), (len(cdf), 4))
    beside = [np.nextafter(steps, np.float32(end)) for end in (0, 2)]
    return np.clip(np.concatenate([ends, steps, *beside], axis=1), 0, MOST)


def rows_of(num_actions: int, share: float, scale: float) -> np.ndarray:
    """Log-probabilities `f32[64, A]`, of which a share is above -inf."""
    rng = np.random.default_rng(num_actions)
    log_probs = rng.normal(size=(64, num_actions)) * scale
    log_probs[rng.random(log_probs.shape) >= share] = -np.inf
    log_probs[np.arange(64), rng.integers(num_actions, size=64)] = 0.0
    return log_probs.astype(np.float32)


def plainly(chance: jax.Array, log_probs: jax.Array) -> jax.Array:
    """The first action whose CDF exceeds the number, with no regard to rounding."""
    cdf = jnp.cumsum(jnp.exp(log_probs - jnp.max(log_probs, axis=-1, keepdims=True)), axis=-1)
    return jnp.argmax(cdf[..., None, :] > (chance * cdf[..., -1:])[..., None], axis=-1)


@pytest.mark.parametrize("scale", [1.0, 30.0, 100.0])
@pytest.mark.parametrize(("num_actions", "share"), [(1000, 0.02), (1000, 0.5), (1000, 1), (7, 0.3)])
def test_never_an_action_of_probability_0(num_actions, share, scale):
    # The CDF of a thousand actions rises by rounding where nothing is added; with the largest scale
    # most probabilities underflow.
    log_probs = rows_of(num_actions, share, scale)
    chance = adversarial(log_probs)
    drawn = np.asarray(jax.jit(proposals_at)(chance, log_probs))
    mass = np.asarray(jnp.exp(log_probs - log_probs.max(axis=-1, keepdims=True)))
    assert (np.take_along_axis(mass, drawn, axis=1) > 0).all()
    # Where the plain rule names a possible action, it is that one, bit for bit.
    plain = np.asarray(jax.jit(plainly)(chance, log_probs))
    fair = np.take_along_axis(mass, plain, axis=1) > 0
    np.testing.assert_array_equal(drawn[fair], plain[fair])


def test_a_sum_that_does_not_reach_the_number():
    # As where a number is rounded up to 1, or backends add in another order.
    weights = jnp.float32([[0, 1, 0, 2, 0], [0, 0, 0, 0, 3]])
    assert choose_at(jnp.ones((2, 1)), weights).tolist() == [[3], [4]]
    assert proposals_at(jnp.float32([1, MOST, 0]), jnp.log(weights[0])).tolist() == [3, 3, 1]


def test_a_row_without_any_possible_action_is_in_range():
    assert proposals_at(jnp.float32([0, MOST]), jnp.full(5, -jnp.inf)).tolist() == [0, 0]
