"""Instances in words: what is looked up is what was packed, of every size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import BlocksWorld
from lprl_envs.blocks_world.packed import goal_of, start_of
from lprl_envs.blocks_world.rules import ABSENT


@pytest.mark.parametrize(
    ("n", "blocks"), [(2, 2), (4, 4), (4, 3), (6, 6), (9, 2), (12, 12), (12, 5)]
)
def test_rows_hold_start_goal_and_what_is_lacking(n: int, blocks: int) -> None:
    params = BlocksWorld(n).sample_params(jax.random.key(n), 40, num_blocks=blocks)
    every = jnp.arange(40)
    goal, lacking = jax.vmap(lambda i: goal_of(params.rows, i, n))(every)
    start = jax.vmap(lambda i: start_of(params.rows, i, n))(every)
    np.testing.assert_array_equal(goal, params.bank.goal)
    np.testing.assert_array_equal(start, params.bank.on)
    np.testing.assert_array_equal(lacking, params.bank.on == ABSENT)
    assert params.rows.dtype == jnp.uint32
    assert params.rows.shape == (40, -(-2 * n // 8))
