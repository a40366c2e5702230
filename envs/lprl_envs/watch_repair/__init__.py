"""Watch repair: RUDDER's task of one decision, paid fifty noisy steps later.

`env` is the environment; `brands` are its instances, `states` its states and their numbers, `law`
what a step does and pays, `text` the wording, `picture` how it is drawn.
"""

from lprl_envs.watch_repair.brands import Brands, margins_of
from lprl_envs.watch_repair.env import WatchRepair
from lprl_envs.watch_repair.law import LEAVE, REPAIR
from lprl_envs.watch_repair.states import STEPS, EnvParams, EnvState

__all__ = [
    "LEAVE",
    "REPAIR",
    "STEPS",
    "Brands",
    "EnvParams",
    "EnvState",
    "WatchRepair",
    "margins_of",
]
