"""Overcooked in plain Python, one primitive step after the other: for kitchens at random.

Things are at coordinates of the 7 x 7 kitchen, (0, 0) its upper left corner; a thing in the hand is
at None, food in the bowl is at "bowl".
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

WALLS = {"n": lambda i: (0, i), "e": lambda i: (i, 6), "s": lambda i: (6, i), "w": lambda i: (i, 0)}


def spot(place: str) -> tuple[int, int]:
    return WALLS[place[0]](int(place[1]))


def before(target: tuple[int, int]) -> tuple[int, int]:
    row, column = (min(max(x, 1), 5) for x in target)
    return row, column


@dataclasses.dataclass
class Cook:
    """A kitchen as one writes it by hand, and what is in it now."""

    kitchen: dict[str, Any]
    refund: bool = False
    view: int = 2

    def __post_init__(self) -> None:
        self.foods = [x for x in ("tomato", "lettuce", "onion") if x in self.kitchen]
        self.boards = [spot(place) for place in self.kitchen["boards"]]
        self.homes: dict[str, Any] = {x: spot(self.kitchen[x]) for x in (*self.foods, "bowl")}
        self.at: dict[str, Any] = dict(self.homes)
        self.raw = set(self.foods)
        self.me = (int(self.kitchen["start"][1]), 1 + "abcde".index(self.kitchen["start"][0]))
        self.is_done = False
        partial = functools.partial
        self.macros: list[Callable[[], None]] = [partial(self.get_food, x) for x in self.foods]
        self.macros += [self.get_bowl, *(partial(self.go, board) for board in self.boards)]
        self.macros += [self.deliver, self.chop]

    def do(self, macro: int) -> tuple[float, int]:
        """What is paid, discounted by .99 a primitive step, and how many of these it takes."""
        self.pay: list[float] = []
        self.macros[macro]()
        return sum(0.99**i * x for i, x in enumerate(self.pay)), len(self.pay)

    # -- primitive steps -----------------------------------------------------------------------

    def step(self, gain: float = 0.0) -> None:
        self.pay.append(gain - 0.001)

    def walk(self, target: tuple[int, int], looks: bool = False) -> None:
        goal = before(target)
        while self.me != goal and not (looks and self.sees(target)):
            axis = 0 if self.me[0] != goal[0] else 1
            me = list(self.me)
            me[axis] += 1 if goal[axis] > me[axis] else -1
            self.me = (me[0], me[1])
            self.step()

    def stroll(self, target: tuple[int, int]) -> None:
        """Walk there for nothing, which takes a step even where it is no way."""
        if self.me == before(target):
            self.step()
        self.walk(target)

    def sees(self, target: tuple[int, int]) -> bool:
        return max(abs(x - y) for x, y in zip(self.me, target, strict=True)) <= self.view

    # -- what there is -------------------------------------------------------------------------

    @property
    def hand(self) -> str | None:
        return next((thing for thing, at in self.at.items() if at is None), None)

    def lies(self, board: tuple[int, int]) -> str | None:
        return next((thing for thing, at in self.at.items() if at == board), None)

    def is_cut(self, thing: str | None) -> bool:
        return thing in self.foods and thing not in self.raw

    # -- macros --------------------------------------------------------------------------------

    def get_food(self, food: str) -> None:
        at, hand = self.at[food], self.hand
        if at is None:
            self.step()
        elif at == "bowl":
            if self.at["bowl"] is not None:
                self.walk(self.at["bowl"], looks=True)
            self.step()
        elif at in self.boards and food in self.raw:
            self.stroll(at)
        else:
            self.walk(at)
            self.step()
            if hand is None:
                self.at[food] = None
            elif hand == "bowl" and self.is_cut(food):
                self.at[food] = "bowl"

    def get_bowl(self) -> None:
        at, hand = self.at["bowl"], self.hand
        if hand == "bowl":
            return self.step()
        self.walk(at)
        self.step()
        if hand is None:
            self.at["bowl"] = None
        elif self.is_cut(hand):
            self.step()
            self.at |= {hand: "bowl", "bowl": None}
        return None

    def go(self, board: tuple[int, int]) -> None:
        hand, thing = self.hand, self.lies(board)
        if hand is None:
            return self.stroll(board)
        self.walk(board)
        self.step()
        if thing is None:
            self.at[hand] = board
        elif hand == "bowl" and self.is_cut(thing):
            self.at[thing] = "bowl"
        elif thing == "bowl" and self.is_cut(hand):
            self.at |= {hand: "bowl", "bowl": None}
        return None

    def deliver(self) -> None:
        target, hand = spot(self.kitchen["delivery"]), self.hand
        if hand is None:
            return self.stroll(target)
        self.walk(target)
        inside = {food for food in self.foods if self.at[food] == "bowl"}
        if hand == "bowl" and inside == set(self.kitchen["recipe"]):
            self.step(1.0)
            self.is_done, self.at["bowl"] = True, "delivered"
            return None
        sent = (inside if hand == "bowl" else set()) | {hand}
        lost = [food for food in sent if self.is_cut(food) and food in self.kitchen["recipe"]]
        self.step(-0.1 - 0.2 * len(lost) * self.refund)
        self.at |= {thing: self.homes[thing] for thing in sent}
        self.raw |= sent & set(self.foods)
        return None

    def chop(self) -> None:
        here = [board for board in self.boards if before(board) == self.me]
        food = self.lies(here[0]) if here else None
        if food not in self.raw:
            return self.step()
        gain = 0.0
        if self.hand is None:
            self.raw.discard(food)
            gain = 0.2 * (food in self.kitchen["recipe"])
        for paid in (0.0, 0.0, gain):
            self.step(paid)
        return None
