"""What an action in blackjack does and pays: probabilities of where it leads."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from lprl_envs.blackjack.dealer import NATURAL_FINAL, SCORES, TENS
from lprl_envs.blackjack.hands import AFTER_CARD, CARDS, HANDS, LOST, NATURAL, TOTAL
from lprl_envs.blackjack.instances import Tables

STICK, HIT = 0, 1
"""Gymnasium's numbers."""


class Payments(NamedTuple):
    """What a natural is worth."""

    sab: bool
    """It beats whatever is none (Sutton and Barto)."""
    natural: bool
    """It pays 1.5 where it wins."""


def card_of(draw: jax.Array, tens: jax.Array) -> jax.Array:
    """`i32`: the card 1 to 10 that a uniform draw in [0, 1) takes out of a deck.

    Args:
        draw: f32.
        tens: i32[], index into TENS.
    """
    size = 9 + jnp.asarray(TENS, jnp.int32)[tens]
    place = (draw * size.astype(jnp.float32)).astype(jnp.int32)
    return jnp.minimum(place, 9) + 1


def card_probs(tens: jax.Array) -> jax.Array:
    """`f32[10]`: the probability of each card."""
    number = jnp.asarray(TENS, jnp.int32)[tens]
    counts = jnp.where(jnp.arange(len(CARDS)) == 9, number, 1).astype(jnp.float32)
    return counts / (9 + number).astype(jnp.float32)


def after_card(hand: jax.Array, card: jax.Array) -> jax.Array:
    """`i32`: a hand of 0 to 28 with one card more; LOST where it is bust."""
    return jnp.asarray(AFTER_CARD)[hand, card - 1]


def end_probs(hand: jax.Array, dealer: jax.Array, rules: Tables, pays: Payments) -> jax.Array:
    """`f32[3]`: that a hand is LOST, DRAWN or WON when the dealer has played.

    Args:
        hand: i32[], 0 to 28.
        dealer: i32[], the card shown.
        rules: One instance.
        pays: What a natural is worth.
    """
    finals = rules.finals[dealer - 1]
    difference = jnp.asarray(TOTAL)[hand] - jnp.asarray(SCORES)
    if pays.sab:
        is_other = jnp.arange(len(SCORES)) != NATURAL_FINAL
        difference = jnp.where((hand == NATURAL) & is_other, 1, difference)
    sides = jnp.sign(difference)[None] == jnp.array([-1, 0, 1])[:, None]
    return jnp.sum(jnp.where(sides, finals, 0.0), axis=1)


def pay_of(hand: jax.Array, after: jax.Array, pays: Payments) -> jax.Array:
    """`f32`: what leads from a hand to another, or to its end, pays."""
    won = 1.0
    if pays.natural:
        won = jnp.where(hand == NATURAL, 1.5, 1.0)
    signs = jnp.sign(after - (LOST + 1)).astype(jnp.float32)
    return jnp.where(after < LOST, 0.0, jnp.where(signs > 0, won, signs)).astype(jnp.float32)


def outcomes(
    hand: jax.Array, dealer: jax.Array, action: jax.Array, rules: Tables, pays: Payments
) -> tuple[jax.Array, jax.Array]:
    """Where an action leads: `f32[10]` probabilities, and `i32[10]` hands or ends.

    HIT leads to a hand for each card, STICK to the three ends.
    """
    played = jnp.minimum(hand, len(HANDS) - 1)
    cards = jnp.arange(1, len(CARDS) + 1, dtype=jnp.int32)
    ends = LOST + jnp.minimum(cards - 1, 2)
    stuck = jnp.zeros(len(CARDS), jnp.float32).at[:3].set(end_probs(played, dealer, rules, pays))
    is_hit = action == HIT
    prob = jnp.where(is_hit, card_probs(rules.tens), stuck)
    after = jnp.where(is_hit, after_card(played, cards), ends)
    is_over = hand >= LOST
    nothing = (cards == 1).astype(jnp.float32)
    return jnp.where(is_over, nothing, prob), jnp.where(is_over, hand, after)
