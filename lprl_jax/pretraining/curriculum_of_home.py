"""What `embedded-home` is taught: to act in a kitchen and in a household.

In Overcooked what is right begins a shortest plan. In a household it is what is best by what was
seen (`lprl_envs.household.expert`): where things lie that were not seen nobody can know. States
there are those of episodes in which the demonstrator acts more or less at random.
"""

from __future__ import annotations

import functools
from typing import Any

import chex
import jax
import jax.numpy as jnp
from lprl_envs import Household, Overcooked, TextEnvParams
from lprl_envs.overcooked import plans

from lprl_jax.algorithms.tabular import demonstrations
from lprl_jax.pretraining.tasks import ActionTask, Draw, Population, shares

NEAR = 0.85
"""A macro further from the delivery a state is as much less likely, of those that are near it."""
WANDERED = 20
"""Random actions before the lessons of an episode in a household, at most: who follows a model
comes to states that a demonstrator does not."""
HOME_PHRASES = (
    r" ?[a-z]+ \d+",
    "You are in a room of a house",
    "You can carry one thing",
    "Your task is to",
    "In the room are",
    "in the middle of the room",
    "you see",
    "You are",
    "You carry",
    "You know of",
    "Left to look at",
    "Standing open",
    "There is a fixed cutting board in the room",
    "There are two fixed cutting boards in the room",
    "The dish is a bowl only containing chopped",
    "You notice",
    "on the different tables",
    "on the table",
    r"is on the (?:first |second )?cutting board",
    "Currently you are standing in front of the",
    "Currently you are carrying",
    "Currently you don't have anything in hand",
    "without anything in hand",
    "containing chopped",
    "To serve the dish",
    "you should first",
)
"""Read as one word each; so is a thing with its number, such as "egg 2"."""


def _shortest(env: Overcooked, near: float) -> Draw:
    """Draws among a kitchen's states: this share rather near the delivery, the rest uniformly."""

    def draw(
        key: chex.PRNGKey, params: Any, instance: jax.Array, num: int
    ) -> tuple[Any, jax.Array]:
        right, left = plans.right_actions(env, params, instance)
        asked = jnp.any(right, axis=-1)
        as_far = jnp.zeros(plans.FARTHEST + 1).at[left].add(asked)
        nearer = shares(asked * NEAR**left / jnp.maximum(as_far[left], 1))
        probs = (1.0 - near) * shares(asked) + near * nearer
        index = jax.random.categorical(key, jnp.log(probs), shape=(num,)).astype(jnp.int32)
        return jax.vmap(lambda i: env.state_at(instance, i, params))(index), right[index]

    return draw


def _kitchen(name: str, instances: int, states: int) -> ActionTask:
    env = Overcooked(name)

    def dishes(key: chex.PRNGKey, num_instances: int, split: str) -> TextEnvParams:
        """Of the dishes that are held out; to train on, of the others."""
        families = env.held_out_families if split == "held-out" else ()
        return env.sample_params(key, num_instances, split, families)

    held_out = (Population("dishes that are held out", dishes),) if env.held_out_families else ()
    return ActionTask(
        f"Overcooked {name}",
        env,
        env.sample_params,
        _shortest(env, 0.75),
        instances,
        states,
        noise=0.1,
        exam=_shortest(env, 0.0),
        populations=(Population("random kitchens", env.sample_params), *held_out),
        is_followed=True,
    )


def _room(name: str, instances: int, states: int) -> ActionTask:
    env = Household(name)
    return ActionTask(
        f"Household {name}",
        env,
        env.sample_params,
        functools.partial(demonstrations.met, env, most_before=WANDERED),
        instances,
        states,
        noise=0.1,
        exam=functools.partial(demonstrations.met, env),
        populations=tuple(
            Population(task, functools.partial(env.sample_params, families=(task,)))
            for task in env.families
        ),
        is_followed=True,
    )


HOME_TASKS: tuple[ActionTask, ...] = (
    _kitchen("tomato", 2, 16),
    _kitchen("salad", 2, 16),
    _room("kitchen-small", 8, 16),
)
