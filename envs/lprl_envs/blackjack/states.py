"""The states and parameters of blackjack, and their numbers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import struct

from lprl_envs.blackjack.hands import CARDS, HANDS, LOST
from lprl_envs.text_env_data import TextEnvParams, TextEnvState

NUM_PLAYED = len(HANDS) * len(CARDS)
"""States in which the hand is played; behind these stand the three ends."""
NUM_STATES = NUM_PLAYED + 3


@struct.dataclass(kw_only=True)
class EnvState(TextEnvState):
    """A hand and the dealer's card. The hidden one is drawn when the dealer plays."""

    hand: jax.Array
    """i32[]: number of the player's hand, 0 to 28; or LOST, DRAWN, WON."""
    dealer: jax.Array
    """i32[]: the card that the dealer shows, 1 to 10; 0 at an end."""


@struct.dataclass(kw_only=True)
class EnvParams(TextEnvParams):
    """`bank` is a `Tables`."""


def number_of(hand: jax.Array, dealer: jax.Array) -> jax.Array:
    """`i32[]` in `[0, NUM_STATES)`."""
    played = hand * len(CARDS) + dealer - 1
    return jnp.where(hand < LOST, played, NUM_PLAYED + hand - LOST)


def of_number(number: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Hand and dealer's card, both `i32[]`: the inverse of `number_of`."""
    is_played = number < NUM_PLAYED
    hand = jnp.where(is_played, number // len(CARDS), LOST + number - NUM_PLAYED)
    return hand, jnp.where(is_played, number % len(CARDS) + 1, 0)
