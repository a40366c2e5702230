"""Instances of Blocks World: given as stacks, drawn at random in the graph, or published.

The published ones are PlanBench's (Valmeekam et al. 2023, MIT licence), in
`planbench.json` beside this file: suites `generated_basic` (501) and
`generated_basic_3` (101), each with the length of its shortest plan.
"""

from __future__ import annotations

import functools
import importlib.resources
import itertools
import json
import string
from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import struct

from lprl_envs.blocks_world.rules import ABSENT, MOST_BLOCKS, NONE, TABLE, is_reached
from lprl_envs.blocks_world.states import random_state
from lprl_envs.errors import InvalidInput, require_one_of, shown

LETTERS = string.ascii_lowercase[:MOST_BLOCKS]
_FORM = "an instance is {'init': ['cb', 'a'], 'goal': ['ba']}"


@struct.dataclass
class Problems:
    """A bank of M instances; one instance is a row of it, without the axis M."""

    on: jax.Array
    """i32[M, n]: the initial state, as in `rules`, the hand empty."""
    goal: jax.Array
    """i32[M, n]: for every block the block that it must lie on, or NONE."""


def resize(problems: Problems, num_blocks: int) -> Problems:
    """The same instance or bank among `num_blocks` blocks or more; those it lacks are ABSENT."""

    def pad(leaf: jax.Array, value: int) -> jax.Array:
        lacking = [(0, 0)] * (leaf.ndim - 1) + [(0, num_blocks - leaf.shape[-1])]
        return jnp.pad(leaf, lacking, constant_values=value)

    return Problems(pad(problems.on, ABSENT), pad(problems.goal, NONE))


def random_problem(num_blocks: int) -> Callable[[chex.PRNGKey], Problems]:
    """A function from a key to a random instance, which may not be fit to play.

    The initial state is uniform, the goal all facts "on" of another uniform state.
    """

    def draw(key: chex.PRNGKey) -> Problems:
        on, goal = jax.vmap(random_state, (0, None))(jax.random.split(key), num_blocks)
        return Problems(on, jnp.where(goal >= 0, goal, NONE))

    return draw


def is_fit(problem: Problems) -> jax.Array:
    """`bool[]`: whether the goal has a fact, and does not hold from the start."""
    return ~is_reached(problem.on, problem.goal)  # a goal of no facts always holds


# -- by hand -------------------------------------------------------------------------------------


def from_stacks(init: Sequence[str], goal: Sequence[str]) -> Problems:
    """An instance as one writes it.

    Args:
        init: Stacks from bottom to top, one letter a block: `["cb", "a"]`. The letters are the
            first of a to l.
        goal: Facts "x on y": `["ba"]`.

    Raises:
        InvalidInput: if it is not well-formed, or the goal cannot be reached or holds already.
    """
    init, goal = _strings("init", init), _strings("goal", goal)
    letters = "".join(init)
    found = sorted(letters)
    for letter in found:
        if letters.count(letter) > 1:
            raise InvalidInput(f"block {letter!r} stands twice in the stacks {init}; once is right")
    if len(found) > MOST_BLOCKS:
        raise InvalidInput(
            f"the stacks {init} have {len(found)} blocks; at most {MOST_BLOCKS} are right, "
            f"{LETTERS[0]} to {LETTERS[-1]}"
        )
    if found != list(LETTERS[: len(found)]):
        right = LETTERS[: len(found)]
        raise InvalidInput(f"the stacks {init} have the blocks {found}; right: {list(right)}")
    on = dict.fromkeys(found, TABLE)
    for stack in init:
        on |= {upper: LETTERS.index(lower) for lower, upper in itertools.pairwise(stack)}
    wanted = _parse_goal(goal, found)
    problem = Problems(
        jnp.array([on[letter] for letter in found], jnp.int32),
        jnp.array([wanted.get(letter, NONE) for letter in found], jnp.int32),
    )
    if all(on[letter] == lower for letter, lower in wanted.items()):
        raise InvalidInput(f"the goal {goal} holds in {init} already; it must be reached by a plan")
    return problem


def _strings(what: str, texts: Any) -> list[str]:
    is_list = isinstance(texts, list | tuple) and len(texts) > 0
    if not is_list or not all(isinstance(text, str) and text for text in texts):
        raise InvalidInput(f"{what} is {shown(texts)}; {_FORM}")
    return list(texts)


def _parse_goal(goal: Sequence[str], letters: Sequence[str]) -> dict[str, int]:
    """The block that each must lie on, if any."""
    wanted: dict[str, str] = {}
    for fact in goal:
        if len(fact) != 2:
            raise InvalidInput(f"goal fact {fact!r}; a fact is two letters, 'xy' for x on y")
        for letter in fact:
            if letter not in letters:
                blocks = ", ".join(letters)
                raise InvalidInput(f"goal fact {fact!r}: no block {letter!r}; blocks: {blocks}")
        upper, lower = fact
        if upper == lower:
            raise InvalidInput(f"goal fact {fact!r}: a block on itself; two blocks are right")
        if upper in wanted:
            raise InvalidInput(f"the goal {goal} lays {upper!r} twice; it can lie on one block")
        if lower in wanted.values():
            raise InvalidInput(f"the goal {goal} lays two blocks on {lower!r}; one has room there")
        wanted[upper] = lower
    for start in wanted:
        block = wanted[start]
        while block in wanted and block != start:
            block = wanted[block]
        if block == start:
            raise InvalidInput(f"the goal {goal} is a circle; the lowest block lies on the table")
    return {upper: LETTERS.index(lower) for upper, lower in wanted.items()}


def parse(instance: Any) -> Problems:
    """An instance from a mapping of `init` and `goal`, or as `from_stacks` returns it."""
    if isinstance(instance, Problems):
        return instance
    if not isinstance(instance, dict) or set(instance) != {"init", "goal"}:
        raise InvalidInput(f"found {shown(instance)}; {_FORM}")
    return from_stacks(instance["init"], instance["goal"])


def bank(problems: Sequence[Problems], num_blocks: int) -> Problems:
    """A bank of instances of `num_blocks` blocks or fewer."""
    if len(problems) == 0:
        raise InvalidInput(f"a bank of no instances; it needs at least one, and {_FORM}")
    most = max(problem.on.size for problem in problems)
    if most > MOST_BLOCKS:
        raise InvalidInput(f"an instance has {most} blocks; at most {MOST_BLOCKS} are right")
    if most > num_blocks:
        raise InvalidInput(
            f"an instance has {most} blocks, the environment {num_blocks}; set num_blocks: {most}"
        )
    rows = [resize(problem, num_blocks) for problem in problems]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)


def tower_to_turn(num_blocks: int) -> Problems:
    """A tower of all blocks, a lowest, that is to be turned upside down."""
    tower = LETTERS[:num_blocks]
    return from_stacks([tower], ["".join(pair) for pair in itertools.pairwise(tower)])


def require_blocks(what: str, found: Any, most: int) -> None:
    """Raises InvalidInput unless `found` is a number of blocks, 2 to `most`."""
    if type(found) is not int or not 2 <= found <= most:
        raise InvalidInput(f"{what} is {found!r}; it must be 2 to {most}, as a goal needs two")


# -- published -----------------------------------------------------------------------------------

_LENGTHS = (2, 4, 6, 8, 10, 12, 14, 16)
SUITES = (
    "planbench-4", "planbench-6", "planbench", *(f"planbench-length-{n}" for n in _LENGTHS)
)  # fmt: skip
"""All of PlanBench's instances; those of a length of the shortest plan; and `planbench-4` and
`-6`, the customary ones, which are of the suite `generated_basic` only."""


@functools.cache
def _planbench() -> tuple[tuple[str, int, str, str], ...]:
    """Rows of PlanBench's suite, length of the shortest plan, stacks, goal."""
    file = importlib.resources.files("lprl_envs.blocks_world") / "planbench.json"
    data, rows = json.loads(file.read_text("utf-8")), []
    for suite in ("basic", "basic_3"):
        for line in data[suite]:
            length, rest = line.split(": ")
            rows.append((suite, int(length), *rest.split(" > ")))
    return tuple(rows)


def bank_of_suite(name: str, num_blocks: int) -> Problems:
    """The instances of one of SUITES as a bank."""
    return bank([from_stacks(row["init"], row["goal"]) for row in published(name)], num_blocks)


def shortest_plans(name: str) -> jax.Array:
    """`i32[M]`: actions of a shortest plan of each instance of one of SUITES."""
    return jnp.array([row["optimal_length"] for row in published(name)], jnp.int32)


def published(name: str) -> list[dict[str, Any]]:
    """The instances of one of SUITES: `init`, `goal` and `optimal_length`, in their order."""
    require_one_of("suite", name, SUITES)
    length = name.removeprefix("planbench").removeprefix("-length").removeprefix("-")
    is_basic = name in ("planbench-4", "planbench-6")
    return [
        {"init": init.split(), "goal": goal.split(), "optimal_length": shortest}
        for suite, shortest, init, goal in _planbench()
        if (not length or shortest == int(length)) and (suite == "basic" or not is_basic)
    ]
