"""What sentences quote of `docs/results/kl_estimator.json`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import prose

Figures = dict[str, Any]


def numbers(figures: Figures, five: int) -> prose.Numbers:
    """What sentences quote: `WORLD.embedded.STAGE.k5.deviation`, of ours; `.plain.`, `.counts.`.

    Args:
        figures: Of every world, prior and stage.
        five: Proposals, of which the spans over worlds and stages are.
    """
    found = {"draws": prose.count(figures["draws"])}
    for world, prior, stage, own in _every(figures):
        name = f"{world}.{prose.slug(prior)}.{prose.slug(stage)}"
        found |= {f"{world}.states": prose.count(own["states"]), f"{name}.kl": _short(own["kl"])}
        for k, of_k in own["k"].items():
            found[f"{name}.k{k}.from_rare_actions"] = prose.percent(of_k["from_rare_actions"])
            for estimator, measured in of_k["estimators"].items():
                at = f"{name}.k{k}" + ("" if estimator == "ours" else f".{estimator}")
                found |= {f"{at}.{what}": _short(value) for what, value in measured.items()}
                found[f"{at}.off"] = _short(abs(measured["bias"]))
                found[f"{at}.below_half"] = prose.percent(measured["below_half"])
    return found | _spans(figures, five)


def _every(figures: Figures) -> Iterator[tuple[str, str, str, Figures]]:
    """World, prior, stage, and what was found there."""
    for world, priors in figures.items():
        if isinstance(priors, dict):
            for prior, stages in priors.items():
                for stage, own in stages.items():
                    yield world, prior, stage, own


def _spans(figures: Figures, five: int) -> prose.Numbers:
    """Least and most over worlds and stages, with five proposals; how many means are off."""
    found: prose.Numbers = {}
    rows: dict[str, list[Figures]] = {}
    for _, prior, _, own in _every(figures):
        rows.setdefault(prior, []).append(own)
    means = [
        of_k["estimators"]["ours"] for own in rows.values() for row in own
        for of_k in row["k"].values()
    ]  # fmt: skip
    off = sum(abs(mean["bias"]) > 2 * mean["standard_error"] for mean in means)
    found |= {"means": f"{len(means)}", "means.off": "none" if off == 0 else f"{off}"}
    for prior, own in rows.items():
        of_five = [row["k"][str(five)]["estimators"] for row in own]
        exact = [row["kl"] for row in own]
        spans = {
            "deviation": [
                x["ours"]["deviation"] / kl for x, kl in zip(of_five, exact, strict=True)
            ],
            "gradient_error": [x["ours"]["gradient_error"] for x in of_five],
            "plain": [x["plain"]["deviation"] / x["ours"]["deviation"] for x in of_five],
            "counts.bias": [
                abs(x["counts"]["bias"]) / kl for x, kl in zip(of_five, exact, strict=True)
            ],
        }
        nearer = [x["counts"]["gradient_error"] < x["ours"]["gradient_error"] for x in of_five]
        name = f"{prose.slug(prior)}.k{five}"
        found |= {f"{name}.rows": f"{len(own)}", f"{name}.counts.nearer": f"{sum(nearer)}"}
        for what, values in spans.items():
            found[f"{name}.{what}.least"] = _short(min(values))
            found[f"{name}.{what}.most"] = _short(max(values))
    return found


def _short(value: float) -> str:
    """`.65`, `2.4`, `769,000`."""
    if abs(value) >= 100:
        return prose.count(float(f"{value:.3g}"))
    return f"{value:.2g}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.2g}"
