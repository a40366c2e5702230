"""Policies with values, by one signature: a network that reads observations, or a language model.

The network is here; the language model is `language_policy`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from lprl_jax.algorithms.base import Data, Env
from lprl_jax.algorithms.interaction import legal_actions, observe
from lprl_jax.algorithms.networks import TanhNetwork
from lprl_jax.priors.base import normalize


class Judgement(NamedTuple):
    """What a policy with values says of states `[...]`."""

    log_probs: jax.Array
    """f32[..., A]: normalised over the legal actions, -inf elsewhere."""
    value: jax.Array
    """f32[...]"""


class ActorCritic(NamedTuple):
    """One run's policy and values."""

    init: Callable[[jax.Array, Any, Data], Any]
    """`(key, states [N], data) -> params`"""
    prepare: Callable[[Any, jax.Array, Data], Any]
    """`(params, instances i32[m], data) -> context`: what all states of these instances share, as
    long as the parameters stay; () where there is nothing."""
    to_prepare: Callable[[jax.Array, Any], jax.Array]
    """`(instances i32[m], inputs [N]) -> i32[n]`: of these, what to prepare for these inputs alone.
    """
    read: Callable[[Any, Data], Any]
    """`(states [N], data) -> inputs [N, ...]`: what `apply` looks at, whatever the parameters."""
    apply: Callable[[Any, Any, Any, Data], Judgement]
    """`(params, context, inputs [N, ...], data) -> Judgement [N]`"""


class Inputs(NamedTuple):
    """What networks look at."""

    observation: jax.Array
    """f32[N, features], or i32[N]."""
    legal: jax.Array
    """bool[N, A]"""


def of_observations(env: Env, hidden_sizes: tuple[int, ...]) -> ActorCritic:
    """Two networks, one for the policy and one for the values, on the environment's observation.

    The first policy is close to uniform, and the first values are of the rewards' order.
    """
    actor = TanhNetwork(hidden_sizes, env.num_actions, env.num_states or 0, scale=0.01)
    critic = TanhNetwork(hidden_sizes, 1, env.num_states or 0, scale=1.0)
    # Environments' observations are functions of the state: their key is never used.
    no_key = jax.random.key(0)

    def read(states: Any, data: Data) -> Inputs:
        observation = observe(env, no_key, states, data.env_params)
        return Inputs(observation, legal_actions(env, states, data.env_params))

    def init(key: jax.Array, states: Any, data: Data) -> dict[str, Any]:
        keys, observation = jax.random.split(key), read(states, data).observation
        return {
            "actor": actor.init(keys[0], observation)["params"],
            "critic": critic.init(keys[1], observation)["params"],
        }

    def apply(params: Any, context: Any, inputs: Inputs, data: Data) -> Judgement:
        logits: Any = actor.apply({"params": params["actor"]}, inputs.observation)
        value: Any = critic.apply({"params": params["critic"]}, inputs.observation)
        return Judgement(normalize(logits, inputs.legal), value[..., 0])

    return ActorCritic(
        init=init,
        prepare=lambda params, instances, data: (),
        to_prepare=lambda instances, inputs: instances,
        read=read,
        apply=apply,
    )
