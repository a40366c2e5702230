"""Overcooked as text: one cook, macros, and a reward that can be farmed.

`env` is the environment; `kinds` says which kitchens there are, `cells` where things may be,
`kitchens` are its instances, `states` its states and their numbers, `law` what a macro does and
pays, `wordings` what it is called, `text` how a state reads, `picture` how it is drawn.
"""

from lprl_envs.overcooked.env import Overcooked
from lprl_envs.overcooked.kitchens import Kitchens
from lprl_envs.overcooked.states import EnvParams, EnvState

__all__ = ["EnvParams", "EnvState", "Kitchens", "Overcooked"]
