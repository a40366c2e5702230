"""Which environments there are, by their ids: ours, and gymnax's own."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import gymnax

from lprl_envs import values
from lprl_envs.blackjack.env import Blackjack
from lprl_envs.blocks_world.env import BlocksWorld
from lprl_envs.blocks_world.subgoals import BlocksWorldSubgoals
from lprl_envs.bridges import gymnax_values
from lprl_envs.bridges.gymnax_env import GymnaxEnv
from lprl_envs.cartpole.env import CartPole
from lprl_envs.cube_stacking.env import CubeStacking
from lprl_envs.errors import InvalidInput, hint, shown
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
"""Id to class: ours, and those that others `register`. Every state of these has a text."""

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


def register(env_id: str, env: type[TextEnv[Any, Any]]) -> None:
    """Make a world of one's own known by an id, to `make` here and in gymnax.

    In a config `env: my_module:MyWorld` needs no registration; an id is known there only where the
    program has registered it.

    Raises:
        InvalidInput: if the class is no `TextEnv`, or another has the id.
    """
    env_id = values.text("an environment's id", env_id)
    if not (isinstance(env, type) and issubclass(env, TextEnv)):
        raise InvalidInput(f"{env_id} is {shown(env)}; right: a class that is a TextEnv")
    found = ENVIRONMENTS.get(env_id)
    if found is env:
        return
    if found or env_id in gymnax.registered_envs or ":" in env_id:
        taken = "a module and a class" if ":" in env_id else "another environment's"
        raise InvalidInput(f"the id {shown(env_id)} is {taken}; right: one that is free")
    ENVIRONMENTS[env_id] = env
    gymnax.register(env_id, env)


def of_gymnax() -> list[str]:
    """Ids of gymnax's own environments; they have no text."""
    return [name for name in gymnax.registered_envs if name not in ENVIRONMENTS]


def make(env_id: str, **arguments: Any) -> tuple[TextEnv[Any, Any], TextEnvParams]:
    """An environment with its default parameters; gymnax's own through `GymnaxEnv`.

    Args:
        env_id: A registered id, or `module:Class` of a world of one's own. The module is looked
            for where Python looks, and then in the current directory.
        **arguments: Of its constructor.

    Raises:
        InvalidInput: if there is none of this id, or an argument is out of range.
    """
    own = class_of(env_id)
    if own is not None:
        try:
            inspect.signature(own).bind(**arguments)
        except TypeError as error:
            raise InvalidInput(f"env {env_id!r}: {error}") from None
    env: TextEnv[Any, Any] = own(**arguments) if own else GymnaxEnv(env_id, **arguments)
    return env, env.default_params


def arguments_of(env_id: str) -> dict[str, Any]:
    """What `make` takes for an environment, with the defaults.

    Raises:
        InvalidInput: as `make`.
    """
    own = class_of(env_id)
    return gymnax_values.arguments_of(own or type(GymnaxEnv(env_id).inner))


def class_of(env_id: str) -> type[TextEnv[Any, Any]] | None:
    """A world of ours, or of somebody else's who has registered or names it; of gymnax's own None.

    Raises:
        InvalidInput: as `make`.
    """
    if isinstance(env_id, str) and ":" in env_id:
        return _named(env_id)
    if not (isinstance(env_id, str) and env_id in gymnax.registered_envs):
        raise InvalidInput(
            f"unknown env {shown(env_id)}; valid: "
            f"{', '.join(ENVIRONMENTS)}, a world of your own "
            f"as my_module:MyWorld, or of gymnax's own {', '.join(of_gymnax())}"
            f"{hint(env_id, gymnax.registered_envs)}"
        )
    return ENVIRONMENTS.get(env_id)


def _named(env_id: str) -> type[TextEnv[Any, Any]]:
    """The class that `module:Class` names."""
    module_name, _, class_name = env_id.partition(":")
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise InvalidInput(f"env {shown(env_id)}: right: my_module:MyWorld")
    here = str(Path.cwd())
    if here not in sys.path:  # `python -m` has it, an installed command does not
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if not f"{module_name}.".startswith(f"{error.name}."):
            raise  # what the module itself imports
        raise InvalidInput(f"env {env_id!r}: there is no module {module_name!r} here") from None
    found = getattr(module, class_name, None)
    if not (isinstance(found, type) and issubclass(found, TextEnv)):
        own = [
            name
            for name, x in vars(module).items()
            if isinstance(x, type) and issubclass(x, TextEnv) and x.__module__ == module.__name__
        ]
        right = f"it has {', '.join(own)}" if own else "it has no world"
        raise InvalidInput(f"env {env_id!r}: {class_name!r} is no TextEnv of the module; {right}")
    return found
