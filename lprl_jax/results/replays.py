"""Episodes for a page: what a script needs to show them step by step."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from lprl_envs import InvalidInput
from lprl_envs.render import Picture
from PIL import Image

from lprl_jax.files import paths
from lprl_jax.results import watching
from lprl_jax.results.reading import Place
from lprl_jax.results.run import Run
from lprl_jax.results.watching import Episode, Step

MOST_RESULTS = 12
"""Of which episodes are played; a sweep has many settings."""
MOST_EPISODES = 20
"""Of each."""
MOST_STEPS = 200
"""Of an episode that are kept."""
COLOURS = 64
"""Of a picture: a page of many is small then."""


@dataclasses.dataclass(frozen=True)
class Played:
    """What a page shows of episodes."""

    episodes: list[dict[str, Any]]
    """As `_episode` has them."""
    pictures: list[str]
    """Those of their steps, each once; a step has a number."""
    notes: list[str]
    """A line for each result of which none can be played, and for those that were left out."""


def play(places: Mapping[str, Place], episodes: int) -> Played:
    """Play some episodes of each result's first run, on the instances that are its own.

    Whatever keeps a run from playing (its checkpoint, a package that its world needs, memory) costs
    the page its episode, and nothing else.

    Args:
        places: Results by name, those of a run one after the other.
        episodes: Of each.
    """
    found: list[dict[str, Any]] = []
    pictures: dict[str, int] = {}
    notes: list[str] = []
    run: Run | None = None  # the others' tables, models and replays are let go
    for name, place in list(places.items())[: MOST_RESULTS if episodes else 0]:
        try:
            if run is None or run.directory != paths.given(place.directory):
                run = Run(place.directory)
            number = place.setting * (run.experiment.num_runs // len(run.experiment.settings))
            own = run.state.run_instances[number]
            for seed in range(episodes):
                episode = watching.play(run, number, int(own[seed % len(own)]), seed)
                found.append({"result": name, "run": number, **_episode(episode, pictures)})
        except Exception as error:
            kind = "" if isinstance(error, InvalidInput) else f"{type(error).__name__}: "
            notes.append(f"No episode of {name}: {kind}{error}")
    if episodes and len(places) > MOST_RESULTS:
        left = len(places) - MOST_RESULTS
        notes.append(f"Episodes are of the first {MOST_RESULTS} results; {left} more have none.")
    return Played(found, list(pictures), notes)


def _episode(played: Episode, pictures: dict[str, int]) -> dict[str, Any]:
    """Its outcome and steps; pictures that are new get a number."""
    steps = played.steps[:MOST_STEPS]
    return {
        "solved": played.is_solved,
        "total": _plain(played.total),
        "length": len(played.steps) - 1,
        "steps": [_step(played, step, pictures) for step in steps],
    }


def _step(played: Episode, step: Step, pictures: dict[str, int]) -> dict[str, Any]:
    """Its picture, its text, and of each action worth a line its name and shares."""
    return {
        "picture": pictures.setdefault(as_data(step.picture), len(pictures)),
        "text": step.text,
        "reward": _plain(step.reward),
        "taken": step.action,
        "actions": [
            {
                "action": action,
                "name": played.actions[action].strip(),
                "prior": None if step.prior is None else _plain(step.prior[action]),
                "agent": None if step.agent is None else _plain(step.agent[action]),
            }
            for action in watching.shown(step)
        ],
    }


def _plain(value: Any) -> float | None:
    """A number as JSON takes it: what is not finite is null."""
    return round(float(value), 4) if np.isfinite(value) else None


def as_data(picture: Picture) -> str:
    """A picture within a page: PNG of so many colours."""
    stream = io.BytesIO()
    Image.fromarray(picture.rgb).quantize(COLOURS).save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
