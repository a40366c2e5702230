"""The checks of instances: parameters, the split, sampling. See `check`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.conformance.compare import (
    aval,
    difference,
    differing_avals,
    first,
    leaves,
    num_rows,
    take,
)
from lprl_envs.conformance.subject import NUM_SAMPLED, Subject


def parameters(s: Subject) -> str | None:
    """The bank is `[M, ...]`, `instances` are rows of it, the time limit is an i32."""
    return wrong_parameters(s.given)


def wrong_parameters(params: Any) -> str | None:
    """What is wrong with parameters."""
    for name, leaf in leaves("params", params).items():
        if not isinstance(leaf, jax.Array) or leaf.weak_type:
            found = aval(leaf) if isinstance(leaf, jax.Array) else type(leaf).__name__
            return f"{name} is {found}; right: an array with an explicit dtype"
    limit, instances = params.max_steps_in_episode, params.instances
    if (limit.shape, limit.dtype) != ((), jnp.int32) or limit < 1:
        return f"max_steps_in_episode is {aval(limit)} {limit}; right: int32[] of 1 or more"
    rows = {name: leaf.shape[:1] for name, leaf in leaves("bank", params.bank).items()}
    if len(set(rows.values())) != 1 or () in rows.values():
        return f"leaves of the bank begin with {rows}; right: all with the number of instances"
    num = num_rows(params.bank)
    if instances.ndim != 1 or instances.dtype != jnp.int32 or instances.size == 0:
        return f"instances is {aval(instances)}; right: int32[m] with m of 1 or more"
    if instances.min() < 0 or instances.max() >= num:
        return f"instances are {instances.tolist()}; right: rows of the bank, 0 to {num - 1}"
    again = params.with_bank(params.bank)
    for name in params.derived:
        if not np.array_equal(getattr(params, name), getattr(again, name)):
            return f"{name} is not what follows from the bank; right: params.with_bank(bank)"
    return None


def held_out(s: Subject) -> str | None:
    """`held_out` is `bool[]` and depends on an instance's content alone."""
    rows = s.rows
    right = [s.env.held_out(take(s.given.bank, row)) for row in rows]
    if wrong := differing_avals("held_out", right[0], jax.ShapeDtypeStruct((), jnp.bool)):
        return wrong
    again = [s.env.held_out(take(s.given.bank, row)) for row in rows]
    elsewhere = jax.jit(jax.vmap(s.env.held_out))(take(s.given.bank, rows[::-1]))[::-1]
    for name, found in (("asked again", again), ("in another bank, compiled", elsewhere)):
        if wrong := difference(name, jnp.stack(list(found)), jnp.stack(right)):
            return f"held_out of instance {rows[wrong.row]}, {wrong.text} as before"
    return None


def sample_params(s: Subject) -> str | None:
    """`sample_params` is jittable, of the size asked for, and keeps to its split."""
    for split, draws in s.samples.items():
        num = NUM_SAMPLED if split else num_rows(s.given.bank)
        name = f"sample_params(key, {num}, {split!r})"
        for params in draws:
            if wrong := wrong_parameters(params):
                return f"{name}: {wrong}"
            if num_rows(params.bank) != num:
                return f"{name} has {num_rows(params.bank)} instances; right: {num}"
            if split is None:
                continue
            out = np.asarray(jax.vmap(s.env.held_out)(params.bank))
            if wrong := first(out != (split == "held-out")):
                found = f"held_out of instance {wrong[0]} is {out[wrong]}"
                return f"{name}: {found}; right: {not out[wrong]}"
    return None
