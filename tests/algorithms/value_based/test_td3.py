"""TD3's losses and noise against numbers worked out apart from it, and when its policy learns."""

import functools
import itertools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.box_probes import BOX_PROBES, HIGH, LOW, BoxMDP
from algorithms.probes import begin, trainer

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.value_based import td3
from lprl_jax.algorithms.value_based.td3 import Params
from lprl_jax.algorithms.value_based.td3_config import TD3Config
from lprl_jax.algorithms.value_based.twin_critics import Batch

with warnings.catch_warnings():
    # TensorFlow Probability, below rlax, reads what JAX is about to drop.
    warnings.filterwarnings("ignore", "jax.core.pytype_aval_mappings", DeprecationWarning)
    import rlax

ENV = BoxMDP(2)
DATA = Data((), ENV.params_of(list(BOX_PROBES.values()), max_steps=2))
NETS = td3.networks(ENV, (4,))
B, F, D = 6, 3, 2
KEY = jax.random.key(8)
HP = jax.tree.map(lambda x: x[0], TD3Config(target_noise=0.9, noise_clip=0.4).hparams(1))


def random():
    """Parameters, targets, a batch."""
    rng = np.random.default_rng(2)
    batch = Batch(
        obs=jnp.float32(rng.normal(size=(B, F))),
        action=jnp.float32(rng.uniform(-1, 1, (B, D))),
        reward=jnp.float32(rng.normal(size=B)),
        discount=jnp.float32(0.9 * (np.arange(B) % 3 > 0)),
        next_obs=jnp.float32(rng.normal(size=(B, F))),
    )

    def params(seed):
        keys = jax.random.split(jax.random.key(seed))
        policy = NETS.policy.init(keys[0], batch.obs)
        policy = jax.tree.map(lambda x: 3 * x, policy)  # so that some actions come near the edge
        return Params(policy, NETS.critics.init(keys[1], batch.obs, batch.action))

    return params(0), params(1), batch


PARAMS, TARGETS, BATCH = random()


def test_the_target_is_the_smaller_value_of_a_noisy_clipped_action():
    loss = td3.critics_loss(NETS, PARAMS.critics, TARGETS, KEY, BATCH, HP)
    noise = np.clip(0.9 * np.asarray(jax.random.normal(KEY, (B, D))), -0.4, 0.4)
    mean = np.asarray(NETS.action(TARGETS.policy, BATCH.next_obs))
    action = np.clip(mean + noise, -1, 1)
    assert (np.abs(noise) == np.float32(0.4)).any()  # both clips are met
    assert (np.abs(action) == 1).any()
    q = np.asarray(NETS.critics.values(TARGETS.critics, BATCH.next_obs, jnp.float32(action)))
    assert (q.argmin(1) == 0).any()
    assert (q.argmin(1) == 1).any()
    y = BATCH.reward + BATCH.discount * q.min(1)
    q = NETS.critics.values(PARAMS.critics, BATCH.obs, BATCH.action)
    right = np.mean((q[:, 0] - y) ** 2 + (q[:, 1] - y) ** 2)
    assert float(loss) == pytest.approx(float(right), rel=1e-5)


def test_noise_has_its_deviation_and_its_bounds():
    moved = td3.with_noise(KEY, jnp.zeros((20_000, 2)), jnp.float32(0.2), jnp.inf)
    assert float(moved.std()) == pytest.approx(0.2, abs=0.005)
    clipped = td3.with_noise(KEY, jnp.full((1000, 2), 0.9), jnp.float32(0.2), jnp.float32(0.3))
    assert float(clipped.min()) == pytest.approx(0.6)
    assert float(clipped.max()) == 1.0
    still = td3.with_noise(KEY, jnp.full((9, 2), 0.9), jnp.float32(0.0), jnp.float32(0.3))
    np.testing.assert_array_equal(still, np.float32(0.9))


def test_the_policy_climbs_the_first_critic_as_rlax_has_it():
    loss = functools.partial(td3.policy_loss, NETS)
    found = jax.grad(loss)(PARAMS.policy, PARAMS.critics, BATCH)

    def first(action, obs):
        return NETS.critics.values(PARAMS.critics, obs[None], action[None])[0, 0]

    def theirs(policy):
        action = NETS.action(policy, BATCH.obs)
        slopes = jax.vmap(jax.grad(first))(jax.lax.stop_gradient(action), BATCH.obs)
        return jnp.mean(jnp.sum(jax.vmap(rlax.dpg_loss)(action, slopes), axis=-1))

    right = jax.grad(theirs)(PARAMS.policy)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6), found, right)


@pytest.mark.parametrize("delay", [1, 3])
def test_policy_and_targets_wait(delay):
    config = TD3Config(
        learning_starts=1, hidden_sizes=(4,), buffer_size=64, batch_size=8, policy_delay=delay,
        tau=0.25,
    )  # fmt: skip
    algorithm = td3.make(config, ENV)
    states = [begin(algorithm, config, DATA, range(2))]
    for _ in range(7):
        states.append(trainer(algorithm, 1)(states[-1], DATA)[0])
    for number, (before, after) in enumerate(itertools.pairwise(states), start=1):
        assert int(after.num_updates) == number
        assert moved(before.params.critics, after.params.critics)
        is_time = number % delay == 0
        assert moved(before.params.policy, after.params.policy) == is_time
        assert moved(before.opt_state.policy, after.opt_state.policy) == is_time
        share = 0.25 * is_time
        right = jax.tree.map(
            lambda old, new, s=share: (1 - s) * old + s * new, before.target_params, after.params
        )
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-7),
            after.target_params,
            right,
        )


def moved(before, after):
    return any(
        (np.asarray(x) != np.asarray(y)).any()
        for x, y in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    )


def test_exploring_adds_noise_that_playing_does_not():
    config = TD3Config(
        num_envs=64, learning_starts=0, hidden_sizes=(4,), buffer_size=64, batch_size=8,
        exploration_noise=0.3,
    )  # fmt: skip
    algorithm = td3.make(config, ENV)
    fresh = begin(algorithm, config, DATA, [0], jnp.array([[0]]))
    after, _ = trainer(algorithm, 1)(fresh, DATA)
    acted = np.asarray(after.replay.items.action[0])
    unit = (acted - LOW) / (HIGH - LOW) * 2 - 1
    assert (np.abs(unit) <= 1 + 1e-6).all()
    policy = jax.tree.map(lambda x: x[0], fresh.params.policy)
    mean = np.asarray(NETS.action(policy, jnp.eye(1, 3)))
    inside = np.abs(unit) < 0.999
    assert np.std((unit - mean)[inside]) == pytest.approx(0.3, abs=0.08)
    assert algorithm.policies == ("greedy",)
