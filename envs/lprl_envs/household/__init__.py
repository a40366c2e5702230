"""A household in the manner of ALFWorld: rooms where things are looked for, taken, cleaned, put.

`env` is the environment; `kits` are the names and what may be done with each, `states` the data,
`law` what an action does, `instances` random rooms and `by_hand` those that one writes, `text` the
wording, `plans` and `search` what planners and searches ask, `feedback` ALFWorld's own sentences,
`picture` how it is drawn; `over_options` is the environment by errands, which `options` lists.
"""

from lprl_envs.household.env import Household
from lprl_envs.household.feedback import admissible, feedback, intro
from lprl_envs.household.kits import ROOMS, TASKS
from lprl_envs.household.over_options import HouseholdOptions
from lprl_envs.household.states import EnvParams, EnvState, Rooms

__all__ = [
    "ROOMS",
    "TASKS",
    "EnvParams",
    "EnvState",
    "Household",
    "HouseholdOptions",
    "Rooms",
    "admissible",
    "feedback",
    "intro",
]
