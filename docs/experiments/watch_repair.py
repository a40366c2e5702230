"""What a reward shift is worth on watch repair: tabular TD, with judges of many kinds.

    python docs/experiments/watch_repair.py --part 1/2
    python docs/experiments/watch_repair.py --part 2/2

write `docs/results/watch_repair.json`; a part is a half of the judges, so that their tables, 290 MB
each, need not be there at once. RUDDER's brands and learner (`watch_repair_td`), 200 runs with each
judge, all of a part's in one compiled program; run r makes the same trips and draws the same
chances with every judge. A run has learnt to decide when so many of its last decisions are right,
as they were taken, exploration included. Three such rules are followed:

* `750`: more than .90 of the last 750.
* `authors`: .95 or more of the last 750, the rule of RUDDER's program. Exploration alone makes one
  decision in twenty wrong.
* `100`: more than .90 of the last 100.
"""

from __future__ import annotations

import argparse
import functools
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import prose
import written
from lprl_envs import WatchRepair
from lprl_envs.watch_repair import REPAIR, margins_of
from watch_repair_td import Draws, Judge, Table, learn, perfect, start, travel

from lprl_jax.results import statistics
from lprl_jax.results.comparison import markdown

FIGURES = Path(__file__).parents[1] / "results" / "watch_repair.json"
RUNS, EPISODES, AT_ONCE, SEED = 200, 100_000, 500, 0
"""Runs a judge; episodes, and of them in one call; the seed of all that is drawn."""
RULES = {"750": (750, 676), "authors": (750, 713), "100": (100, 91)}
"""Decisions looked at, and how many of them are to be right."""
JUDGES: dict[str, dict[str, Any]] = {
    "none": {},
    "scale 1": {"scale": 1},
    "scale 2": {"scale": 2},
    "scale 3": {"scale": 3},
    "scale 4": {"scale": 4},
    "scale 5": {"scale": 5},
    "scale 3, 90 % right, errors drawn": {"scale": 3, "wrong": 0.1},
    "scale 5, 90 % right, errors drawn": {"scale": 5, "wrong": 0.1},
    "scale 5, 90 % right, errors of brands": {"scale": 5, "frozen": 0.1},
    "scale 3, adversarial": {"scale": -3},
    "scale 5, adversarial, annealed": {"scale": -5, "until": 20_000},
    "1 less at each step": {"constant": -1},
    "1 more at each step": {"constant": 1},
    "first values, scale 3": {"advance": 3},
}
"""What differs from no judge, in the fields of `Judge`; `frozen` is the chance of a brand whose
verdicts are turned for a whole run."""


def main() -> None:
    """Run the judges of a part and write the figures; those of others stay as they are."""
    parser = argparse.ArgumentParser(description="Judges of watch repair.")
    parser.add_argument("--part", default="1/1", help="i/n: of n parts, the judges of the i-th")
    part, parts = map(int, parser.parse_args().part.split("/"))
    began = time.perf_counter()
    env = WatchRepair()
    params = env.default_params
    names = np.array_split(list(JUDGES), parts)[part - 1].tolist()
    decisions, brands = decide(env, params, judges_of(params, names))
    margins = np.asarray(margins_of(params.bank)[0])
    rows = written.kept(FIGURES).get("judges", {})
    for j, name in enumerate(names):
        rows[name] = measure(decisions[:, j], brands, margins)
        print(name, *(f"{rule}: {own['episodes']}" for rule, own in rows[name].items()))
    rows = {name: rows[name] for name in JUDGES if name in rows}
    figures = {"runs": RUNS, "episodes": EPISODES, "seed": SEED, "judges": rows}
    written.write(FIGURES, figures)
    print(f"{time.perf_counter() - began:.0f} s")


def judges_of(params: Any, names: list[str]) -> Judge:
    """Leaves `[J, RUNS, ...]`."""
    draws = jax.random.uniform(jax.random.fold_in(jax.random.key(SEED), 1), (RUNS, 4, 1))

    def one(
        scale: float = 0.0,
        wrong: float = 0.0,
        until: float = jnp.inf,
        constant: float = 0.0,
        advance: float = 0.0,
        frozen: float = 0.0,
    ) -> Judge:
        verdict = perfect(params)[None] * jnp.where(draws < frozen, -1.0, 1.0)
        same = (jnp.full(RUNS, x, jnp.float32) for x in (scale, wrong, until, constant, advance))
        return Judge(verdict, *same)

    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *(one(**JUDGES[name]) for name in names))


def decide(env: WatchRepair, params: Any, judges: Judge) -> tuple[np.ndarray, np.ndarray]:
    """Decisions `i8[EPISODES, J, RUNS]` and brands `i8[EPISODES, RUNS]`."""

    @functools.partial(jax.jit, donate_argnums=0)
    def some(tables: Table, key: jax.Array, judges: Judge, params: Any, episode: jax.Array) -> Any:
        key_trips, key_draws = jax.random.split(key)
        trips = travel(env, params, jax.random.split(key_trips, AT_ONCE * RUNS))
        trips = jax.tree.map(lambda leaf: leaf.reshape(AT_ONCE, RUNS, *leaf.shape[1:]), trips)
        draws = Draws(*jax.random.uniform(key_draws, (3, AT_ONCE, RUNS)))
        tables, decisions = learn(tables, trips, draws, judges, episode)
        return tables, decisions.astype(jnp.int8), trips.brand.astype(jnp.int8)

    tables, found = start(env, judges), []
    for key, episode in zip(
        jax.random.split(jax.random.key(SEED), EPISODES // AT_ONCE),
        range(0, EPISODES, AT_ONCE),
        strict=True,
    ):
        tables, *made = some(tables, key, judges, params, jnp.int32(episode))
        found.append(jax.device_get(made))
    decisions, brands = zip(*found, strict=True)
    return np.concatenate(decisions), np.concatenate(brands)


def measure(decisions: np.ndarray, brands: np.ndarray, margins: np.ndarray) -> dict[str, Any]:
    """Of one judge, by every rule: episodes of the runs, their median, quartiles, regret.

    The regret is what wrong decisions lose on average, summed up to the rule, or to the end of a
    run that never gets there; its mean over the runs. Episodes of such runs are None.

    Args:
        decisions: i8[T, R].
        brands: i8[T, R].
        margins: f32[4].
    """
    is_right = (decisions == REPAIR) == (margins[brands] > 0)
    lost = np.where(is_right, np.float32(0), np.abs(margins)[brands])
    total = np.cumsum(lost, axis=0, dtype=np.float64)
    most, found = len(is_right), {}
    for rule, (window, needed) in RULES.items():
        first = passes(is_right, window, needed)
        until = np.minimum(first, most)
        quarters = np.quantile(first, (0.25, 0.5, 0.75), method="inverted_cdf")
        found[rule] = {
            "episodes": str(statistics.summarize_steps(until, first <= most)),
            "quartiles": [_or_none(x, most) for x in quarters],
            "runs": int((first <= most).sum()),
            "regret": float(np.mean(total[until - 1, np.arange(len(first))])),
            "all": [_or_none(x, most) for x in first],
        }
    return found


def passes(is_right: np.ndarray, window: int, needed: int) -> np.ndarray:
    """`i64[R]`: episodes until so many of the last ones are right; T + 1 if that is never.

    Args:
        is_right: bool[T, R].
        window: Decisions looked at: the rule cannot be met before so many.
        needed: How many of them are to be right.
    """
    counts = np.cumsum(is_right, axis=0, dtype=np.int32)
    counts[window:] -= counts[:-window].copy()
    met = counts[window - 1 :] >= needed
    return np.where(met.any(0), met.argmax(0) + window, len(is_right) + 1)


def _or_none(episodes: Any, most: int) -> int | None:
    return None if episodes > most else int(episodes)


# -- the page ------------------------------------------------------------------------------------


def tables(figures: dict[str, Any]) -> dict[str, str]:
    """`watch_repair`: a row a judge."""
    head = ["judge", "> .90 of 750", "quartiles", "regret", "≥ .95 of 750", "> .90 of 100"]
    lines = []
    for name, row in figures["judges"].items():
        own, authors, short = (row[rule] for rule in RULES)
        cells = [name, own["episodes"], quartiles(own), prose.count(own["regret"])]
        lines.append([*cells, authors["episodes"], short["episodes"]])
    return {"watch_repair": markdown(head, lines)}


def quartiles(found: dict[str, Any]) -> str:
    """`59,500 – 63,300`."""
    low, _, high = map(_episodes, found["quartiles"])
    return low if low == high else f"{low} – {high}"


def _episodes(found: int | None) -> str:
    return "never" if found is None else prose.count(found)


def numbers(figures: dict[str, Any]) -> prose.Numbers:
    """`JUDGE.RULE` with its `.interval` and `.runs`, `.never` and `.regret`; runs and episodes."""
    found = {name: prose.count(figures[name]) for name in ("runs", "episodes")}
    for judge, row in figures["judges"].items():
        for rule, own in row.items():
            name = f"{prose.slug(judge)}.{rule}"
            found |= prose.reached(name, own["episodes"])
            found |= {
                f"{name}.quarter": _episodes(own["quartiles"][0]),
                f"{name}.three_quarters": _episodes(own["quartiles"][2]),
                f"{name}.regret": prose.count(own["regret"]),
                f"{name}.never": str(figures["runs"] - own["runs"]),
            }
    return found


if __name__ == "__main__":
    main()
