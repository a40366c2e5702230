"""What is right in every state, against maps worked by hand."""

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import FrozenLake

from lprl_jax.algorithms.tabular.optimal_actions import optimal_actions


def test_maps_worked_by_hand():
    """Left, down, right, up; both of two ways that are equally long, none where none leads on."""
    none: set[int] = set()
    maps = {
        ("SFF", "FFG"): [{1, 2}, {1, 2}, {1}, {2}, {2}, none],
        ("SFF", "FHG"): [{2}, {2}, {1}, {3}, none, none],
        ("SGH", "FHF"): [{2}, none, none, {3}, none, none],
    }
    env = FrozenLake("2x3", is_slippery=False)
    params = env.params_of(list(maps))
    act = jax.jit(jax.vmap(lambda instance: optimal_actions(env, params, instance, 6, 0.97)[0]))
    for acts, optimal in zip(np.asarray(act(jnp.arange(3))), maps.values(), strict=True):
        assert [set(np.flatnonzero(row).tolist()) for row in acts] == optimal
