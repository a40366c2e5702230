"""Frozen Lake: Gymnasium's law, on maps of any size.

`env` is the environment, with its text at the top; `maps` are its instances, `text` its wording,
`picture` how it is drawn.
"""

from lprl_envs.frozen_lake.env import DOWN, LEFT, RIGHT, UP, EnvParams, EnvState, FrozenLake
from lprl_envs.frozen_lake.maps import FROZEN, GOAL, HOLE, START, Maps, parse_map

__all__ = [
    "DOWN",
    "FROZEN",
    "GOAL",
    "HOLE",
    "LEFT",
    "RIGHT",
    "START",
    "UP",
    "EnvParams",
    "EnvState",
    "FrozenLake",
    "Maps",
    "parse_map",
]
