"""The rules of a kitchen without its floor: what each macro does to food and bowl.

Wherever things stand, the same comes of "get the tomato" or "go to the first board"; the floor only
decides how long it takes. So the rules are plain Python, worked out once for every configuration of
a kind of kitchen (`tables`), and looked up in the graph.

A *case* is a macro, with what a configuration does not tell: chop has one before no board and one
before each board, deliver one for what is wrong and one for the dish. Their numbers: the macros',
then chop before each board, then the dish.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

from lprl_envs.overcooked.kinds import Kind

HOME, HELD, IN_BOWL, ON_BOARD, DELIVERED = 0, 1, 2, 3, 5
"""Where food is, or the bowl: on board b it is ON_BOARD + b. Food is never DELIVERED, but in the
bowl that is; the bowl is never IN_BOWL."""
NOTHING, CHOPS, SERVES, FAILS = range(4)
"""What is paid for, beside the steps."""


@dataclasses.dataclass(frozen=True, order=True)
class Configuration:
    """Where each food is, whether it is chopped, and where the bowl is."""

    bowl: int
    """HOME, HELD, on a board, or DELIVERED."""
    where: tuple[int, ...]
    """`[F]`: HOME, HELD, IN_BOWL, or on a board."""
    chopped: tuple[bool, ...]
    """`[F]`: False at home, True in the bowl."""

    def on_board(self, board: int) -> int | None:
        """The food that lies there by itself."""
        at = ON_BOARD + board
        return self.where.index(at) if at in self.where else None

    @property
    def held(self) -> int | None:
        """The food in the hand."""
        return self.where.index(HELD) if HELD in self.where else None

    @property
    def is_empty_handed(self) -> bool:
        """Whether the hand holds nothing."""
        return self.held is None and self.bowl != HELD

    @property
    def contents(self) -> tuple[int, ...]:
        """The foods in the bowl."""
        return tuple(f for f, at in enumerate(self.where) if at == IN_BOWL)

    def put(self, foods: Mapping[int, int], bowl: int | None = None) -> Configuration:
        """With foods elsewhere; what comes home is unchopped. With the bowl elsewhere, if named."""
        where = tuple(foods.get(f, at) for f, at in enumerate(self.where))
        chopped = tuple(cut and at != HOME for cut, at in zip(self.chopped, where, strict=True))
        return Configuration(self.bowl if bowl is None else bowl, where, chopped)


@dataclasses.dataclass(frozen=True)
class Effect:
    """What comes of a macro."""

    after: Configuration
    target: int | None
    """Whose place the agent goes to: a food, F for the bowl's home, F + 1 + b for board b, then the
    delivery; None where it stays."""
    more: int
    """Steps beyond the distance, which interact or wait; 0 where it walks, one step at least."""
    looks: bool = False
    """Whether it goes only until it sees the place."""
    paid: int = NOTHING
    foods: tuple[int, ...] = ()
    """On whose being in the recipe pay depends: what is chopped, or goes home chopped."""


def num_cases(kind: Kind) -> int:
    """How many cases there are."""
    return kind.num_macros + kind.num_boards + 1


def macro_of(kind: Kind, case: int) -> int:
    """The macro of a case."""
    if case < kind.num_macros:
        return case
    return kind.chop if case < kind.num_macros + kind.num_boards else kind.deliver


def effect_of(kind: Kind, now: Configuration, case: int) -> Effect:
    """What comes of a case of a macro."""
    if now.bowl == DELIVERED:
        return Effect(now, None, 1)
    if case < kind.num_foods:
        return _get_food(kind, now, case)
    if case == kind.get_bowl:
        return _get_bowl(kind, now)
    if case < kind.deliver:
        return _go(kind, now, case - kind.go)
    if case == kind.deliver:
        return _deliver(kind, now)
    if case == kind.chop:
        return Effect(now, None, 1)
    if case < kind.num_macros + kind.num_boards:
        return _chop(now, case - kind.num_macros)
    if now.bowl == HELD and now.contents:
        return Effect(now.put({}, DELIVERED), _delivery(kind), 1, paid=SERVES)
    return _deliver(kind, now)


def _board(kind: Kind, at: int) -> int:
    """The target of a board, by where a thing on it is."""
    return kind.num_foods + 1 + at - ON_BOARD


def _delivery(kind: Kind) -> int:
    return kind.num_foods + 1 + kind.num_boards


def _get_food(kind: Kind, now: Configuration, food: int) -> Effect:
    at = now.where[food]
    if at == HELD or (at == IN_BOWL and now.bowl == HELD):
        return Effect(now, None, 1)
    if at == IN_BOWL:
        return Effect(now, _board(kind, now.bowl), 1, looks=True)
    if at == HOME:
        after = now.put({food: HELD}) if now.is_empty_handed else now
        return Effect(after, food, 1)
    if not now.chopped[food]:  # what lies unchopped on a board can only be chopped
        return Effect(now, _board(kind, at), 0)
    after = now.put({food: HELD}) if now.is_empty_handed else now
    after = now.put({food: IN_BOWL}) if now.bowl == HELD else after
    return Effect(after, _board(kind, at), 1)


def _get_bowl(kind: Kind, now: Configuration) -> Effect:
    if now.bowl == HELD:
        return Effect(now, None, 1)
    target = kind.num_foods if now.bowl == HOME else _board(kind, now.bowl)
    if now.held is None:
        return Effect(now.put({}, HELD), target, 1)
    if now.chopped[now.held]:
        return Effect(now.put({now.held: IN_BOWL}, HELD), target, 2)
    return Effect(now, target, 1)


def _go(kind: Kind, now: Configuration, board: int) -> Effect:
    at, lies = ON_BOARD + board, now.on_board(board)
    if now.is_empty_handed:
        return Effect(now, _board(kind, at), 0)
    after = now
    if lies is None and now.bowl != at:
        after = now.put({}, at) if now.held is None else now.put({now.held: at})
    elif now.bowl == HELD and lies is not None and now.chopped[lies]:
        after = now.put({lies: IN_BOWL})
    elif now.bowl == at and now.held is not None and now.chopped[now.held]:
        after = now.put({now.held: IN_BOWL}, HELD)
    return Effect(after, _board(kind, at), 1)


def _deliver(kind: Kind, now: Configuration) -> Effect:
    """What is no dish goes home."""
    if now.is_empty_handed:
        return Effect(now, _delivery(kind), 0)
    sent = now.contents if now.held is None else (now.held,)
    bowl = HOME if now.bowl == HELD else now.bowl
    after = now.put(dict.fromkeys(sent, HOME), bowl)
    foods = tuple(food for food in sent if now.chopped[food])
    return Effect(after, _delivery(kind), 1, paid=FAILS, foods=foods)


def _chop(now: Configuration, board: int) -> Effect:
    """Before a board; with a full hand the time passes, and nothing is chopped."""
    food = now.on_board(board)
    if food is None or now.chopped[food]:
        return Effect(now, None, 1)
    if not now.is_empty_handed:
        return Effect(now, None, 3)
    chopped = tuple(cut or f == food for f, cut in enumerate(now.chopped))
    after = dataclasses.replace(now, chopped=chopped)
    return Effect(after, None, 3, paid=CHOPS, foods=(food,))


@functools.cache
def configurations(kind: Kind) -> tuple[Configuration, ...]:
    """All that can come about in play, whatever the recipe, in order."""
    first = Configuration(HOME, (HOME,) * kind.num_foods, (False,) * kind.num_foods)
    found, fresh = {first}, [first]
    while fresh:
        now = fresh.pop()
        for case in range(num_cases(kind)):
            after = effect_of(kind, now, case).after
            if after not in found:
                found.add(after)
                fresh.append(after)
    return tuple(sorted(found))


def wording_of(kind: Kind, now: Configuration, case: int) -> int:
    """Which of a macro's wordings is legal, where the bowl is in view; see `wordings`."""
    if case < kind.num_foods:
        return 0 if now.bowl == HELD else 1
    if case == kind.get_bowl:
        return 0 if now.contents or kind.num_foods == 1 else 1
    if case < kind.deliver:
        if now.bowl == HELD:
            return 0
        is_raw = now.held is not None and not now.chopped[now.held]
        return 1 + now.held if now.held is not None and is_raw else 1 + kind.num_foods
    if macro_of(kind, case) == kind.deliver:
        return 1 if now.is_empty_handed else 0
    food = None if case == kind.chop else now.on_board(case - kind.num_macros)
    return kind.num_foods if food is None else food
