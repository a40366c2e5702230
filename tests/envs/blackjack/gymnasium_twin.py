"""Blackjack exactly, by Gymnasium's own functions on lists of cards, in fractions."""

import functools
from fractions import Fraction

from gymnasium.envs.toy_text import blackjack

CARDS = range(1, 11)


def deck_of(tens):
    return {card: Fraction(tens if card == 10 else 1, 9 + tens) for card in CARDS}


@functools.cache
def dealers(hand, stands, tens):
    """What a dealer with these cards, sorted, ends with: `{(score, is_natural): probability}`."""
    if blackjack.sum_hand(list(hand)) >= stands:
        return {(blackjack.score(list(hand)), blackjack.is_natural(list(hand))): Fraction(1)}
    found = {}
    for card, prob in deck_of(tens).items():
        for end, then in dealers(tuple(sorted((*hand, card))), stands, tens).items():
            found[end] = found.get(end, 0) + prob * then
    return found


def shown(card, stands, tens):
    """The same by the card that is shown."""
    found = {}
    for hidden, prob in deck_of(tens).items():
        for end, then in dealers(tuple(sorted((card, hidden))), stands, tens).items():
            found[end] = found.get(end, 0) + prob * then
    return found


def value_of(policy, stands, tens):
    """The return of a policy `policy(total, card, usable_ace) -> action`, with `sab`, in floats."""
    deck = {card: float(prob) for card, prob in deck_of(tens).items()}
    ends = {card: shown(card, stands, tens) for card in CARDS}

    @functools.cache
    def value(hand, card):
        hand = list(hand)
        if blackjack.is_bust(hand):
            return -1.0
        if policy(blackjack.sum_hand(hand), card, blackjack.usable_ace(hand)):
            return sum(p * value(tuple(sorted((*hand, c))), card) for c, p in deck.items())
        own, wins = blackjack.score(hand), blackjack.is_natural(hand)
        return sum(
            float(p) * (1.0 if wins and not is_natural else blackjack.cmp(own, score))
            for (score, is_natural), p in ends[card].items()
        )

    return sum(
        deck[card] * deck[one] * deck[other] * value(tuple(sorted((one, other))), card)
        for card in CARDS
        for one in CARDS
        for other in CARDS
    )
