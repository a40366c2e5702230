"""Modules that have moved: their old names work for one release, and warn, naming the new ones.

The same as the library's, of which the environments know nothing.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MOVED = {
    "lprl_envs.batch_last": "lprl_envs.parts.batch_last",
    "lprl_envs.blocks_world_instances": "lprl_envs.blocks_world.instances",
    "lprl_envs.blocks_world_picture": "lprl_envs.blocks_world.picture",
    "lprl_envs.blocks_world_rules": "lprl_envs.blocks_world.rules",
    "lprl_envs.blocks_world_search": "lprl_envs.blocks_world.search",
    "lprl_envs.blocks_world_states": "lprl_envs.blocks_world.states",
    "lprl_envs.blocks_world_subgoals": "lprl_envs.blocks_world.subgoals",
    "lprl_envs.blocks_world_text": "lprl_envs.blocks_world.text",
    "lprl_envs.check": "lprl_envs.conformance.check",
    "lprl_envs.check_arrays": "lprl_envs.conformance.arrays",
    "lprl_envs.check_compare": "lprl_envs.conformance.compare",
    "lprl_envs.check_episodes": "lprl_envs.conformance.episodes",
    "lprl_envs.check_instances": "lprl_envs.conformance.instances",
    "lprl_envs.check_law": "lprl_envs.conformance.law",
    "lprl_envs.check_subject": "lprl_envs.conformance.subject",
    "lprl_envs.check_text": "lprl_envs.conformance.text",
    "lprl_envs.cube_stacking_cubes": "lprl_envs.cube_stacking.cubes",
    "lprl_envs.cube_stacking_law": "lprl_envs.cube_stacking.law",
    "lprl_envs.cube_stacking_picture": "lprl_envs.cube_stacking.picture",
    "lprl_envs.cube_stacking_text": "lprl_envs.cube_stacking.text",
    "lprl_envs.frozen_lake_maps": "lprl_envs.frozen_lake.maps",
    "lprl_envs.frozen_lake_picture": "lprl_envs.frozen_lake.picture",
    "lprl_envs.frozen_lake_text": "lprl_envs.frozen_lake.text",
    "lprl_envs.gymnasium_adapter": "lprl_envs.bridges.gymnasium_adapter",
    "lprl_envs.gymnax_env": "lprl_envs.bridges.gymnax_env",
    "lprl_envs.gymnax_values": "lprl_envs.bridges.gymnax_values",
    "lprl_envs.image_completion": "lprl_envs.patterns.image_completion",
    "lprl_envs.looking": "lprl_envs.parts.looking",
    "lprl_envs.object_arrangement": "lprl_envs.patterns.object_arrangement",
    "lprl_envs.pattern_env": "lprl_envs.patterns.env",
    "lprl_envs.patterns_render": "lprl_envs.patterns.picture",
    "lprl_envs.patterns_text": "lprl_envs.patterns.text",
    "lprl_envs.quantities": "lprl_envs.parts.quantities",
    "lprl_envs.shapes": "lprl_envs.patterns.shapes",
    "lprl_envs.text_cells": "lprl_envs.parts.text_cells",
}
"""Old name to new."""


class _Finder(MetaPathFinder, Loader):
    """Makes an old name another name of the module itself."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Of a moved module; of others, nothing."""
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to Python: it is replaced at once."""

    def exec_module(self, module: ModuleType) -> None:
        """Warn, and put the moved module in this one's place."""
        old, new = module.__name__, MOVED[module.__name__]
        warnings.warn(
            f"{old} is {new} now; the old name works until the next release",
            DeprecationWarning,
            stacklevel=2,
        )
        sys.modules[old] = importlib.import_module(new)


def install() -> None:
    """Let Python find the old names, once."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        # At the front: a moved package would otherwise be searched for its modules a second time.
        sys.meta_path.insert(0, _Finder())
