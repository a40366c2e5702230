"""Tables that come with the package: what a published model says, with no model at all.

`docs/experiments/shipped_tables.py` makes them. They are files as `lprl prior` writes them, of half
the precision; `prior=NAME` finds one in a config.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "shipped_tables"
MODEL = "smollm2"
WORDINGS = ("bare", "instruction", "few-shot-2", "chat")


class World(NamedTuple):
    """Whose states a table is of."""

    env: str
    """A registered id."""
    env_params: Mapping[str, Any]
    """Arguments of the environment, and its instances."""


_LAKE, _CUBES = "FrozenLake-lprl", "CubeStacking-lprl"
WORLDS = {
    "frozen_lake_4x4": World(_LAKE, {"map_name": "4x4", "is_slippery": False}),
    "frozen_lake_8x8": World(_LAKE, {"map_name": "8x8", "is_slippery": False}),
    "frozen_lake_4x4_slippery": World(_LAKE, {"map_name": "4x4"}),
    "frozen_lake_8x8_slippery": World(_LAKE, {"map_name": "8x8"}),
    "cube_stacking": World(_CUBES, {}),
}
"""The presets of Frozen Lake, and the eight cubes of the paper."""

TABLES = {f"{MODEL}-{world}-{wording}": world for world in WORLDS for wording in WORDINGS}
"""Name to world."""


def path_of(name: str) -> Path:
    """The file of a table of `TABLES`."""
    return FOLDER / f"{name}.npz"
