"""CQL, and CQL-Prior: values learnt from data alone, among actions that a prior proposes.

Nothing corrects a value that is too high where nobody acts. So on each transition of the data the
values of the other actions are kept down:

    ½ (Q(s, a) - y)² + β [ log Σ_{b in C(s)} exp Q(s, b) - Q(s, a) ]

With a prior, C(s) are k actions drawn from it and the data's own action, and y takes the maximum
over k actions drawn at the next state, as DQN-Prior does. The draws are made anew at each gradient
step, from log-probabilities that the dataset holds: the model itself never runs here. With
k = "exact" the sum is α log Σ_b p(b|s) exp(Q(s, b) / α), and y's value the same at the next state.

Without a prior C(s) are the legal actions: CQL; with β = 0 as well it is DQN on the data.

A step is a gradient step. Run r learns from the first `dataset_size` of its own transitions.

References: Kumar et al. 2020, Conservative Q-Learning for Offline Reinforcement Learning, arXiv
2006.04779; Yan et al. 2024, Efficient Reinforcement Learning with Large Language Model Priors,
arXiv 2410.07927, sec. 4.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from lprl_envs import InvalidInput, values

from lprl_jax.algorithms import asking, descent
from lprl_jax.algorithms.asking import Told
from lprl_jax.algorithms.base import (
    Algorithm,
    Data,
    Env,
    require_above_0,
    require_finite,
    require_fraction,
    require_k,
    same_for_all,
)
from lprl_jax.algorithms.checked import checked
from lprl_jax.algorithms.interaction import legal_actions
from lprl_jax.algorithms.playing import play_by
from lprl_jax.algorithms.value_based import control, from_data, q_learning
from lprl_jax.algorithms.value_based.from_data import LearnerState
from lprl_jax.algorithms.value_based.q_learning import Transition
from lprl_jax.field_help import described
from lprl_jax.priors.base import Prior


@described
@dataclasses.dataclass(frozen=True)
class CQLConfig:
    """Settings; those of `HParams` are only the defaults of a run."""

    k: int | str = 5
    """Proposals drawn from the prior in a state, or "exact"."""
    hidden_sizes: tuple[int, ...] = (64, 64)
    """Of the Q-network, which reads observations."""
    batch_size: int = 64
    """Transitions a gradient step."""
    max_grad_norm: float = 10.0
    """Gradients are clipped to this norm."""
    learning_rate: float = 1e-3
    """Of Adam."""
    gamma: float = 0.99
    """Discount."""
    tau: float = 0.05
    """Share of the network that enters the target network at each gradient step."""
    alpha: float = 0.1
    """Temperature of Q, with a prior: of the posterior, and of sums with exact k."""
    beta: float = 5.0
    """Weight of the penalty; 0 is DQN on the data."""
    dataset_size: float = 0.0
    """Transitions of its own that a run learns from, its first ones; 0: all of them."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        values.check_fields(self)
        require_k(self.k)
        require_above_0(self, "batch_size", "alpha", "learning_rate", "max_grad_norm")
        require_fraction(self, "gamma", "tau")
        if not self.beta >= 0:
            raise InvalidInput(f"beta is {self.beta}; it must be 0 or more")
        require_above_0(self, "hidden_sizes")
        require_finite(self, "alpha", "learning_rate", "beta")
        from_data.require_size(self.dataset_size)

    @property
    def steps_per_update(self) -> int:
        """Gradient steps of a call of `update`: what a step is here."""
        return 1

    def hparams(self, num_runs: int) -> HParams:
        """The same hyper-parameters for every run."""
        return same_for_all(HParams, self, num_runs)


class HParams(NamedTuple):
    """What may differ from run to run, `f32[R]`; see the fields of `CQLConfig`."""

    learning_rate: jax.Array
    gamma: jax.Array
    tau: jax.Array
    alpha: jax.Array
    beta: jax.Array
    dataset_size: jax.Array


@checked(CQLConfig)
def make(config: CQLConfig, env: Env, prior: Prior | None = None) -> Algorithm:
    """CQL on a dataset, with a prior or without.

    Args:
        config: Settings.
        env: The environment of the data, in which `evaluate` plays.
        prior: That of the dataset; `None` is the baseline.

    Returns:
        `Algorithm`, whose `data` is `Data(prior.params, env_params, dataset)`. Its greedy policy,
        the first, takes the best of k proposals.
    """
    asker = asking.of(prior)
    q_function = q_learning.q_function(env, asker, config.hidden_sizes)
    optimizer = descent.optimizer(config.max_grad_norm)
    kind = control.of(prior, config.k)

    def remember(key: chex.PRNGKey, log_probs: Any) -> Any:
        return kind.remember(kind.chances_kept(key, config.batch_size), log_probs)

    def draw(key: chex.PRNGKey, hp: HParams, own: jax.Array, data: Data) -> tuple[Transition, Any]:
        """A batch of one run, and what `kind` keeps of the prior where it was acted."""
        key_batch, key_here, key_next = jax.random.split(key, 3)
        seen = from_data.sample(data.dataset, own, hp.dataset_size, key_batch, config.batch_size)
        batch = Transition(
            state=seen.state,
            action=seen.action,
            reward=seen.reward,
            terminated=seen.terminated,
            next_state=seen.next_state,
            next_prior=remember(key_next, seen.next_log_probs),
            features=(),
            next_features=(),
        )
        return batch, remember(key_here, seen.log_probs)

    def loss(
        params: Any, target: Any, hp: HParams, batch: Transition, kept: Any, data: Data
    ) -> jax.Array:
        """Mean over one run's batch: f32[]."""
        of = env, q_function, kind, params, target, hp, batch, data
        q_tm1, error = q_learning.td_losses(*of)
        legal = legal_actions(env, batch.state, data.env_params)
        penalty = jax.vmap(kind.penalty, (0, 0, 0, 0, None))(
            q_tm1, batch.action, kept, legal, hp.alpha
        )
        return jnp.mean(error + hp.beta * penalty)

    def update(state: LearnerState, data: Data) -> tuple[LearnerState, dict[str, jax.Array]]:
        """One gradient step of every run; metrics are `[R]`."""
        keys = jax.vmap(jax.random.split)(state.key)

        def one(
            key: Any, own: Any, hp: HParams, params: Any, target: Any, opt_state: Any
        ) -> tuple[Any, Any, Any, jax.Array]:
            of = target, hp, *draw(key, hp, own, data), data
            params, opt_state, value = descent.descend(
                lambda params: loss(params, *of), optimizer, hp.learning_rate, params, opt_state
            )
            return params, optax.incremental_update(params, target, hp.tau), opt_state, value

        params, target, opt_state, value = jax.vmap(one)(
            keys[:, 1], state.own, state.hparams, state.params, state.target_params, state.opt_state
        )
        state = state._replace(
            params=params,
            target_params=target,
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
            return q_function.init(key, state, (), data)

        state = from_data.begin(env, asker, new, optimizer, keys, hparams, data, run_instances)
        return state._replace(target_params=state.params)

    def play(act: control.Policy) -> Any:
        """A policy of `control` with the learner's values."""

        def policy(
            state: LearnerState, data: Data, keys: Any, env_state: Any, told: Told
        ) -> jax.Array:
            q = jax.vmap(lambda p, s: q_function.apply(p, s, (), data))(state.params, env_state)
            legal = legal_actions(env, env_state, data.env_params)
            return jax.vmap(act)(keys, q, told.log_probs, legal, state.hparams.alpha)

        return policy

    # What was learnt from data is acted on greedily, unless one asks for another policy.
    names = sorted(kind.policies, key=lambda name: name != "greedy")
    policies = {name: play(kind.policies[name]) for name in names}
    return Algorithm(
        jax.jit(init),
        jax.jit(from_data.restart),
        update,
        **play_by(env, asker, policies),
        from_data=True,
    )
