"""What pages quote of the embedded judge's card, `MODEL_CARD.json`: `lprl pretrain` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import prose

from lprl_jax.results.comparison import markdown

WHO = {"model": "model", "shuffled": "words shuffled", "habit": "habit"}


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """Right decided verdicts by world and by how its states were drawn."""
    head = ["world", "states", *WHO.values(), "says good or bad", "right there", "error"]
    rows = [
        [
            row["task"],
            row["way"],
            *(prose.share(row[who]["right"]) for who in WHO),
            *(prose.share(row["model"][x]) for x in ("covered", "right_where_said", "calibration")),
        ]
        for row in figures["verdicts"]
    ]
    return {"judge_verdicts": markdown(head, rows)}


def numbers(figures: Mapping[str, Any]) -> prose.Numbers:
    """`cartpole.anyhow.model`, `.shuffled`, `.habit`; `cartpole.least`, `.shuffled.most`."""
    found = {
        "parameters": prose.count(figures["parameters"]),
        "steps": prose.count(figures["settings"]["num_steps"]),
    }
    by_task: dict[str, list[Any]] = {}
    for row in figures["verdicts"]:
        name = prose.slug(row["task"])
        by_task.setdefault(name, []).append(row)
        for who in WHO:
            found[f"{name}.{prose.slug(row['way'])}.{who}"] = prose.share(row[who]["right"])
    for name, rows in by_task.items():
        found[f"{name}.least"] = prose.share(min(row["model"]["right"] for row in rows))
        found[f"{name}.most"] = prose.share(max(row["model"]["right"] for row in rows))
        found[f"{name}.shuffled.most"] = prose.share(max(row["shuffled"]["right"] for row in rows))
    for row in figures["actions"]:
        name = f"{prose.slug(row['task'])}.acts"
        for who in ("model", "shuffled", "habit"):
            found[f"{name}.{who}"] = prose.percent(row[who]["top1"])
    return found
