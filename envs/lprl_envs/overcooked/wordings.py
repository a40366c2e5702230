"""Actions: the wordings of each macro, of which one is legal in a state.

What a macro is called depends on the state. So an action is a wording, 10 in the tomato kitchen and
24 in the salad kitchen, and of each macro's wordings exactly one is legal: the first whose
condition holds.

    get f           put the f in the bowl, if the bowl is held; pick up the f
    get bowl        take the bowl, if it has food in it and is in view; take the empty bowl
                    (in the tomato kitchen always: take the bowl)
    go to board b   put the bowl on it, if held; put the f on it, if held and unchopped; walk to it
    deliver         serve the dish, if anything is held; serve nothing
    chop            chop the f, if it lies, chopped or not, on the board before the agent; chop
                    nothing
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from lprl_envs.overcooked.kinds import Kind

NTH = {1: ("",), 2: ("first ", "second ")}
"""What tells a kitchen's boards apart, by how many there are."""


EMPTY_BOWL = " take the empty bowl"


class Wordings(NamedTuple):
    """Of A actions."""

    texts: tuple[str, ...]
    """`[A]`"""
    macro_of: np.ndarray
    """i32[A]: the macro that each words."""
    first: np.ndarray
    """i32[macros]: the first action of each."""


@functools.cache
def wordings_of(kind: Kind) -> Wordings:
    """By macro, and as listed above."""
    foods = kind.foods
    listed = [[f" put the {f} in the bowl", f" pick up the {f}"] for f in foods]
    listed.append([" take the bowl"] + [EMPTY_BOWL] * (len(foods) > 1))
    for nth in NTH[kind.num_boards]:
        board = f"the {nth}cutting board"
        laid = [f" put the {thing} on {board}" for thing in ("bowl", *foods)]
        listed.append([*laid, f" walk to {board}"])
    listed.append([" serve the dish", " serve nothing"])
    listed.append([*(f" chop the {f}" for f in foods), " chop nothing"])
    counts = [len(texts) for texts in listed]
    return Wordings(
        texts=tuple(text for texts in listed for text in texts),
        macro_of=np.repeat(np.arange(len(listed), dtype=np.int32), counts),
        first=np.cumsum([0, *counts[:-1]]).astype(np.int32),
    )
