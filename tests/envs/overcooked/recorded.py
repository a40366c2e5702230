"""What gym-macro-overcooked does in the papers' kitchens, and this world's law as a table."""

import functools
import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import Overcooked
from lprl_envs.overcooked import EnvState

FILE = Path(__file__).parents[2] / "fixtures" / "overcooked" / "transitions.json"
KITCHENS = ("tomato", "salad")


class Recorded(NamedTuple):
    """S states and A macros of a kitchen."""

    states: EnvState
    """Leaves `[S]`."""
    live: np.ndarray
    """bool[S]: not terminal."""
    next: np.ndarray
    """i32[S, A]: rows of `states`."""
    reward: np.ndarray
    """f64[S, A]"""
    steps: np.ndarray
    """i32[S, A]: primitive ones."""
    text_class: np.ndarray
    """i32[S]: equal where the papers' text and actions are."""


@functools.cache
def recorded(kitchen: str) -> Recorded:
    data = json.loads(FILE.read_text())[kitchen]
    states = states_of(np.array(data["states"], np.int32))
    live = np.ones(len(data["states"]), bool)
    live[data["terminal"]] = False
    return Recorded(
        states,
        live,
        np.array(data["next"]),
        np.array(data["reward_values"])[np.array(data["reward"])],
        np.array(data["primitive_steps"]),
        np.array(data["paper_text_class"]),
    )


def states_of(fields: np.ndarray) -> EnvState:
    """States of rows `i32[S, 2 F + 2]`: the agent; where each food is, and if chopped; the bowl."""
    return EnvState(
        time=jnp.zeros(len(fields), jnp.int32),
        instance=jnp.zeros(len(fields), jnp.int32),
        agent=jnp.asarray(fields[:, 0]),
        where=jnp.asarray(fields[:, 1:-1:2]),
        chopped=jnp.asarray(fields[:, 2:-1:2] == 1),
        bowl=jnp.asarray(fields[:, -1]),
    )


def numbers_of(env: Overcooked, states: EnvState) -> np.ndarray:
    """`i32[S]`"""
    return np.asarray(jax.jit(jax.vmap(env.state_index, (0, None)))(states, env.default_params))


class Table(NamedTuple):
    """The law of one instance by macros, on all numbered states."""

    next: np.ndarray
    """i32[S, A]"""
    reward: np.ndarray
    """f32[S, A]"""
    steps: np.ndarray
    """i32[S, A]"""
    ended: np.ndarray
    """bool[S]: terminal states."""


def tables_of(env: Overcooked, params: Any) -> Table:
    """Of all instances of a bank: leaves begin with M."""
    macros = jnp.arange(env.kind.num_macros, dtype=jnp.int32)

    def look(instance, index):
        state = env.state_at(instance, index, params)
        found = jax.vmap(lambda macro: env.outcome(state, macro, params))(macros)
        after = jax.vmap(lambda state: env.state_index(state, params))(found.state)
        return after, found.reward, found.steps, env.is_terminated(state, params)

    over_states = jax.vmap(look, (None, 0))
    rows, numbers = (
        jnp.arange(n, dtype=jnp.int32) for n in (len(params.bank.start), env.num_states)
    )
    return Table(*map(np.asarray, jax.jit(jax.vmap(over_states, (0, None)))(rows, numbers)))


@functools.cache
def table_of(kitchen: str, reward: str = "paper") -> Table:
    """Of the paper's instance of a kitchen."""
    env = Overcooked(kitchen, reward=reward)
    return jax.tree.map(lambda leaf: leaf[0], tables_of(env, env.default_params))


@functools.cache
def first_of(kitchen: str) -> int:
    """The number of the paper's start."""
    env = Overcooked(kitchen)
    state = env.reset(jax.random.key(0), env.default_params)[1]
    return int(env.state_index(state, env.default_params))


def distances_to_end(table: Table) -> np.ndarray:
    """`f64[S]`: macros to the nearest terminal state, by breadth-first search; inf without one."""
    left = np.where(table.ended, 0.0, np.inf)
    while True:
        nearer = np.minimum(left, 1 + left[table.next].min(1))
        if (nearer == left).all():
            return left
        left = nearer


def reached_from(table: Table, start: int) -> np.ndarray:
    """`bool[S]`: states that play from a start meets."""
    seen = np.zeros(len(table.next), bool)
    fresh = np.array([start])
    while fresh.size:
        seen[fresh] = True
        fresh = fresh[~table.ended[fresh]]
        after = np.unique(table.next[fresh])
        fresh = after[~seen[after]]
    return seen
