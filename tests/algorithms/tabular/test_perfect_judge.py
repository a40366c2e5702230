"""What a shift does to the optimum, by planning with shifted rewards: the theory as tests.

Frozen Lake's law is exact, so that the best policy under r + scale · δ is known, and what it is
worth by r alone.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import FrozenLake, WatchRepair

from lprl_jax import judges
from lprl_jax.algorithms.tabular.perfect_judge import perfect_judge
from lprl_jax.algorithms.tabular.value_iteration import law_of, plan

GAMMA, BACKUPS = 0.95, 400
ENV = FrozenLake("4x4")
PARAMS = ENV.default_params
SCALES = [0.1, 0.5, 1.0, 2.0, 10.0, 100.0]
START = 0


@pytest.fixture(scope="module")
def law():
    return law_of(ENV, PARAMS, jnp.int32(0))


@pytest.fixture(scope="module")
def perfect():
    judge = perfect_judge(ENV, PARAMS, discount=GAMMA)
    return np.asarray(judge.params.verdicts[0])


@jax.jit
def _plan(law, shift, at_end):
    """The optimum's values, where a step pays `shift` [S, A] more, and one that terminates
    `at_end`.
    """
    reward = law.reward + shift[..., None] + at_end * (1 - law.discount)
    return plan(law._replace(reward=reward), BACKUPS, GAMMA)


@jax.jit
def _worth(law, policy):
    """Of a policy `i32[S]` by its true rewards."""
    own = jnp.zeros_like(law.legal).at[jnp.arange(len(policy)), policy].set(True)
    return jnp.max(plan(law._replace(legal=own), BACKUPS, GAMMA), axis=-1)


def loss_under(law, shift, at_end=0.0) -> float:
    """What the best policy under the shift loses of the true value, at the start."""
    q = _plan(law, jnp.asarray(shift, jnp.float32), jnp.float32(at_end))
    best = jnp.max(_plan(law, jnp.zeros(law.legal.shape), jnp.float32(0)), axis=-1)
    return float((best - _worth(law, jnp.argmax(q, axis=-1)))[START])


def test_a_perfect_judge_calls_the_best_actions_good_and_the_others_bad(law, perfect) -> None:
    q = np.asarray(plan(law, BACKUPS, GAMMA))
    over = np.array([ENV.is_terminated(ENV.state_at(0, i, PARAMS), PARAMS) for i in range(16)])
    best = q.max(1, keepdims=True)
    alike = best[:, 0] - q.min(1) < 1e-5
    right = np.where(q > best - 1e-5 * best, 1.0, -1.0)
    np.testing.assert_array_equal(perfect, np.where((over | alike)[:, None], 0, right))
    assert {*perfect.ravel()} == {-1, 0, 1}


@pytest.mark.parametrize("scale", SCALES)
def test_penalties_of_a_perfect_judge_change_no_optimum(law, perfect, scale: float) -> None:
    assert abs(loss_under(law, scale * np.minimum(perfect, 0))) < 1e-5


def test_rewards_of_a_perfect_judge_do(law, perfect) -> None:
    """Good steps are paid, so that the best policy takes many of them and stays away from the
    goal.
    """
    losses = [loss_under(law, scale * np.maximum(perfect, 0)) for scale in SCALES]
    assert losses[-1] > 0.1
    assert min(losses) > -1e-5


def test_what_a_wrong_judge_costs_is_bounded(law, perfect) -> None:
    """Penalties cost at most the scale times how often the best policy is blamed."""
    best = np.argmax(np.asarray(plan(law, BACKUPS, GAMMA)), axis=1)
    rng = np.random.default_rng(0)
    blamed = rng.random(16) < 0.3
    shift = np.minimum(perfect, 0)
    shift[np.arange(16), best] = np.where(blamed, -1.0, shift[np.arange(16), best])
    own = jnp.zeros_like(law.legal).at[jnp.arange(16), best].set(True)
    blame = jnp.asarray(-shift)[..., None] * own[..., None]
    often = plan(
        law._replace(reward=jnp.broadcast_to(blame, law.reward.shape), legal=own), BACKUPS, GAMMA
    )
    frequency = float(jnp.max(often, axis=-1)[START])
    for scale in (0.05, 0.2, 1.0):
        loss = loss_under(law, scale * shift)
        assert -1e-5 < loss <= scale * frequency + 1e-5


@pytest.mark.parametrize("constant", [-1.0, -0.1, 0.1, 1.0])
def test_a_constant_is_invariant_only_with_what_is_owed_at_the_end(law, constant: float) -> None:
    shift = np.full(law.legal.shape, constant)
    # The last step is paid as if the constant went on for ever.
    at_end = constant / (1 - GAMMA) - constant
    assert abs(loss_under(law, shift, at_end)) < 1e-5


def test_a_constant_alone_pays_for_long_episodes_or_short_ones(law) -> None:
    """A judge that says good to everything is this shift."""
    every = np.asarray(judges.always_good(ENV).verdict) * np.ones(law.legal.shape)
    assert loss_under(law, every) > 0.1
    assert loss_under(law, -every) > 0.1


def test_a_delayed_reward_is_judged_at_the_worlds_own_discount() -> None:
    """A watch is sold fifty steps after its repair was paid."""
    env = WatchRepair()
    judge = perfect_judge(env, env.default_params)
    brands = jax.vmap(lambda i: env.state_at(0, i, env.default_params))(jnp.arange(4))
    assert brands.brand.tolist() == [0, 1, 2, 3]
    found = judge.params.verdicts[0, :4]
    np.testing.assert_array_equal(found, [[-1, 1], [1, -1], [1, -1], [-1, 1]])
