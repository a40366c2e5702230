"""Which environments there are, by their ids: ours, and gymnax's own."""

from __future__ import annotations

from typing import Any

import gymnax

from lprl_envs.blackjack.env import Blackjack
from lprl_envs.blocks_world.env import BlocksWorld
from lprl_envs.blocks_world.subgoals import BlocksWorldSubgoals
from lprl_envs.bridges import gymnax_values
from lprl_envs.bridges.gymnax_env import GymnaxEnv
from lprl_envs.cartpole.env import CartPole
from lprl_envs.cube_stacking.env import CubeStacking
from lprl_envs.errors import InvalidInput, shown
from lprl_envs.frozen_lake.env import FrozenLake
from lprl_envs.household.env import Household
from lprl_envs.household.over_options import HouseholdOptions
from lprl_envs.key_rooms.env import KeyRooms
from lprl_envs.overcooked.env import Overcooked
from lprl_envs.patterns.image_completion import ImageCompletion
from lprl_envs.patterns.object_arrangement import ObjectArrangement
from lprl_envs.pendulum.env import Pendulum
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import TextEnvParams
from lprl_envs.watch_repair.env import WatchRepair

ENVIRONMENTS = {
    "FrozenLake-lprl": FrozenLake,
    "CubeStacking-lprl": CubeStacking,
    "BlocksWorld-lprl": BlocksWorld,
    "BlocksWorldSubgoals-lprl": BlocksWorldSubgoals,
    "ImageCompletion-lprl": ImageCompletion,
    "ObjectArrangement-lprl": ObjectArrangement,
    "KeyRooms-lprl": KeyRooms,
    "Overcooked-lprl": Overcooked,
    "CartPole-lprl": CartPole,
    "Pendulum-lprl": Pendulum,
    "Blackjack-lprl": Blackjack,
    "WatchRepair-lprl": WatchRepair,
    "Household-lprl": Household,
    "HouseholdOptions-lprl": HouseholdOptions,
}
"""Ours: registered id to class. Every state of these has a text."""

CONTINUOUS = (
    "Pendulum-v1",
    "MountainCarContinuous-v0",
    "PointRobot-misc",
    "Reacher-misc",
    "Swimmer-misc",
)
"""Of gymnax's own, those with continuous actions."""

for _env_id, _factory in ENVIRONMENTS.items():
    if _env_id not in gymnax.registered_envs:  # a module reload registers nothing twice
        gymnax.register(_env_id, _factory)


def of_gymnax() -> list[str]:
    """Ids of gymnax's own environments; they have no text."""
    return [name for name in gymnax.registered_envs if name not in ENVIRONMENTS]


def make(env_id: str, **arguments: Any) -> tuple[TextEnv[Any, Any], TextEnvParams]:
    """An environment by its id, with its default parameters; gymnax's own through `GymnaxEnv`.

    Raises:
        InvalidInput: if there is none of this id, or an argument is out of range.
    """
    _require_known(env_id)
    env: TextEnv[Any, Any] = (
        ENVIRONMENTS[env_id](**arguments)
        if env_id in ENVIRONMENTS
        else GymnaxEnv(env_id, **arguments)
    )
    return env, env.default_params


def arguments_of(env_id: str) -> dict[str, Any]:
    """What `make` takes for an environment, with the defaults.

    Raises:
        InvalidInput: as `make`.
    """
    _require_known(env_id)
    ours = env_id in ENVIRONMENTS
    return gymnax_values.arguments_of(
        ENVIRONMENTS[env_id] if ours else type(GymnaxEnv(env_id).inner)
    )


def _require_known(env_id: str) -> None:
    if not (isinstance(env_id, str) and env_id in gymnax.registered_envs):
        raise InvalidInput(
            f"unknown env {shown(env_id)}; valid: {', '.join(ENVIRONMENTS)}, or of gymnax's own "
            f"{', '.join(of_gymnax())}"
        )
