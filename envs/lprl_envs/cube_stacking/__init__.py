"""Stacking coloured cubes in a hidden order.

`env` is the environment; `cubes` are its instances and their families, `states` its states, `law`
what an action does, `text` the wording, `picture` how it is drawn.
"""

from lprl_envs.cube_stacking.cubes import Cubes
from lprl_envs.cube_stacking.env import CubeStacking
from lprl_envs.cube_stacking.states import EnvParams, EnvState

__all__ = ["CubeStacking", "Cubes", "EnvParams", "EnvState"]
