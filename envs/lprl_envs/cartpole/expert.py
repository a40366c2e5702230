"""A controller of cart pole that is told the physics: the demonstrator, and a judge's measure.

A discrete linear-quadratic regulator of each instance. About the upright, with T = masscart +
masspole, D = length (4/3 - masspole / T) and a force u in N,

    theta'' = (gravity theta - u / T) / D,    x'' = u / T - masspole length theta'' / T,

which gymnax integrates by Euler's steps of tau = .02 s. The force that minimises the sum of s'Qs +
R u^2, Q = diag(.3, .1, 3, .3) and R = .01, is u = K.s with s = (x, x', theta, theta'): K comes of
the discrete algebraic Riccati equation (SciPy's, on the host). A push has one strength, so that the
expert pushes to the side that u is of.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.cartpole.env import EnvParams, EnvState
from lprl_envs.cartpole.physics import Physics

TAU = 0.02
"""Seconds a step."""
Q = np.diag([0.3, 0.1, 3.0, 0.3])
R = np.array([[0.01]])


class Expert(NamedTuple):
    """Controllers of a bank. An argument of compiled functions, like the bank itself."""

    gains: jax.Array
    """f32[M, 4]: K, in N a m, m/s, rad and rad/s."""

    def force(self, state: EnvState) -> jax.Array:
        """`f32[]`: u, the force in N that the regulator would have; above 0 to the right."""
        now = jnp.stack([state.x, state.x_dot, state.theta, state.theta_dot])
        return jnp.sum(self.gains[state.instance] * now)

    def margin(self, state: EnvState, params: EnvParams) -> jax.Array:
        """`f32[]`: the same by buttons: above 0 where the right button is right, else the left."""
        force = self.force(state)
        return jnp.where(params.bank.swapped[state.instance], -force, force)

    def action(self, state: EnvState, params: EnvParams) -> jax.Array:
        """`i32[]`: the button to press."""
        return (self.margin(state, params) > 0).astype(jnp.int32)


def expert_of(params: EnvParams) -> Expert:
    """The controllers of a bank, worked out on the host."""
    bank: Physics = jax.tree.map(lambda x: np.asarray(x, np.float64), params.bank)
    rows = zip(bank.length, bank.masspole, bank.masscart, bank.gravity, strict=True)
    return Expert(jnp.asarray(np.stack([_gain(*row) for row in rows]), jnp.float32))


@functools.lru_cache(maxsize=4096)
def _gain(length: float, masspole: float, masscart: float, gravity: float) -> np.ndarray:
    """`f64[4]`: K of one instance."""
    from scipy.linalg import solve_discrete_are  # slow to import, and only experts need it

    total = masscart + masspole
    inertia = length * (4 / 3 - masspole / total)
    coupling = masspole * length / total
    drift = np.zeros((4, 4))
    drift[0, 1] = drift[2, 3] = 1.0
    drift[3, 2] = gravity / inertia
    drift[1, 2] = -coupling * drift[3, 2]
    push = np.zeros((4, 1))
    push[3] = -1 / (total * inertia)
    push[1] = 1 / total - coupling * push[3]
    a, b = np.eye(4) + TAU * drift, TAU * push
    cost = solve_discrete_are(a, b, Q, R)
    return -np.linalg.solve(R + b.T @ cost @ b, b.T @ cost @ a)[0]
