"""How good a distribution over actions is where it is known which are right; and without its words.

The two controls of reading that need a model: its answers to texts whose words were exchanged, and
(in `habit`) its mean, which does not look.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import Scope, Template

from lprl_jax.lm import decoder, scoring, token_table
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.lm.token_table import TokenTable

PROPOSALS = 5


class Scores(NamedTuple):
    """Of one state each, or means over states."""

    top1: Any
    """Most likely action is right; ties share."""
    covered: Any
    """Five proposals hold a right action: with which probability."""
    kl: Any
    """KL(π* ‖ p), nats, where π* is uniform over the right actions."""


def of_states(log_probs: jax.Array, right: jax.Array) -> Scores:
    """Scores `f32[...]` of `log_probs f32[..., A]`, where what is right is `bool[..., A]`."""
    best = log_probs >= jnp.max(log_probs, axis=-1, keepdims=True)
    top1 = jnp.sum(best & right, axis=-1) / jnp.sum(best, axis=-1)
    mass = jnp.sum(jnp.where(right, jnp.exp(log_probs), 0.0), axis=-1)
    covered = 1.0 - (1.0 - jnp.minimum(mass, 1.0)) ** PROPOSALS
    share = 1.0 / jnp.maximum(jnp.sum(right, axis=-1), 1)
    kl = jnp.sum(jnp.where(right, jnp.log(share)[..., None] - log_probs, 0.0), axis=-1) * share
    return Scores(top1, covered, kl)


def judge(log_probs: jax.Array, right: jax.Array) -> Scores:
    """Means, as floats, over the states in which something is right; both `[M, S, A]`."""
    asked = jnp.any(right, axis=-1)
    found = of_states(log_probs, right)
    means = [float(jnp.sum(jnp.where(asked, x, 0.0)) / jnp.sum(asked)) for x in found]
    return Scores(*means)


def of_instances(log_probs: Any, right: Any) -> Scores:
    """Means `f64[M']` over each instance's own states, of the M' instances that have any.

    Args:
        log_probs: `f32[M, S, A]`.
        right: `bool[M, S, A]`; states in which nothing is right do not count.
    """
    asked = np.asarray(right).any(-1)
    counts = asked.sum(1)
    found = of_states(jnp.asarray(log_probs), jnp.asarray(right))
    sums = (np.where(asked, np.asarray(x, np.float64), 0.0).sum(1) for x in found)
    return Scores(*(total[counts > 0] / counts[counts > 0] for total in sums))


def shuffle(template: Template, key: chex.PRNGKey, slots: jax.Array) -> jax.Array:
    """Every slot's values exchanged: an instance's among instances, a state's among all states.

    Args:
        template: Whose slots these are.
        key: Random key.
        slots: `i32[M, S, num_slots]`: of S states of each of M instances.
    """
    columns = []
    for i, slot in enumerate(template.slots):
        column, key_slot = slots[..., i], jax.random.fold_in(key, i)
        if slot.scope is Scope.INSTANCE:
            columns.append(jax.random.permutation(key_slot, column, axis=0))
        else:
            mixed = jax.random.permutation(key_slot, column.reshape(-1))
            columns.append(mixed.reshape(column.shape))
    return jnp.stack(columns, axis=-1)


def make_scorer(config: DecoderConfig, table: TokenTable) -> Callable[[Any, jax.Array], jax.Array]:
    """`(params, slots [M, S, num_slots]) -> f32[M, S, A]`: log-likelihoods of the answers.

    Of any slots, also of those that no state has. Compiled once for all models of that shape.
    """
    trie = scoring.Trie.build(table.answers)

    def one(params: Any, slots: jax.Array) -> jax.Array:
        tokens, valid = table.prefix.render(slots[0])
        prefix = decoder.encode_prefix(config, params, tokens[None], valid[None])
        text, text_valid = jax.vmap(table.suffix.render)(slots)
        return scoring.score(
            config, params, prefix, valid[None], text[None], text_valid[None], trie
        ).log_likelihoods[0]

    return jax.jit(lambda params, slots: jax.lax.map(functools.partial(one, params), slots))


def make_legal_scorer(
    config: DecoderConfig, table: TokenTable, legal: jax.Array, columns: int
) -> Callable[[Any, jax.Array], jax.Array]:
    """As `make_scorer`, where few answers are legal: of these alone, the others are 0.

    Args:
        config: Of the model.
        table: Of the texts.
        legal: `bool[M, S, A]`, of the states that the slots will be of.
        columns: That the longest of these texts fills; longer ones would be cut.
    """
    answers = scoring.Answers.build(table.answers)
    most = int(jnp.max(jnp.sum(legal, axis=-1)))
    shorten = jax.vmap(functools.partial(token_table.compact_right, width=columns))

    def one(params: Any, slots: jax.Array, legal: jax.Array) -> jax.Array:
        tokens, valid = table.prefix.render(slots[0])
        prefix = decoder.encode_prefix(config, params, tokens[None], valid[None])
        text = shorten(*jax.vmap(table.suffix.render)(slots))
        counts, chosen = jax.lax.top_k(legal.astype(jnp.int32), most)
        run = (counts > 0)[None], answers.most_nodes(most)
        told = config, params, prefix, valid[None], text[0][None], text[1][None]
        found = scoring.score_chosen(
            *told, answers, chosen[None], counts=run[0], nodes=run[1]
        ).log_likelihoods[0]
        own = jnp.arange(len(chosen))[:, None]
        return jnp.zeros(legal.shape).at[own, chosen].set(found)

    def every(params: Any, slots: jax.Array, legal: jax.Array) -> jax.Array:
        return jax.lax.map(lambda x: one(params, *x), (slots, legal))

    compiled = jax.jit(every)
    return lambda params, slots: compiled(params, slots, legal)


def most_columns(table: TokenTable, slots: jax.Array) -> int:
    """That the longest of some texts fills, behind what its instance shares."""
    lengths = jax.jit(jax.vmap(jax.vmap(lambda s: jnp.sum(table.suffix.render(s)[1]))))
    return int(jnp.max(lengths(slots)))
