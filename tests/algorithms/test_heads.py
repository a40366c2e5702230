"""A narrow last layer is `nn.Dense` to the bit, forward and back, of one run and of many."""

import flax.linen as nn
import jax
import numpy as np
import pytest

from lprl_jax.algorithms.heads import VECTOR, head

RUNS, ROWS, INPUTS = 5, 12, 7


def pulled(layer: nn.Dense, x: jax.Array, of: jax.Array, runs: int | None):
    """Outputs, and gradients by the parameters and by the input."""

    def one(key, x, of):
        params = layer.init(key, x)
        out, pull = jax.vjp(layer.apply, params, x)
        return out, *pull(of)

    if runs is None:
        return jax.jit(one)(jax.random.key(2), x[0], of[0])
    keys = jax.random.split(jax.random.key(2), runs)
    return jax.jit(jax.vmap(one))(keys, x, of)


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("size", [1, 4, VECTOR - 1, VECTOR])
@pytest.mark.parametrize("shape", [(), (ROWS,), (3, ROWS)])
@pytest.mark.parametrize("runs", [None, RUNS])
def test_it_is_flax_s_layer(use_bias, size, shape, runs):
    x = jax.random.normal(jax.random.key(0), (RUNS, *shape, INPUTS))
    of = jax.random.normal(jax.random.key(1), (RUNS, *shape, size))
    ours = pulled(head(size, use_bias=use_bias), x, of, runs)
    flax = pulled(nn.Dense(size, use_bias=use_bias), x, of, runs)
    assert jax.tree.structure(ours) == jax.tree.structure(flax)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(flax), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_the_gradient_by_hand():
    x = np.random.default_rng(0).normal(size=(RUNS, ROWS, INPUTS)).astype(np.float32)
    of = np.random.default_rng(1).normal(size=(RUNS, ROWS, 4)).astype(np.float32)
    _, params, _ = pulled(head(4, use_bias=False), jax.numpy.asarray(x), jax.numpy.asarray(of), 5)
    right = np.einsum("rbh,rba->rha", x.astype(float), of.astype(float))
    np.testing.assert_allclose(params["params"]["kernel"], right, atol=1e-5)


def test_runs_may_share_their_input():
    layer, x = head(4), jax.random.normal(jax.random.key(0), (ROWS, INPUTS))
    of = jax.random.normal(jax.random.key(1), (RUNS, ROWS, 4))
    params = layer.init(jax.random.key(2), x)

    def gradient(layer, of):
        return jax.vjp(lambda params: layer.apply(params, x), params)[1](of)[0]["params"]["kernel"]

    many = jax.vmap(lambda of: gradient(layer, of))(of)
    right = jax.vmap(lambda of: gradient(nn.Dense(4), of))(of)
    np.testing.assert_allclose(many, right, rtol=1e-5, atol=1e-6)
