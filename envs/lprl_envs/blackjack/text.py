"""How blackjack reads: the rules, the dealer and the deck, the hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.blackjack.dealer import STANDS, TENS
from lprl_envs.blackjack.hands import HANDS, KINDS, LOST, TOTAL
from lprl_envs.blackjack.instances import Tables
from lprl_envs.template import Literal, Scope, Slot, Template

ACTION_TEXTS = (" stick", " hit")
"""They continue "Answer"."""
_TOTALS = (*(f" {total}" for total in range(4, 22)), " a lost", " an even", " a winning")
_KINDS = (*(f" {kind}" for kind in KINDS), " hand")
_SHOWN = (" nothing", " ace", *(f" {card}" for card in range(2, 11)))
"""By the number of the dealer's card, 0 for none."""
# Value of the first two slots, by the number of the hand.
_TOTAL_WORD = np.array([*(TOTAL - 4), *range(18, 21)], np.int32)
_KIND_WORD = np.array([*(KINDS.index(kind) for _, kind in HANDS), *[len(KINDS)] * 3], np.int32)


def template_of(sab: bool, natural: bool) -> Template:
    """The wording; it says what a natural is worth."""
    worth = "counts as any 21"
    if sab:
        worth = "beats any other 21"
    elif natural:
        worth = "counts as any 21, but pays 1.5 where it wins"
    return Template(
        (
            Literal(
                "I play blackjack: I must come nearer to 21 than the dealer, but not above it. "
                "An ace is 1 or 11, soft while it is 11. Cards that are drawn are put back. "
                f"A natural, 21 by the first two cards, {worth}.\nThe dealer stands at"
            ),
            Slot("stands", tuple(f" {total}" for total in STANDS), Scope.INSTANCE),
            Literal(". The deck has one card each from ace to 9, and", Scope.INSTANCE),
            Slot("tens", tuple(f" {number}" for number in TENS), Scope.INSTANCE),
            Literal(" worth 10.", Scope.INSTANCE),
            Literal("\nYou hold", Scope.STATE),
            Slot("total", _TOTALS),
            Slot("kind", _KINDS),
            Literal(". Dealer shows", Scope.STATE),
            Slot("dealer", _SHOWN),
            Literal(".\nAnswer", Scope.STATE),
        )
    )


def slots_of(instance: Tables, hand: jax.Array, dealer: jax.Array) -> jax.Array:
    """`i32[5]` of one instance: values of `template_of`."""
    words = jnp.asarray(_TOTAL_WORD)[hand], jnp.asarray(_KIND_WORD)[hand]
    return jnp.stack([instance.stands, instance.tens, *words, dealer]).astype(jnp.int32)


def features_of(instance: Tables, hand: jax.Array, dealer: jax.Array) -> jax.Array:
    """`f32[39]`, each one-hot: total, kind and dealer's card, none at an end; dealer and deck."""
    is_played = hand < LOST
    total = jnp.where(is_played, jnp.asarray(_TOTAL_WORD)[hand], -1)  # -1 is a row of zeros
    kind = jnp.where(is_played, jnp.asarray(_KIND_WORD)[hand], -1)
    parts = (
        (total, 18),
        (kind, len(KINDS)),
        (dealer - 1, 10),
        (instance.stands, len(STANDS)),
        (instance.tens, len(TENS)),
    )
    return jnp.concatenate([jax.nn.one_hot(x, num, dtype=jnp.float32) for x, num in parts])


NUM_FEATURES = 18 + len(KINDS) + 10 + len(STANDS) + len(TENS)
