"""Draw the pictures of `environments.md`: `python docs/pictures.py` writes `docs/pictures/`.

An episode each, of a hand that knows what is right; a still from its middle, and for one the GIF.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from lprl_envs import (
    Animation,
    Blackjack,
    BlocksWorld,
    BlocksWorldSubgoals,
    CartPole,
    CubeStacking,
    FrozenLake,
    Household,
    HouseholdOptions,
    ImageCompletion,
    KeyRooms,
    ObjectArrangement,
    Overcooked,
    Pendulum,
    Picture,
    WatchRepair,
    cartpole,
    pendulum,
)

from lprl_jax.algorithms.tabular.value_iteration import law_of, plan

FOLDER = Path(__file__).parent / "pictures"
Act = Callable[[Any], Any]


def episode(env: Any, params: Any, act: Act, steps: int, seed: int = 0) -> list[Picture]:
    """Pictures of the first steps, of an end at most."""
    key, step = jax.random.key(seed), jax.jit(env.step_env)
    _, state = env.reset(key, params)
    pictures = [env.render(state, params)]
    for key_step in jax.random.split(key, steps):
        _, state, _, terminated, _ = step(key_step, state, act(state), params)
        pictures.append(env.render(state, params))
        if terminated:
            break
    return pictures


def planned(env: Any, params: Any, horizon: int) -> Act:
    """The best action, exactly; of equals the first."""
    q = np.asarray(plan(law_of(env, params, jax.numpy.int32(0)), horizon, 0.95))
    return lambda state: int(q[int(env.state_index(state, params))].argmax())


def patterned(env: Any, params: Any) -> Act:
    """To act where the hidden pattern lacks a cell."""

    def act(state: Any) -> int:
        return int(bool((env.pattern(state, params) & ~env.cells(state))[env.cell(state)]))

    return act


def told(env: Any, params: Any) -> Act:
    """The expert's action, who is told the physics."""
    make = cartpole.expert_of if isinstance(env, CartPole) else pendulum.expert_of
    expert = make(params)
    return jax.jit(lambda state: expert.action(state, params))


def nearest(env: Any, params: Any) -> Act:
    """Where the fewest steps are left, of a world that knows how many."""

    @jax.jit
    def act(state: Any) -> jax.Array:
        def left(place: jax.Array) -> jax.Array:
            return env.steps_left(env.successor(state, place, params).state, params)

        actions, is_any = env.legal_actions(state, params)
        steps = jax.vmap(left)(jax.numpy.arange(env.max_legal, dtype=jax.numpy.int32))
        return actions[jax.numpy.where(is_any, steps, np.iinfo(np.int32).max).argmin()]

    return lambda state: int(act(state))


def main() -> None:
    """Write the pictures."""
    FOLDER.mkdir(exist_ok=True)
    lake, blocks, cubes = FrozenLake("8x8", is_slippery=False), BlocksWorld(5), CubeStacking()
    image, objects, subgoals = ImageCompletion(), ObjectArrangement(), BlocksWorldSubgoals(5)
    rooms, errands = KeyRooms(), HouseholdOptions()
    cards, watches, cook, house = Blackjack(), WatchRepair(), Overcooked(), Household()
    two = house.sample_params(jax.random.key(5), 1, families=("two",))
    problem = blocks.sample_params(jax.random.key(4), 1)
    cart, pole = CartPole(), Pendulum()
    long = cart.params_of([{"length": 0.7, "gravity": 20}])
    for env, params, steps in (
        (lake, lake.default_params, 40),
        (blocks, problem, 24),
        (subgoals, problem, 12),
        (cubes, cubes.default_params, 8),
        (image, image.default_params, 100),
        (objects, objects.default_params, 50),
        (rooms, rooms.default_params, 40),
        (cards, cards.default_params, 20),
        (watches, watches.default_params, 50),
        (cook, cook.default_params, 51),
        (house, two, 12),
        (errands, two, 6),
        (cart, long, 12),
        (pole, pole.default_params, 30),
    ):
        if env in (cart, pole):
            act = told(env, params)
        elif env in (house, errands):
            act = nearest(env, params)
        else:
            act = patterned(env, params) if env in (image, objects) else planned(env, params, 64)
        pictures = episode(env, params, act, steps)
        pictures[len(pictures) * 3 // 5].save(FOLDER / f"{env.name}.png")
        if env is blocks:
            Animation(pictures).save(FOLDER / f"{env.name}.gif")


if __name__ == "__main__":
    main()
