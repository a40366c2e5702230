"""What is right in every state of an instance, by exact planning.

The demonstrator of the embedded model, and the answers that a habit is fitted to.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from lprl_envs import TextEnv, TextEnvParams

from lprl_jax.algorithms.tabular.value_iteration import law_of, plan


def optimal_actions(
    env: TextEnv,
    params: TextEnvParams,
    instance: jax.Array,
    horizon: int,
    discount: float,
) -> tuple[jax.Array, jax.Array]:
    """The optimal actions, ties included, `bool[num_states, A]`, and values `f32[num_states]`.

    None is optimal where no reward can be reached, and none where the episode is over.

    Args:
        env: The environment.
        params: With the bank.
        instance: `i32[]`: which of its instances.
        horizon: Backups of the planner, at most.
        discount: Below 1, so that shorter is better.

    Raises:
        NotNumbered: if the environment has too many states.
    """
    q = plan(law_of(env, params, instance), horizon, discount)
    best = jnp.max(q, axis=-1, keepdims=True)
    states = jnp.arange(env.numbered_states)
    over = jax.vmap(lambda i: env.is_terminated(env.state_at(instance, i, params), params))(states)
    right = (q >= best - 1e-4 * jnp.abs(best)) & (best > 1e-6) & ~over[:, None]
    return right, best[:, 0]
