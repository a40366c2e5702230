"""The checks of text. See `check`."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from lprl_envs.conformance.compare import first, num_rows, take
from lprl_envs.conformance.subject import Subject
from lprl_envs.template import Template


def slots(s: Subject) -> str | None:
    """`slots` is jittable, `i32[num_slots]`, and within each slot's values."""
    return wrong_values(
        "slots", s.slots, s.env.template, lambda row: s.name_of(take(s.states, row))
    )


def wrong_values(
    name: str, found: np.ndarray, template: Template, name_of: Callable[[int], str]
) -> str | None:
    """What is wrong with rows `[N, num_slots]` of a template's slots; `name_of` names a row."""
    if (found.shape[1:], found.dtype) != ((template.num_slots,), np.int32):
        right = f"int32[{template.num_slots}]"
        return f"{name} is {found.dtype}{list(found.shape[1:])}; right: {right}"
    sizes = np.array([len(slot.values) for slot in template.slots], np.int32)
    if wrong := first((found < 0) | (found >= sizes[None])):
        row, slot = wrong
        where = f"{name_of(row)}, slot {template.slots[slot].name!r}"
        return f"{where}: value {found[wrong]}; right: 0 to {sizes[slot] - 1}"
    return None


def describe(s: Subject) -> str | None:
    """`describe` is what the template renders from the slots."""
    found = s.slots
    for row in s.rng.choice(len(found), min(len(found), 16), replace=False):
        state, right = take(s.states, row), s.env.template.render(found[row].tolist())
        if (text := s.env.describe(state, s.params)) != right:
            return f"{s.name_of(state)}: describe says {text!r}; right: {right!r}, by the template"
    return None


def distinct_texts(s: Subject) -> str | None:
    """Two states of an instance read differently, otherwise no prior can tell them apart.

    Where states hold real numbers, words are coarser than they are: nothing to check there. Where
    the environment declares that states read alike, `texts_alias`, some do.
    """
    if jax.eval_shape(s.numbers, take(s.states, 0))[1].size:
        return None
    seen: dict[tuple[int, str], int] = {}
    numbers = s.each(s.number, s.states)
    told = zip(s.states.instance.tolist(), numbers.tolist(), s.slots.tolist(), strict=True)
    for instance, index, row in told:
        text = s.env.template.render(row)
        other = seen.setdefault((instance, text), index)
        if other != index:
            if s.env.texts_alias:
                return None
            where = f"states {other} and {index} of instance {instance}"
            return f"{where} both read {text!r}; right: a text each"
    are_all = s.env.num_states is not None and num_rows(s.states) == len(s.rows) * s.env.num_states
    if s.env.texts_alias and are_all:
        return "texts_alias is True, and no two states read alike; right: False"
    return None


def action_texts(s: Subject) -> str | None:
    """Every action has a text of its own."""
    texts, num = s.env.action_texts, s.env.num_actions
    if len(texts) != num or len(set(texts)) != num or not all(texts):
        return f"action_texts are {texts}; right: {num} distinct texts, none empty"
    return None
