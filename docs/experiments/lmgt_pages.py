"""What pages show of LMGT's worlds: tables, and figures that sentences quote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import prose
from lmgt_learners import (
    ALPHAS,
    MODELS_ROW,
    NO_JUDGE,
    PERFECT,
    RUNS,
    SCALES,
    WORLDS,
    scale_of,
)

from lprl_jax.algorithms.shift_config import ShiftConfig
from lprl_jax.pretraining.verdicts import WAYS
from lprl_jax.results.comparison import markdown


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """Markdown by name."""
    found = {}
    for name in WORLDS:
        if name in figures:
            head = ["learner", "judge", "steps to the threshold", "half-way", "at the end"]
            rows = [
                [learner, title, row["steps"], _interval(row["half"]), _interval(row["end"])]
                for learner, of_learner in figures[name].items()
                for title, row in of_learner.items()
            ]
            found[f"worlds_{name}"] = markdown(head, rows)
    if rows := _saved_by_world(figures):
        who = ("saved", "by the ends", "saved by a perfect judge", "by the ends")
        head = ["world", "learner", "no judge", "the model", *who]
        found["worlds_saved"] = markdown(head, rows)
    if "alone" in figures:
        rows = [
            [WORLDS[name].title, *(_interval(x) for x in of_judge.values())]
            for name, of_judge in figures["alone"].items()
        ]
        head = ["world", *next(iter(figures["alone"].values()))]
        found["worlds_alone"] = markdown(head, rows)
    for part, learner, shown, values in (
        ("scales", "learner (world)", "{:g}", SCALES),
        ("priors", "learner, prior (world)", "α = {:g}", ALPHAS),
    ):
        if part in figures:
            head = [learner, *map(shown.format, values)]
            rows = [
                [name, *(row[f"{value:g}"]["steps"] for value in values)]
                for name, row in figures[part].items()
            ]
            found[f"worlds_{part}"] = markdown(head, rows)
    if "bits" in figures:
        rows = [
            [
                number,
                *(prose.share(row["right"][way]) for way in WAYS),
                row["steps"],
                _interval(row["half"]),
                _interval(row["end"]),
            ]
            for number, row in figures["bits"].items()
        ]
        head = ["bits", *(f"right, {way}" for way in WAYS), "steps", "half-way", "at the end"]
        found["worlds_bits"] = markdown(head, rows)
    return found


def _saved_by_world(figures: Mapping[str, Any]) -> list[list[str]]:
    """What verdicts save of the steps, by world and learner."""
    return [
        [
            WORLDS[name].title,
            learner,
            rows[NO_JUDGE]["steps"],
            rows[MODELS_ROW]["steps"],
            *(
                share(rows[NO_JUDGE]["steps"], rows[who]["steps"])
                for who in (MODELS_ROW, PERFECT)
                for share in (saved, surely_saved)
            ),
        ]
        for name in WORLDS
        for learner, rows in figures.get(name, {}).items()
    ]


def saved(without: str, own: str) -> str:
    """The share of the median's steps that is saved: `40 %`, `at least 70 %`, `some`, `none`, `–`.

    Args:
        without: Steps to the threshold without a judge, as tables show them.
        own: With one; where neither median comes there, nothing is known.
    """
    (base, base_never), (mine, never) = _median(without), _median(own)
    if never:
        return "–" if base_never else "none"
    if mine >= base:
        return "some" if base_never else "none"
    share = prose.percent(1 - mine / base)
    return f"at least {share}" if base_never else share


def surely_saved(without: str, own: str) -> str:
    """The share that the ends of both intervals still leave, as `saved`; `–` if they meet."""
    (base, _), (mine, never) = _end(without, low=True), _end(own, low=False)
    return "–" if never or mine >= base else prose.percent(1 - mine / base)


def _worlds_that_surely_save(figures: Mapping[str, Any], who: str) -> str:
    """Where verdicts save steps by the ends of the intervals: `watch repair by PPO (43 %)`."""
    found = [
        f"{WORLDS[name].title} by {learner} ({share})"
        for name in WORLDS
        for learner, rows in figures.get(name, {}).items()
        if (share := surely_saved(rows[NO_JUDGE]["steps"], rows[who]["steps"])) != "–"
    ]
    return ", ".join(found) or "nowhere"


def _median(steps: str) -> tuple[float, bool]:
    """Of `> 10,240 [9,728, > 10,240], 13/32`: 10,240, and that it lies beyond."""
    return _number(prose.reached("m", steps)["m"])


def _end(steps: str, low: bool) -> tuple[float, bool]:
    """An end of the interval, and whether it lies beyond; without an interval both are the last."""
    interval = prose.reached("m", steps)["m.interval"]
    ends = interval.partition(" [")[2].rstrip("]").split(", ")
    return _number(ends[0 if low else -1] or interval)


def _number(text: str) -> tuple[float, bool]:
    """Of `> 10,240`: 10,240, and that it lies beyond."""
    return float(text.strip("> ").replace(",", "")), text.startswith(">")


def numbers(figures: Mapping[str, Any]) -> dict[str, str]:
    """What sentences quote.

    `cartpole.ppo.embedded-judge.steps.interval`, `.half`, `.end`, `.queries`; without a learner
    `alone.cartpole.embedded-judge`; where steps are saved by the ends of intervals `saved.perfect`.
    """
    found = {"runs": f"{RUNS}", "scale": f"{ShiftConfig.shift_scale:g}"}
    found |= {"scales.largest": f"{SCALES[-1]:g}", "scales.second": f"{SCALES[-2]:g}"}
    for name, own in WORLDS.items():
        found[f"{name}.threshold"] = prose.share(own.threshold, 1 if abs(own.threshold) < 1 else 0)
        found[f"{name}.scale"] = f"{scale_of(own):g}".replace("0.", ".", 1)
    found |= {
        f"saved.{prose.slug(who)}": _worlds_that_surely_save(figures, who)
        for who in (MODELS_ROW, PERFECT)
    }
    for name, of_judge in figures.get("alone", {}).items():
        for title, value in of_judge.items():
            found[f"alone.{name}.{prose.slug(title)}"] = _interval(value)
    for part, of_part in figures.items():
        if part == "alone":
            continue
        rows = {"": of_part} if part == "bits" else of_part
        for learner, of_learner in rows.items():
            for title, row in of_learner.items():
                key = ".".join(prose.slug(x) for x in (part, learner, title) if x)
                found |= prose.within(key, prose.reached("steps", row["steps"]))
                found[f"{key}.half"] = _interval(row["half"])
                found[f"{key}.end"] = _interval(row["end"])
                found[f"{key}.queries"] = prose.count(row["queries"])
    return found


def _interval(estimate: Sequence[float]) -> str:
    """`463 [450, 471]`, `-.08 [-.09, -.07]`"""
    big = max(map(abs, estimate)) >= 10
    value, low, high = (f"{x:.0f}" if big else prose.share(x) for x in estimate)
    return f"{value} [{low}, {high}]"
