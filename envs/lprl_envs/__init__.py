"""Environments with a text for every state: gymnax's contract, instances as data, exact laws.

Importing this package registers every environment with gymnax:

>>> import gymnax, lprl_envs
>>> env, params = gymnax.make("FrozenLake-lprl", map_name="8x8", is_slippery=False)
"""

from lprl_envs.banks import content_hash
from lprl_envs.blocks_world.env import BlocksWorld
from lprl_envs.blocks_world.instances import from_stacks
from lprl_envs.blocks_world.subgoals import BlocksWorldSubgoals
from lprl_envs.bridges.gymnax_env import GymnaxEnv
from lprl_envs.conformance.check import CHECKS, check_env
from lprl_envs.conformance.subject import CheckFailed
from lprl_envs.cube_stacking.env import CubeStacking
from lprl_envs.errors import InvalidInput
from lprl_envs.frozen_lake.env import FrozenLake
from lprl_envs.frozen_lake.maps import parse_map
from lprl_envs.patterns.image_completion import ImageCompletion
from lprl_envs.patterns.object_arrangement import ObjectArrangement
from lprl_envs.registration import ENVIRONMENTS, make
from lprl_envs.render import Animation, Picture
from lprl_envs.template import Literal, Scope, Slot, Template
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import TextEnvParams, TextEnvState

__all__ = [
    "CHECKS",
    "ENVIRONMENTS",
    "Animation",
    "BlocksWorld",
    "BlocksWorldSubgoals",
    "CheckFailed",
    "CubeStacking",
    "FrozenLake",
    "GymnaxEnv",
    "ImageCompletion",
    "InvalidInput",
    "Literal",
    "ObjectArrangement",
    "Picture",
    "Scope",
    "Slot",
    "Template",
    "TextEnv",
    "TextEnvParams",
    "TextEnvState",
    "check_env",
    "content_hash",
    "from_stacks",
    "make",
    "parse_map",
]
