"""What pages quote of the embedded judge's card, `MODEL_CARD.json`: `lprl pretrain` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import prose

from lprl_jax.results.comparison import markdown

WHO = {
    "model": "model",
    "shuffled": "words shuffled",
    "blind": "blind to the instance",
    "habit": "habit",
}
SHOWN = ("covered", "right_where_said", "calibration", "said_of_others")
"""Further figures of the model."""


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """Right decided verdicts by world and by how its states were drawn."""
    head = ["world", "states", *WHO.values(), "says", "right there", "error", "says of others"]
    rows = [
        [
            row["task"],
            row["way"],
            *(prose.share(row[who]["right"]) for who in WHO),
            *(prose.share(row["model"][x]) for x in SHOWN),
        ]
        for row in figures["verdicts"]
    ]
    return {"judge_verdicts": markdown(head, rows)}


def numbers(figures: Mapping[str, Any]) -> prose.Numbers:
    """What sentences quote.

    Right verdicts: `cartpole.anyhow.model`, `.shuffled`, `.blind`, `.habit`; over the ways of
    drawing states `cartpole.least`, `.most`, `.shuffled.most`, `.blind.most`. Actions:
    `.acts.model`; `.follows` is the share of episodes solved by actions drawn from it.
    """
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
        for who in ("shuffled", "blind"):
            found[f"{name}.{who}.most"] = prose.share(max(row[who]["right"] for row in rows))
    for row in figures["actions"]:
        name = f"{prose.slug(row['task'])}.acts"
        for who in ("model", "shuffled", "habit"):
            found[f"{name}.{who}"] = prose.percent(row[who]["top1"])
        if row["success"] is not None:
            ends = [row["success"]["drawn"][x] for x in ("estimate", "low", "high")]
            found |= prose.estimate(f"{prose.slug(row['task'])}.follows", ends)
    return found
