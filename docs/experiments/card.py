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
KINDS = ("model", "shuffled", "habit", "uniform")
"""Of answers."""


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """In how many states of held-out instances the most likely action is right."""
    lines = [
        "| | instances | model | words shuffled | habit | uniform |",
        "|---|---|---|---|---|---|",
    ]
    for row in figures["actions"]:
        if row["task"] in SHOWN:
            kinds = " | ".join(_percent(row[kind]["top1"]) for kind in KINDS)
            lines.append(f"| {SHOWN[row['task']]} | {row['population']} | {kinds} |")
    return {"card_top1": "\n".join(lines)}


def numbers(figures: Mapping[str, Any]) -> prose.Numbers:
    """Figures by place: `FrozenLake-8x8-firm.corner-to-corner.model.top1`, `.success.drawn`, ...

    Tasks and populations are as the card writes them, with "-" for what is no letter or digit;
    shares in percent; `.ladder.early-1` is an early version's top-1, `.taught` of a task the share
    of held-out texts that were taught.
    Of a completion, `CubeStacking-8-whole.accepted.most` is that of the bin that shows most.
    """
    settings = figures["settings"]
    found = {"parameters": prose.count(figures["parameters"])}
    found |= {"steps": prose.count(settings["num_steps"]), "tasks": f"{len(_tasks(figures))}"}
    for row in figures["actions"]:
        name = f"{_name(row['task'])}.{_name(row['population'])}"
        for kind in KINDS:
            found[f"{name}.{kind}.top1"] = _percent(row[kind]["top1"])
        if row["success"] is not None:
            for way, rate in row["success"].items():
                ends = [rate[x] for x in ("estimate", "low", "high")]
                found |= prose.estimate(f"{name}.success.{way}", ends, prose.percent)
        for version, top1 in row["ladder"].items():
            found[f"{name}.ladder.{version}"] = _percent(top1)
    for row in figures["completions"]:
        found[f"{_name(row['task'])}.accepted.most"] = prose.percent(row["accepted"][-1])
    for row in figures["taught"]:
        found[f"{_name(row['task'])}.taught"] = prose.percent(row["taught_texts"] / row["texts"])
    return found


def _tasks(figures: Mapping[str, Any]) -> list[str]:
    rows = (row["task"] for kind in ("actions", "completions") for row in figures[kind])
    return list(dict.fromkeys(rows))  # a task may have several kinds of instances


def _name(task: str) -> str:
    return "-".join(task.replace(",", "").split())


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
