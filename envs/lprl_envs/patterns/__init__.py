"""Hidden patterns on a grid: `image_completion` scans them, `object_arrangement` is offered cells.

`env` is what both share; `bank` are the instances and `shapes` the families that they are drawn
from, `text` the wordings, `picture` how they are drawn.
"""

from lprl_envs.patterns.bank import BY_HAND, Patterns, draw_patterns, is_held_out, parse_pattern
from lprl_envs.patterns.env import EnvParams
from lprl_envs.patterns.image_completion import ImageCompletion
from lprl_envs.patterns.object_arrangement import ObjectArrangement

__all__ = [
    "BY_HAND",
    "EnvParams",
    "ImageCompletion",
    "ObjectArrangement",
    "Patterns",
    "draw_patterns",
    "is_held_out",
    "parse_pattern",
]
