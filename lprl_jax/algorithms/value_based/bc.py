"""Behaviour cloning: the policy under which the data's actions are the likeliest.

    - log π(a | s),    π the softmax of the network's outputs over legal actions

Rewards are not looked at. A step is a gradient step; run r learns from the first `dataset_size` of
its own transitions.

Reference: Pomerleau 1991, Efficient Training of Artificial Neural Networks for Autonomous
Navigation.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput, values

from lprl_jax.algorithms import asking, descent, losses, policies
from lprl_jax.algorithms.asking import Told
from lprl_jax.algorithms.base import (
    Algorithm,
    Data,
    Env,
    require_above_0,
    require_finite,
    same_for_all,
)
from lprl_jax.algorithms.checked import checked
from lprl_jax.algorithms.interaction import legal_actions
from lprl_jax.algorithms.playing import play_by
from lprl_jax.algorithms.value_based import from_data, q_learning
from lprl_jax.algorithms.value_based.from_data import LearnerState
from lprl_jax.field_help import described
from lprl_jax.priors.base import Prior
from lprl_jax.priors.sampling import sample_proposals


@described
@dataclasses.dataclass(frozen=True)
class BCConfig:
    """Settings; those of `HParams` are only the defaults of a run."""

    hidden_sizes: tuple[int, ...] = (64, 64)
    """Of the policy's network, which reads observations."""
    batch_size: int = 64
    """Transitions a gradient step."""
    max_grad_norm: float = 10.0
    """Gradients are clipped to this norm."""
    learning_rate: float = 1e-3
    """Of Adam."""
    dataset_size: float = 0.0
    """Transitions of its own that a run learns from, its first ones; 0: all of them."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        values.check_fields(self)
        require_above_0(self, "hidden_sizes", "batch_size", "learning_rate", "max_grad_norm")
        require_finite(self, "learning_rate")
        from_data.require_size(self.dataset_size)

    @property
    def steps_per_update(self) -> int:
        """Gradient steps of a call of `update`: what a step is here."""
        return 1

    def hparams(self, num_runs: int) -> HParams:
        """The same hyper-parameters for every run."""
        return same_for_all(HParams, self, num_runs)


class HParams(NamedTuple):
    """What may differ from run to run, `f32[R]`; see the fields of `BCConfig`."""

    learning_rate: jax.Array
    dataset_size: jax.Array


@checked(BCConfig)
def make(config: BCConfig, env: Env, prior: Prior | None = None) -> Algorithm:
    """Behaviour cloning on a dataset.

    Args:
        config: Settings.
        env: The environment of the data, in which `evaluate` plays.
        prior: None.

    Returns:
        `Algorithm`, whose `data` is `Data((), env_params, dataset)`. It acts by its likeliest
        action, or by sampling.

    Raises:
        InvalidInput: if there is a prior, of which nothing would be used.
    """
    if prior is not None:
        raise InvalidInput(f"bc learns from data alone, but the prior is {prior.name!r}; name none")
    asker = asking.of(None)
    network = q_learning.q_function(env, asker, config.hidden_sizes)
    optimizer = descent.optimizer(config.max_grad_norm)

    def loss(params: Any, batch: Any, data: Data) -> jax.Array:
        """Mean over one run's batch: f32[]."""
        logits = network.apply(params, batch.state, (), data)
        legal = legal_actions(env, batch.state, data.env_params)
        return jnp.mean(jax.vmap(losses.cross_entropy)(logits, batch.action, legal))

    def update(state: LearnerState, data: Data) -> tuple[LearnerState, dict[str, jax.Array]]:
        """One gradient step of every run; metrics are `[R]`."""
        keys = jax.vmap(jax.random.split)(state.key)

        def one(key: Any, own: Any, hp: HParams, params: Any, opt_state: Any) -> Any:
            batch = from_data.sample(data.dataset, own, hp.dataset_size, key, config.batch_size)
            return descent.descend(
                lambda params: loss(params, batch, data),
                optimizer, hp.learning_rate, params, opt_state,
            )  # fmt: skip

        params, opt_state, value = jax.vmap(one)(
            keys[:, 1], state.own, state.hparams, state.params, state.opt_state
        )
        state = state._replace(
            params=params,
            opt_state=opt_state,
            key=keys[:, 0],
            num_steps=state.num_steps + 1,
        )
        return state, {"loss": value}

    def init(
        keys: chex.PRNGKey, hparams: HParams, data: Data, run_instances: jax.Array | None = None
    ) -> LearnerState:
        """Fresh runs; see `from_data.begin`."""

        def new(key: chex.PRNGKey, state: Any) -> Any:
            return network.init(key, state, (), data)

        return from_data.begin(env, asker, new, optimizer, keys, hparams, data, run_instances)

    def logits_of(state: LearnerState, env_state: Any, data: Data) -> tuple[jax.Array, jax.Array]:
        """`f32[R, N, A]` where the environments stand, and legal actions."""
        logits = jax.vmap(lambda p, s: network.apply(p, s, (), data))(state.params, env_state)
        return logits, legal_actions(env, env_state, data.env_params)

    def greedy(state: LearnerState, data: Data, keys: Any, env_state: Any, told: Told) -> jax.Array:
        return policies.greedy(*logits_of(state, env_state, data))

    def sample(state: LearnerState, data: Data, keys: Any, env_state: Any, told: Told) -> jax.Array:
        logits, legal = logits_of(state, env_state, data)
        logits = jnp.where(legal, logits, -jnp.inf)
        return jax.vmap(lambda key, p: sample_proposals(key, p, 1)[:, 0])(keys, logits)

    ways = {"greedy": greedy, "sample": sample}
    return Algorithm(
        jax.jit(init),
        jax.jit(from_data.restart),
        update,
        **play_by(env, asker, ways),
        from_data=True,
    )
