"""How watch repair reads: the brand with its numbers, the decision, the trip so far."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from lprl_envs.template import Literal, Scope, Slot, Template
from lprl_envs.watch_repair.brands import MOST_COST, MOST_PRICE, NUM_BRANDS, TRIP, Brands
from lprl_envs.watch_repair.states import STEPS, EnvState

ACTION_TEXTS = (" repair it", " leave it")
"""They continue "Answer"."""
DECISIONS = (" not repaired yet: decide now", " not repaired, as decided", " repaired, as decided")


def _halves(most: int) -> tuple[str, ...]:
    """From a half to `most`."""
    return tuple(f" {half / 2:g}" for half in range(1, 2 * most + 1))


_COUNTS = tuple(f" {count}" for count in range(STEPS + 1))

TEMPLATE = Template(
    (
        Literal(
            f"I carry a watch to a shop, {STEPS} steps away. Before I leave I may have it "
            "repaired, which I pay at once. Only a repaired watch is sold: I get its price less "
            "its delivery and the trip, that is 0.1 for a jam and 7 for a flat tyre. Costs are "
            "means."
        ),
        Literal("\nBrand", Scope.STATE),
        Slot("brand", tuple(f" {brand}" for brand in range(NUM_BRANDS))),
        Literal(". Price", Scope.STATE),
        Slot("price", _halves(MOST_PRICE)),
        Literal(", repair", Scope.STATE),
        Slot("repair", _halves(MOST_COST)),
        Literal(", delivery", Scope.STATE),
        Slot("delivery", _halves(MOST_COST)),
        Literal(f", trip {TRIP:g}.\nIt is", Scope.STATE),
        Slot("decision", DECISIONS),
        Literal(". Step", Scope.STATE),
        Slot("step", _COUNTS),
        Literal(f" of {STEPS}, jams", Scope.STATE),
        Slot("jams", _COUNTS),
        Literal(", flat tyres", Scope.STATE),
        Slot("tyres", _COUNTS),
        Literal(".\nAnswer", Scope.STATE),
    )
)

NUM_FEATURES = NUM_BRANDS + 7


def slots_of(brands: Brands, state: EnvState) -> jax.Array:
    """`i32[8]` of an instance, `[4]` leaves: values of `TEMPLATE`."""
    numbers = [x[state.brand] - 1 for x in (brands.price, brands.repair, brands.delivery)]
    decision = jnp.where(state.clock == 0, 0, 1 + state.repaired)
    trip = [state.clock, state.jams, state.tyres]
    return jnp.stack([state.brand, *numbers, decision, *trip]).astype(jnp.int32)


def features_of(brands: Brands, state: EnvState) -> jax.Array:
    """`f32[11]` of an instance, `[4]` leaves, each in [0, 1].

    Brand as one-hot; price, repair and delivery over the most they can be; repaired or not; steps,
    jams and flat tyres over 50.
    """
    # Multiplied, not divided: compiled, a division by a constant may be rounded otherwise.
    money = [
        brands.price[state.brand] * (0.5 / MOST_PRICE),
        brands.repair[state.brand] * (0.5 / MOST_COST),
        brands.delivery[state.brand] * (0.5 / MOST_COST),
    ]
    trip = jnp.stack([state.clock, state.jams, state.tyres]) * (1 / STEPS)
    brand = jax.nn.one_hot(state.brand, NUM_BRANDS, dtype=jnp.float32)
    parts = [brand, jnp.stack(money), state.repaired[None], trip]
    return jnp.concatenate(parts, dtype=jnp.float32)
