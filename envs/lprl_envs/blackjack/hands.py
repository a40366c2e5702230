"""Hands of blackjack as numbers: what a card makes of a hand is a table.

The player's hand is one of 29: hard 4 to 21, soft 12 to 21 (with an ace that counts 11), and the
natural, an ace and a ten as the first two cards, which some rules pay otherwise than other 21s.
Behind these stand the three ends of a hand. Cards are 1 (an ace) to 10.
"""

from __future__ import annotations

import numpy as np

CARDS = range(1, 11)
MOST = 21
HANDS: tuple[tuple[int, str], ...] = (
    *((total, "hard") for total in range(4, MOST + 1)),
    *((total, "soft") for total in range(12, MOST + 1)),
    (MOST, "natural"),
)
"""Total and kind by number."""
KINDS = ("hard", "soft", "natural")
NATURAL = len(HANDS) - 1
LOST, DRAWN, WON = (len(HANDS) + end for end in range(3))
ENDS = ("lost", "drawn", "won")
"""In the order of their numbers, from LOST on."""

TOTAL = np.array([total for total, _ in HANDS], np.int32)
"""i32[29]"""
KIND = np.array([KINDS.index(kind) for _, kind in HANDS], np.int32)
"""i32[29]: index into KINDS."""


def with_card(total: int, is_soft: bool, card: int) -> tuple[int, bool]:
    """Total and softness of a hand with one card more; over 21 it is bust."""
    points = total - 10 * is_soft + card
    becomes_soft = (is_soft or card == 1) and points + 10 <= MOST
    return points + 10 * becomes_soft, becomes_soft


def _number(total: int, is_soft: bool) -> int:
    return LOST if total > MOST else HANDS.index((total, "soft" if is_soft else "hard"))


def _of_two(card: int, other: int) -> int:
    hand = with_card(*with_card(0, False, card), other)
    return NATURAL if hand[0] == MOST else _number(*hand)


AFTER_CARD = np.array(
    [[_number(*with_card(total, kind != "hard", card)) for card in CARDS] for total, kind in HANDS],
    np.int32,
)
"""i32[29, 10]: the hand with one card more, LOST where it is bust."""
OF_TWO = np.array([[_of_two(card, other) for other in CARDS] for card in CARDS], np.int32)
"""i32[10, 10]: the hand of the first two cards."""
