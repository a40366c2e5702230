"""What learners of Q-values share: the values of states, and their error on transitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from lprl_jax.algorithms import losses
from lprl_jax.algorithms.asking import Asker
from lprl_jax.algorithms.base import Data, Env
from lprl_jax.algorithms.interaction import legal_actions, observe
from lprl_jax.algorithms.networks import QNetwork
from lprl_jax.algorithms.value_based.control import Control


class Transition(NamedTuple):
    """What values are learnt from: states, not observations."""

    state: Any
    """s_{t-1}"""
    action: jax.Array
    """i32[]: a_{t-1}"""
    reward: jax.Array
    """f32[]: r_t"""
    terminated: jax.Array
    """bool[]: whether s_t is terminal. Truncation bootstraps."""
    next_state: Any
    """s_t, before any reset."""
    next_prior: Any
    """At s_t: proposals i32[k], or log-probs f32[A] with exact k; () without a prior."""
    features: Any
    """The prior's, of s_{t-1}; () where networks read observations."""
    next_features: Any
    """Of s_t."""
    advice: Any = ()
    """`shifting.Kept`, with a judge: r_t does not have it."""


class QFunction(NamedTuple):
    """One run's network over states of any leading shape."""

    init: Callable[..., Any]
    """`(key, state, features, data) -> params`"""
    apply: Callable[..., jax.Array]
    """`(params, state, features, data) -> f32[..., A]`: a value of every action."""


def q_function(
    env: Env, asker: Asker, hidden_sizes: tuple[int, ...], optimism: float = 0.0
) -> QFunction:
    """Networks that read the environment's observations, or features where the asker has them.

    Features of states with actions, as a BERT's, enter one by one a network of one output.
    """
    of_each_action = len(asker.feature_shape) == 2
    outputs = 1 if of_each_action else env.num_actions
    network = QNetwork(hidden_sizes, outputs, env.num_states or 0, optimism)
    # Environments' observations are functions of the state: their key is never used.
    no_key = jax.random.key(0)

    def read(state: Any, features: Any, data: Data) -> jax.Array:
        return features if asker.feature_shape else observe(env, no_key, state, data.env_params)

    def init(key: jax.Array, state: Any, features: Any, data: Data) -> Any:
        return network.init(key, read(state, features, data))

    def apply(params: Any, state: Any, features: Any, data: Data) -> jax.Array:
        q: Any = network.apply(params, read(state, features, data))
        return q[..., 0] if of_each_action else q

    return QFunction(init, apply)


def td_losses(
    env: Env,
    q_function: QFunction,
    kind: Control,
    params: Any,
    target_params: Any,
    hparams: Any,
    batch: Transition,
    data: Data,
    ahead: tuple[Any, Any] = (0.0, 0.0),
) -> tuple[jax.Array, jax.Array]:
    """The values that one run's batch was acted by, and their errors.

    Args:
        env: The environment.
        q_function: Of the environment.
        kind: What the next states' values are taken over.
        params: Of the network.
        target_params: Of the network that values the next states.
        hparams: `gamma` and `alpha`, f32[].
        batch: `[B]`
        data: Of the prior and the environment.
        ahead: `f32[B, A]` each, or 0: what values of s_{t-1} and s_t have beside the network's.

    Returns:
        `q_tm1 f32[B, A]`, and `losses.td_loss`, f32[B].
    """
    q_tm1 = ahead[0] + q_function.apply(params, batch.state, batch.features, data)
    q_t = ahead[1] + q_function.apply(target_params, batch.next_state, batch.next_features, data)
    legal_t = legal_actions(env, batch.next_state, data.env_params)
    v_t = jax.vmap(kind.value, (0, 0, 0, None))(q_t, batch.next_prior, legal_t, hparams.alpha)
    discount_t = hparams.gamma * (1.0 - batch.terminated)
    loss = jax.vmap(losses.td_loss)(q_tm1, batch.action, batch.reward, discount_t, v_t)
    return q_tm1, loss
