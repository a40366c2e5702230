"""Generalised advantage estimation that tells the end of an episode from the end of its time.

Reference: Schulman et al. 2016, High-Dimensional Continuous Control Using Generalized Advantage
Estimation, arXiv 1506.02438, eq. 16; Pardo et al. 2018, Time Limits in Reinforcement Learning,
arXiv 1712.00378, of time limits.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def advantages(
    r_t: jax.Array,
    discount_t: jax.Array,
    continues_t: jax.Array,
    v_tm1: jax.Array,
    v_t: jax.Array,
    lambda_: jax.Array | float,
) -> jax.Array:
    """`A_{t-1} = δ_t + discount_t · λ · continues_t · A_t`, `δ_t = r_t + discount_t · v_t - v_tm1`.

    A truncated episode is bootstrapped from the state that it reached, for `v_t` is the value
    before any reset, and what came after the reset is none of its business, for `continues_t` is 0.

    Args:
        r_t: `f32[T, ...]`.
        discount_t: `f32[T, ...]`: γ, and 0 where the episode terminated.
        continues_t: `[T, ...]`: 0 where it terminated or was truncated, otherwise 1.
        v_tm1: `f32[T, ...]`: values of the states acted in.
        v_t: `f32[T, ...]`: values of the states reached, before any reset.
        lambda_: `f32[]` in [0, 1].

    Returns:
        `f32[T, ...]`; `v_tm1` added gives what values are regressed on.
    """
    delta_t = r_t + discount_t * v_t - v_tm1

    def back(after: jax.Array, at: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        delta, decay = at
        advantage = delta + decay * after
        return advantage, advantage

    steps = delta_t, discount_t * lambda_ * continues_t
    return jax.lax.scan(back, jnp.zeros_like(delta_t[0]), steps, reverse=True, unroll=16)[1]
