"""Random states of Blocks World are uniform, and random instances as promised."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import BlocksWorld
from lprl_envs.blocks_world.rules import NONE, TABLE, is_reached
from lprl_envs.blocks_world.states import num_extensions, number_state, random_state

NUM_DRAWS = 100_000


@pytest.mark.parametrize(("n", "count"), [(3, 13), (4, 73)])
def test_random_states_are_uniform(n, count):
    def draw(key):
        return number_state(random_state(key, n))

    keys = jax.random.split(jax.random.key(0), NUM_DRAWS)
    _, times = np.unique(np.asarray(jax.jit(jax.vmap(draw))(keys)), return_counts=True)
    assert len(times) == num_extensions(n, 0) == count
    # Every count is binomial: none beyond four deviations, which 1 in 200 such tests would have.
    deviation = np.sqrt(NUM_DRAWS / count * (1 - 1 / count))
    assert np.abs(times - NUM_DRAWS / count).max() < 4 * deviation


def test_states_of_many_blocks():
    """Well-formed, and as many stacks on average as the counts say."""
    n, draws = 12, 20_000
    on = np.asarray(
        jax.jit(jax.vmap(functools.partial(random_state, num_blocks=n)))(
            jax.random.split(jax.random.key(1), draws)
        )
    )
    below = np.tile(np.arange(n), (draws, 1))
    for block in range(n):
        assert ((on == block).sum(1) <= 1).all()
        below = np.where(below < 0, TABLE, np.take_along_axis(on, np.maximum(below, 0), 1))
    assert (below == TABLE).all()
    # States of n blocks whose block 0 lies on the table: the first tower is set there.
    chance = num_extensions(n - 1, 1) / num_extensions(n, 0)
    deviation = np.sqrt(chance * (1 - chance) / draws)
    assert (np.abs((on == TABLE).mean(0) - chance) < 4 * deviation).all()


@pytest.mark.parametrize(("n", "num_blocks"), [(4, None), (12, None), (5, 3)])
@pytest.mark.parametrize("split", [None, "train", "held-out"])
def test_random_instances(n, num_blocks, split):
    env, blocks = BlocksWorld(n), num_blocks or n
    params = jax.jit(
        functools.partial(env.sample_params, num_instances=64, split=split, num_blocks=num_blocks)
    )(jax.random.key(0))
    bank = params.bank
    assert bank.on.shape == bank.goal.shape == (64, n)
    assert ((bank.on >= TABLE).sum(1) == blocks).all()
    assert (bank.goal[:, blocks:] == NONE).all()
    assert (bank.goal != NONE).any(1).all()
    assert not jax.vmap(is_reached)(bank.on, bank.goal).any()
    held_out = np.asarray(jax.vmap(env.held_out)(bank))
    assert set(held_out.tolist()) == ({False, True} if split is None else {split == "held-out"})


def test_a_split_does_not_depend_on_the_environments_size():
    instances = [{"init": ["cab"], "goal": [pair]} for pair in ("ab", "bc", "cb", "ca")]
    found = []
    for n in (3, 6, 12):
        env = BlocksWorld(n)
        found.append(jax.vmap(env.held_out)(env.params_of(instances).bank).tolist())
    assert found[0] == found[1] == found[2]


def test_two_blocks():
    env = BlocksWorld(2)
    bank = env.sample_params(jax.random.key(0), 200).bank
    rows = {tuple(row) for row in np.concatenate([bank.on, bank.goal], 1).tolist()}
    assert len(rows) == 4  # both on the table, with either goal, and the two towers


def test_same_key_same_bank():
    env = BlocksWorld(5)
    banks = [env.sample_params(jax.random.key(k), 4).bank.on.tolist() for k in (0, 0, 1)]
    assert banks[0] == banks[1] != banks[2]
    assert jnp.issubdtype(env.default_params.bank.on.dtype, jnp.int32)
