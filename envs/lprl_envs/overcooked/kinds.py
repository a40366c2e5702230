"""The two kinds of kitchen: which food, how many boards, and which macros there are.

A macro is what a cook sets out to do; it takes one or more primitive steps. Their order: get each
food, get the bowl, go to each board, deliver, chop.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Kind:
    """What fixes the shapes of a kitchen's arrays: F kinds of food and B boards."""

    foods: tuple[str, ...]
    """`[F]`; there is one of each."""
    num_boards: int
    """B, 1 or 2."""
    limit: int
    """Macros of an episode."""

    @property
    def num_foods(self) -> int:
        """F; also the number of the macro "get bowl"."""
        return len(self.foods)

    @property
    def get_bowl(self) -> int:
        """The macro's number; before it come those that get a food, in the order of `foods`."""
        return self.num_foods

    @property
    def go(self) -> int:
        """The number of the macro that goes to the first board."""
        return self.num_foods + 1

    @property
    def deliver(self) -> int:
        """The macro's number."""
        return self.go + self.num_boards

    @property
    def chop(self) -> int:
        """The macro's number, the last."""
        return self.deliver + 1

    @property
    def num_macros(self) -> int:
        """F + B + 3."""
        return self.chop + 1


KINDS = {
    "salad": Kind(foods=("tomato", "lettuce", "onion"), num_boards=2, limit=51),
    "tomato": Kind(foods=("tomato",), num_boards=1, limit=31),
}
"""By the name of the kitchen. The limits are those of *Efficient RL with LLM Priors* (arXiv
2410.07927), whose loop breaks after the step whose count exceeds 50, or 30."""
