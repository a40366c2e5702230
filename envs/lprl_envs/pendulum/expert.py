"""Values of pendulum on a grid: what every torque is worth in every state of an instance.

V is that of an endless episode at discount .99, by value iteration over nine torques on a grid of
128 angles and 129 speeds, between which values are interpolated linearly in both. A state's torque
is judged by one step of the exact law,

    Q(s, u) = r(s, u) + .99 V(s'),

so that the grid's error enters at s' only. Worked out on the host, once an instance, by modified
policy iteration (Puterman and Shin 1978): a greedy policy, 25 sweeps of its evaluation, and again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from gymnax.environments.classic_control.pendulum import angle_normalize

from lprl_envs.pendulum.env import EnvParams, EnvState
from lprl_envs.pendulum.physics import OWN, Physics, turn
from lprl_envs.pendulum.text import TORQUES

if TYPE_CHECKING:
    from scipy import sparse

GAMMA = 0.99
NUM_ANGLES, NUM_SPEEDS = 128, 129
FINE = tuple(np.linspace(-2.0, 2.0, 9).tolist())
"""Torques that the values are of, in Nm."""
SWEEPS = 25
"""Of a policy's evaluation, before a better one is looked for."""
TOLERANCE = 1e-3
"""Values are done when a full sweep adds the same everywhere, but for this."""


class Expert(NamedTuple):
    """Values of a bank. An argument of compiled functions, like the bank itself."""

    values: jax.Array
    """f32[U, NUM_ANGLES * NUM_SPEEDS]: of the U different instances of the bank."""
    which: jax.Array
    """i32[M]: which of these an instance is."""

    def q_values(self, state: EnvState, params: EnvParams, torques: jax.Array) -> jax.Array:
        """`f32[K]`: what torques `f32[K]` in Nm are worth in a state."""
        physics = jax.tree.map(lambda x: x[state.instance], params.bank)
        after = jax.vmap(lambda u: turn(physics, state.theta, state.theta_dot, u))(torques)
        places, weights = corners(after.theta, after.theta_dot)
        values = self.values[self.which[state.instance]]
        return after.reward + GAMMA * jnp.sum(values[places] * weights, axis=-1)

    def advantages(self, state: EnvState, params: EnvParams) -> jax.Array:
        """`f32[5]`, at most 0: of each action word, against the best of them."""
        q_values = self.q_values(state, params, jnp.asarray(TORQUES[:, 0]))
        return q_values - jnp.max(q_values)

    def action(self, state: EnvState, params: EnvParams) -> jax.Array:
        """`f32[1]`: the best of the nine torques."""
        torques = jnp.asarray(FINE, jnp.float32)
        return torques[jnp.argmax(self.q_values(state, params, torques))][None]


def corners(theta: jax.Array, theta_dot: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The grid's points about states, and their weights in what is interpolated.

    Args:
        theta: `f32[...]`
        theta_dot: `f32[...]`

    Returns:
        `i32[..., 4]` and `f32[..., 4]`; the weights of a state sum to 1.
    """
    angle = (angle_normalize(theta) + np.pi) / (2 * np.pi) * NUM_ANGLES
    speed = (theta_dot / OWN.max_speed + 1) / 2 * (NUM_SPEEDS - 1)
    row = jnp.floor(angle).astype(jnp.int32)
    column = jnp.clip(jnp.floor(speed).astype(jnp.int32), 0, NUM_SPEEDS - 2)
    up, right = angle - row, speed - column
    places, weights = [], []
    for i, of_row in ((0, 1 - up), (1, up)):
        for j, of_column in ((0, 1 - right), (1, right)):
            places.append((row + i) % NUM_ANGLES * NUM_SPEEDS + column + j)
            weights.append(of_row * of_column)
    return jnp.stack(places, -1), jnp.stack(weights, -1)


def expert_of(params: EnvParams) -> Expert:
    """The values of a bank's instances, worked out on the host, each different one once."""
    bank: Physics = jax.tree.map(np.asarray, params.bank)
    rows, which = np.unique(np.stack([bank.l, bank.m, bank.g], 1), axis=0, return_inverse=True)
    values = [_values(Physics(*row)) for row in rows]
    return Expert(jnp.asarray(np.stack(values), jnp.float32), jnp.asarray(which, jnp.int32))


def _values(physics: Physics) -> np.ndarray:
    """`f64[NUM_ANGLES * NUM_SPEEDS]`: V of one instance."""
    rewards, places, weights = map(np.asarray, _tabulated(physics))
    size = rewards.shape[1]
    laws = [_matrix(*law) for law in zip(places, weights, strict=True)]
    values, change = np.zeros(size), np.inf
    while change > TOLERANCE:
        q_values = rewards + GAMMA * np.stack([law @ values for law in laws])
        best, before = q_values.argmax(0), values
        values = q_values.max(0)
        change = np.ptp(values - before)
        at = best, np.arange(size)
        law = _matrix(places[at], weights[at])
        for _ in range(SWEEPS):
            values = rewards[at] + GAMMA * (law @ values)
    return values


@jax.jit
def _tabulated(physics: Physics) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Rewards `[9, S]`, and of where a step ends the grid's points and weights `[9, S, 4]`."""
    angles = jnp.arange(NUM_ANGLES) / NUM_ANGLES * 2 * np.pi - np.pi
    speeds = jnp.linspace(-OWN.max_speed, OWN.max_speed, NUM_SPEEDS)
    theta, theta_dot = (x.ravel() for x in jnp.meshgrid(angles, speeds, indexing="ij"))
    each = jax.vmap(jax.vmap(turn, (None, 0, 0, None)), (None, None, None, 0))
    after = each(physics, theta, theta_dot, jnp.asarray(FINE, jnp.float32))
    return after.reward, *corners(after.theta, after.theta_dot)


def _matrix(places: np.ndarray, weights: np.ndarray) -> sparse.csr_matrix:
    """`[S, S]`: what interpolation makes of a value a grid point, where states end."""
    from scipy import sparse  # slow to import, and only experts need it

    rows = np.arange(0, places.size + 1, 4)
    shape = len(places), len(places)
    return sparse.csr_matrix((weights.ravel().astype(float), places.ravel(), rows), shape)
