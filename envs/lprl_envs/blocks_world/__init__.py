"""Blocks World: by single actions (`env`) and by sub-goals of two (`subgoals`).

`rules` is the law on one integer a block, `states` numbers and draws states, `instances` are
initial states with goals, PlanBench's among them; `search` lists moves and values states for a
search, `text` is the wording, `picture` how it is drawn.
"""

from lprl_envs.blocks_world.env import BlocksWorld, EnvParams, EnvState
from lprl_envs.blocks_world.instances import Problems, from_stacks
from lprl_envs.blocks_world.subgoals import BlocksWorldSubgoals

__all__ = [
    "BlocksWorld",
    "BlocksWorldSubgoals",
    "EnvParams",
    "EnvState",
    "Problems",
    "from_stacks",
]
