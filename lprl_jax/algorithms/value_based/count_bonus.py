"""A bonus for what was seldom done: r' = r + β / √n(s, a), with a run's own counts n.

It is paid at the time of learning: the replay keeps r alone, and whatever is drawn from it is paid
by the counts as they stand then. A bonus that was stored with its transition would be that of the
first visit for as long as the transition lives. Whatever is in a replay was counted, so n is 1 or
more, and of what was never tried nothing is said: ε-greedy play, or `optimism`, has to try it once.

Counts are of states, not of what a network reads, so states must be numbered; each of a run's
instances has its own. They live and end with the replay: in another bank both mean nothing. What is
reported as return, and every evaluation, speaks of r; but play goes by values that were learnt with
the bonus, which falls as 1 / √n.

Reference: Strehl & Littman 2008, An analysis of model-based interval estimation for Markov decision
processes, sec. 3 (MBIE-EB). There it is part of a model's values; here, as with bonuses by counts
since (Bellemare et al. 2016, Unifying count-based exploration and intrinsic motivation), of a
Q-learner's reward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput

from lprl_jax.algorithms.base import Env
from lprl_jax.algorithms.value_based import replay
from lprl_jax.algorithms.value_based.q_learning import Transition
from lprl_jax.algorithms.value_based.replay import Replay


class Counted(NamedTuple):
    """A replay with a bonus."""

    ring: Replay
    """Transitions, whose rewards are the environment's."""
    visits: jax.Array
    """i32[R, m, S, A]: how often an action was taken in a state, of each of a run's m instances."""


class Store(NamedTuple):
    """Where transitions are kept: a `Replay`, or with a bonus a `Counted`."""

    init: Callable[..., Any]
    """`(item, run_instances [R, m], capacity) -> kept`: empty."""
    add: Callable[..., Any]
    """`(kept, transitions [R, N], run_instances, env_params) -> kept`"""
    sample: Callable[..., Transition]
    """`(kept, keys [R], batch_size, run_instances, env_params) -> transitions [R, batch_size]`,
    their rewards with the bonus."""


def store(beta: float, env: Env) -> Store:
    """Transitions with a bonus of scale β, in units of reward; with none, if β is 0.

    Raises:
        InvalidInput: if there is a bonus, and the environment's states are not numbered.
    """
    if beta == 0:
        return _without_bonus()
    if env.num_states is None:
        raise InvalidInput(
            f"count_bonus is {beta:g}, and the states of {env.name} are not numbered, so that they "
            "cannot be counted; right: 0"
        )
    shape = env.num_states, env.num_actions

    def places(instances: jax.Array, acted: Transition, env_params: Any) -> Any:
        """Of one run, whose instances are `i32[m]`: indices `i32[N]` into its visits' axes."""
        own = jnp.argmax(acted.state.instance[:, None] == instances[None], axis=1)
        number = jax.vmap(env.state_index, in_axes=(0, None))(acted.state, env_params)
        return own, number, acted.action

    def init(item: Transition, run_instances: jax.Array, capacity: int) -> Counted:
        ring = replay.init(item, run_instances.shape[0], capacity)
        return Counted(ring, jnp.zeros((*run_instances.shape, *shape), jnp.int32))

    def add(kept: Counted, acted: Transition, run_instances: jax.Array, env_params: Any) -> Counted:
        def count(visits: jax.Array, instances: jax.Array, acted: Transition) -> jax.Array:
            return visits.at[places(instances, acted, env_params)].add(1)

        visits = jax.vmap(count)(kept.visits, run_instances, acted)
        return Counted(replay.add(kept.ring, acted), visits)

    def sample(
        kept: Counted, keys: Any, batch_size: int, run_instances: jax.Array, env_params: Any
    ) -> Transition:
        batch: Transition = replay.sample(kept.ring, keys, batch_size)

        def count(visits: jax.Array, instances: jax.Array, batch: Transition) -> jax.Array:
            return visits[places(instances, batch, env_params)]

        n = jax.vmap(count)(kept.visits, run_instances, batch).astype(jnp.float32)
        return batch._replace(reward=batch.reward + beta / jnp.sqrt(n))

    return Store(init, add, sample)


def _without_bonus() -> Store:
    return Store(
        init=lambda item, run_instances, capacity: replay.init(item, len(run_instances), capacity),
        add=lambda kept, acted, *others: replay.add(kept, acted),
        sample=lambda kept, keys, batch_size, *others: replay.sample(kept, keys, batch_size),
    )
