"""Instances of watch repair: four brands, what they sell for and what they cost.

Money is in halves throughout, so that an instance is integers. Which side of the split a brand is
on follows from its costs, repair and delivery together. A random instance has four brands of one
side: then no brand of a held-out instance, at whatever price, is one of an instance to be trained
on. One by hand that mixes them is held out.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from lprl_envs import values
from lprl_envs.banks import content_hash
from lprl_envs.errors import InvalidInput, shown

NUM_BRANDS = 4
TRIP = 18.0
"""What a trip costs on average: 50 steps with .1 for a jam (in one of ten) and 7 for a flat tyre
(in one of twenty)."""
MOST_PRICE, MOST_COST, MOST_SD = 80, 30, 10
"""In whole units; the least is a half, of a standard deviation nothing."""
REPAIRS, DELIVERIES, MARGINS = (2, 50), (1, 36), (1, 12)
"""Of random brands, in halves, ends included; a margin is a gain or a loss."""
_ONE_IN = 5

PAPER = {
    "price": [18, 28, 31, 59],
    "repair": [1, 4, 5, 24.5],
    "delivery": [0.5, 2.5, 4.5, 18],
    "repair_sd": [2, 2, 2, 1],
    "delivery_sd": [1.5, 1.5, 1.5, 1.5],
}
"""RUDDER's brands (arXiv 1806.07857) as its program has them, 0 to 3: their margins are -1.5, 3.5,
3.5 and -1.5."""
USUAL_SD = {"repair_sd": 2.0, "delivery_sd": 1.5}
"""Standard deviations where none are given, and of random brands."""


@struct.dataclass
class Brands:
    """A bank of M instances of four brands; all in halves."""

    price: jax.Array
    """i32[M, 4]: what a repaired watch sells for."""
    repair: jax.Array
    """i32[M, 4]: mean cost of the repair."""
    delivery: jax.Array
    """i32[M, 4]: mean cost of the delivery."""
    repair_sd: jax.Array
    """i32[M, 4]: standard deviation of the repair's cost."""
    delivery_sd: jax.Array
    """i32[M, 4]: standard deviation of the delivery's cost."""


def margins_of(brands: Brands) -> jax.Array:
    """`f32[..., 4]`: what repairing gains on average: price less repair, delivery and trip."""
    return (brands.price - brands.repair - brands.delivery) / 2 - TRIP


def costs_hash(repair: jax.Array, delivery: jax.Array) -> jax.Array:
    """`uint32[]` of one brand: on which side it is."""
    return content_hash(jnp.stack([repair, delivery]))


def is_any_held_out(brands: Brands) -> jax.Array:
    """`bool[]` of one instance: whether one of its brands is held out."""
    return jnp.any(jax.vmap(costs_hash)(brands.repair, brands.delivery) % _ONE_IN == 0)


@functools.cache
def costs_by_side() -> tuple[np.ndarray, np.ndarray]:
    """`i32[_, 2]` each: repair and delivery of random brands to be trained on, and held out."""
    ends = (REPAIRS, DELIVERIES)
    both = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in ends), indexing="ij"), axis=-1)
    pairs = both.reshape(-1, 2).astype(np.int32)
    with jax.ensure_compile_time_eval():
        hashes = jax.vmap(costs_hash)(jnp.asarray(pairs[:, 0]), jnp.asarray(pairs[:, 1]))
        is_out = np.asarray(hashes) % _ONE_IN == 0
    return pairs[~is_out], pairs[is_out]


def random_brands(key: chex.PRNGKey) -> Brands:
    """A random instance: one in five held out, costs of that side, margins of either sign."""
    key_side, key_costs, key_margin, key_sign = jax.random.split(key, 4)
    is_out = jax.random.bernoulli(key_side, jnp.float32(1 / _ONE_IN))
    train, held_out = (
        jnp.asarray(pairs)[jax.random.randint(key_costs, (NUM_BRANDS,), 0, len(pairs), jnp.int32)]
        for pairs in costs_by_side()
    )
    repair, delivery = jnp.where(is_out, held_out, train).T
    size = jax.random.randint(key_margin, (NUM_BRANDS,), MARGINS[0], MARGINS[1] + 1, jnp.int32)
    gains = jax.random.bernoulli(key_sign, jnp.float32(0.5), (NUM_BRANDS,))
    margin = jnp.where(gains, size, -size)
    sd = {name: jnp.full(NUM_BRANDS, round(2 * x), jnp.int32) for name, x in USUAL_SD.items()}
    price = margin + repair + delivery + round(2 * TRIP)
    return Brands(price=price, repair=repair, delivery=delivery, **sd)


def bank_of(instances: Sequence[Any]) -> Brands:
    """A bank of instances as one writes them by hand, each such as `PAPER`.

    Four of each, in steps of a half; the standard deviations may be left out.

    Raises:
        InvalidInput: if there are none, or one is not well-formed.
    """
    given = values.instances(instances)
    if not given:
        raise InvalidInput(f"instances are none; right: one or more such as {PAPER}")
    rows = [_parse(one) for one in given]
    return Brands(**{name: jnp.asarray(np.stack([row[name] for row in rows])) for name in PAPER})


def _parse(instance: Any) -> dict[str, np.ndarray]:
    """`i32[4]` by name, in halves."""
    names = set(PAPER)
    if not isinstance(instance, dict) or not names - set(USUAL_SD) <= set(instance) <= names:
        right = f"price, repair and delivery, four each, and maybe {' and '.join(USUAL_SD)}"
        raise InvalidInput(f"an instance has {right}; found {shown(instance)}")
    usual = {name: [sd] * NUM_BRANDS for name, sd in USUAL_SD.items()}
    return {name: _parse_four(name, {**usual, **instance}[name]) for name in PAPER}


def _parse_four(name: str, found: Any) -> np.ndarray:
    numbers = values.sequence(name, found, values.finite)
    if len(numbers) != NUM_BRANDS:
        values.refuse(name, found, f"it must be {NUM_BRANDS}, one a brand")
    least, most = (0.0, MOST_SD) if name in USUAL_SD else (0.5, MOST_COST)
    most = MOST_PRICE if name == "price" else most
    for i, number in enumerate(numbers):
        if not least <= number <= most or 2 * number != round(2 * number):
            right = f"it must be {least:g} to {most} in steps of a half"
            values.refuse(f"{name}[{i}]", number, right)
    return np.array([round(2 * number) for number in numbers], np.int32)
