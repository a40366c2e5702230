"""Banks of instances: how random ones are drawn and split, and how one is chosen at reset."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from lprl_envs.errors import InvalidInput, require_one_of

Env = TypeVar("Env")
Params = TypeVar("Params")

SPLITS = ("train", "held-out")
_APART = 0x5EED5EED
MOST_TRIED = 1 << 20
"""Random instances that are looked at for one that fits, before it is given up."""
_AT_ONCE = 1 << 10
"""Of them."""
_FEW = 1 << 12
"""Instances that are drawn one after the other before anybody asks whether there is one."""
_ENDLESS = np.iinfo(np.int32).max


class NoInstance(InvalidInput):
    """Of all random instances that were looked at, none may be played or is in the split."""

    def __init__(self, name: str, split: str | None, must_fit: bool):
        super().__init__(name, split, must_fit)

    def __str__(self) -> str:
        name, split, must_fit = self.args
        what = ["fit to play"] * must_fit + [f"in the split {split!r}"] * (split is not None)
        other = "use no split, or the other" if split else "draw them otherwise"
        return f"{name}: none of {MOST_TRIED:,} random instances is {' and '.join(what)}; {other}"


def content_hash(values: jax.Array) -> jax.Array:
    """`uint32[]` hash of integers of any shape; the same on every platform and JAX version.

    Every value is mixed with its place on its own (the finaliser of MurmurHash3) and the results
    are added, so the hash needs no sequential pass.
    """
    values = jnp.ravel(values).astype(jnp.uint32)
    places = jnp.arange(1, values.size + 1, dtype=jnp.uint32) * jnp.uint32(0x9E3779B9)
    return _mix(jnp.sum(_mix(values ^ places), dtype=jnp.uint32))


def grid_hash(cells: jax.Array) -> jax.Array:
    """`uint32[]` hash of a grid of integers `[H, W]`, equal for all its mirror images.

    Those are the grid flipped left-right, up-down or both, and if it is square also turned.
    """
    height, width = cells.shape
    places = np.arange(height * width).reshape(height, width)
    turned = [places, places.T] if height == width else [places]
    images = [image[::rows, ::cols] for image in turned for rows in (1, -1) for cols in (1, -1)]
    flat = cells.ravel()
    hashes = jax.vmap(lambda order: content_hash(flat[order]))(
        jnp.asarray(np.stack([image.ravel() for image in images]))
    )
    return _mix(jnp.sum(hashes, dtype=jnp.uint32))  # in whatever order they come


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
    name: str = "the environment",
) -> Any:
    """A bank of random instances, drawn in the graph; unfit ones and the other split's are redrawn.

    That there are any to be found is made sure of beforehand, on the host and also while a graph is
    being built, so that the redrawing ends. Only where `draw`, `held_out` or `is_fit` themselves
    depend on what is being traced does nobody know: there it is given up after `MOST_TRIED`
    instances, and the running program raises.

    Args:
        key: Random key.
        num_instances: M.
        split: `"train"`, `"held-out"`, or None for both.
        draw: A key to an instance.
        held_out: An instance to `bool[]`.
        is_fit: An instance to `bool[]`: whether it may be played; None if all may.
        name: Of the environment, with what else decides on its instances; for the message.

    Returns:
        Instances, `[M, ...]` leaves.

    Raises:
        InvalidInput: if an argument is out of range.
        NoInstance: if none of `MOST_TRIED` instances fits.
    """
    if num_instances < 1:
        raise InvalidInput(f"num_instances is {num_instances}; it must be 1 or more")
    if split is not None:
        require_one_of("split", split, SPLITS)
    if split is None and is_fit is None:
        return jax.vmap(lambda k: draw(jax.random.split(k)[1]))(
            jax.random.split(key, num_instances)
        )

    def fits(instance: Any) -> jax.Array:
        fit = jnp.bool_(True) if is_fit is None else is_fit(instance)
        return fit if split is None else fit & (held_out(instance) == (split == "held-out"))

    redraw = functools.partial(_redraw, jax.random.split(key, num_instances), draw, fits)
    if not isinstance(key, Tracer):
        drawn, found = redraw(_FEW)  # as a rule all are found, and nothing else is compiled
        if not isinstance(found, Tracer) and bool(jnp.all(found)):
            return drawn
    is_known = _is_any(lambda k: fits(draw(k)))
    nothing = NoInstance(name, split, is_fit is not None)
    if is_known is False:
        raise nothing
    drawn, found = redraw(_ENDLESS if is_known else MOST_TRIED)
    if is_known is None:
        jax.debug.callback(functools.partial(_require, nothing), jnp.all(found))
    return drawn


def _redraw(
    keys: chex.PRNGKey,
    draw: Callable[[chex.PRNGKey], Any],
    fits: Callable[[Any], jax.Array],
    most: int,
) -> tuple[Any, jax.Array]:
    """An instance a key, redrawn until it fits but `most` times; and whether it does, `bool[M]`."""

    def is_open(carry: tuple[Any, ...]) -> jax.Array:
        return ~carry[2] & (carry[3] < most)

    def again(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        key_next, key_draw = jax.random.split(carry[0])
        instance = draw(key_draw)
        return key_next, instance, fits(instance), carry[3] + 1

    def one(key: chex.PRNGKey) -> tuple[Any, jax.Array]:
        blank = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(draw, key))
        start = key, blank, jnp.bool_(False), jnp.int32(0)
        return jax.lax.while_loop(is_open, again, start)[1:3]

    return jax.vmap(one)(keys)


def _is_any(fits: Callable[[chex.PRNGKey], jax.Array]) -> bool | None:
    """Whether one of `MOST_TRIED` keys fits; None if that depends on what is being traced."""

    def is_open(carry: tuple[jax.Array, jax.Array]) -> jax.Array:
        return ~carry[0] & (carry[1] < MOST_TRIED // _AT_ONCE)

    def look(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        keys = jax.random.split(jax.random.fold_in(jax.random.key(0), carry[1]), _AT_ONCE)
        return jnp.any(jax.vmap(fits)(keys)), carry[1] + 1

    def search() -> jax.Array:
        return jax.lax.while_loop(is_open, look, (jnp.bool_(False), jnp.int32(0)))[0]

    with jax.ensure_compile_time_eval():  # decided before the graph is built
        found = jax.jit(search)()
    return None if isinstance(found, Tracer) else bool(found)


def _require(nothing: NoInstance, found: Any) -> None:
    """Raises unless all were found; called by the running program."""
    if not found:
        raise nothing


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
