"""Results that are measured alike: one kind of step, evaluations at the same steps.

What is said of a curve depends on how often it was looked at. So the figures of several results are
taken from evaluations that all of them have, and what cannot be laid side by side is refused.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from lprl_envs import InvalidInput

from lprl_jax.results.curves import WINDOW
from lprl_jax.results.reading import Result


def step_of(results: Mapping[str, Result]) -> str:
    """What a step is in all of these results, in the plural; "steps" where none takes any.

    Raises:
        InvalidInput: if they count different things.
    """
    names = {result.step: name for name, result in results.items() if result.step}
    if len(names) > 1:
        counted = ", ".join(f"{name} counts {step}" for step, name in names.items())
        raise InvalidInput(
            f"{counted}: these are not laid side by side; compare results of one kind"
        )
    return next(iter(names), "steps")


def cadence_of(results: Mapping[str, Result]) -> int | None:
    """Steps between two evaluations that all results have; None where no result tells.

    It is that of the result that was evaluated least often, or a multiple where that is no multiple
    of another's.

    Raises:
        InvalidInput: if on such a multiple lie fewer evaluations than a threshold needs.
    """
    own = {name: _cadence(result) for name, result in results.items()}
    known = {name: cadence for name, cadence in own.items() if cadence}
    if not known:
        return None
    shared, coarsest = math.lcm(*known.values()), max(known, key=lambda name: known[name])
    if shared != known[coarsest]:
        other = next(name for name in known if known[coarsest] % known[name])
        least = min(int((results[name].steps % shared == 0).sum()) for name in known)
        if least < WINDOW:
            raise InvalidInput(
                f"{other} was evaluated every {known[other]:,} steps and {coarsest} every "
                f"{known[coarsest]:,}: at the same steps, every {shared:,}, too seldom to be laid "
                "side by side; train both with one eval_every, or with multiples"
            )
    return shared


def alike(results: Mapping[str, Result]) -> dict[str, Result]:
    """The results with those evaluations alone that lie on the grid of all.

    A last evaluation that came early is left out. Of a result with fewer than three, both stay.

    Raises:
        InvalidInput: if there is no such grid.
    """
    cadence = cadence_of(results)
    return {
        name: result if _cadence(result) is None or cadence is None else _every(result, cadence)
        for name, result in results.items()
    }


def resolves(result: Result, threshold: float) -> bool:
    """Whether the result's evaluations can tell when the threshold was reached."""
    return len(result.steps) >= WINDOW and _is_share(result, threshold)


def require_resolved(results: Mapping[str, Result], threshold: float) -> None:
    """Raise InvalidInput unless evaluations can tell when the threshold was reached.

    Any result whose episodes are too few for it is refused, and results that all were evaluated
    fewer than WINDOW times.
    """
    require_share(results, threshold)
    counts = {name: len(result.steps) for name, result in alike(results).items()}
    if max(counts.values()) < WINDOW:
        name = max(counts, key=lambda name: counts[name])
        raise InvalidInput(
            f"{name} has {counts[name]} of the {WINDOW} evaluations that are needed to tell when a "
            "threshold was reached, and no other has more"
        )


def require_share(results: Mapping[str, Result], threshold: float) -> None:
    """Raise InvalidInput if the threshold lies nearer to 0 or to 1 than a share of episodes can."""
    for name, result in results.items():
        if not _is_share(result, threshold):
            total = WINDOW * (result.episodes or 0)
            raise InvalidInput(
                f"threshold is {threshold:g}; {name} was evaluated by {result.episodes} episodes, "
                f"and shares of {WINDOW} times as many are multiples of 1/{total}: it must be 1, "
                f"or lie in {1 / total:.3g} to {1 - 1 / total:.3g}"
            )


def notes(results: Mapping[str, Result], threshold: float) -> list[str]:
    """Lines under a table: what of it was not measured alike, or not at all."""
    lines, cadence = [], cadence_of(results)
    often = {name: _cadence(result) for name, result in results.items()}
    often = {name: every for name, every in often.items() if every and every != cadence}
    if often and cadence:
        finer = ", ".join(f"{name} ({every:,})" for name, every in often.items())
        lines.append(
            f"Steps and seconds to a threshold and areas are of evaluations every {cadence:,} "
            f"{step_of(results)}, which all have; evaluated more often: {finer}."
        )
    early = [
        f"{name} ({int(r.steps[-1]):,})"
        for name, r in results.items()
        if cadence and len(r.steps) > 2 and r.steps[-1] % cadence
    ]
    if early:
        lines.append(
            f"Final success is of a last evaluation between those: {', '.join(early)}; steps to a "
            "threshold and areas leave it out."
        )
    episodes = {name: r.episodes for name, r in results.items() if r.episodes}
    if len(set(episodes.values())) > 1:
        each = ", ".join(f"{name} {number}" for name, number in episodes.items())
        lines.append(
            f"Episodes an evaluation differ: {each}. Success of fewer is noisier, and so is later "
            "at a threshold for good."
        )
    unresolved = [n for n, r in alike(results).items() if not resolves(r, threshold)]
    if unresolved:
        lines.append(
            f"Too few evaluations or episodes to tell when {100 * threshold:g} % was reached: "
            f"{', '.join(unresolved)}."
        )
    return lines


def _cadence(result: Result) -> int | None:
    """Steps between two evaluations; None of two or fewer, of which the last may be early."""
    return int(result.steps[1] - result.steps[0]) if len(result.steps) > 2 else None


def _every(result: Result, cadence: int) -> Result:
    on = result.steps % cadence == 0
    return dataclasses.replace(
        result,
        steps=result.steps[on],
        success=result.success[:, on],
        returns=result.returns[:, on],
        queries=result.queries[on],
        evaluations=result.evaluations[on],
        seconds=result.seconds[on],
    )


def _is_share(result: Result, threshold: float) -> bool:
    """Whether some share of a window's episodes below 1 reaches it, or it is 1; and none is 0."""
    if result.episodes is None or threshold == 1:
        return True
    least = 1 / (WINDOW * result.episodes)
    return bool(np.clip(threshold, least, 1 - least) == threshold)
