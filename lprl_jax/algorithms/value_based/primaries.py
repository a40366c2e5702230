"""The learner that LaGR guides: how it values actions, and how it learns of what was done.

Two kinds, by one signature: a Q-network with replay and a target network, as in `dqn`, and a table
that learns of every step at once. Whether a step counts is said beside it: a completion that is
followed may be learnt from or not.

References: Mnih et al. 2015 (DQN); Watkins & Dayan 1992, Q-learning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from lprl_envs import InvalidInput

from lprl_jax.algorithms import asking, descent
from lprl_jax.algorithms.base import Data, Env
from lprl_jax.algorithms.interaction import legal_actions
from lprl_jax.algorithms.losses import greedy_value
from lprl_jax.algorithms.value_based import control, q_learning, replay
from lprl_jax.algorithms.value_based.q_learning import Transition
from lprl_jax.algorithms.value_based.replay import Replay

NETWORK, TABLE = PRIMARIES = ("network", "table")


class Item(NamedTuple):
    """What is kept of a step."""

    transition: Transition
    """Without a prior, and without features."""
    counts: jax.Array
    """bool[]: whether it is learnt from."""


class Primary(NamedTuple):
    """A learner of R runs; its own state's leaves lead with R."""

    init: Callable[[chex.PRNGKey, Any, Data], Any]
    """`(keys [R], env_state [R, N], data) -> own`"""
    values: Callable[[Any, Any, Data], jax.Array]
    """`(own, env_state [R, N], data) -> f32[R, N, H, A]`: by each head; a learner acts by their
    mean."""
    add: Callable[[Any, Item, Any, Data], tuple[Any, jax.Array]]
    """`(own, items [R, N], hparams, data) -> (own, loss f32[R])`: after every step."""
    improve: Callable[[Any, chex.PRNGKey, Any, Data], tuple[Any, jax.Array]]
    """`(own, keys [R], hparams, data) -> (own, loss f32[R])`: after every roll-out."""


class Table(NamedTuple):
    """Of Q-learning."""

    q: jax.Array
    """f32[R, S, A]"""


class _Of(NamedTuple):
    """What losses read of the hyper-parameters."""

    gamma: jax.Array
    alpha: jax.Array
    """Of a prior's; there is none."""


class Network(NamedTuple):
    """Of DQN."""

    params: Any
    """Leading axis R."""
    target_params: Any
    """Leading axis R."""
    opt_state: Any
    """Of Adam, leading axis R."""
    replay: Replay
    """`Item`s."""


def of(config: Any, env: Env) -> Primary:
    """The kind that a `LaGRConfig` names.

    Raises:
        InvalidInput: if a table is asked for where states are not numbered.
    """
    return _table(env) if config.primary == TABLE else _network(config, env)


def _table(env: Env) -> Primary:
    """Q-learning: `Q(s, a) += learning_rate (r + γ max_a' Q(s', a') - Q(s, a))`, 0 at first."""
    if env.num_states is None:
        raise InvalidInput(
            f"primary is 'table', and the states of {env.name} are not numbered here; "
            "primary=network has none to number"
        )
    num_states = env.num_states

    def index(state: Any, data: Data) -> jax.Array:
        of_each = jax.vmap(jax.vmap(env.state_index, (0, None)), (0, None))
        return of_each(state, data.env_params)

    def init(keys: chex.PRNGKey, env_state: Any, data: Data) -> Table:
        del env_state, data
        return Table(jnp.zeros((len(keys), num_states, env.num_actions), jnp.float32))

    def values(own: Table, env_state: Any, data: Data) -> jax.Array:
        return jax.vmap(lambda q, s: q[s])(own.q, index(env_state, data))[:, :, None]

    def add(own: Table, items: Item, hparams: Any, data: Data) -> tuple[Table, jax.Array]:
        step = items.transition
        before = index(step.state, data)
        legal = legal_actions(env, step.next_state, data.env_params)
        q_t = values(own, step.next_state, data)[:, :, 0]
        v_t = jax.vmap(jax.vmap(greedy_value))(q_t, legal)

        def learn(q: jax.Array, s: jax.Array, a: jax.Array, error: jax.Array) -> jax.Array:
            return q.at[s, a].add(error)

        q_tm1 = jax.vmap(lambda q, s, a: q[s, a])(own.q, before, step.action)
        discount = hparams.gamma[:, None] * (1.0 - step.terminated)
        error = jnp.where(items.counts, step.reward + discount * v_t - q_tm1, 0.0)
        q = jax.vmap(learn)(own.q, before, step.action, hparams.learning_rate[:, None] * error)
        return Table(q), jnp.mean(0.5 * jnp.square(error), axis=1)

    def improve(
        own: Table, keys: chex.PRNGKey, hparams: Any, data: Data
    ) -> tuple[Table, jax.Array]:
        del hparams, data
        return own, jnp.zeros(len(keys), jnp.float32)

    return Primary(init, values, add, improve)


def _network(config: Any, env: Env) -> Primary:
    """DQN: gradient steps on batches from replay, in which steps that do not count weigh 0.

    With several heads, each is a network with a target of its own, and all learn of one batch.
    """
    q_function = q_learning.q_function(env, asking.of(None), config.hidden_sizes, config.optimism)
    optimizer, kind = descent.optimizer(config.max_grad_norm), control.without_prior()
    # A batch of one is slower than none, and learns otherwise.
    over_heads = jax.vmap if config.num_heads > 1 else _of_one

    def init(keys: chex.PRNGKey, env_state: Any, data: Data) -> Network:
        one = jax.tree.map(lambda x: x[0], env_state)

        def fresh(key: chex.PRNGKey) -> Any:
            own = jax.random.split(key, config.num_heads) if config.num_heads > 1 else key[None]
            return over_heads(lambda k: q_function.init(k, one, (), data))(own)

        params = jax.vmap(fresh)(keys)
        state = jax.tree.map(lambda x: x[0, 0], env_state)
        none, no = jnp.float32(0.0), jnp.bool_(False)
        empty = Transition(state, jnp.int32(0), none, no, state, (), (), ())
        ring = replay.init(Item(empty, no), len(keys), config.buffer_size)
        return Network(params, params, jax.vmap(optimizer.init)(params), ring)

    def values(own: Network, env_state: Any, data: Data) -> jax.Array:
        def of_run(params: Any, state: Any) -> jax.Array:
            return over_heads(lambda p: q_function.apply(p, state, (), data))(params)

        return jnp.moveaxis(jax.vmap(of_run)(own.params, env_state), 1, 2)

    def add(own: Network, items: Item, hparams: Any, data: Data) -> tuple[Network, jax.Array]:
        del data
        zero = jnp.zeros_like(hparams.gamma)
        return own._replace(replay=replay.add(own.replay, items)), zero

    def step(
        own: Network, keys: chex.PRNGKey, hparams: Any, data: Data
    ) -> tuple[Network, jax.Array]:
        batch = replay.sample(own.replay, keys, config.batch_size)

        def one(params: Any, target: Any, opt_state: Any, hp: Any, batch: Item) -> Any:
            def errors(both: tuple[Any, Any]) -> jax.Array:
                own = _Of(hp.gamma, jnp.float32(1.0))
                of = env, q_function, kind, *both, own, batch.transition, data
                return q_learning.td_losses(*of)[1]

            def loss(params: Any) -> jax.Array:
                error = jnp.sum(over_heads(errors)((params, target)), axis=0)
                return jnp.sum(error * batch.counts) / jnp.maximum(jnp.sum(batch.counts), 1)

            *moved, value = descent.descend(loss, optimizer, hp.learning_rate, params, opt_state)
            # Of a batch in which nothing counts Adam would go on by its momentum.
            some = jnp.any(batch.counts)
            params, opt_state = jax.tree.map(
                lambda new, old: jnp.where(some, new, old), tuple(moved), (params, opt_state)
            )
            return params, optax.incremental_update(params, target, hp.tau), opt_state, value

        given = own.params, own.target_params, own.opt_state, hparams, batch
        params, target, opt_state, value = jax.vmap(one)(*given)
        return Network(params, target, opt_state, own.replay), value

    def improve(
        own: Network, keys: chex.PRNGKey, hparams: Any, data: Data
    ) -> tuple[Network, jax.Array]:
        count = config.updates_per_rollout
        each = jnp.swapaxes(jax.vmap(lambda key: jax.random.split(key, count))(keys), 0, 1)
        own, values = jax.lax.scan(lambda o, k: step(o, k, hparams, data), own, each)
        return own, jnp.mean(values, axis=0)

    return Primary(init, values, add, improve)


def _of_one(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`jax.vmap` over an axis of length 1, without it."""

    def call(tree: Any) -> Any:
        result = function(jax.tree.map(lambda x: x[0], tree))
        return jax.tree.map(lambda x: x[None], result)

    return call
