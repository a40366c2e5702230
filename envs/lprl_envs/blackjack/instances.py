"""Instances of blackjack: where the dealer stands, and how many tens there are in the deck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import struct

from lprl_envs import values
from lprl_envs.blackjack.dealer import STANDS, TENS, all_finals
from lprl_envs.errors import InvalidInput, shown

USUAL = {"stands": 17, "tens": 4}
"""Gymnasium's."""


@struct.dataclass
class Tables:
    """A bank of M dealers and decks."""

    stands: jax.Array
    """i32[M]: index into STANDS."""
    tens: jax.Array
    """i32[M]: index into TENS."""
    finals: jax.Array
    """f32[M, 10, 9]: by the card shown, the probability of what the dealer ends with."""


def tables_of(stands: jax.Array, tens: jax.Array) -> Tables:
    """A bank by indices `i32[M]`; jittable."""
    return Tables(stands, tens, jnp.asarray(all_finals())[stands, tens])


def random_rules(key: chex.PRNGKey) -> jax.Array:
    """`i32[2]`: a dealer and a deck as indices, all fifteen as likely."""
    number = jax.random.randint(key, (), 0, len(STANDS) * len(TENS), jnp.int32)
    return jnp.stack([number // len(TENS), number % len(TENS)])


def bank_of(instances: Sequence[Any]) -> Tables:
    """A bank of instances as one writes them by hand, each such as `{"stands": 17, "tens": 4}`.

    Raises:
        InvalidInput: if there are none, or one is not well-formed.
    """
    given = values.instances(instances)
    if not given:
        raise InvalidInput(f"instances are none; right: one or more such as {USUAL}")
    rows = jnp.array([_parse(one) for one in given], jnp.int32)
    return tables_of(rows[:, 0], rows[:, 1])


def _parse(instance: Any) -> tuple[int, int]:
    if not isinstance(instance, dict) or set(instance) != set(USUAL):
        raise InvalidInput(f"an instance is such as {USUAL}; found {shown(instance)}")
    places = []
    for name, valid in (("stands", STANDS), ("tens", TENS)):
        found = values.whole(name, instance[name])
        if found not in valid:
            values.refuse(name, found, f"it must be one of {', '.join(map(str, valid))}")
        places.append(valid.index(found))
    return places[0], places[1]
