"""What an action in blackjack does and pays: probabilities of where it leads."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.blackjack.dealer import NATURAL_FINAL, SCORES, TENS
from lprl_envs.blackjack.hands import AFTER_CARD, CARDS, HANDS, LOST, NATURAL, TOTAL

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


def _card_sums() -> np.ndarray:
    """See `CARD_SUMS`."""
    counts = np.ones((len(TENS), len(CARDS)), np.float32)
    counts[:, -1] = TENS
    probs = counts / counts.sum(axis=1, keepdims=True)
    return np.cumsum(probs[:, :-1], axis=1, dtype=np.float32)


CARD_SUMS = _card_sums()
"""f32[3, 9]: by deck, the probability of any of the cards up to each but the last."""


def after_card(hand: jax.Array, card: jax.Array) -> jax.Array:
    """`i32`: a hand of 0 to 28 with one card more; LOST where it is bust."""
    return jnp.asarray(AFTER_CARD)[hand, card - 1]


def end_probs(hand: jax.Array, finals: jax.Array, pays: Payments) -> jax.Array:
    """`f32[3]`: that a hand is LOST, DRAWN or WON when the dealer has played.

    Args:
        hand: i32[], 0 to 28.
        finals: f32[9], the probability of what the dealer ends with, given the card shown.
        pays: What a natural is worth.
    """
    total, is_natural = jnp.asarray(TOTAL)[hand], hand == NATURAL
    ends = [jnp.float32(0), jnp.float32(0), jnp.float32(0)]
    for final, score in enumerate(
        SCORES
    ):  # one by one: as a table of 3 x 9 it takes thrice as long
        beats = total > score
        if pays.sab and final != NATURAL_FINAL:
            beats |= is_natural
        draws = (total == score) & ~beats
        for end, is_so in enumerate((~beats & ~draws, draws, beats)):
            ends[end] += jnp.where(is_so, finals[final], 0.0)
    return jnp.stack(ends)


def pay_of(hand: jax.Array, after: jax.Array, pays: Payments) -> jax.Array:
    """`f32`: what leads from a hand to another, or to its end, pays."""
    won = 1.0
    if pays.natural:
        won = jnp.where(hand == NATURAL, 1.5, 1.0)
    signs = jnp.sign(after - (LOST + 1)).astype(jnp.float32)
    return jnp.where(after < LOST, 0.0, jnp.where(signs > 0, won, signs)).astype(jnp.float32)


def outcomes(
    hand: jax.Array, action: jax.Array, tens: jax.Array, finals: jax.Array, pays: Payments
) -> tuple[jax.Array, jax.Array]:
    """Where an action leads: `f32[10]` probabilities, and `i32[10]` hands or ends.

    HIT leads to a hand for each card, STICK to the three ends.

    Args:
        hand: i32[], 0 to 28, or an end.
        action: STICK or HIT.
        tens: i32[], index into TENS.
        finals: f32[9], as `end_probs` takes them.
        pays: What a natural is worth.
    """
    played = jnp.minimum(hand, len(HANDS) - 1)
    cards = jnp.arange(1, len(CARDS) + 1, dtype=jnp.int32)
    ends = LOST + jnp.minimum(cards - 1, 2)
    stuck = jnp.zeros(len(CARDS), jnp.float32).at[:3].set(end_probs(played, finals, pays))
    is_hit = action == HIT
    prob = jnp.where(is_hit, card_probs(tens), stuck)
    after = jnp.where(is_hit, after_card(played, cards), ends)
    is_over = hand >= LOST
    nothing = (cards == 1).astype(jnp.float32)
    return jnp.where(is_over, nothing, prob), jnp.where(is_over, hand, after)


def drawn(
    hand: jax.Array,
    action: jax.Array,
    tens: jax.Array,
    finals: jax.Array,
    pays: Payments,
    draw: jax.Array,
) -> jax.Array:
    """`i32`: where a uniform draw in [0, 1) leads, by the probabilities of `outcomes`.

    Not all ten of them are worked out for it: of cards the sums are known beforehand, and of ends
    there are three. The other arguments are those of `outcomes`.
    """
    played = jnp.minimum(hand, len(HANDS) - 1)
    hit = jnp.asarray(AFTER_CARD)[played, jnp.sum(draw >= jnp.asarray(CARD_SUMS)[tens])]
    lost, drew, _ = end_probs(played, finals, pays)
    stuck = LOST + (draw >= lost).astype(jnp.int32) + (draw >= lost + drew).astype(jnp.int32)
    return jnp.where(hand >= LOST, hand, jnp.where(action == HIT, hit, stuck))
