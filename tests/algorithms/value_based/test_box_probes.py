"""SAC and TD3 solve the probes in a box: values near those worked out, and the best actions.

One probe a run, so that a learner is compiled once for all of them.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.box_probes import BOX_PROBES, BoxMDP
from algorithms.probes import begin, trainer
from lprl_envs.conformance.check import require
from lprl_envs.conformance.subject import Subject

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.value_based import sac, td3
from lprl_jax.algorithms.value_based.sac_config import SACConfig
from lprl_jax.algorithms.value_based.td3_config import TD3Config

ENV = BoxMDP(2)
PARAMS = ENV.params_of(list(BOX_PROBES.values()), max_steps=2)
DATA = Data((), PARAMS)
NAMES = list(BOX_PROBES)
GAMMA, SEEDS, NUM_UPDATES = 0.6, 2, 500
COMMON: dict[str, Any] = {
    "num_envs": 8,
    "rollout_length": 2,
    "updates_per_rollout": 3,
    "learning_starts": 800,
    "hidden_sizes": (64,),
    "buffer_size": 8192,
    "batch_size": 64,
    "learning_rate": 5e-3,
    "gamma": GAMMA,
    "tau": 0.1,
}
LEARNERS = {
    "sac": (sac, SACConfig(**COMMON, temperature=0.05)),
    "td3": (td3, TD3Config(**COMMON)),
}
POINTS = np.array([(0.5, -0.5), (-0.25, 0.5), (0, 0), (0.3, 0.1), (0.1, -0.3)], np.float32)
"""Of [-1, 1]², in which critics are asked."""


@functools.cache
def learnt(name):
    """Params `[M, SEEDS, ...]`, and critics `[M, SEEDS, 2 places, points, 2]`."""
    module, config = LEARNERS[name]
    algorithm = module.make(config, ENV)
    probes = jnp.repeat(jnp.arange(len(BOX_PROBES)), SEEDS)
    state = begin(algorithm, config, DATA, range(len(probes)), probes[:, None])
    state, _ = trainer(algorithm, NUM_UPDATES)(state, DATA)
    nets = module.networks(ENV, config.hidden_sizes)
    obs = jnp.repeat(jnp.eye(2, 3), len(POINTS), axis=0)
    points = jnp.tile(POINTS, (2, 1))
    q = jax.vmap(lambda p: nets.critics.values(p.critics, obs, points))(state.params)
    state, q = jax.device_get((state, q))
    q = q.reshape(len(NAMES), SEEDS, 2, len(POINTS), 2)
    return jax.tree.map(lambda x: x.reshape(len(NAMES), SEEDS, *x.shape[1:]), state.params), q


def smoothed():
    """E of the square of N(0, .2²) clipped to ±.5, the best action being .5 from any edge."""
    z = np.linspace(-4, 4, 200_001)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.trapezoid(np.clip(0.2 * z, -0.5, 0.5) ** 2 * density, z)


def expected(name, probe, temperature):
    """Values `[2 places, points]`; nan where a probe never comes."""
    made, nan = BOX_PROBES[probe], np.full(len(POINTS), np.nan)
    away = ((POINTS[None] - made.best[:, None]) ** 2).sum(-1)
    now = made.reward[:, None] - made.weight[:, None] * away
    if probe in ("a constant", "by action"):
        return np.stack([now[0], nan])
    if probe in ("by observation", "by both"):
        return now
    if probe == "time limit":
        # 1 + .6 + .36 + ...: a time limit is no end; and of entropy the most there is, 2 log 2.
        entropy = 2 * math.log(2) * temperature if name == "sac" else 0.0
        return np.stack([now[0] + (GAMMA / (1 - GAMMA)) * (1 + entropy), nan])
    if name == "td3":
        after = 1.0 - made.weight[1] * 2 * smoothed()
    elif probe == "discounting":
        after = 1.0 + temperature * 2 * math.log(2)
    else:  # the best soft value: of weight · square / temperature, a Gaussian integral
        after = 1.0 + temperature * math.log(math.pi * temperature / made.weight[1])
    return np.stack([np.full(len(POINTS), GAMMA * after), now[1]])


@pytest.mark.parametrize("probe", NAMES)
@pytest.mark.parametrize("name", LEARNERS)
def test_values(name, probe):
    params, q = learnt(name)
    for seed in range(SEEDS):
        temperature = 0.0
        if name == "sac":
            temperature = math.exp(params.log_temperature[NAMES.index(probe), seed])
        right = expected(name, probe, temperature)
        known = ~np.isnan(right)
        assert known.any()
        for critic in range(2):
            found = q[NAMES.index(probe), seed, ..., critic]
            # Far from the best action, where little is tried, a network follows a square less well.
            short = right.max(axis=1, keepdims=True) - right
            assert (np.abs(found - right)[known] < 0.1 + 0.1 * short[known]).all(), (found, right)


@pytest.mark.parametrize("name", LEARNERS)
def test_what_is_bootstrapped_is_smoothed_or_paid_for_its_entropy(name):
    # By the best action's value alone it would be .6.
    params, q = learnt(name)
    place, right = NAMES.index("which bootstrap"), 0.0
    for seed in range(SEEDS):
        temperature = math.exp(params.log_temperature[place, seed]) if name == "sac" else 0.0
        right = expected(name, "which bootstrap", temperature)[0, 0]
        assert q[place, seed, 0].mean() == pytest.approx(right, abs=0.04)
    if name == "td3":
        assert right < 0.6 - 2 * 0.04


@pytest.mark.parametrize(
    ("probe", "place"), [("by action", 0), ("by both", 0), ("by both", 1), ("which bootstrap", 1)]
)
@pytest.mark.parametrize("name", LEARNERS)
def test_greedy_actions(name, probe, place):
    module, config = LEARNERS[name]
    params, _ = learnt(name)
    nets = module.networks(ENV, config.hidden_sizes)
    best = BOX_PROBES[probe].best[place]
    for seed in range(SEEDS):
        own = jax.tree.map(lambda x, s=seed: x[NAMES.index(probe), s], params.policy)
        obs = jnp.eye(2, 3)[place][None]
        mean = nets.action(own, obs) if name == "td3" else jnp.tanh(nets.gaussian(own, obs).mean)
        np.testing.assert_allclose(mean[0], best, atol=0.1)


def test_what_is_played_earns_what_the_best_action_earns():
    # Through `evaluate`, so with the box stretched: the reward is the world's, of points in it.
    for module, config in LEARNERS.values():
        algorithm = module.make(config, ENV)
        name = module.__name__.rsplit(".", 1)[-1]
        params, _ = learnt(name)
        probes = jnp.repeat(jnp.arange(len(BOX_PROBES)), SEEDS)
        state = begin(algorithm, config, DATA, range(len(probes)), probes[:, None])
        flat = jax.tree.map(lambda x: jnp.asarray(x.reshape(-1, *x.shape[2:])), params)
        found = algorithm.evaluate(state._replace(params=flat), DATA, 4)
        worth = np.asarray(found["return"]).reshape(-1, SEEDS)
        for probe, right in (("by action", 1.0), ("which bootstrap", 1.0), ("time limit", 2.0)):
            np.testing.assert_allclose(worth[NAMES.index(probe)], right, atol=0.05)


def test_the_temperature_is_led_to_the_target_entropy():
    # Where actions matter, π ∝ exp(-w |u - best|² / α) has the entropy log(π e α / w) of two
    # numbers; it is to be -2 nats. Elsewhere entropy is to be had for nothing, and worth nothing.
    params, _ = learnt("sac")
    found, free = (params.log_temperature[NAMES.index(x)] for x in ("by action", "a constant"))
    right = -2 - 1 - math.log(math.pi)
    np.testing.assert_allclose(found, right, atol=0.35)
    assert (free < right - 1).all()


@pytest.mark.parametrize("check", ["avals", "mask", "spaces", "law", "law_is_step", "final"])
def test_the_world_of_the_probes_keeps_the_contract(check):
    require(Subject(ENV, PARAMS), check)
