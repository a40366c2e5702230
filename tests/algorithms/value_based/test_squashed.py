"""The squashed Gaussian against the naive formula in float64, distrax, and its own integral."""

import math
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lprl_jax.algorithms.value_based import squashed
from lprl_jax.algorithms.value_based.squashed import Gaussian

with warnings.catch_warnings():
    # TensorFlow Probability, below distrax, reads what JAX is about to drop.
    warnings.filterwarnings("ignore", "jax.core.pytype_aval_mappings", DeprecationWarning)
    import distrax


def naive(z, mean, log_sigma):
    """By the definition, in float64."""
    z, mean, log_sigma = (np.asarray(x, np.float64) for x in (z, mean, log_sigma))
    sigma = np.exp(log_sigma)
    density = np.exp(-0.5 * ((z - mean) / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
    return np.sum(np.log(density) - np.log(1 - np.tanh(z) ** 2), axis=-1)


def random(shape, seed=0):
    rng = np.random.default_rng(seed)
    mean, log_sigma = rng.normal(size=shape), rng.uniform(-3, 1, shape)
    z = mean + np.exp(log_sigma) * rng.normal(size=shape)
    return jnp.float32(np.clip(z, -7, 7)), Gaussian(jnp.float32(mean), jnp.float32(log_sigma))


def test_log_prob_is_the_naive_formula():
    z, policy = random((500, 3))
    right = naive(z, *policy)
    np.testing.assert_allclose(squashed.log_prob(z, policy), right, rtol=1e-5, atol=2e-5)


def test_log_prob_holds_where_the_naive_formula_breaks():
    # tanh² rounds to 1 from |z| = 9 on, in float32. There log(1 - tanh² z) is 2 log 2 - 2 |z|.
    z = jnp.float32([[-40.0], [-15.0], [15.0], [40.0]])
    policy = Gaussian(z, jnp.zeros_like(z))
    assert (np.float32(np.tanh(z, dtype=np.float64)) ** 2 == 1).all()
    right = -0.5 * math.log(2 * math.pi) - 2 * math.log(2) + 2 * np.abs(z[:, 0])
    np.testing.assert_allclose(squashed.log_prob(z, policy), right, rtol=1e-6)
    slope = jax.vmap(jax.grad(lambda z, m: squashed.log_prob(z, Gaussian(m, 0 * z)).sum()))(z, z)
    np.testing.assert_allclose(slope, 2 * np.sign(z), rtol=1e-6)


def test_log_prob_is_distraxs():
    z, policy = random((200, 2), seed=1)
    normal = distrax.MultivariateNormalDiag(policy.mean, jnp.exp(policy.log_sigma))
    squashing: Any = distrax.Block(distrax.Tanh(), 1).forward_log_det_jacobian(z)
    right = normal.log_prob(z) - squashing
    np.testing.assert_allclose(squashed.log_prob(z, policy), right, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize(("mean", "log_sigma"), [(0.0, -1.0), (0.7, 0.3), (-1.5, -0.5)])
def test_the_density_integrates_to_1_over_the_open_interval(mean, log_sigma):
    u = np.linspace(-1, 1, 400_001)[1:-1]
    policy = Gaussian(jnp.full((u.size, 1), mean), jnp.full((u.size, 1), log_sigma))
    density = np.exp(squashed.log_prob(jnp.float32(np.arctanh(u))[:, None], policy))
    assert np.trapezoid(density, u) == pytest.approx(1.0, abs=1e-3)


def test_samples_are_of_the_density_and_tell_their_own():
    shape = (40_000, 2)
    policy = Gaussian(jnp.broadcast_to(jnp.float32([0.3, -0.6]), shape), jnp.full(shape, -0.4))
    u, log_prob = squashed.sample(jax.random.key(3), policy)
    assert u.shape == shape
    assert (jnp.abs(u) < 1).all()
    z = np.arctanh(np.asarray(u, np.float64))
    np.testing.assert_allclose(z.mean(0), [0.3, -0.6], atol=0.02)
    np.testing.assert_allclose(z.std(0), np.exp(-0.4), atol=0.02)
    np.testing.assert_allclose(log_prob, naive(z, *policy), rtol=1e-3, atol=2e-3)
    np.testing.assert_array_equal(squashed.mode(policy), jnp.tanh(policy.mean))


def test_gradients_go_through_the_sample():
    # ∂u/∂μ = 1 - u², ∂u/∂log σ = (1 - u²) σ ε, with the same noise.
    policy, key = Gaussian(jnp.float32([[0.4]]), jnp.float32([[-0.7]])), jax.random.key(0)
    u, slopes = jax.value_and_grad(lambda p: squashed.sample(key, p)[0].sum())(policy)
    noise = (np.arctanh(float(u)) - 0.4) / math.exp(-0.7)
    u = float(u)
    assert float(slopes.mean[0, 0]) == pytest.approx(1 - u**2, rel=1e-4)
    right = (1 - u**2) * math.exp(-0.7) * noise
    assert float(slopes.log_sigma[0, 0]) == pytest.approx(right, rel=1e-4)


def test_gradients_of_log_prob_by_finite_differences():
    with jax.enable_x64(True):
        z, policy = (jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), x) for x in random((4, 2)))
        slopes = jax.grad(lambda *p: squashed.log_prob(z, Gaussian(*p)).sum(), (0, 1))(*policy)
        for i, slope in enumerate(slopes):
            for at in np.ndindex(slope.shape):
                step = np.zeros(slope.shape)
                step[at] = 1e-6
                ends = [
                    naive(z, *(x + sign * step * (j == i) for j, x in enumerate(policy))).sum()
                    for sign in (1, -1)
                ]
                assert float(slope[at]) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_spreads_are_led_between_their_bounds():
    outputs = jnp.float32([[0.1, -0.2, -50.0, 50.0], [0.0, 0.0, 0.0, 0.5]])
    policy = squashed.of_outputs(outputs)
    np.testing.assert_array_equal(policy.mean, outputs[:, :2])
    right = [[-5.0, 2.0], [-1.5, -5 + 3.5 * (math.tanh(0.5) + 1)]]
    np.testing.assert_allclose(policy.log_sigma, right, rtol=1e-5)
