"""KeyRooms: take the key, open the locked door, reach the treasure; hard to explore.

`env` is the environment, with its text at the top; `rules` is its law, `instances` are its maps,
`text` is its wording, `picture` how it is drawn.
"""

from lprl_envs.key_rooms.env import KeyRooms
from lprl_envs.key_rooms.instances import Rooms, parse_map
from lprl_envs.key_rooms.rules import (
    DOOR,
    DOWN,
    FLOOR,
    KEY,
    LEFT,
    LOCKED,
    PIT,
    RIGHT,
    START,
    TREASURE,
    UP,
    WALL,
)
from lprl_envs.key_rooms.states import EnvParams, EnvState

__all__ = [
    "DOOR",
    "DOWN",
    "FLOOR",
    "KEY",
    "LEFT",
    "LOCKED",
    "PIT",
    "RIGHT",
    "START",
    "TREASURE",
    "UP",
    "WALL",
    "EnvParams",
    "EnvState",
    "KeyRooms",
    "Rooms",
    "parse_map",
]
