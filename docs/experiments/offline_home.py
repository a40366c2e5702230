"""What a prior is worth offline in a kitchen, a world in which its authors claim most for it.

    python docs/experiments/offline_home.py [PART ...]

Parts: `search-WORLD`, the settings of all offline learners, as `offline_tuning.py` finds them on
training instances; `WORLD`, every learner with the best of them, as in `offline.py`. WORLD is
`tomato` or `salad`. Online learners, and so the behaviour, have the settings that `home.py` found,
but where settings are sought (SOUGHT_ON). Success is what is compared: a learner that serves
nothing has a return below 0, for steps cost. A model is asked about a state when it is met. Writes
`docs/results/offline_home.json`; parts that are not named are kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import home
import offline
import offline_tuning
import prose
import written
from home import SEARCH
from home_learners import MODELS, SEARCHES
from home_learners import WORLDS as WORLDS_OF_LEARNERS

OUT = written.ROOT / "docs/results/offline_home.json"
STEPS = {"tomato": 3_000, "salad": 10_000}
"""Environment steps after which DQN acts."""
WORLDS = {
    name: offline.World(
        place.title, place.configs, STEPS[name], place.own, MODELS, False, "success"
    )
    for name, place in WORLDS_OF_LEARNERS.items()
    if name in STEPS
}
SOUGHT_ON: dict[str, tuple[str, ...]] = {"dqn": ("learning_rate=0.003", "epsilon_steps=10000")}
"""What the behaviour has where settings are sought: nobody had sought its own by then."""
PARTS = tuple(part for world in WORLDS for part in (SEARCH + world, world))


def main() -> None:
    """Measure the parts that are named, or all."""

    def of_part(part: str, folder: Path, figures: dict[str, Any]) -> dict[str, Any]:
        if part.startswith(SEARCH):
            world = WORLDS[part.removeprefix(SEARCH)]
            return offline_tuning.tune(dataclasses.replace(world, settings=SOUGHT_ON), folder)
        missing = [part] if SEARCH + part not in figures else []
        command = f"python docs/experiments/offline_home.py {SEARCH}{part}"
        written.require_settings(OUT, missing, command)
        settings = best(figures[SEARCH + part]) | online(part)
        world = dataclasses.replace(WORLDS[part], settings=settings)
        return offline.measure(world, folder)

    written.by_parts(__doc__, OUT, PARTS, MODELS, of_part)


def best(found: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Fields of the best setting, by learner."""
    return {
        learner: tuple(f"{name}={x}" for name, x in settings[0].items() if name != "return")
        for learner, settings in found.items()
    }


def online(world: str) -> dict[str, tuple[str, ...]]:
    """Fields that were found best for online learners, as `home.py` searched them."""
    found = written.read(home.OUT)[SEARCH + world]
    return {
        SEARCHES[name].config: tuple(found[name][0]["setting"].split())
        for name in ("DQN", "DQN-Prior")
    }


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """Markdown by name."""
    tuned = {name: figures[SEARCH + name] for name in WORLDS if SEARCH + name in figures}
    found = {"offline_home_tuning": offline_tuning.tables(tuned, WORLDS)["offline_tuning"]}
    if worlds := _measured(figures):
        found |= offline.tables(_with_sizes(figures), worlds, "offline_home")
    return found


def numbers(figures: Mapping[str, Any]) -> prose.Numbers:
    """What sentences quote, as in `offline.py`."""
    found = offline.numbers(_with_sizes(figures), _measured(figures))
    for world in (world for world in WORLDS if SEARCH + world in figures):
        sought = figures[SEARCH + world]
        cql = {_key(row): prose.share(row["return"]) for row in sought["cql"]}
        found[f"{world}.cql.best"] = cql[_key(sought["cql"][0])]
        found[f"{world}.cql.with_priors_settings"] = cql.get(_key(sought["cql_prior"][0]), "none")
    return found


def _key(row: Mapping[str, float]) -> tuple[float, ...]:
    """A setting, without what it returned."""
    return tuple(row[name] for name in ("learning_rate", "gamma", "tau", "beta"))


def _measured(figures: Mapping[str, Any]) -> dict[str, offline.World]:
    return {name: world for name, world in WORLDS.items() if name in figures}


def _with_sizes(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {"sizes": offline.SIZES, "episodes": offline.EPISODES, **figures}


if __name__ == "__main__":
    main()
