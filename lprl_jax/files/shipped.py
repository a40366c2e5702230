"""The YAML files that come with the package: in the repository, and in what is installed."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY_CONFIGS = Path(__file__).parents[2] / "configs"
PACKAGED_CONFIGS = Path(__file__).parents[1] / "configs"


def names(kind: str = "") -> list[str]:
    """Of the files in the folder `kind`; without one, of configs."""
    folders = (REPOSITORY_CONFIGS / kind, PACKAGED_CONFIGS / kind)
    return sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})


def find(name: str, kind: str = "") -> Path | None:
    """The file of that name, if there is one."""
    folders = (REPOSITORY_CONFIGS / kind, PACKAGED_CONFIGS / kind)
    found = [folder / f"{name}.yaml" for folder in folders]
    return next((file for file in found if os.path.isfile(file)), None)
