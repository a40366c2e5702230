"""What sentences quote of `docs/results/slinvit.json` and `subgoals.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import prose

_EFFORT = {"nodes": "nodes", "asked": "expanded", "values": "valuations"}


def of_suites(figures: Mapping[str, Any]) -> prose.Numbers:
    """`instances.4`, `held_out.6`, `seeds`."""
    found = {"seeds": f"{figures['seeds']}"}
    for what in ("instances", "held_out"):
        found |= {f"{what}.{_short(suite)}": f"{n}" for suite, n in figures[what].items()}
    return found


def of_searches(name: str, rows: Sequence[Mapping[str, Any]]) -> prose.Numbers:
    """Of each depth and k, and of what else rows differ in: `NAME.embedded.6.d1.k3.nodes`.

    Success is `NAME.embedded.6.d1.k3`, on the held-out instances `.held_out`.
    """
    found: prose.Numbers = {}
    for row in rows:
        parts = [name, *([prose.slug(row["prior"])] if "prior" in row else [])]
        parts += [f"{row['alpha']:g}"] if "alpha" in row else []
        for suite in (key for key in row if key.startswith("planbench-")):
            own = row[suite]
            where = [*parts, _short(suite), f"d{row['depth']}"]
            at = ".".join([*where, *([f"k{row['k']}"] if "k" in row else [])])
            found |= prose.estimate(at, own["success"])
            found |= prose.estimate(f"{at}.held_out", own["held_out"])
            found |= {f"{at}.{what}": f"{own[key]:.1f}" for what, key in _EFFORT.items()}
            found |= {f"{at}.about.{what}": f"{own[key]:.0f}" for what, key in _EFFORT.items()}
            if own["solved"] is not None:
                found[f"{at}.solved"] = f"{own['solved']}"
    return found


def _short(suite: str) -> str:
    return suite.removeprefix("planbench-")
