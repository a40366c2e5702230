"""What a `TextEnv` does where its author has not said otherwise, from what the author has said.

Features come from the slots of the text, a step from the law, the fields of a state from its first
one, instances from one that is drawn.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gymnax.environments import spaces

from lprl_envs import values
from lprl_envs.errors import InvalidInput, shown
from lprl_envs.short_repr import in_short
from lprl_envs.template import Template
from lprl_envs.threefry import written_out


def keeping_arguments(
    init: Callable[..., None], require: Callable[[Any], None]
) -> Callable[..., None]:
    """A world's constructor that first sets `config` to its arguments, defaults among them.

    Args:
        init: The constructor.
        require: Raises if the class lacks something.
    """
    signature = inspect.signature(init)

    @functools.wraps(init)
    def keeping(self: Any, *given: Any, **named: Any) -> None:
        is_own = "config" not in vars(self)  # otherwise a subclass's constructor has set it
        if is_own:
            require(self)
            self.config = _arguments(signature, self, given, named)
        init(self, *given, **named)
        if is_own:
            _require_hashable(self.config)

    return keeping


def _arguments(
    signature: inspect.Signature, self: Any, given: Sequence[Any], named: Mapping[str, Any]
) -> tuple[Any, ...]:
    """What a constructor is called with; nothing where it cannot be called so, as it will say."""
    try:
        bound = signature.bind(self, *given, **named)
    except TypeError:
        return ()
    bound.apply_defaults()
    return tuple(values.anything(name, x) for name, x in list(bound.arguments.items())[1:])


def _require_hashable(config: tuple[Any, ...]) -> None:
    """Programs are found again by it."""
    for value in config:
        try:
            hash(value)
        except TypeError:
            right = "numbers, texts, and lists of such; what is larger belongs into the bank"
            raise InvalidInput(f"a world was made with {shown(value)}; right: {right}") from None


def as_made(env: Any) -> str:
    """A world at a prompt, `FrozenLake(map_name='4x4', ...)`, where `config` is its arguments."""
    kind, names = type(env).__name__, list(inspect.signature(type(env)).parameters)
    if len(names) != len(env.config):
        return f"{kind}{env.config!r}"
    given = (f"{name}={in_short(x)}" for name, x in zip(names, env.config, strict=True))
    return f"{kind}({', '.join(given)})"


def num_features(template: Template) -> int:
    """A number a value of a slot."""
    return sum(len(slot.values) for slot in template.slots)


def features(template: Template, slots: jax.Array) -> jax.Array:
    """`f32[num_features]`: a one-hot a slot, of the value that it takes."""
    counts = [len(slot.values) for slot in template.slots]
    slot = np.repeat(np.arange(len(counts)), counts)
    value = np.concatenate([np.arange(count, dtype=np.int32) for count in counts])
    return (slots[slot] == value).astype(jnp.float32)


def draw_outcome(key: jax.Array, prob: jax.Array) -> jax.Array:
    """`i32[]`: which of the outcomes `prob` `f32[K]` happens; of one nothing is drawn."""
    if prob.shape[0] == 1:
        return jnp.int32(0)
    return jax.random.categorical(written_out(key), jnp.log(prob)).astype(jnp.int32)


def state_space(fields: Mapping[str, Any]) -> dict[str, spaces.Box]:
    """Of a state's fields, arrays or their shapes, as wide as their type.

    Raises:
        InvalidInput: if one is no array.
    """
    return {name: _box(name, leaf) for name, leaf in fields.items()}


def _box(name: str, leaf: Any) -> spaces.Box:
    if not hasattr(leaf, "dtype"):
        right = "arrays, or a `state_space` of the world's own"
        raise InvalidInput(f"the state's {name} is {shown(leaf)}; right: {right}")
    if jnp.issubdtype(leaf.dtype, jnp.floating):
        return spaces.Box(-jnp.inf, jnp.inf, leaf.shape, leaf.dtype)
    if leaf.dtype == jnp.bool:
        return spaces.Box(0, 1, leaf.shape, leaf.dtype)
    limits = jnp.iinfo(leaf.dtype)
    return spaces.Box(limits.min, limits.max, leaf.shape, leaf.dtype)


def identity(instance: Any) -> jax.Array:
    """`i32[n]`: all numbers of an instance; of real ones their bits."""
    parts = [_whole(jnp.asarray(leaf)) for leaf in jax.tree.leaves(instance)]
    return jnp.concatenate(parts)


def _whole(leaf: jax.Array) -> jax.Array:
    if jnp.issubdtype(leaf.dtype, jnp.floating):
        leaf = jax.lax.bitcast_convert_type(leaf.astype(jnp.float32), jnp.int32)
    return leaf.ravel().astype(jnp.int32)


def bank_of(instances: Sequence[Any], right: Any) -> Any:
    """A bank `[M, ...]` of instances as one writes them, each of the shape of what is drawn.

    Args:
        instances: Each nested as `right` is, with a mapping for a dataclass and lists of numbers
            for arrays, as one likes.
        right: `ShapeDtypeStruct` leaves.

    Raises:
        InvalidInput: if there is none, or one is not so.
    """
    if not instances:
        raise InvalidInput("a bank of no instances; it needs at least one")
    return jax.tree.map(lambda *x: jnp.stack(x), *[_like(one, right) for one in instances])


def _like(instance: Any, right: Any) -> Any:
    form = jax.tree.map(lambda leaf: f"{leaf.dtype}{list(leaf.shape)}", right)
    leaves, structure = jax.tree.flatten(right)
    try:
        if isinstance(instance, Mapping) and not isinstance(right, Mapping):  # in YAML
            instance = type(right)(**instance)
        found = [np.asarray(leaf) for leaf in structure.flatten_up_to(instance)]
        fits = all(_fits(x, y) for x, y in zip(found, leaves, strict=True))
    except (TypeError, ValueError):  # of another structure, or ragged
        fits, found = False, []
    if not fits:
        raise InvalidInput(f"an instance is {shown(instance)}; right: {form}")
    arrays = [jnp.asarray(x, y.dtype) for x, y in zip(found, leaves, strict=True)]
    return jax.tree.unflatten(structure, arrays)


def _fits(found: np.ndarray, right: Any) -> bool:
    """Whether numbers are of this shape and become no others in this type."""
    if found.shape != right.shape or found.dtype.kind not in "biuf":
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        cast = found.astype(right.dtype)
    if jnp.issubdtype(right.dtype, jnp.floating):
        return bool(np.all(np.isfinite(cast)))
    return bool(np.all(cast == found))
