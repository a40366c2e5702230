"""RUDDER's tabular TD on watch repair, with judges of the decision: all runs in one program.

The table is the authors': Q over (brand, repaired, jams, tyres, clock), with a learning rate, no
discount, and ε-greedy decisions. After every episode all fifty values are updated from the table as
it was before it, so that what a trip paid travels back one step an episode. After the decision
there is one action, so that the table is Q of the two decisions and a value V of every later state.

A judge says of a decision that it is good (1) or bad (-1), of what comes later nothing. Its
verdict, scaled, is added to the reward that is learnt from.

Nothing that happens on a trip depends on the decision. So trips of repaired watches are played in
the world itself beforehand, thousands at once; a watch that is left makes the same trip unpaid.
Judges are compared on the same trips: J judges, R runs each, E episodes.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs import WatchRepair
from lprl_envs.watch_repair import LEAVE, REPAIR, STEPS, margins_of

NUM_BRANDS = 4
LEARNING_RATE, EPSILON, START = 0.1, 0.1, 10.0
"""The authors'; the table starts too high."""


class Judge(NamedTuple):
    """What is added to the rewards of one run."""

    verdict: jax.Array
    """f32[4, 2]: of every brand and decision, 1 good, -1 bad."""
    scale: jax.Array
    """f32[]"""
    wrong: jax.Array
    """f32[]: chance that a verdict is turned, drawn whenever it is asked for."""
    until: jax.Array
    """f32[]: the scale falls linearly to 0 at this episode; inf if it stays."""
    constant: jax.Array
    """f32[]: added at each of the fifty steps."""
    advance: jax.Array
    """f32[]: so many times the verdict is added to the decisions' first values instead."""


class Trips(NamedTuple):
    """Episodes of repaired watches."""

    brand: jax.Array
    """i32[]"""
    cost: jax.Array
    """f32[]: paid at the first step: the repair, below 0."""
    sale: jax.Array
    """f32[]: paid at the last."""
    path: jax.Array
    """i32[2, 49]: numbers of the states at clock 1 to 49, by decision."""


class Draws(NamedTuple):
    """What chance decides for the learner, each f32 in [0, 1)."""

    explores: jax.Array
    decision: jax.Array
    turns: jax.Array


class Table(NamedTuple):
    """What one run has learnt."""

    q: jax.Array
    """f32[4, 2]: of the decision, by brand."""
    v: jax.Array
    """f32[num_states]: of every state after it; the end is 0."""


def perfect(params: Any) -> jax.Array:
    """`f32[4, 2]`: the verdicts of who knows the margins."""
    sign = jnp.sign(margins_of(params.bank)[0])
    return jnp.stack([sign, -sign], axis=1)


def start(env: WatchRepair, judges: Judge) -> Table:
    """Tables before anything is learnt; leaves `[J, R, ...]`, as those of the judges."""
    q = START + judges.advance[..., None, None] * judges.verdict
    return Table(q, jnp.full((*q.shape[:2], env.num_states), START, jnp.float32))


def travel(env: WatchRepair, params: Any, keys: chex.PRNGKey) -> Trips:
    """An episode of a repaired watch for each key; leaves `[len(keys), ...]`."""

    def one(key: chex.PRNGKey) -> Trips:
        key_reset, key_steps = jax.random.split(key)
        _, first = env.reset(key_reset, params)

        def step(state: Any, now: tuple[chex.PRNGKey, jax.Array]) -> tuple[Any, Any]:
            key, action = now
            _, after, reward, _, _ = env.step_env(key, state, action, params)
            both = [
                env.state_index(dataclasses.replace(after, repaired=jnp.bool_(repaired)), params)
                for repaired in (True, False)  # by decision: REPAIR is 0
            ]
            return after, (reward, jnp.stack(both))

        actions = jnp.full(STEPS, LEAVE, jnp.int32).at[0].set(REPAIR)
        _, (rewards, numbers) = jax.lax.scan(
            step, first, (jax.random.split(key_steps, STEPS), actions)
        )
        return Trips(first.brand, rewards[0], rewards[-1], numbers[:-1].T)

    return jax.vmap(one)(keys)


def learn(
    tables: Table, trips: Trips, draws: Draws, judges: Judge, episode: jax.Array
) -> tuple[Table, jax.Array]:
    """E episodes of R runs with each of J judges.

    Args:
        tables: Leaves `[J, R, ...]`.
        trips: Leaves `[E, R, ...]`.
        draws: Leaves `[E, R]`.
        judges: Leaves `[J, R, ...]`.
        episode: i32[], how many came before.

    Returns:
        The tables, and the decisions `i32[E, J, R]`.
    """
    of_runs = jax.vmap(_learn_one, (0, 0, 0, 0, None))
    of_judges = jax.vmap(of_runs, (0, None, None, 0, None))

    def step(
        carry: tuple[Table, jax.Array], now: tuple[Trips, Draws]
    ) -> tuple[tuple[Table, jax.Array], jax.Array]:
        tables, episode = carry
        tables, decisions = of_judges(tables, *now, judges, episode)
        return (tables, episode + 1), decisions

    (tables, _), decisions = jax.lax.scan(step, (tables, episode), (trips, draws))
    return tables, decisions


def _learn_one(
    table: Table, trip: Trips, draw: Draws, judge: Judge, episode: jax.Array
) -> tuple[Table, jax.Array]:
    """One episode of one run: the table after it, and the decision."""
    greedy = jnp.argmax(table.q[trip.brand])
    random = (draw.decision >= 0.5).astype(greedy.dtype)
    action = jnp.where(draw.explores < EPSILON, random, greedy)
    path, pays = trip.path[action], action == REPAIR
    values = table.v[path]
    left = jnp.maximum(0.0, 1.0 - episode / judge.until)
    turned = jnp.where(draw.turns < judge.wrong, -1.0, 1.0)
    verdict = judge.scale * left * turned * judge.verdict[trip.brand, action]
    target = jnp.where(pays, trip.cost, 0.0) + verdict + judge.constant + values[0]
    targets = judge.constant + jnp.append(values[1:], jnp.where(pays, trip.sale, 0.0))
    q = table.q.at[trip.brand, action].add(LEARNING_RATE * (target - table.q[trip.brand, action]))
    return Table(q, table.v.at[path].add(LEARNING_RATE * (targets - values))), action
