"""Environments with a text for every state: gymnax's contract, instances as data, exact laws.

Importing this package registers every environment with gymnax:

>>> import gymnax, lprl_envs
>>> env, params = gymnax.make("FrozenLake-lprl", map_name="8x8", is_slippery=False)

The contract lies here: `text_env` says what an environment offers, `template` how a state reads,
`banks` how instances are drawn and split, `completion` what a pattern to be completed offers,
`options` how longer steps of a world are a world of their own. `threefry` draws JAX's
numbers sooner.

    frozen_lake/ blocks_world/ cube_stacking/ patterns/ key_rooms/ cartpole/ pendulum/
    blackjack/ watch_repair/ overcooked/ household/
                    worlds: none knows another
    bridges/        gymnax's environments as ours, ours as Gymnasium's
    conformance/    `check_env`: does an environment keep the contract?
    registration    which there are, by their ids

Whatever is to be imported is in `__all__` below, or in a world's own. It knows nothing of
`lprl_jax`.
"""

from lprl_envs import _moved
from lprl_envs.banks import content_hash, draw_bank
from lprl_envs.blackjack import Blackjack
from lprl_envs.blocks_world import BlocksWorld, BlocksWorldSubgoals, from_stacks
from lprl_envs.bridges import GymnaxEnv
from lprl_envs.cartpole import CartPole
from lprl_envs.conformance import CHECKS, CheckFailed, check_env
from lprl_envs.cube_stacking import CubeStacking
from lprl_envs.errors import InvalidInput
from lprl_envs.frozen_lake import FrozenLake, parse_map
from lprl_envs.household import Household, HouseholdOptions
from lprl_envs.key_rooms import KeyRooms
from lprl_envs.options import Options, OverOptions
from lprl_envs.overcooked import Overcooked
from lprl_envs.patterns import ImageCompletion, ObjectArrangement
from lprl_envs.pendulum import Pendulum
from lprl_envs.registration import ENVIRONMENTS, make, register
from lprl_envs.render import Animation, Picture
from lprl_envs.template import Literal, Scope, Slot, Template
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import TextEnvParams, TextEnvState, only_outcome
from lprl_envs.watch_repair import WatchRepair

__all__ = [
    "CHECKS",
    "ENVIRONMENTS",
    "Animation",
    "Blackjack",
    "BlocksWorld",
    "BlocksWorldSubgoals",
    "CartPole",
    "CheckFailed",
    "CubeStacking",
    "FrozenLake",
    "GymnaxEnv",
    "Household",
    "HouseholdOptions",
    "ImageCompletion",
    "InvalidInput",
    "KeyRooms",
    "Literal",
    "ObjectArrangement",
    "Options",
    "OverOptions",
    "Overcooked",
    "Pendulum",
    "Picture",
    "Scope",
    "Slot",
    "Template",
    "TextEnv",
    "TextEnvParams",
    "TextEnvState",
    "WatchRepair",
    "check_env",
    "content_hash",
    "draw_bank",
    "from_stacks",
    "make",
    "only_outcome",
    "parse_map",
    "register",
]

_moved.install()
