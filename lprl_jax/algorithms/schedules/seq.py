"""SEQ: a contextual bandit between skipping and asking, which learns where answers are accepted.

An answer that is accepted earns `1 - cost`, any other `-cost`, and a skip 0, so that the best
choice is to ask where the probability of acceptance exceeds the cost. The paper's rewards of
±1 are a cost of ½, at twice the scale. Its code's rewards on pictures, 1 and 0, are a cost of 0, at
which asking is never worse. There is no bootstrapping: what a query makes of later steps is not
counted.

Wanting to ask where it cannot teaches nothing.

Reference: Thomas et al. 2023, LaGR-SEQ: Language-Guided Reinforcement Learning with
Sample-Efficient Querying, arXiv 2308.13542, and its code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from lprl_jax.algorithms import descent
from lprl_jax.algorithms.networks import QNetwork
from lprl_jax.algorithms.schedules.base import Asked, Schedule, Seen, uniforms

SKIP, ASK = 0, 1
ACCEPTED, REJECTED = 0, 1
MAX_GRAD_NORM = 10.0

Exploration = Callable[[Seen], jax.Array]
"""`seen -> f32[...]` that broadcasts to `[R, N]`: the probability of a random choice."""


def decaying(floor: float, steps: float) -> Exploration:
    """From 1 to a floor in a straight line, over so many steps of every environment."""
    return lambda seen: 1.0 + jnp.minimum(seen.time / steps, 1.0) * (floor - 1.0)


def of_primary(seen: Seen) -> jax.Array:
    """The same probability as the primary learner's, as the paper's code has it on cubes."""
    return seen.epsilon


def rewards(cost: float, accepted: jax.Array) -> jax.Array:
    """`f32[...]`: of queries, by whether their answers were accepted, `bool[...]`."""
    return jnp.where(accepted, 1.0 - cost, -cost)


def bin_of(revealed: jax.Array, bins: int) -> jax.Array:
    """`i32[...]` in [0, bins): bins are centred on 0, 1 / (bins - 1), ..., 1.

    So with a bin more than a pattern has elements, each number of them has a bin of its own.
    """
    nearest = jnp.round(revealed * (bins - 1)).astype(jnp.int32)
    return jnp.clip(nearest, 0, bins - 1)


def thompson(bins: int, cost: float) -> Schedule:
    """SEQ as a table over what is revealed, that asks where a sample of the probability exceeds.

    A run counts a bin's accepted and rejected answers. The probability of acceptance has then the
    distribution Beta(1 + accepted, 1 + rejected), and one asks iff a sample of it exceeds the cost.
    Skipping is worth 0 for sure, so this is to ask with the probability that it exceeds the cost:
    one number and the distribution's tail, where a sample would take rejection.

    What the primary has learnt changes nothing. Untried bins ask with probability 1 - cost.
    """

    def init(keys: chex.PRNGKey, seen: Seen) -> jax.Array:
        return jnp.zeros((len(seen.revealed), bins, 2))

    def ask(counts: jax.Array, keys: chex.PRNGKey, seen: Seen) -> tuple[jax.Array, jax.Array]:
        own = _rows(counts, bin_of(seen.revealed, bins))
        exceeds = jax.scipy.special.betainc(
            1.0 + own[..., REJECTED], 1.0 + own[..., ACCEPTED], jnp.full(own.shape[:2], 1.0 - cost)
        )
        return uniforms(keys, seen) < exceeds, counts

    def learn(counts: jax.Array, seen: Seen, asked: Asked) -> jax.Array:
        rows = jax.nn.one_hot(bin_of(seen.revealed, bins), bins)
        told = jnp.stack([asked.accepted, asked.asked & ~asked.accepted], axis=-1)
        return counts + jnp.einsum("rnb,rnk->rbk", rows, told.astype(jnp.float32))

    return Schedule(f"seq thompson, cost {cost:g}", init, ask, learn)


def epsilon_greedy(bins: int, cost: float, alpha: float, exploration: Exploration) -> Schedule:
    """SEQ as a table of values of {skip, ask} over what is revealed, as the paper's.

    A value moves by the share `alpha` towards the reward where a query was made, or a skip was
    chosen though it could have been asked. Environments of a run that meet in a bin move it one
    after another, in the order of their number. Where both are worth the same it skips.

    What the primary has learnt changes nothing. Untried bins ask by exploration alone, half of it.
    """

    def init(keys: chex.PRNGKey, seen: Seen) -> jax.Array:
        return jnp.zeros((len(seen.revealed), bins, 2))

    def ask(values: jax.Array, keys: chex.PRNGKey, seen: Seen) -> tuple[jax.Array, jax.Array]:
        own = _rows(values, bin_of(seen.revealed, bins))
        return explored(keys, seen, exploration, own[..., ASK] > own[..., SKIP]), values

    def learn(values: jax.Array, seen: Seen, asked: Asked) -> jax.Array:
        skipped = seen.can_ask & ~asked.wanted
        choice = jnp.where(asked.asked, ASK, SKIP)
        reward = jnp.where(asked.asked, rewards(cost, asked.accepted), 0.0)
        entry = 2 * bin_of(seen.revealed, bins) + choice
        is_entry = jax.nn.one_hot(entry, 2 * bins) * (asked.asked | skipped)[..., None]
        # One after another: a share of what came earlier is lost at each that comes later.
        later = jnp.cumsum(is_entry[:, ::-1], axis=1)[:, ::-1] - is_entry
        weight = is_entry * alpha * (1.0 - alpha) ** later
        kept = (1.0 - alpha) ** jnp.sum(is_entry, axis=1)
        moved = kept * values.reshape(len(values), -1) + jnp.sum(weight * reward[..., None], axis=1)
        return moved.reshape(values.shape)

    return Schedule(f"seq epsilon, cost {cost:g}", init, ask, learn)


class Predictor(NamedTuple):
    """A network that predicts acceptance."""

    params: Any
    """[R]"""
    opt_state: Any
    """[R]: Adam's."""


def network(
    hidden_sizes: tuple[int, ...],
    learning_rate: float,
    cost: float,
    exploration: Exploration,
    num_states: int,
) -> Schedule:
    """SEQ as a small network on the observation, that predicts acceptance by logistic loss.

    One step of Adam a step in which a run made a query, on that step's queries; with ε-greedy
    choice, greedy being to ask where the predicted probability exceeds the cost. Observations that
    are indices are looked up, as `QNetwork` does.

    What the primary has learnt changes nothing. The predictions of a fresh network are around ½: it
    asks everywhere if the cost lies well below, nowhere if it lies well above, and at ½ by the
    noise of its weights, beside its exploration.

    Args:
        hidden_sizes: Of the network.
        learning_rate: Of Adam.
        cost: Of a query.
        exploration: The probability of a random choice.
        num_states: Indices run up to here; not used where observations are vectors.
    """
    predictor = QNetwork(hidden_sizes, 1, num_states)
    optimizer = descent.optimizer(MAX_GRAD_NORM)

    def logits(params: Any, observation: jax.Array) -> jax.Array:
        """`f32[N]` of one run."""
        values: Any = predictor.apply(params, observation)
        return values[..., 0]

    def init(keys: chex.PRNGKey, seen: Seen) -> Predictor:
        params = jax.vmap(predictor.init)(keys, seen.observation)
        return Predictor(params, jax.vmap(optimizer.init)(params))

    def ask(carry: Predictor, keys: chex.PRNGKey, seen: Seen) -> tuple[jax.Array, Predictor]:
        predicted = jax.nn.sigmoid(jax.vmap(logits)(carry.params, seen.observation))
        return explored(keys, seen, exploration, predicted > cost), carry

    def learn_of_run(carry: Predictor, observation: jax.Array, asked: Asked) -> Predictor:
        def loss(params: Any) -> jax.Array:
            of_each = optax.sigmoid_binary_cross_entropy(
                logits(params, observation), asked.accepted.astype(jnp.float32)
            )
            return jnp.sum(of_each * asked.asked) / jnp.maximum(jnp.sum(asked.asked), 1)

        rate = jnp.float32(learning_rate)
        moved = descent.descend(loss, optimizer, rate, carry.params, carry.opt_state)[:2]
        # Without a query Adam would go on by its momentum.
        has_asked = jnp.any(asked.asked)
        return jax.tree.map(lambda a, b: jnp.where(has_asked, a, b), Predictor(*moved), carry)

    def learn(carry: Predictor, seen: Seen, asked: Asked) -> Predictor:
        return jax.vmap(learn_of_run)(carry, seen.observation, asked)

    return Schedule(f"seq network, cost {cost:g}", init, ask, learn)


def explored(
    keys: chex.PRNGKey, seen: Seen, exploration: Exploration, greedy: jax.Array
) -> jax.Array:
    """`bool[R, N]`: the greedy choice, or with the probability of exploration a coin's."""
    keys_explore, keys_coin = jnp.moveaxis(jax.vmap(jax.random.split)(keys), 1, 0)
    explores = uniforms(keys_explore, seen) < exploration(seen)
    return jnp.where(explores, uniforms(keys_coin, seen) < 0.5, greedy)


def _rows(table: jax.Array, index: jax.Array) -> jax.Array:
    """`f32[R, N, 2]`: of a table a run, `f32[R, B, 2]`, the rows `i32[R, N]`."""
    return jax.vmap(lambda rows, i: rows[i])(table, index)
