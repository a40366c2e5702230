"""Which fields of a config are paths, and where they lead from another directory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lprl_jax.algorithms.policy_based.ppo_config import NETWORK
from lprl_jax.completers import named as completers
from lprl_jax.files import paths
from lprl_jax.lm import named
from lprl_jax.priors import shipped, wordings

PATHS = ("prior", "dataset", "encoder", "policy", "wording", "completer", "judge")
"""Fields that may name a file or a directory."""
WITHOUT_MODEL = ("none", "uniform", "habit")
"""Priors of our own that ask nobody."""
JUDGES_WITHOUT_MODEL = ("none", "perfect", "always-good", "uniform", "habit")
"""Judges of our own that ask nobody; a habit's verdicts are those that the prior implies."""
NAMES = (*WITHOUT_MODEL, NETWORK, *named.NAMES, *shipped.TABLES)
"""What they may hold besides."""


def placed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with files and directories by paths that lead there from any directory.

    A name of our own stays one, also where a file is called so.
    """

    def place(value: Any, names: Collection[str]) -> Any:
        return paths.absolute(value) if isinstance(value, str) and value not in names else value

    names = {**dict.fromkeys(PATHS, NAMES), "wording": wordings.names()}
    names["judge"] = (*JUDGES_WITHOUT_MODEL, *NAMES)
    names["completer"] = (*completers.OWN, *named.NAMES)
    return {name: place(v, names[name]) if name in PATHS else v for name, v in fields.items()}


def asks_model(name: str) -> bool:
    """Whether a prior of that name is a language model, and no table of its answers."""
    own = name in WITHOUT_MODEL or name in shipped.TABLES
    return not own and not name.endswith(".npz")


def judge_asks_model(name: str) -> bool:
    """Whether a judge of that name is a language model."""
    return name not in JUDGES_WITHOUT_MODEL and asks_model(name)
