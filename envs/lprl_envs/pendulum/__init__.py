"""Pendulum: gymnax's law and continuous torque, with physics as data and a text for every state.

`env` is the environment, with its text at the top; `physics` are its instances and the law, `text`
its wording, `picture` how it is drawn, `expert` values of every state, worked out on a grid.
"""

from lprl_envs.pendulum.env import EnvParams, EnvState, Pendulum
from lprl_envs.pendulum.expert import Expert, expert_of
from lprl_envs.pendulum.physics import QUANTITIES, Physics

__all__ = [
    "QUANTITIES",
    "EnvParams",
    "EnvState",
    "Expert",
    "Pendulum",
    "Physics",
    "expert_of",
]
