"""SLINVIT on PlanBench's two customary suites: what a prior is worth in a search.

`python docs/experiments/slinvit.py [--tables DIR]` writes `docs/results/slinvit.json`. With a
directory the models' tables are kept there, and used again.

A search is held against nodes (children made), queries (nodes about which the prior was asked, each
a run of a model that remembers nothing) and valuations (states whose heuristic was computed). An
instance is solved if the environment says so within one action more than its shortest plan has.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import prose
import slinvit_numbers
import slinvit_tables
import written
from slinvit_tables import ENV

from lprl_jax import Data, TabularPrior, degrade, tabulate
from lprl_jax.algorithms.search import slinvit as algorithm
from lprl_jax.algorithms.search.slinvit_config import HParams, SLINVITConfig
from lprl_jax.results import comparison, statistics

OUT = Path(__file__).parents[1] / "results" / "slinvit.json"
SUITES = ("planbench-4", "planbench-6")
SEEDS = 32
DEPTHS, KS = (1, 2, 3), (1, 2, 3, 4, 5)
ALPHAS = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
MODELS = ("embedded", "embedded-early-2", "embedded-early-1")
PAPER = (2, 3)
"""The paper's depth and k."""

Figures = dict[str, Any]


def main() -> None:
    """Write the figures."""
    parser = argparse.ArgumentParser(description="SLINVIT's experiment.")
    parser.add_argument("--tables", type=Path, help="keep the models' tables in this directory")
    written.write(OUT, measure(parser.parse_args().tables), MODELS)


def measure(folder: Path | None) -> Figures:
    """Everything that the tables show."""
    rows = slinvit_tables.instances_of(SUITES)
    bank = bank_of(rows)
    priors = priors_of(rows, folder)
    without = [
        {"depth": depth, "k": k, **play(bank, None, depth=depth, k=k, proposals="heuristic")}
        for depth, k in [*itertools.product(DEPTHS, KS), (5, 2)]
    ]
    drawn = [
        {"prior": name, "depth": depth, "k": k, **play(bank, prior, depth=depth, k=k)}
        for depth, k in itertools.product(DEPTHS, KS)
        for name, prior in priors.items()
    ]
    depth, k = PAPER
    best = [
        {"depth": d, "k": k, **play(bank, priors["embedded"], depth=d, k=k, proposals="best")}
        for d in DEPTHS
    ]
    alphas = [
        {"alpha": a, "depth": d, **play(bank, priors["embedded"], alpha=a, depth=d, k=k)}
        for d in (1, depth)
        for a in ALPHAS
    ]
    return {
        "instances": {suite: int(np.sum(bank.of(suite))) for suite in SUITES},
        "held_out": {suite: int(np.sum(bank.held_out[bank.of(suite)])) for suite in SUITES},
        "seeds": SEEDS,
        "evaluations": {name: priors[name].evaluations for name in MODELS},
        "heuristic": without,
        "drawn": drawn,
        "best": best,
        "alphas": alphas,
    }


@dataclasses.dataclass(frozen=True)
class Bank:
    """Instances of both suites."""

    env: slinvit_tables.Env
    """Whose actions are searched."""
    params: Any
    """M instances."""
    lengths: np.ndarray
    """i32[M]: actions of the hand in a shortest plan."""
    budgets: np.ndarray
    """i32[M]: actions of the environment in which an instance must be solved."""
    held_out: np.ndarray
    """bool[M]"""

    def of(self, suite: str) -> np.ndarray:
        """`bool[M]`: those of a suite, which has the plans of one length."""
        return self.lengths == int(suite.removeprefix("planbench-"))


def bank_of(rows: Sequence[Any], env: slinvit_tables.Env = ENV, size: int = 1) -> Bank:
    """Rows of the suites; an action of the environment is `size` of the hand's.

    The budget is one action of the hand more than a shortest plan has.
    """
    params = slinvit_tables.params_of(rows, env)
    lengths = np.array([row["optimal_length"] for row in rows])
    held_out = np.asarray(jax.vmap(env.held_out)(params.bank))
    return Bank(env, params, lengths, (lengths + 1) // size, held_out)


def priors_of(rows: Sequence[Any], folder: Path | None) -> dict[str, Any]:
    """Models, better ones first, and the controls; all of them tables of one shape."""
    found = {name: slinvit_tables.of_model(name, rows, folder) for name in MODELS}
    params = slinvit_tables.params_of(rows)
    worse = {
        "embedded, half uniform": degrade(found["embedded"], epsilon=0.5),
        "embedded, adversarial": degrade(found["embedded"], adversarial=True),
    }
    tables = {name: tabulate(prior, ENV, params) for name, prior in worse.items()}
    controls = {"habit": slinvit_tables.of_habit(rows), "uniform": slinvit_tables.uniform(rows)}
    return {**found, **tables, **controls}


@functools.cache
def program(env: slinvit_tables.Env, has_prior: bool, **settings: Any) -> Any:
    """A compiled search, for every prior alike: the table is an argument."""
    prior = TabularPrior(env, jnp.zeros(()), "any", 0) if has_prior else None
    config = SLINVITConfig(alpha=float(has_prior), **settings)
    return jax.jit(algorithm.make(config, env, prior).solve)


def play(bank: Bank, prior: Any, alpha: float = 0.1, **settings: Any) -> Figures:
    """Every instance by every seed: a suite's figures, all instances and held-out ones apart."""
    seeds = SEEDS if prior is not None and settings.get("proposals") != "best" else 1
    size = len(bank.lengths)
    instances = jnp.tile(jnp.arange(size, dtype=jnp.int32), seeds)
    budgets = jnp.tile(jnp.asarray(bank.budgets, jnp.int32), seeds)
    hparams = HParams(jnp.full(instances.shape, 0.0 if prior is None else alpha, jnp.float32))
    data = Data(() if prior is None else prior.params, bank.params)
    solve = program(bank.env, prior is not None, **settings)
    outcome = jax.device_get(solve(jax.random.key(0), instances, budgets, hparams, data))
    found = {}
    for suite in (suite for suite in SUITES if bank.of(suite).any()):
        own = bank.of(suite)
        solved = outcome.solved.reshape(seeds, size)
        means = {
            name: round(float(x.reshape(seeds, size)[:, own].mean()), 2)
            for name, x in outcome.cost._asdict().items()
        }
        found[suite] = {
            "success": _interval(solved[:, own]),
            "held_out": _interval(solved[:, own & bank.held_out]),
            "solved": int(solved[:, own].sum()) if seeds == 1 else None,
            **means,
        }
    return found


def _interval(solved: np.ndarray) -> list[float | None]:
    """IQM over the seeds of the share that is solved, with its interval; of one seed, without."""
    return statistics.bootstrap_interval(solved.mean(axis=1)).rounded()


def tables(figures: Figures) -> dict[str, str]:
    """The tables of the page."""
    return {
        "slinvit-heuristic": _without_a_prior(figures),
        "slinvit-priors": _priors(figures),
        "slinvit-budget": _at_equal_nodes(figures),
        "slinvit-alpha": _alphas(figures),
        "slinvit-held-out": _held_out(figures),
    }


def numbers(figures: Figures) -> prose.Numbers:
    """What sentences quote: `drawn.embedded.6.d1.k3`, `heuristic.6.d1.k2.solved`.

    `alphas.gain.least` and `.most`: points on the longer plans, α = 0.1 against 0, by depth.
    """
    found = slinvit_numbers.of_suites(figures)
    found |= {f"evaluations.{x}": prose.count(n) for x, n in figures["evaluations"].items()}
    for kind in ("heuristic", "drawn", "best", "alphas"):
        found |= slinvit_numbers.of_searches(kind, figures[kind])
    own = {(row["alpha"], row["depth"]): row[SUITES[1]]["success"][0] for row in figures["alphas"]}
    gains = sorted(100 * (own[0.1, depth] - own[0.0, depth]) for depth in (1, PAPER[0]))
    return found | dict(zip(("alphas.gain.least", "alphas.gain.most"),
                            (f"{gain:.0f}" for gain in gains), strict=True))  # fmt: skip


def _without_a_prior(figures: Figures) -> str:
    head = ["depth", *(f"{s}: {x}" for s in SUITES for x in ("solved", "nodes", "values computed"))]
    rows = [
        [f"{row['depth']}"]
        + [
            cell
            for suite in SUITES
            for cell in (
                f"{row[suite]['solved']}/{figures['instances'][suite]}",
                f"{row[suite]['nodes']:.1f}",
                f"{row[suite]['valuations']:.1f}",
            )
        ]
        for row in figures["heuristic"]
        if row["k"] == 2
    ]
    return comparison.markdown(head, rows)


def _priors(figures: Figures) -> str:
    """Depth 1 to 3 with k = 3: the priors, and the heuristic in their place."""
    k = PAPER[1]
    head = ["proposed by", *(f"{s}, depth {d}" for s in SUITES for d in DEPTHS)]
    names = list(dict.fromkeys(row["prior"] for row in figures["drawn"]))
    kinds = [(f"{name}, drawn", figures["drawn"], name) for name in names]
    kinds.insert(1, ("embedded, its best", figures["best"], None))
    kinds.append(("the heuristic, no prior", figures["heuristic"], None))
    rows = [
        [label, *(cell(find(found, d, k, name)[suite]) for suite in SUITES for d in DEPTHS)]
        for label, found, name in kinds
    ]
    return comparison.markdown(head, rows)


def find(found: Sequence[Figures], depth: int, k: int, prior: str | None = None) -> Figures:
    """The row of a depth, a k and a prior."""
    return next(
        row
        for row in found
        if (row["depth"], row["k"]) == (depth, k) and prior in (None, row.get("prior"))
    )


def cell(figures: Figures) -> str:
    """Success with its interval."""
    return comparison.interval(statistics.Interval(*figures["success"]))


def _at_equal_nodes(figures: Figures) -> str:
    """The six-step suite: every depth and k, the embedded prior beside the heuristic."""
    suite = SUITES[1]
    head = ["depth", "k", "embedded prior", "nodes", "queries", "values computed"]
    head += ["uniform prior", "nodes", "heuristic", "nodes", "values computed"]
    rows = []
    for depth, k in itertools.product(DEPTHS, KS):
        drawn = find(figures["drawn"], depth, k, "embedded")[suite]
        uniform = find(figures["drawn"], depth, k, "uniform")[suite]
        rule = find(figures["heuristic"], depth, k)[suite]
        effort = [f"{drawn[name]:.1f}" for name in ("nodes", "expanded", "valuations")]
        cells = [f"{depth}", f"{k}", cell(drawn), *effort]
        cells += [cell(uniform), f"{uniform['nodes']:.1f}"]
        cells += [f"{rule['success'][0]:.2f}", f"{rule['nodes']:.1f}", f"{rule['valuations']:.1f}"]
        rows.append(cells)
    return comparison.markdown(head, rows)


def _alphas(figures: Figures) -> str:
    head = ["α", *(f"{s}, depth {d}" for s in SUITES for d in (1, PAPER[0]))]
    rows = []
    for alpha in ALPHAS:
        own = [row for row in figures["alphas"] if row["alpha"] == alpha]
        rows.append([f"{alpha:g}", *(cell(row[suite]) for suite in SUITES for row in own)])
    return comparison.markdown(head, rows)


def _held_out(figures: Figures) -> str:
    """The paper's depth and k, on all instances and on the held-out ones."""
    depth, k = PAPER
    head = ["proposed by"]
    for suite in SUITES:
        count = figures["instances"][suite], figures["held_out"][suite]
        head += [f"{suite}: all {count[0]}", f"held out {count[1]}"]
    names = list(dict.fromkeys(row["prior"] for row in figures["drawn"]))
    kinds = [(name, find(figures["drawn"], depth, k, name)) for name in names]
    kinds.append(("the heuristic, no prior", find(figures["heuristic"], depth, k)))
    rows = [
        [name]
        + [
            comparison.interval(statistics.Interval(*row[suite][kind]))
            for suite in SUITES
            for kind in ("success", "held_out")
        ]
        for name, row in kinds
    ]
    return comparison.markdown(head, rows)


if __name__ == "__main__":
    main()
