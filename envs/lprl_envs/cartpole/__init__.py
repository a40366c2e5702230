"""Cart pole: gymnax's law, with its physics as data and a text for every state.

`env` is the environment, with its text at the top; `physics` are its instances, `text` its wording,
`picture` how it is drawn, `expert` a controller that is told the physics.
"""

from lprl_envs.cartpole.env import LEFT, RIGHT, CartPole, EnvParams, EnvState
from lprl_envs.cartpole.expert import Expert, expert_of
from lprl_envs.cartpole.physics import QUANTITIES, Physics

__all__ = [
    "LEFT",
    "QUANTITIES",
    "RIGHT",
    "CartPole",
    "EnvParams",
    "EnvState",
    "Expert",
    "Physics",
    "expert_of",
]
