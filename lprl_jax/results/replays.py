"""Episodes for a page: what a script needs to show them step by step."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

from lprl_envs import InvalidInput
from lprl_envs.render import Picture
from PIL import Image

from lprl_jax.results import watching
from lprl_jax.results.reading import Place
from lprl_jax.results.run import Run
from lprl_jax.results.watching import Episode, Step

MOST_RESULTS = 12
"""Of which episodes are played; a sweep has many settings."""
COLOURS = 64
"""Of a picture: a page of many is small then."""
MOST_STEPS = 200
"""Of an episode that are kept."""


def play(places: Mapping[str, Place], episodes: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Play some episodes of each result's first run, on the instances that are its own.

    Args:
        places: Results by name.
        episodes: Of each.

    Returns:
        The episodes, as `_episode` has them, and a line for each result of which none can be
        played, and for those that were left out.
    """
    found: list[dict[str, Any]] = []
    notes: list[str] = []
    runs: dict[Any, Run] = {}  # a sweep is built once
    if not episodes:
        return found, notes
    for name, place in list(places.items())[:MOST_RESULTS]:
        try:
            run = runs.setdefault(place.directory, Run(place.directory))
            number = place.setting * (run.experiment.num_runs // len(run.experiment.settings))
            for seed in range(episodes):
                own = run.state.run_instances[number]
                played = watching.play(run, number, int(own[seed % len(own)]), seed)
                found.append({"result": name, "run": number, **_episode(played)})
        except InvalidInput as error:
            notes.append(f"No episode of {name}: {error}")
    if len(places) > MOST_RESULTS:
        left = len(places) - MOST_RESULTS
        notes.append(
            f"Episodes are of the first {MOST_RESULTS} results; {left} more have none here."
        )
    return found, notes


def _episode(played: Episode) -> dict[str, Any]:
    """Its outcome and steps."""
    steps = played.steps[:MOST_STEPS]
    return {
        "solved": played.is_solved,
        "total": round(played.total, 4),
        "length": len(played.steps) - 1,
        "steps": [_step(played, step) for step in steps],
    }


def _step(played: Episode, step: Step) -> dict[str, Any]:
    """Its picture, its text, and of each action worth a line its name and shares."""
    return {
        "picture": as_data(step.picture),
        "text": step.text,
        "reward": round(step.reward, 4),
        "taken": step.action,
        "actions": [
            {
                "action": action,
                "name": played.actions[action].strip(),
                "prior": None if step.prior is None else round(float(step.prior[action]), 4),
                "agent": None if step.agent is None else round(float(step.agent[action]), 4),
            }
            for action in watching.shown(step)
        ],
    }


def as_data(picture: Picture) -> str:
    """A picture within a page: PNG of so many colours."""
    stream = io.BytesIO()
    Image.fromarray(picture.rgb).quantize(COLOURS).save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
