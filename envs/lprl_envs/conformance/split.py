"""The check of what a split keeps apart: what `held_out_as` declares. See `check`.

It looks at samples: instances as `sample_params` draws them by default, of either side and of every
family, and states of theirs. What it finds is wrong; what it does not find may be. Where states are
not numbered it reads those that short walks meet, so check a small world of the same kind as well.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.conformance.acting import walk
from lprl_envs.conformance.compare import num_rows
from lprl_envs.conformance.subject import Subject
from lprl_envs.errors import InvalidInput
from lprl_envs.text_env_data import TextEnvParams

SAYS = {"text": "reads", "content": "has the identity"}
"""What two instances have in common that are alike, by what is kept apart."""
NUM_DRAWN = 64
"""Instances drawn of each side, and of each family."""
NUM_READ = 64
"""States of each instance that are read: all, where there are fewer; steps of a walk, where they
are not numbered."""


def split(s: Subject) -> str | None:
    """Nothing of what the environment says that its split keeps apart is on both sides."""
    kind = s.env.held_out_as
    if kind not in SAYS:
        return f"held_out_as is {kind!r}; right: {' or '.join(map(repr, SAYS))}"
    met: dict[str, bool] = {}
    for params in _drawn(s):
        is_out = np.asarray(jax.vmap(s.env.held_out)(params.bank)).tolist()
        for row, what in (_texts if kind == "text" else _contents)(s, params):
            if met.setdefault(what, is_out[row]) != is_out[row]:
                return (
                    f"an instance that is held out {SAYS[kind]} {what!r}, and so does one to be "
                    "trained on; right: both are on one side"
                )
    return None


def _drawn(s: Subject) -> list[TextEnvParams]:
    """Instances of both sides, as far as there are any, and of every family by itself."""
    wanted: list[dict[str, Any]] = [{"split": side} for side in (None, "train", "held-out")]
    wanted += [{"families": (name,)} for name in s.env.families]
    found = []
    for options, key in zip(wanted, s.keys(len(wanted)), strict=True):
        draw = functools.partial(s.env.sample_params, num_instances=NUM_DRAWN, **options)
        try:
            found.append(jax.jit(draw)(key))
        except InvalidInput:  # at this size none is on that side, or of that family
            continue
    return found


def _contents(s: Subject, params: TextEnvParams) -> Iterator[tuple[int, str]]:
    """Row and content of every instance."""
    for row, identity in enumerate(np.asarray(jax.vmap(s.env.identity)(params.bank))):
        yield row, str(identity.astype(int).ravel().tolist())


def _texts(s: Subject, params: TextEnvParams) -> Iterator[tuple[int, str]]:
    """Row and text of some states of every instance."""
    rows = np.arange(num_rows(params.bank), dtype=np.int32)
    if s.env.num_states is None:
        keys = s.keys(len(rows) * (NUM_READ + 1)).reshape(len(rows), -1)
        met = jax.jit(jax.vmap(functools.partial(walk, s.env), (0, 0, None)))
        states = met(keys, jnp.asarray(rows), params)
        states = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), states)
        rows = np.repeat(rows, NUM_READ)
    else:
        num = s.env.numbered_states
        numbers = s.rng.choice(num, min(num, NUM_READ), replace=False).astype(np.int32)
        rows, numbers = np.repeat(rows, len(numbers)), np.tile(numbers, len(rows))
        at = jax.jit(jax.vmap(s.env.state_at, (0, 0, None)))
        states = at(jnp.asarray(rows), jnp.asarray(numbers), params)
    slots = np.asarray(jax.jit(jax.vmap(s.env.slots, (0, None)))(states, params))
    for row, values in zip(rows.tolist(), slots.tolist(), strict=True):
        yield row, s.env.template.render(values)
