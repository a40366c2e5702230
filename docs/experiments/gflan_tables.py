"""The tables and numbers of `docs/results/gflan.json`; see `gflan`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import prose

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


def numbers(figures: dict[str, Any]) -> prose.Numbers:
    """What sentences quote: `embedded.frozen.0.1.success`, `network.long.success`.

    A row is `START.TARGET.ALPHA`; `frozen.embedded` is a start's success before, `embedded.most`
    the best of its rows that are kept near their own model.
    """
    steps, runs = figures["steps"], figures["runs"]
    found = {"runs": f"{runs}", "steps": prose.count(steps)}
    for name, row in figures["frozen"].items():
        found |= prose.estimate(f"frozen.{name}", row["held-out"])
        found[f"frozen.{name}.greedy"] = prose.share(row["greedy"])
        found["evaluations"] = prose.count(row["evaluations"])
    for cell in figures["cells"]:
        name = f"{cell['start']}.{prose.slug(cell['target'])}.{cell['alpha']:g}"
        last = cell["curve"][-1]
        found |= prose.estimate(f"{name}.training", cell["training"])
        for what, key in (("success", "success"), ("greedy", "greedy"), ("kl", "kl a step"),
                          ("gain", "gain over maps")):  # fmt: skip
            found |= prose.estimate(f"{name}.{what}", last[key])
    kept = [cell for cell in figures["cells"] if cell["target"] == "frozen"]
    for start in figures["frozen"]:
        own = [cell["curve"][-1]["success"][0] for cell in kept if cell["start"] == start]
        found[f"{start}.most"] = prose.share(max(own))
        found[f"{start}.least"] = prose.share(min(own))
    short, long = sorted(figures["network"], key=lambda row: row["steps"])
    for name, row in (("short", short), ("long", long)):
        for what in ("training", "success", "greedy"):
            found |= prose.estimate(f"network.{name}.{what}", row[what])
    found["network.long"] = prose.count(long["steps"])
    found["network.times"] = f"{long['steps'] // short['steps']}"
    for name, rates in figures["tuning"].items():
        for rate, success in rates.items():
            found[f"tuning.{prose.slug(name)}.{rate}"] = prose.share(success)
    return found
