"""What happens to a watch in a step, and what is paid."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from lprl_envs.watch_repair.brands import Brands
from lprl_envs.watch_repair.states import STEPS, EnvState

REPAIR, LEAVE = 0, 1
"""The actions. After the first step only LEAVE is legal; REPAIR then does the same."""
JAM, TYRE = 0.1, 0.05
"""Probabilities in a step; independent."""
JAM_COST, TYRE_COST = 0.1, 7.0


def advance(state: EnvState, action: jax.Array, jam: jax.Array, tyre: jax.Array) -> EnvState:
    """The state after a step with a jam, with a flat tyre, both `bool[]`; at the end it stays."""
    goes = state.clock < STEPS
    return EnvState(
        time=state.time,
        instance=state.instance,
        brand=state.brand,
        repaired=state.repaired | is_repairing(state, action),
        clock=state.clock + goes,
        jams=state.jams + (goes & jam),
        tyres=state.tyres + (goes & tyre),
    )


def is_repairing(state: EnvState, action: jax.Array) -> jax.Array:
    """`bool[]`: whether an action has the watch repaired."""
    return (state.clock == 0) & (action == REPAIR)


def reward(
    state: EnvState, action: jax.Array, after: EnvState, brands: Brands, noise: jax.Array
) -> jax.Array:
    """`f32[]`: the cost of the repair at once, all else at the last step of a repaired watch.

    Args:
        state: Before the step.
        action: i32[].
        after: Where it leads.
        brands: The instance, `[4]` leaves.
        noise: f32[], standard normal; 0 gives the mean.
    """

    def cost(mean: jax.Array, sd: jax.Array) -> jax.Array:
        return (mean[state.brand] + sd[state.brand] * noise) / 2

    price = brands.price[state.brand] / 2
    trip = JAM_COST * after.jams + TYRE_COST * after.tyres
    sale = price - trip - cost(brands.delivery, brands.delivery_sd)
    is_sold = (state.clock == STEPS - 1) & after.repaired
    paid = jnp.where(is_sold, sale, 0.0)
    repair = cost(brands.repair, brands.repair_sd)
    return jnp.where(is_repairing(state, action), -repair, paid).astype(jnp.float32)
