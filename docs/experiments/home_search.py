"""SLINVIT in a household: what a prior is worth to a search in the world where its paper used it.

    python docs/experiments/home_search.py [TASK ...]

Held-out rooms, once each, in 50 actions or 16 errands; TASK is `pick` or `clean`. The world's exact
law is the model, as in the paper's method: **a search sees what the agent has not looked at**. A
prior reads what was seen, and behind an imagined action also what that would show. Who proposes is
compared at equal depth and k, by nodes (children made), queries (nodes about which a model was
asked) and values computed. Beside the priors stand the heuristic in their place, and the same over
errands ("look into fridge 1"), each several actions. Depth and k of 1 are no search: an action is
drawn, and done. Writes `docs/results/home_search.json`; tasks that are not named are kept.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={os.cpu_count() or 1}")

import jax
import numpy as np
import prose
import written
from home_learners import HABIT, MODEL, MODELS, UNIFORM
from lprl_envs import Household

from lprl_jax.experiments import build, config, planning
from lprl_jax.results import statistics
from lprl_jax.results.comparison import markdown

OUT = written.ROOT / "docs/results/home_search.json"
ROOMS = 128
TAUGHT = 4096
"""Rooms to be trained on, of which it is told what they ask for."""
NO_SEARCH, PAPER, WIDE = (1, 1), (2, 3), (2, 24)
"""Depth and k: of who only draws; the paper's; with more draws than most states have actions."""
BEFORE, BETWEEN, BEHIND = (1, 3), (2, 2), (3, 3)
"""Around the paper's."""
TASKS = {
    "pick": (NO_SEARCH, BEFORE, BETWEEN, PAPER, BEHIND, WIDE),
    "clean": (NO_SEARCH, BEFORE, PAPER, WIDE),
}
"""Depths and ks."""


class Proposer(NamedTuple):
    """Who proposes actions."""

    config: str
    own: tuple[str, ...]
    """What it is changed by."""
    shapes: tuple[tuple[int, int], ...]
    """Depths and ks at which it is tried, where the task has them."""


ACTIONS, ERRANDS = "household_slinvit", "household_options_slinvit"
RULE = ("prior=none", "prior_access=live", "proposals=heuristic", "alpha=0")
ALL = (NO_SEARCH, BEFORE, BETWEEN, PAPER, BEHIND)
LIMITS = {"actions": 50, "errands": 16}
"""In a room: the worlds' own."""
PROPOSERS = {
    MODEL: Proposer(ACTIONS, (), ALL),
    f"{MODEL}, α = 0": Proposer(ACTIONS, ("alpha=0",), (PAPER,)),
    "half uniform": Proposer(ACTIONS, ("prior_epsilon=0.5",), (NO_SEARCH, PAPER)),
    "habit": Proposer(ACTIONS, HABIT, (NO_SEARCH, PAPER)),
    "uniform": Proposer(ACTIONS, UNIFORM, (*ALL, WIDE)),
    "uniform, α = 0": Proposer(ACTIONS, (*UNIFORM, "alpha=0"), (PAPER, WIDE)),
    "adversarial": Proposer(ACTIONS, ("prior_adversarial=true",), (NO_SEARCH, PAPER)),
    "the heuristic, no prior": Proposer(ACTIONS, RULE, (BEFORE, BETWEEN, PAPER, BEHIND)),
    "the heuristic, errands": Proposer(ERRANDS, (), (BEFORE, PAPER)),
}

Figures = dict[str, Any]


def main() -> None:
    """Measure the tasks that are named, or all."""

    def of_task(task: str, folder: Path, figures: Figures) -> Figures:
        del folder, figures  # nothing is trained, and tasks do not rest on each other
        goals, taught = goals_of(task)
        rows = []
        for depth, k in TASKS[task]:
            for name, who in PROPOSERS.items():
                if (depth, k) in who.shapes:
                    rows.append({"proposer": name, **play(task, who, depth, k, goals)})
                    print(task, rows[-1], flush=True)
        return {"rooms": Counter(goals), "taught": taught, "rows": rows}

    written.by_parts(__doc__, OUT, tuple(TASKS), MODELS, of_task)


def read(task: str, who: Proposer, depth: int, k: int) -> config.Experiment:
    """One run in many rooms."""
    rooms = [f"env_params.families=[{task}]", f"env_params.num_instances={ROOMS}"]
    rooms += ["env_params.instance_per_run=false", "num_runs=1"]
    return config.read(who.config, [*who.own, *rooms, f"depth={depth}", f"k={k}"])


def goals_of(task: str) -> tuple[list[str], dict[str, float]]:
    """What each room asks for, and in what share of rooms to be trained on that is asked for."""
    chosen = read(task, PROPOSERS[MODEL], *PAPER)  # everybody has the same rooms
    env, params = build.make_env(chosen.config.env, chosen.env_arguments, chosen.bank)
    assert isinstance(env, Household)
    others = env.sample_params(jax.random.key(0), TAUGHT, "train", (task,))
    held_out, taught = (
        [env.kit.object_types[i] for i in np.asarray(x.bank.goal_object)] for x in (params, others)
    )
    return held_out, {name: n / TAUGHT for name, n in sorted(Counter(taught).items())}


def play(task: str, who: Proposer, depth: int, k: int, goals: Sequence[str]) -> Figures:
    """The share of the rooms that are solved, means over all rooms, and what is not solved."""
    ((setting, prior, found),) = planning.outcomes(read(task, who, depth, k))
    solved = statistics.share_interval(found.solved.astype(float))
    row = planning.row_of(setting, prior, 1, found)
    unsolved = Counter(
        goal for goal, is_done in zip(goals, found.solved, strict=True) if not is_done
    )
    return {
        "depth": depth,
        "k": k,
        "success": [solved.estimate, solved.low, solved.high],
        **{name: round(getattr(row, name), 1) for name in ("actions", "nodes", "queries")},
        "valuations": round(row.valuations, 1),
        "evaluations": row.evaluations,
        "unsolved": unsolved,
    }


def tables(figures: Mapping[str, Figures]) -> dict[str, str]:
    """Markdown by name."""
    head = ["depth", "k", "proposed by", "rooms solved", "actions", "nodes", "queries"]
    head += ["values computed", "run through the model, all rooms"]
    found = {}
    for task, of_task in figures.items():
        cells = []
        for row in of_task["rows"]:
            search = [f"{row['depth']}", f"{row['k']}", row["proposer"]]
            means = [f"{row[name]:,.1f}" for name in ("actions", "nodes", "queries", "valuations")]
            solved, asked = prose.interval(row["success"]), prose.count(row["evaluations"])
            cells.append([*search, solved, *means, asked])
        found[f"home_search_{task}"] = markdown(head, cells)
    return found


def numbers(figures: Mapping[str, Figures]) -> prose.Numbers:
    """What sentences quote: `pick.embedded-home.d2.k3.interval`, `.nodes`, `.queries`.

    By what is asked for: `.unsolved.soapbottle`, `pick.rooms.soapbottle`, `pick.taught.soapbottle`.
    """
    weight = read("pick", PROPOSERS[MODEL], *PAPER).algorithm.alpha
    found = {"rooms": f"{ROOMS}", "weight": prose.share(weight, 1)}
    found |= {f"limit.{what}": f"{most}" for what, most in LIMITS.items()}
    for task, of_task in figures.items():
        for row in of_task["rows"]:
            key = f"{task}.{prose.slug(row['proposer'])}.d{row['depth']}.k{row['k']}"
            found |= prose.estimate(key, row["success"])
            found |= {f"{key}.{what}": f"{row[what]:,.1f}" for what in ("nodes", "queries")}
            found[f"{key}.unsolved"] = f"{sum(row['unsolved'].values())}"
            found |= {f"{key}.unsolved.{what}": f"{n}" for what, n in row["unsolved"].items()}
        found |= {f"{task}.rooms.{what}": f"{n}" for what, n in of_task["rooms"].items()}
        taught = of_task["taught"].items()
        found |= {f"{task}.taught.{what}": prose.percent(share) for what, share in taught}
    return found


if __name__ == "__main__":
    main()
