"""In how many tokens states are read, where their texts differ much in length.

A template has a column for every token that a slot may have, and there is room for the answers of
as many actions as may ever be legal. A state fills a part of both: that is the floor of what must
be run. Where states are numbered all are looked at beforehand (`Reader.measure`); elsewhere a chunk
is run by the smallest of a few programs that its states fit in.
"""

from __future__ import annotations

from typing import NamedTuple

SHARES = (0.375, 0.5, 1.0)
"""Of the most that a text and its answers may take, the parts that programs are made for. Random
play in Household's small kitchen meets states of 156 to 434 columns of 995, with 14 legal actions
of at most 39: 19 in 20 fit in the first, all in the second, and then 647 or 863 tokens are run of a
state in the place of 1,727, for 480 that are filled."""
MOST = 0.75
"""Tokens of a program against those of the next larger one, at most. Attention grows faster than
they do: a quarter less is the least that is worth the compilation of one more."""
WIDE = 256
"""Tokens from which on there are several programs: what is shorter compiles longer than it runs."""


class Size(NamedTuple):
    """What a program runs of every state; part of its shape."""

    columns: int
    """Of the text."""
    nodes: int
    """Tokens of answers behind it."""

    @property
    def tokens(self) -> int:
        """Both."""
        return self.columns + self.nodes


def sizes_of(largest: Size, shortest: int, nodes_vary: bool) -> tuple[Size, ...]:
    """The sizes that there are programs for, ascending; `largest` is the last, and mostly alone.

    One share is taken of both, so that there are as many programs as shares, not as pairs of them.
    There is none where no text fits, where it would run more than `MOST` of the next larger one's
    tokens, and where all of them are fewer than `WIDE`.

    Args:
        largest: Enough for every state.
        shortest: Columns that every text fills.
        nodes_vary: Whether answers are packed for each state; else a trie of all is behind all.
    """
    if largest.tokens < WIDE:
        return (largest,)
    found = [largest]
    for share in reversed(SHARES[:-1]):
        nodes = int(share * largest.nodes) if nodes_vary else largest.nodes
        size = Size(int(share * largest.columns), nodes)
        # A token more, since both are rounded.
        if size.columns >= shortest and size.tokens <= MOST * found[-1].tokens + 1:
            found.append(size)
    return tuple(reversed(found))
