"""The rules as tables, to be looked up in the graph."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.overcooked.kinds import Kind
from lprl_envs.overcooked.rules import configurations, effect_of, macro_of, num_cases, wording_of
from lprl_envs.overcooked.states import EnvState, code_of, configuration_number
from lprl_envs.overcooked.wordings import wordings_of

STAYS = 7
"""The target of a macro that goes nowhere."""
_CODE, _TARGET, _MORE, _LOOKS, _PAID, _FOODS, _ACTION = (
    (0, 15),
    (15, 3),
    (18, 2),
    (20, 1),
    (21, 2),
    (23, 3),
    (26, 5),
)
"""Lowest bit and number of bits of each field of an entry."""


class Entry(NamedTuple):
    """What comes of a case of a macro in a configuration; see `rules.Effect`."""

    packed: jax.Array
    """i32[]: all fields, so that one look-up brings them."""

    def _field(self, place: tuple[int, int]) -> jax.Array:
        shift, bits = place
        return self.packed >> shift & (1 << bits) - 1

    @property
    def code(self) -> jax.Array:
        """i32[]: of the configuration after."""
        return self._field(_CODE)

    @property
    def target(self) -> jax.Array:
        """i32[]: whose place the agent goes to, or STAYS."""
        return self._field(_TARGET)

    @property
    def more(self) -> jax.Array:
        """i32[]: steps beyond the distance."""
        return self._field(_MORE)

    @property
    def looks(self) -> jax.Array:
        """bool[]: whether the agent goes only until it sees the place."""
        return self._field(_LOOKS) == 1

    @property
    def paid(self) -> jax.Array:
        """i32[]: what is paid for."""
        return self._field(_PAID)

    @property
    def foods(self) -> jax.Array:
        """i32[]: on whose being in the recipe pay depends, a bit a food."""
        return self._field(_FOODS)

    @property
    def action(self) -> jax.Array:
        """i32[]: which of the macro's wordings is legal, where the bowl is in view."""
        return self._field(_ACTION)


@functools.cache
def entries_of(kind: Kind) -> np.ndarray:
    """`i32[C, cases]`: `Entry.packed` of all configurations."""
    first = wordings_of(kind).first.tolist()
    rows = np.zeros((len(configurations(kind)), num_cases(kind)), np.int32)
    for i, now in enumerate(configurations(kind)):
        for case in range(num_cases(kind)):
            found = effect_of(kind, now, case)
            fields = (
                (code_of(found.after), _CODE),
                (STAYS if found.target is None else found.target, _TARGET),
                (found.more, _MORE),
                (found.looks, _LOOKS),
                (found.paid, _PAID),
                (sum(1 << food for food in found.foods), _FOODS),
                (first[macro_of(kind, case)] + wording_of(kind, now, case), _ACTION),
            )
            rows[i, case] = sum(value << shift for value, (shift, _) in fields)
    return rows


def look_up(kind: Kind, state: EnvState, case: jax.Array) -> Entry:
    """The entry of a state's configuration and a case, `i32[]`."""
    row = configuration_number(kind, state)
    return Entry(jnp.asarray(entries_of(kind).ravel())[row * num_cases(kind) + case])
