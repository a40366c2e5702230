"""Judges that know the physics: against the experts they speak for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import CartPole, FrozenLake, InvalidInput, Pendulum

from lprl_jax.judges.experts import expert_judge


def ask(judge, states, params):
    count = len(states.time)
    asked = jax.random.split(jax.random.key(0), count), states, params, jnp.ones(count, bool)
    found, carry = jax.jit(judge.verdicts)(judge.params, judge.init(), *asked)
    assert (int(carry.queries), int(carry.evaluations)) == (count, 0)
    return np.asarray(found)


def played(env, params, steps, actions):
    """States of random play."""

    def step(state, key):
        _, after, *_ = env.step(key, state, actions(key), params)
        return after, after

    _, state = env.reset(jax.random.key(1), params)
    return jax.lax.scan(step, state, jax.random.split(jax.random.key(2), steps))[1]


def test_on_cart_pole_the_regulators_side_is_good() -> None:
    env = CartPole()
    params = env.sample_params(jax.random.key(0), 6)
    states = played(env, params, 200, lambda key: jax.random.randint(key, (), 0, 2))
    judge = expert_judge(env, params)
    expert = judge.params.expert
    button = np.asarray(jax.vmap(expert.action, (0, None))(states, params))
    found = ask(judge, states, params)
    np.testing.assert_array_equal(found.argmax(1), button)
    np.testing.assert_array_equal(np.sort(found, axis=1), np.tile([-1.0, 1.0], (200, 1)))
    margin = np.abs(jax.vmap(expert.margin, (0, None))(states, params))
    unsure = ask(expert_judge(env, params, dead_zone=2.0), states, params)
    np.testing.assert_array_equal(unsure, np.where((margin < 2)[:, None], 0, found))
    assert 0 < np.mean(margin < 2) < 1


def test_on_pendulum_a_torque_is_judged_by_what_it_loses() -> None:
    env = Pendulum()
    params = env.default_params
    states = played(env, params, 64, lambda key: jax.random.uniform(key, (1,), minval=-2, maxval=2))
    judge = expert_judge(env, params)
    losses = np.asarray(jax.vmap(judge.params.expert.advantages, (0, None))(states, params))
    found = ask(judge, states, params)
    for verdicts, lost in zip(found, -losses, strict=True):
        spread = lost.max()
        right = np.where(lost <= 0.15 * spread, 1.0, np.where(lost > 0.5 * spread, -1.0, 0.0))
        edge = np.abs(lost[:, None] / spread - np.array([[0.15, 0.5]])).min() < 1e-3
        if not edge:
            np.testing.assert_array_equal(verdicts, right if spread > 0.05 else 0 * right)


def test_refusals() -> None:
    lake = FrozenLake("4x4")
    with pytest.raises(InvalidInput, match="has no expert; valid: CartPole-lprl"):
        expert_judge(lake, lake.default_params)
    cart = CartPole()
    with pytest.raises(InvalidInput, match="dead_zone is -1"):
        expert_judge(cart, cart.default_params, dead_zone=-1)
