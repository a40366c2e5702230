"""The expert of cart pole, and what its text is worth: returns of whole episodes."""

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import CartPole
from lprl_envs.cartpole import EnvState, expert_of
from lprl_envs.parts.text_cells import text_cell

pytestmark = pytest.mark.optimized

ENV = CartPole()
PARAMS = ENV.default_params
EXPERT = expert_of(PARAMS)
NUM = 300


def lengths(act, params=PARAMS, num=NUM, seed=0):
    """Steps of `num` episodes, 500 at most, an instance each in turn; `act(key, state)`."""

    def episode(key, instance):
        def step(carry, key):
            state, stands = carry
            key_action, key_step = jax.random.split(key)
            state, reward, fell = ENV.step_env(key_step, state, act(key_action, state), params)[1:4]
            return (state, stands & ~fell), jnp.where(stands, reward, 0.0)

        start = ENV.initial_state(key, instance, params)
        rewards = jax.lax.scan(step, (start, jnp.bool_(True)), jax.random.split(key, 500))[1]
        return jnp.sum(rewards)

    keys = jax.random.split(jax.random.key(seed), num)
    instances = jnp.arange(num, dtype=jnp.int32) % len(params.bank.length)
    return np.asarray(jax.jit(jax.vmap(episode))(keys, instances))


def linearised(own):
    """`(A [4, 4], b [4])` of gymnax's own step about the upright, by differences in float64.

    An action between 0 and 1 is a force between -force_mag and force_mag there.
    """
    inner, _ = gymnax.make("CartPole-v1")

    def step(values, force):
        state = dict(zip(("x", "x_dot", "theta", "theta_dot"), values, strict=True))
        start = inner.reset(jax.random.key(0), own)[1].replace(**state)
        found = inner.step_env(jax.random.key(0), start, 0.5 + force / (2 * own.force_mag), own)[1]
        return np.array([found.x, found.x_dot, found.theta, found.theta_dot])

    with jax.enable_x64(True):
        h = 1e-4
        a = [(step(side, 0.0) - step(-side, 0.0)) / (2 * h) for side in np.eye(4) * h]
        return np.array(a).T, (step(np.zeros(4), h) - step(np.zeros(4), -h)) / (2 * h)


@pytest.mark.parametrize(
    "fields", [{}, {"length": 1.4, "masspole": 0.8, "masscart": 0.5, "gravity": 20.0}], ids=str
)
def test_gains_are_what_value_iteration_on_gymnaxs_step_finds(fields):
    own = gymnax.make("CartPole-v1")[1].replace(**fields)
    own = own.replace(
        total_mass=own.masscart + own.masspole, polemass_length=own.masspole * own.length
    )
    a, b = linearised(own)
    cost, gain = np.zeros((4, 4)), np.zeros(4)
    for _ in range(5000):
        gain = b @ cost @ a / (0.01 + b @ cost @ b)
        cost = np.diag([0.3, 0.1, 3.0, 0.3]) + a.T @ cost @ (a - np.outer(b, gain))
    np.testing.assert_allclose(expert_of(ENV.params_of([fields])).gains[0], -gain, rtol=1e-4)


def test_gains_of_gymnaxs_physics():
    np.testing.assert_allclose(EXPERT.gains, [[4.70, 7.18, 56.14, 14.75]], atol=0.005)


def test_the_expert_balances_whatever_it_is_told():
    params = ENV.sample_params(jax.random.key(2), 60)
    assert params.bank.swapped.any()
    expert = expert_of(params)
    assert lengths(lambda key, state: expert.action(state, params), params, 120).min() == 500
    # Not told of the buttons it falls at once where they are exchanged.
    deaf = lengths(lambda key, state: (expert.force(state) > 0).astype(jnp.int32), params, 120)
    swapped = np.asarray(params.bank.swapped)[np.arange(120) % 60]
    assert deaf[~swapped].min() == 500
    assert deaf[swapped].max() < 60


def test_what_the_text_says_is_enough_to_balance_by():
    """The expert's majority in each of the 1,225 texts, of states drawn uniformly."""
    reach = jnp.array([[2.4], [1.5], [0.21], [1.5]])
    drawn = reach * jax.random.uniform(jax.random.key(5), (4, 200_000), minval=-1.0)
    zeros = jnp.zeros(drawn.shape[1], jnp.int32)
    states = EnvState(
        time=zeros, instance=zeros, x=drawn[0], x_dot=drawn[1], theta=drawn[2], theta_dot=drawn[3]
    )
    both = jax.vmap(lambda s: (text_cell(ENV, s, PARAMS), EXPERT.margin(s, PARAMS)))
    cells, margins = jax.jit(both)(states)
    votes = np.zeros(1225)
    np.add.at(votes, np.asarray(cells), np.sign(margins))
    table = jnp.asarray(votes > 0, jnp.int32)
    found = lengths(lambda key, state: table[text_cell(ENV, state, PARAMS)])
    assert found.mean() > 498.0  # one episode in a thousand may fall


# Mean and standard deviation of 20,000 episodes each, by a NumPy program that shares no code.
COARSER = {
    "constant": (lambda key, state: jnp.int32(1), (9.35, 0.75)),
    "random": (lambda key, state: jax.random.randint(key, (), 0, 2), (22.26, 11.8)),
    "lean": (lambda key, state: jnp.int32(state.theta > 0), (42.14, 8.9)),
    "turning": (lambda key, state: jnp.int32(state.theta_dot > 0), (198.8, 40.8)),
}


@pytest.mark.parametrize(("act", "right"), COARSER.values(), ids=COARSER)
def test_coarser_controls(act, right):
    mean, spread = right
    assert abs(lengths(act).mean() - mean) < 4 * spread / NUM**0.5
