"""What pages quote of `embedded-home`'s card, `MODEL_CARD.json`: `lprl pretrain` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import card
import prose

from lprl_jax.results.comparison import markdown


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """By world and kind of instances: top-1, and the share of episodes that are solved."""
    head = ["held-out instances", "model", "words shuffled", "habit", "uniform"]
    head += ["episodes solved, actions drawn", "its most likely", "habit", "uniform"]
    rows = []
    for row in figures["actions"]:
        right = [prose.share(row[kind]["top1"]) for kind in card.KINDS]
        solved = [prose.share(rate["estimate"]) for rate in row["success"].values()]
        rows.append([f"{row['task']}, {row['population']}", *right, *solved])
    return {"home_top1": markdown(head, rows)}


numbers = card.numbers
