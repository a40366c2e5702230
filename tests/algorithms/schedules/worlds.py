"""1,000 steps at random of two runs with three environments, and schedules played through them."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lprl_jax.algorithms.networks import QNetwork
from lprl_jax.algorithms.schedules import Asked, Schedule, Seen

T, R, N = 1000, 2, 3
NUM_ACTIONS, NUM_HEADS, NUM_FEATURES, NUM_ELEMENTS = 4, 5, 2, 8


class World(NamedTuple):
    """What is there to be seen, asked and earned; leading axis T, then R and N."""

    keys: jax.Array
    """[T, R]"""
    seen: Seen
    would: jax.Array
    """bool: whether an answer would be accepted."""
    reward: jax.Array
    done: jax.Array


def world(seed: int = 0, steps: int = T) -> World:
    """Every kind of state; the values of illegal actions are infinite, or no numbers."""
    rng = np.random.default_rng(seed)
    shape = (steps, R, N)
    legal = rng.random((*shape, NUM_ACTIONS)) < 0.6
    illegal = rng.choice([np.inf, -np.inf, np.nan], (*shape, NUM_ACTIONS))
    q_values = np.where(legal, rng.normal(size=legal.shape), illegal)
    noise = 0.5 * rng.normal(size=(*shape, NUM_HEADS, NUM_ACTIONS))
    heads = np.where(legal[..., None, :], noise, illegal[..., None, :])
    chances = rng.random((4, *shape)) < np.array([0.5, 0.4, 0.7, 0.1])[:, None, None, None]
    changed, known, can_ask, done = (jnp.asarray(x) for x in chances)
    seen = Seen(
        q_values=jnp.float32(q_values),
        heads=jnp.float32(heads),
        legal=jnp.asarray(legal),
        observation=jnp.float32(rng.normal(size=(*shape, NUM_FEATURES))),
        revealed=jnp.float32(rng.integers(0, NUM_ELEMENTS + 1, shape) / NUM_ELEMENTS),
        changed=changed,
        known=known,
        can_ask=can_ask,
        time=jnp.arange(steps, dtype=jnp.int32),
        episode=jnp.zeros(shape, jnp.int32),
        epsilon=jnp.float32(rng.random(shape)),
    )
    would = jnp.asarray(rng.random(shape) < 0.5)
    reward = jnp.float32(rng.normal(size=shape))
    return World(jax.random.split(jax.random.key(seed), (steps, R)), seen, would, reward, done)


@functools.cache
def _player(schedule: Schedule) -> Any:
    @jax.jit
    def play(carry: Any, world: World) -> Any:
        def step(carry: Any, at: World) -> Any:
            wanted, carry = schedule.ask(carry, at.keys, at.seen)
            asked = wanted & at.seen.can_ask
            carry = schedule.learn(carry, at.seen, Asked(wanted, asked, asked & at.would))
            return schedule.after(carry, at.reward, at.done), wanted

        return jax.lax.scan(step, carry, world)

    return play


def start(schedule: Schedule, world: World) -> Any:
    """The carry before the first step."""
    return schedule.init(world.keys[0], jax.tree.map(lambda x: x[0], world.seen))


def play(schedule: Schedule, world: World) -> tuple[np.ndarray, Any]:
    """What a schedule wants, `bool[T, R, N]`, and its last carry."""
    carry, wanted = _player(schedule)(start(schedule, world), world)
    return np.asarray(wanted), carry


def uniforms(keys: jax.Array) -> np.ndarray:
    """`[T, R, N]` of keys `[T, R]`: the numbers that chance decides by, drawn without schedules."""
    draw = jax.vmap(jax.vmap(lambda key: jax.random.uniform(key, (N,))))
    return np.asarray(draw(keys), np.float64)


def two_uniforms(keys: jax.Array) -> np.ndarray:
    """`[2, T, R, N]`: of the two halves of each key."""
    halves = jax.vmap(jax.vmap(jax.random.split))(keys)
    return np.stack([uniforms(halves[..., i]) for i in range(2)])


def untaught(world: World, kind: str) -> World:
    """The same world seen by a learner that knows nothing: its values all alike, or at random."""
    legal = jnp.ones_like(world.seen.legal)
    heads = jnp.ones((*legal.shape[:-1], NUM_HEADS, NUM_ACTIONS))
    if kind == "at random":
        network = QNetwork((32, 32), NUM_ACTIONS, 0)
        observation = world.seen.observation
        params = jax.vmap(lambda key: network.init(key, observation))(
            jax.random.split(jax.random.key(1), NUM_HEADS)
        )
        values: Any = jax.vmap(network.apply, (0, None))(params, observation)
        heads = jnp.moveaxis(values, 0, -2)
    seen = world.seen._replace(q_values=heads[..., 0, :], heads=heads, legal=legal)
    return world._replace(seen=seen)
