"""How blackjack looks: the dealer's cards, the hand with its total, and what the deck holds.

A state knows the hand's total and not its cards, so the hand is drawn as one fan with the total.
"""

from __future__ import annotations

from lprl_envs.blackjack.dealer import STANDS, TENS
from lprl_envs.blackjack.hands import ENDS, HANDS, LOST
from lprl_envs.blackjack.instances import Tables
from lprl_envs.render import BLUE, GREY, INK, MUTED, PAPER, RED, YELLOW, Canvas, Color, Picture

FELT, RIM, PALE = "#2f6f5e", "#25584b", "#cfe3dc"
_WIDTH, _HEIGHT = 520, 340
_CARD = 84, 116
"""Width and height of a card."""
_END_COLOR = {"lost": RED, "drawn": GREY, "won": YELLOW}


def draw_table(rules: Tables, hand: int, dealer: int) -> Picture:
    """One instance on the host, the number of the hand, and the dealer's card, 0 at an end."""
    stands, tens = STANDS[int(rules.stands)], TENS[int(rules.tens)]
    canvas = Canvas(_WIDTH, _HEIGHT)
    canvas.box(8, 8, _WIDTH - 16, _HEIGHT - 16, RIM, radius=26)
    canvas.box(16, 16, _WIDTH - 32, _HEIGHT - 32, FELT, radius=20)
    canvas.text(40, 38, f"Dealer, stands at {stands}", 15, PALE, "lm")
    canvas.text(40, 186, "Hand", 15, PALE, "lm")
    if hand < LOST:
        _card(canvas, 40, 52, name_of(dealer))
        _back(canvas, 136, 52)
        total, kind = HANDS[hand]
        for i in range(3):  # the cards below show only their edges
            canvas.box(40 + 8 * i, 200, *_CARD, PAPER, outline=MUTED, radius=8)
        canvas.text(56 + _CARD[0] / 2, 246, str(total), 40, INK)
        canvas.text(56 + _CARD[0] / 2, 284, kind, 15, MUTED)
    else:
        end = ENDS[hand - LOST]
        for y in (52, 200):
            canvas.box(40, y, *_CARD, outline=PALE, line=2, radius=8)
        canvas.box(150, 232, 120, 52, _END_COLOR[end], radius=26)
        canvas.text(210, 258, end, 22, INK)
    _deck(canvas, tens)
    return canvas.picture()


def name_of(card: int) -> str:
    """`A`, or the number."""
    return "A" if card == 1 else str(card)


def _card(canvas: Canvas, x: float, y: float, name: str, color: Color = INK) -> None:
    canvas.box(x, y, *_CARD, PAPER, outline=MUTED, radius=8)
    canvas.text(x + 15, y + 17, name, 17, color)
    canvas.text(x + _CARD[0] / 2, y + _CARD[1] / 2 + 4, name, 46, color)


def _back(canvas: Canvas, x: float, y: float) -> None:
    canvas.box(x, y, *_CARD, PAPER, outline=MUTED, radius=8)
    canvas.box(x + 7, y + 7, _CARD[0] - 14, _CARD[1] - 14, BLUE, radius=5)
    for i in range(5):
        canvas.disc(x + _CARD[0] / 2, y + 22 + 18 * i, 4, PAPER)


def _deck(canvas: Canvas, tens: int) -> None:
    """A column of small cards for each that the deck may hold, as many as it holds."""
    left, floor, width, height = 302, 282, 16, 12
    canvas.text(left, 250, "Deck", 15, PALE, "lm")
    for card in range(1, 11):
        x = left + (card - 1) * (width + 2)
        for i in range(tens if card == 10 else 1):
            canvas.box(x, floor - height - i * (height + 4), width, height, PAPER, radius=3)
        canvas.text(x + width / 2, floor + 14, name_of(card), 12, PALE)
