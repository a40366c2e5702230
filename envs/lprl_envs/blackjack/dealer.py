"""The dealer's play as a distribution, by exact recursion over hands.

The dealer draws until its total, soft or hard, is the one at which it stands.
"""

from __future__ import annotations

import functools

import numpy as np

from lprl_envs.blackjack.hands import CARDS, MOST, with_card

STANDS = (15, 16, 17, 18, 19)
"""Totals at which a dealer may stand."""
TENS = (1, 4, 8)
"""Cards worth ten in a deck; of the others there is one each."""
FINALS = ("bust", *range(STANDS[0], MOST + 1), "natural")
"""What a dealer may end with."""
NATURAL_FINAL = len(FINALS) - 1
SCORES = np.array([0, *range(STANDS[0], MOST + 1), MOST], np.int32)
"""i32[9]: what each counts."""


def deck_of(tens: int) -> np.ndarray:
    """`f64[10]`: the probability of each card; cards are put back."""
    return np.array([1.0] * 9 + [tens]) / (9 + tens)


@functools.cache
def all_finals() -> np.ndarray:
    """`f32[5, 3, 10, 9]`: by STANDS, TENS and the card that is shown, the probability of FINALS."""
    found = [[finals_of(stands, tens) for tens in TENS] for stands in STANDS]
    return np.array(found, np.float32)


def finals_of(stands: int, tens: int) -> np.ndarray:
    """`f64[10, 9]` of one dealer and deck."""
    deck = deck_of(tens)

    @functools.cache
    def play(total: int, is_soft: bool) -> np.ndarray:
        if total > MOST:
            return np.eye(len(FINALS))[FINALS.index("bust")]
        if total >= stands:
            return np.eye(len(FINALS))[FINALS.index(total)]
        return sum(
            (
                prob * play(*with_card(total, is_soft, card))
                for card, prob in zip(CARDS, deck, strict=True)
            ),
            np.zeros(len(FINALS)),
        )

    def show(card: int) -> np.ndarray:
        found = np.zeros(len(FINALS))
        for hidden, prob in zip(CARDS, deck, strict=True):
            hand = with_card(*with_card(0, False, card), hidden)
            of_hand = np.eye(len(FINALS))[NATURAL_FINAL] if hand[0] == MOST else play(*hand)
            found += prob * of_hand
        return found

    return np.array([show(card) for card in CARDS])
