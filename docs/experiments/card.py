"""What pages quote of the model card: `MODEL_CARD.json`, which `lprl pretrain` writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import prose

SHOWN = {
    "FrozenLake 8x8, firm": "Frozen Lake 8×8, firm",
    "FrozenLake 8x8, slippery": "Frozen Lake 8×8, slippery",
    "BlocksWorld 4": "Blocks World, 4 blocks",
    "BlocksWorld 5": "Blocks World, 5 blocks",
    "CubeStacking 8": "8 cubes",
    "CubeStacking 11": "11 cubes",
    "ImageCompletion 10x10": "image completion 10×10",
    "ObjectArrangement 5x5": "object arrangement 5×5",
}
"""Tasks of the README's table, by what they are called there."""
_SUCCESS = ("drawn", "greedy", "uniform")


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """In how many states of held-out instances the most likely action is right."""
    rows = {row["task"]: row for row in figures["actions"]}
    lines = ["| | model | words of the text shuffled | uniform |", "|---|---|---|---|"]
    for task, name in SHOWN.items():
        kinds = [rows[task][kind]["top1"] for kind in ("model", "shuffled", "uniform")]
        lines.append(f"| {name} | {' | '.join(_percent(value) for value in kinds)} |")
    return {"card_top1": "\n".join(lines)}


def numbers(figures: Mapping[str, Any]) -> prose.Numbers:
    """Figures by place: `FrozenLake-8x8-firm.model.top1`, `.success.drawn`, `.ladder.early-1`.

    Tasks are as the card writes them, with "-" for what is no letter or digit; shares in percent.
    Of a completion, `CubeStacking-8-whole.accepted.most` is that of the bin that shows most.
    """
    settings = figures["settings"]
    found = {"parameters": prose.count(figures["parameters"])}
    found |= {"steps": prose.count(settings["num_steps"]), "tasks": f"{len(_tasks(figures))}"}
    for row in figures["actions"]:
        name = _name(row["task"])
        for kind in ("model", "shuffled", "uniform"):
            found[f"{name}.{kind}.top1"] = _percent(row[kind]["top1"])
        if row["success"] is not None:
            found |= prose.within(f"{name}.success", _of_success(row["success"]))
        for version, top1 in row["ladder"].items():
            found[f"{name}.ladder.{version}"] = _percent(top1)
    for row in figures["completions"]:
        found[f"{_name(row['task'])}.accepted.most"] = prose.percent(row["accepted"][-1])
    return found


def _tasks(figures: Mapping[str, Any]) -> list[str]:
    return [row["task"] for kind in ("actions", "completions") for row in figures[kind]]


def _of_success(success: Any) -> prose.Numbers:
    """Of episodes: by way of acting, with intervals where there are some."""
    ways = success if isinstance(success, dict) else dict(zip(_SUCCESS, success, strict=True))
    found: prose.Numbers = {}
    for way, value in ways.items():
        if isinstance(value, dict):
            ends = [value[x] for x in ("estimate", "low", "high")]
            found |= prose.estimate(way, ends, prose.percent)
        else:
            found[way] = prose.percent(value)
    return found


def _name(task: str) -> str:
    return "-".join(task.replace(",", "").split())


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
