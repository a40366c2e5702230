"""SAC's losses, networks and all, against a twin in float64 NumPy: linear networks, few rows."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.box_probes import BOX_PROBES, HIGH, LOW, BoxMDP

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.value_based import sac, twin_critics
from lprl_jax.algorithms.value_based.from_replay import Transition
from lprl_jax.algorithms.value_based.sac import Params
from lprl_jax.algorithms.value_based.twin_critics import Batch

ENV = BoxMDP(2)
NETS = sac.networks(ENV, ())
B, F, D = 6, 3, 2
KEY = jax.random.key(8)
ALPHA = 0.3


def dense(rng, *shape):
    kernel, bias = rng.normal(0, 0.7, shape), rng.normal(0, 0.7, (*shape[:-2], shape[-1]))
    return {"params": {"Dense_0": {"kernel": kernel, "bias": bias}}}


def random():
    """Parameters and targets in float64, and a batch."""
    rng: Any = np.random.default_rng(2)
    critics, targets = (dense(rng, 2, F + D, 1) for _ in range(2))
    log_alpha: Any = np.array(math.log(ALPHA))
    params = Params(dense(rng, F, 2 * D), critics, log_alpha)
    batch = Batch(
        obs=rng.normal(size=(B, F)),
        action=rng.uniform(-1, 1, (B, D)),
        reward=rng.normal(size=B),
        discount=rng.permutation(0.9 * (np.arange(B) % 3 > 0)),
        next_obs=rng.normal(size=(B, F)),
    )
    return params, targets, batch


PARAMS, TARGETS, BATCH = random()


# -- the twin --------------------------------------------------------------------------------------


def affine(tree, x):
    return x @ tree["params"]["Dense_0"]["kernel"] + tree["params"]["Dense_0"]["bias"]


def twin_values(critics, obs, action):
    inputs = np.concatenate([obs, action], axis=-1)
    of = (jax.tree.map(lambda x, i=i: x[i], critics) for i in range(2))
    return np.stack([affine(tree, inputs)[:, 0] for tree in of])


def twin_sample(policy, obs, noise):
    mean, raw = np.split(affine(policy, obs), 2, axis=-1)
    log_sigma = -5 + 3.5 * (np.tanh(raw) + 1)
    u = np.tanh(mean + np.exp(log_sigma) * noise)
    normal = -0.5 * noise**2 - log_sigma - 0.5 * math.log(2 * math.pi)
    return u, (normal - np.log(1 - u**2)).sum(-1)


def twin_critics_loss(critics, noise, believed=np.min):
    u, log_pi = twin_sample(PARAMS.policy, BATCH.next_obs, noise)
    value = believed(twin_values(TARGETS, BATCH.next_obs, u), axis=0) - ALPHA * log_pi
    y = BATCH.reward + BATCH.discount * value
    return np.mean(((twin_values(critics, BATCH.obs, BATCH.action) - y) ** 2).sum(0))


def twin_policy_loss(policy, noise):
    u, log_pi = twin_sample(policy, BATCH.obs, noise)
    return np.mean(ALPHA * log_pi - twin_values(PARAMS.critics, BATCH.obs, u).min(0))


def by_finite_differences(function, tree):
    leaves, structure = jax.tree.flatten(tree)

    def at(i, place, step):
        moved = [np.array(x) for x in leaves]
        moved[i][place] += step
        return function(jax.tree.unflatten(structure, moved))

    slopes = [np.zeros(x.shape) for x in leaves]
    for i, slope in enumerate(slopes):
        for place in np.ndindex(slope.shape):
            slope[place] = (at(i, place, 1e-6) - at(i, place, -1e-6)) / 2e-6
    return jax.tree.unflatten(structure, slopes)


def close(found, right, **tolerance):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **tolerance), found, right)


# -- losses ----------------------------------------------------------------------------------------


def test_critics():
    with jax.enable_x64(True):
        loss = functools.partial(sac.critics_loss, NETS)
        of = PARAMS, TARGETS, KEY, BATCH
        value, slopes = jax.value_and_grad(loss)(PARAMS.critics, *of)
        noise = np.asarray(jax.random.normal(KEY, (B, D), jnp.float64))
    assert float(value) == pytest.approx(twin_critics_loss(PARAMS.critics, noise), rel=1e-9)
    right = by_finite_differences(lambda x: twin_critics_loss(x, noise), PARAMS.critics)
    close(slopes, right, rtol=1e-6, atol=1e-8)
    for other in (np.max, np.mean):  # the smaller is what counts
        assert abs(twin_critics_loss(PARAMS.critics, noise, other) - float(value)) > 0.1


def test_policy():
    with jax.enable_x64(True):
        loss = functools.partial(sac.policy_loss, NETS)
        (value, log_pi), slopes = jax.value_and_grad(loss, has_aux=True)(
            PARAMS.policy, PARAMS, KEY, BATCH
        )
        noise = np.asarray(jax.random.normal(KEY, (B, D), jnp.float64))
    assert float(value) == pytest.approx(twin_policy_loss(PARAMS.policy, noise), rel=1e-9)
    np.testing.assert_allclose(log_pi, twin_sample(PARAMS.policy, BATCH.obs, noise)[1], rtol=1e-9)
    right = by_finite_differences(lambda x: twin_policy_loss(x, noise), PARAMS.policy)
    close(slopes, right, rtol=1e-5, atol=1e-7)


def test_what_networks_read_of_transitions():
    params = ENV.params_of(list(BOX_PROBES.values()))
    state = jax.vmap(lambda i: ENV.state_at(0, i, params))(jnp.array([0, 1, 0]))
    after = jax.vmap(lambda i: ENV.state_at(0, i, params))(jnp.array([1, 2, 1]))
    middle = (LOW + HIGH) / 2
    transitions = Transition(
        state=state,
        action=jnp.stack([LOW, middle, HIGH]),
        reward=jnp.float32([1, 2, 3]),
        terminated=jnp.array([False, True, False]),
        next_state=after,
    )
    found = twin_critics.read(ENV, transitions, jnp.float32(0.9), Data((), params))
    np.testing.assert_array_equal(found.obs, np.eye(3)[[0, 1, 0]])
    np.testing.assert_array_equal(found.next_obs, np.eye(3)[[1, 2, 1]])
    np.testing.assert_array_equal(found.action, [[-1, -1], [0, 0], [1, 1]])
    np.testing.assert_array_equal(found.reward, [1, 2, 3])
    np.testing.assert_allclose(found.discount, [0.9, 0.0, 0.9])
