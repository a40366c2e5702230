"""How Blocks World reads: PlanBench's sentences, the goal first, then the facts.

They differ from PlanBench's in one article: a held block reads "the hand is currently holding the
orange block" here, and "holding orange block" there.

A list of facts is joined by commas, with "and" before its last. A separator belongs to the value
behind it, so that a slot says where in its list the fact stands. The facts of a state come behind a
comma, even the first, and end with one on the table, which every state has; those of a goal may
begin and end with any block's.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from lprl_envs.blocks_world.rules import HAND, NONE, TABLE, is_clear, moves
from lprl_envs.template import Literal, Scope, Slot, Template

COLOURS = (
    "red", "blue", "orange", "yellow", "white", "magenta",
    "black", "cyan", "green", "violet", "silver", "gold",
)  # fmt: skip
"""Of the blocks a to l."""
_INTRO = (
    "I stack blocks with one hand, which holds one block at a time. "
    "I can only take a clear block, and only stack on a clear block."
)
_FIRST, _MIDDLE, _LAST = " {}", ", {}", " and {}"


def _block(block: int) -> str:
    return f"the {COLOURS[block]} block"


def _on(upper: int, lower: int) -> str:
    return f"{_block(upper)} is on top of {_block(lower)}"


@functools.cache
def template_of(num_blocks: int) -> Template:
    """The wording for that many blocks; `slots_of` fills it."""
    blocks = range(num_blocks)
    goals, clear, on, table = [], [], [], []
    for x in blocks:
        lies = [_on(x, y) for y in blocks if x != y]
        placed = [place.format(fact) for fact in lies for place in (_FIRST, _MIDDLE, _LAST)]
        is_clear, on_table = f"{_block(x)} is clear", f"{_block(x)} is on the table"
        goals.append(Slot(f"goal {x}", ("", *placed), Scope.INSTANCE))
        clear.append(Slot(f"clear {x}", ("", _MIDDLE.format(is_clear))))
        on.append(Slot(f"on {x}", ("", *map(_MIDDLE.format, lies))))
        table.append(Slot(f"table {x}", ("", _MIDDLE.format(on_table), _LAST.format(on_table))))
    hand = ["the hand is empty", *(f"the hand is currently holding {_block(x)}" for x in blocks)]
    return Template(
        (
            Literal(f"{_INTRO}\nMy goal is to have that"),
            *goals,
            Literal(".\nAs initial conditions I have that", Scope.STATE),
            *clear,
            Slot("hand", tuple(map(_MIDDLE.format, hand))),
            *on,
            *table,
            Literal(".\nMy next action is to", Scope.STATE),
        )
    )


@functools.cache
def action_texts_of(num_blocks: int) -> tuple[str, ...]:
    """A text for each of `moves`; they continue the template's last words."""
    texts = []
    for block, source, target in zip(*(part.tolist() for part in moves(num_blocks)), strict=True):
        if target == HAND and source == TABLE:
            texts.append(f" pick up {_block(block)}")
        elif target == HAND:
            texts.append(f" unstack {_block(block)} from on top of {_block(source)}")
        elif target == TABLE:
            texts.append(f" put down {_block(block)}")
        else:
            texts.append(f" stack {_block(block)} on top of {_block(target)}")
    return tuple(texts)


@functools.cache
def subgoal_texts_of(num_blocks: int) -> tuple[str, ...]:
    """A text for each of those of `moves` that lay a block down, whichever way it was taken up."""
    table = [f" put {_block(x)} on the table" for x in range(num_blocks)]
    pairs = [(x, y) for x in range(num_blocks) for y in range(num_blocks) if x != y]
    return (*table, *(f" put {_block(x)} on top of {_block(y)}" for x, y in pairs))


@functools.cache
def by_colour(num_blocks: int) -> tuple[int, ...]:
    """The blocks, in the order of their colours' names."""
    return tuple(sorted(range(num_blocks), key=COLOURS.__getitem__))


def slots_of(on: jax.Array, goal: jax.Array) -> jax.Array:
    """`i32[4 n + 1]`: goal facts, clear blocks, the hand, facts "on", blocks on the table."""
    blocks = jnp.arange(on.size, dtype=jnp.int32)
    is_goal = goal != NONE
    place = jnp.where(_is_first(is_goal), 0, jnp.where(_is_last(is_goal), 2, 1))
    goals = jnp.where(is_goal, 1 + 3 * _rank(goal, blocks) + place, 0)
    on_table = on == TABLE
    hand = jnp.max(jnp.where(on == HAND, blocks + 1, 0))
    lies = jnp.where(on >= 0, 1 + _rank(on, blocks), 0)
    table = jnp.where(on_table, jnp.where(_is_last(on_table), 2, 1), 0)
    return jnp.concatenate([goals, is_clear(on), hand[None], lies, table], dtype=jnp.int32)


def _rank(lower: jax.Array, upper: jax.Array) -> jax.Array:
    """The place of a block among the other blocks than the one on it."""
    return lower - (lower > upper)


def _is_first(facts: jax.Array) -> jax.Array:
    return facts & (jnp.cumsum(facts) == 1)


def _is_last(facts: jax.Array) -> jax.Array:
    return _is_first(facts[::-1])[::-1]
