"""The tables of `docs/results/gflan.json`; see `gflan`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lprl_jax.results import comparison
from lprl_jax.results.statistics import Interval


def tables(figures: dict[str, Any]) -> dict[str, str]:
    """For results.md."""

    def text(found: Sequence[float]) -> str:
        return comparison.interval(Interval(*found))

    head = ["policy starts as", "kept near", "α", "trained maps", "held-out maps", "greedy"]
    head += ["gain on held-out", "KL(π ‖ p) a step"]
    rows = []
    for name, row in figures["frozen"].items():
        own = f"{row['training']:.2f}", text(row["held-out"]), f"{row['greedy']:.2f}"
        rows.append([name, "frozen: no training", "–", *own, "–", "0"])
    for cell in figures["cells"]:
        last = cell["curve"][-1]
        measured = [last[key] for key in ("success", "greedy", "gain over maps", "kl a step")]
        own = map(text, (cell["training"], *measured))
        rows.append([cell["start"], cell["target"], f"{cell['alpha']:g}", *own])
    for row in figures["network"]:
        own = map(text, (row["training"], row["success"], row["greedy"]))
        name = f"a network, {row['steps']:,} steps"
        rows.append([name, "–", "–", *own, "–", "–"])
    steps = figures["steps"]
    measures = len(figures["cells"][0]["curve"]) - 1
    at = [round(steps * i / measures) for i in range(measures + 1)]
    curves = [
        [cell["start"], cell["target"], f"{cell['alpha']:g}"]
        + [text(point["success"]) for point in cell["curve"]]
        for cell in figures["cells"]
    ]
    tuned = [
        [name, rate, f"{success:.2f}"]
        for name, found in figures["tuning"].items()
        for rate, success in found.items()
    ]
    asked = [[name, f"{count:,}"] for name, count in figures["counts"].items()]
    return {
        "gflan": comparison.markdown(head, rows),
        "gflan_curves": comparison.markdown([*head[:3], *(f"{n:,}" for n in at)], curves),
        "gflan_counts": comparison.markdown(["a run", "count"], asked),
        "gflan_tuning": comparison.markdown(["policy", "learning rate", "trained maps"], tuned),
    }
