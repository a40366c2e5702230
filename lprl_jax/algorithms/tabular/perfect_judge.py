"""A judge that knows what is right: verdicts by exact planning, in every state of a bank."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from lprl_envs import TextEnv, TextEnvParams

from lprl_jax.algorithms.tabular.habits import BACKUPS
from lprl_jax.algorithms.tabular.value_iteration import law_of, plan
from lprl_jax.judges import TabularJudge, of_table, of_values
from lprl_jax.judges.tabular import require_room


def perfect_judge(
    env: TextEnv,
    env_params: TextEnvParams,
    *,
    discount: float | None = None,
    good_within: float = 0.0,
    bad_beyond: float = 0.0,
    alike_below: float = 1e-5,
) -> TabularJudge:
    """The optimal actions are good and the others bad; where all are alike, nothing is said.

    Args:
        env: The environment, whose states are numbered.
        env_params: The bank.
        discount: Of the planner; None for the world's own, `planning_discount`.
        good_within: See `judges.of_values`, as the next two.
        bad_beyond: In shares of the distance between best and worst.
        alike_below: In units of the return.

    Raises:
        NotNumbered: if the environment has too many states.
    """
    num_states = env.numbered_states
    gamma = env.planning_discount if discount is None else discount
    require_room(env, env_params)

    @jax.jit
    def of_all(env_params: TextEnvParams) -> jax.Array:
        def of_one(instance: jax.Array) -> jax.Array:
            law = law_of(env, env_params, instance)
            q = plan(law, BACKUPS, gamma)
            found = of_values(q, law.legal, good_within, bad_beyond, alike_below)
            states = jax.vmap(lambda i: env.state_at(instance, i, env_params))(
                jnp.arange(num_states, dtype=jnp.int32)
            )
            over = jax.vmap(env.is_terminated, (0, None))(states, env_params)
            return jnp.where(over[:, None], 0.0, found)

        count = len(jax.tree.leaves(env_params.bank)[0])
        return jax.lax.map(of_one, jnp.arange(count, dtype=jnp.int32))

    return of_table(env, env_params, of_all(env_params), "perfect")
