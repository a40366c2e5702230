"""Watch repair keeps the contract."""

import jax
import pytest
from lprl_envs import CHECKS, WatchRepair, check_env


@pytest.mark.parametrize("observation", ["features", "tokens"])
def test_check(observation):
    env = WatchRepair(observation)
    assert check_env(env, env.sample_params(jax.random.key(1), 4)) == tuple(CHECKS)
