"""Banks of instances: how random ones are drawn and split, and how one is chosen at reset."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import chex
import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.errors import InvalidInput, require_one_of

Env = TypeVar("Env")
Params = TypeVar("Params")

SPLITS = ("train", "held-out")
_APART = 0x5EED5EED
_TRIED = 2048
"""Instances by which `splits_of` decides."""


def content_hash(values: jax.Array) -> jax.Array:
    """`uint32[]` hash of integers of any shape; the same on every platform and JAX version.

    Every value is mixed with its place on its own (the finaliser of MurmurHash3) and the results
    are added, so the hash needs no sequential pass.
    """
    values = jnp.ravel(values).astype(jnp.uint32)
    places = jnp.arange(1, values.size + 1, dtype=jnp.uint32) * jnp.uint32(0x9E3779B9)
    return _mix(jnp.sum(_mix(values ^ places), dtype=jnp.uint32))


def _mix(x: jax.Array) -> jax.Array:
    x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
    return x ^ (x >> 16)


def draw_instance(key: chex.PRNGKey, instances: jax.Array) -> jax.Array:
    """`i32[]`: one of `instances` `i32[m]`, uniformly.

    A hash of the key chooses, independently of what else is drawn from it. Auto-reset asks at every
    step, and drawing by `jax.random` would cost several times what a step does.
    """
    if instances.shape[-1] == 1:
        return instances[0]
    words = jax.random.key_data(key) if _is_typed(key) else key
    return instances[content_hash(words) % jnp.uint32(instances.shape[-1])]


def set_apart(key: chex.PRNGKey) -> chex.PRNGKey:
    """Another key, for nothing: a step and the reset behind it draw from one, but not the same."""
    if not _is_typed(key):
        return key ^ jnp.uint32(_APART)
    words = jax.random.key_data(key) ^ jnp.uint32(_APART)
    return jax.random.wrap_key_data(words, impl=jax.random.key_impl(key))


def _is_typed(key: chex.PRNGKey) -> bool:
    """Whether it is of `jax.random.key`, not of the older `jax.random.PRNGKey`."""
    return jnp.issubdtype(key.dtype, jax.dtypes.prng_key)


def made_once(make: Callable[[Env], Params]) -> Callable[[Env], Params]:
    """For `default_params`: made once a configuration, outside of whatever is being traced."""

    @functools.lru_cache(maxsize=64)
    @functools.wraps(make)
    def params_of(env: Env) -> Params:
        with jax.ensure_compile_time_eval():
            return make(env)

    return params_of


def draw_bank(
    key: chex.PRNGKey,
    num_instances: int,
    split: str | None,
    draw: Callable[[chex.PRNGKey], Any],
    held_out: Callable[[Any], jax.Array],
    is_fit: Callable[[Any], jax.Array] | None = None,
) -> Any:
    """A bank of random instances, drawn in the graph; unfit ones and the other split's are redrawn.

    The loop is endless where nothing fits: see `splits_of`.

    Args:
        key: Random key.
        num_instances: M.
        split: `"train"`, `"held-out"`, or None for both.
        draw: A key to an instance.
        held_out: An instance to `bool[]`.
        is_fit: An instance to `bool[]`: whether it may be played; None if all may.

    Returns:
        Instances, `[M, ...]` leaves.

    Raises:
        InvalidInput: if an argument is out of range.
    """
    if num_instances < 1:
        raise InvalidInput(f"num_instances is {num_instances}; it must be 1 or more")
    if split is not None:
        require_one_of("split", split, SPLITS)

    def again(carry: tuple[chex.PRNGKey, Any]) -> tuple[chex.PRNGKey, Any]:
        key_next, key_draw = jax.random.split(carry[0])
        return key_next, draw(key_draw)

    def unfit(carry: tuple[chex.PRNGKey, Any]) -> jax.Array:
        fit = jnp.bool_(True) if is_fit is None else is_fit(carry[1])
        return ~fit if split is None else ~(fit & (held_out(carry[1]) == (split == "held-out")))

    def one(key: chex.PRNGKey) -> Any:
        return jax.lax.while_loop(unfit, again, again((key, None)))[1]

    return jax.vmap(one)(jax.random.split(key, num_instances))


def splits_of(
    draw: Callable[[chex.PRNGKey], Any], held_out: Callable[[Any], jax.Array]
) -> frozenset[str]:
    """The splits in which there are any of many random instances."""
    with jax.ensure_compile_time_eval():  # decided before the graph is built
        keys = jax.random.split(jax.random.key(0), _TRIED)
        found = jax.jit(jax.vmap(lambda k: held_out(draw(k))))(keys)
        return frozenset(SPLITS[int(out)] for out in np.unique(found))


def choose_families(
    env_families: Sequence[str],
    held_out_families: Sequence[str],
    families: Sequence[str],
    split: str | None,
) -> tuple[int, ...]:
    """Which of an environment's families to draw from, as indices into `env_families`.

    Args:
        env_families: All there are.
        held_out_families: Those of which every instance is held out.
        families: Names; none for all, or with a split for all that have instances on both sides.
        split: `"train"`, `"held-out"`, or None for both.

    Raises:
        InvalidInput: on an unknown name, or a held-out family to be trained on.
    """
    if isinstance(families, str):
        raise InvalidInput(f"families is {families!r}; right: a list of names, [{families}]")
    for name in families:
        require_one_of("family", name, env_families)
        if split == "train" and name in held_out_families:
            raise InvalidInput(f"the family {name!r} is held out; use no split, or held-out")
    left_out = () if split is None else held_out_families
    chosen = families or [name for name in env_families if name not in left_out]
    return tuple(i for i, name in enumerate(env_families) if name in chosen)
