"""One step down the gradient of a loss: clipped, by Adam, at a run's own learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import optax


def optimizer(max_grad_norm: float, epsilon: float = 1e-8) -> optax.GradientTransformation:
    """Adam behind a bound on the gradient's norm; its step is scaled by `descend`.

    Without a bound, `math.inf`, no norm is taken either: of a small network it takes its time.
    """
    bounded = math.isfinite(max_grad_norm)
    bound = optax.clip_by_global_norm(max_grad_norm) if bounded else optax.identity()
    return optax.chain(bound, optax.scale_by_adam(eps=epsilon))


def descend(
    loss: Callable[[Any], jax.Array],
    optimizer: optax.GradientTransformation,
    learning_rate: jax.Array,
    params: Any,
    opt_state: Any,
) -> tuple[Any, Any, jax.Array]:
    """One step of one run.

    Args:
        loss: `params -> f32[]`.
        optimizer: Of `optimizer`.
        learning_rate: f32[]
        params: Where the run stands.
        opt_state: Of Adam.

    Returns:
        Where it stands now, `(params, opt_state)`, and its loss before.
    """
    value, gradient = jax.value_and_grad(loss)(params)
    return *follow(gradient, optimizer, learning_rate, params, opt_state), value


def follow(
    gradient: Any,
    optimizer: optax.GradientTransformation,
    learning_rate: jax.Array,
    params: Any,
    opt_state: Any,
) -> tuple[Any, Any]:
    """As `descend`, of a gradient at hand: `(params, opt_state)`."""
    updates, opt_state = optimizer.update(gradient, opt_state, params)
    updates = jax.tree.map(lambda u: -learning_rate * u, updates)
    return optax.apply_updates(params, updates), opt_state
