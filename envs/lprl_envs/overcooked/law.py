"""What a macro does in a kitchen, how many primitive steps it takes, and what is paid.

The rules for food and bowl are looked up (`rules`); what depends on the floor is worked out here.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.overcooked.cells import (
    EVERYTHING,
    SIDE,
    access_cell,
    access_of,
    cell_of_spot,
    distance,
    sees,
    spot_of_cell,
    spot_of_place,
    walk_until_seen,
)
from lprl_envs.overcooked.kinds import Kind
from lprl_envs.overcooked.kitchens import Kitchens
from lprl_envs.overcooked.rules import (
    CHOPS,
    DELIVERED,
    FAILS,
    HELD,
    IN_BOWL,
    NOTHING,
    ON_BOARD,
    num_cases,
)
from lprl_envs.overcooked.states import EnvState, code_of_state, with_code
from lprl_envs.overcooked.tables import STAYS, Entry, look_up
from lprl_envs.overcooked.wordings import EMPTY_BOWL, wordings_of

REWARDS = ("paper", "refund")
STEP, CHOPPED, SERVED, WRONG = -0.001, 0.2, 1.0, -0.1
"""Paid a primitive step; and once at the last one of a macro that chops food of the recipe, that
delivers the dish, that delivers anything else."""
DISCOUNT = 0.99
"""A primitive step, within a macro: later pay counts less."""
_MOST_STEPS = 2 * (SIDE - 1) + 2


class Outcome(NamedTuple):
    """What a macro comes to."""

    state: EnvState
    """With the time of the state before."""
    steps: jax.Array
    """i32[]: primitive steps; 0 where nothing is done, once the dish is delivered."""
    reward: jax.Array
    """f32[]: discounted within the macro, by `DISCOUNT` a primitive step."""


@functools.cache
def rewards_of(reward: str, num_foods: int) -> np.ndarray:
    """`f32[4 + F, 11]`: by what is paid beside the steps, and by their number.

    Rows: nothing, chopped, served, and FAILS + i where i chopped foods of the recipe go home. Of n
    steps Σ .99^i · -.001 over i < n, and .99^(n - 1) times what is paid at the last. It is summed
    in 64 bits, so that every reward is the nearest f32.
    """
    refund = CHOPPED if reward == "refund" else 0.0
    wrong = [WRONG - refund * num for num in range(num_foods + 1)]
    paid = np.array([0.0, CHOPPED, SERVED, *wrong])
    steps = np.arange(_MOST_STEPS + 1)
    walked = STEP * (1 - DISCOUNT**steps) / (1 - DISCOUNT)
    return (walked + paid[:, None] * DISCOUNT ** (steps - 1.0)).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Law:
    """The law of a kind of kitchen; all methods take one state and its instance, without M."""

    kind: Kind
    reward: str
    """One of REWARDS."""
    view: int
    """How many rows and columns away the agent sees a place."""
    told: int
    """How many of them away the text tells of, by which the bowl's wording goes."""

    def play(
        self, state: EnvState, action: jax.Array, kitchen: Kitchens
    ) -> tuple[Outcome, jax.Array]:
        """What comes of an action, and whether it is legal; nothing comes of one that is not."""
        macro = jnp.asarray(wordings_of(self.kind).macro_of)[action]
        entry = self._look_up(state, macro, kitchen)
        is_legal = self._wording(state, macro, entry, kitchen) == action
        return self._outcome(state, entry, kitchen, is_legal), is_legal

    def outcome(self, state: EnvState, macro: jax.Array, kitchen: Kitchens) -> Outcome:
        """What comes of a macro, `i32[]`."""
        entry = self._look_up(state, macro, kitchen)
        return self._outcome(state, entry, kitchen, jnp.bool_(True))

    def legal(self, state: EnvState, kitchen: Kitchens) -> jax.Array:
        """`i32[macros]`: the legal wording of each macro."""

        def of(macro: jax.Array) -> jax.Array:
            return self._wording(state, macro, self._look_up(state, macro, kitchen), kitchen)

        return jax.vmap(of)(jnp.arange(self.kind.num_macros, dtype=jnp.int32))

    def _look_up(self, state: EnvState, macro: jax.Array, kitchen: Kitchens) -> Entry:
        """By the case of the macro (see `rules`), which boards and recipe decide."""
        kind, case = self.kind, macro
        for b in range(kind.num_boards):
            stands = state.agent == access_cell(kitchen.boards[b])
            case = jnp.where((macro == kind.chop) & stands, kind.num_macros + b, case)
        is_dish = functools.reduce(
            jnp.logical_and,
            [(state.where[f] == IN_BOWL) == kitchen.recipe[f] for f in range(kind.num_foods)],
        )
        case = jnp.where((macro == kind.deliver) & is_dish, num_cases(kind) - 1, case)
        return look_up(kind, state, case)

    def _wording(
        self, state: EnvState, macro: jax.Array, entry: Entry, kitchen: Kitchens
    ) -> jax.Array:
        """`i32[]`: the action that is legal of a macro."""
        kind = self.kind
        if self.told >= EVERYTHING or kind.num_foods == 1:
            return entry.action
        spot, seen = spot_of_cell(state.agent), state.bowl == HELD
        for b in range(kind.num_boards):
            is_near = sees(spot, spot_of_place(kitchen.boards[b]), self.told)
            seen = seen | ((state.bowl == ON_BOARD + b) & is_near)
        empty_bowl = wordings_of(kind).texts.index(EMPTY_BOWL)
        return jnp.where((macro == kind.get_bowl) & ~seen, empty_bowl, entry.action)

    def _outcome(
        self, state: EnvState, entry: Entry, kitchen: Kitchens, is_done: jax.Array
    ) -> Outcome:
        """Of an entry; nothing, where not `is_done` or once the dish is delivered."""
        is_done = is_done & (state.bowl != DELIVERED)
        spot = spot_of_cell(state.agent)
        target = spot_of_place(_place_of(self.kind, entry.target, kitchen))
        access = access_of(target)
        looked, seen_from = walk_until_seen(spot, target, self.view)
        walked = jnp.where(entry.looks, looked, distance(spot, access))
        agent = jnp.where(entry.looks, cell_of_spot(seen_from), cell_of_spot(access))
        walked = jnp.where(entry.target == STAYS, 0, walked)
        agent = jnp.where(is_done & (entry.target != STAYS), agent, state.agent)
        steps = jnp.where(is_done, jnp.maximum(walked + entry.more, 1), 0)
        count = functools.reduce(
            jnp.add,
            [(entry.foods >> f & 1) * kitchen.recipe[f] for f in range(self.kind.num_foods)],
        )
        paid = jnp.where((entry.paid == CHOPS) & (count == 0), NOTHING, entry.paid)
        paid = jnp.where(entry.paid == FAILS, FAILS + count, paid)
        table = rewards_of(self.reward, self.kind.num_foods)
        place = jnp.where(is_done, paid, NOTHING) * table.shape[1] + steps
        code = jnp.where(is_done, entry.code, code_of_state(state))
        after = with_code(state, code, agent)
        return Outcome(after, steps, jnp.asarray(table.ravel())[place])


def _place_of(kind: Kind, target: jax.Array, kitchen: Kitchens) -> jax.Array:
    """`i32[]`: of a target; any place of STAYS."""
    place = kitchen.delivery
    for b in range(kind.num_boards):
        place = jnp.where(target == kind.num_foods + 1 + b, kitchen.boards[b], place)
    for thing in range(kind.num_foods + 1):
        place = jnp.where(target == thing, kitchen.home[thing], place)
    return place
