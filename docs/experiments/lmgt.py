"""LMGT: what shifting the reward by a judge's verdicts is worth, and what it costs.

    python docs/experiments/lmgt.py [PART ...]

Parts: `cartpole`, PPO with a judge that knows the physics, and worse ones; `lakes`, the embedded
model as a judge and as a prior, on the same held-out maps, for DQN and PPO. Returns and successes
are of the unshifted reward. Writes `docs/results/lmgt.json`; parts that are not named are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lprl_envs
import numpy as np
import prose
import written

from lprl_jax import judges
from lprl_jax.experiments import config, runner
from lprl_jax.judges import tabular
from lprl_jax.results import comparison, reading, statistics
from lprl_jax.results.comparison import markdown

OUT = written.ROOT / "docs/results/lmgt.json"
CARTPOLE, LAKES = PARTS = ("cartpole", "lakes")
MODELS = ("embedded",)
RUNS = 32
AT = (1_024, 2_048, 5_120, 10_240)
"""Environment steps at which PPO is looked at."""
BLIND = "BLIND"
"""In the place of a file: verdicts that do not look at the state."""
ON_CARTPOLE: dict[str, Sequence[str]] = {
    "no judge": ["judge=none"],
    "perfect": [],
    "perfect, scale .2": ["shift_scale=0.2"],
    "perfect, scale 5": ["shift_scale=5"],
    "perfect, penalties alone": ["shift_values=penalty"],
    "perfect, looking back": ["shift_form=look_back"],
    "80 % right, errors by step": ["judge_accuracy=0.8"],
    "80 % right, errors by state": ["judge_accuracy=0.8", "judge_errors=state"],
    "70 % right, errors by step": ["judge_accuracy=0.7"],
    **{
        f"70 % right, errors by state, draw {i + 1}": [
            "judge_accuracy=0.7",
            "judge_errors=state",
            f"judge_seed={i}",
        ]
        for i in range(4)
    },
    "50 % right, errors by step": ["judge_accuracy=0.5"],
    "50 % right, errors by state": ["judge_accuracy=0.5", "judge_errors=state"],
    "always good": ["judge=always-good"],
    "always bad, scale .5": ["judge=always-good", "shift_scale=-0.5"],
    "right is good, whatever the state": [f"judge={BLIND}"],
    "adversarial": ["judge_adversarial=true"],
}
EVERY = 250
"""Steps between two evaluations on lakes: one cadence for all."""
EMBEDDED = "embedded model"
DQN, PPO = "frozen_lake_dqn", "frozen_lake_ppo"
PRIORS = {
    "as a prior (DQN-Prior)": ("frozen_lake_dqn_prior", []),
    "as a prior (KL-PPO)": ("frozen_lake_kl_ppo", ["prior=embedded"]),
}
"""The same model, asked as often, the other way."""
ON_LAKES: dict[str, Sequence[str]] = {
    "no judge": [],
    f"{EMBEDDED}, scale .03": ["judge=embedded", "shift_scale=0.03"],
    f"{EMBEDDED}, scale .1": ["judge=embedded", "shift_scale=0.1"],
    f"{EMBEDDED}, scale .3": ["judge=embedded", "shift_scale=0.3"],
    f"{EMBEDDED}, scale .1, penalties alone": [
        "judge=embedded",
        "shift_scale=0.1",
        "shift_values=penalty",
    ],
    "perfect, scale .1": ["judge=perfect", "shift_scale=0.1"],
    "perfect, scale .1, penalties alone": [
        "judge=perfect",
        "shift_scale=0.1",
        "shift_values=penalty",
    ],
    "habit, scale .1": ["judge=habit", "shift_scale=0.1"],
    "habit, scale .1, penalties alone": [
        "judge=habit",
        "shift_scale=0.1",
        "shift_values=penalty",
    ],
    "always good, scale .1": ["judge=always-good", "shift_scale=0.1"],
    "always bad, scale .1": ["judge=always-good", "shift_scale=-0.1"],
    f"{EMBEDDED}, scale .1, adversarial": [
        "judge=embedded",
        "shift_scale=0.1",
        "judge_adversarial=true",
    ],
    f"{EMBEDDED}, scale .1, 70 % right by state": [
        "judge=embedded",
        "shift_scale=0.1",
        "judge_accuracy=0.7",
        "judge_errors=state",
    ],
}
LOOKING_AHEAD = {
    f"{EMBEDDED}, scale .1, looking ahead": [
        "judge=embedded",
        "shift_scale=0.1",
        "shift_form=look_ahead",
    ]
}
"""Of DQN alone."""
STEPS = {DQN: 10_000, PPO: 20_000}


def main() -> None:
    """Measure the parts that are named, or all."""
    measured = {CARTPOLE: on_cartpole, LAKES: on_lakes}
    written.by_parts(__doc__, OUT, PARTS, MODELS, lambda part, folder, _: measured[part](folder))


def on_cartpole(folder: Path) -> dict[str, Any]:
    """Returns of PPO by judge and step: over the runs IQM and mean."""
    rows: dict[str, Any] = {}
    blind = folder / "blind.npz"
    env, params = lprl_envs.make("CartPole-lprl")
    left_and_right = np.broadcast_to([-1.0, 1.0], (1, tabular.num_rows(env), 2))
    judges.of_table(env, params, left_and_right, "right is good").save(blind, params)
    for name, more in ON_CARTPOLE.items():
        own = [text.replace(BLIND, str(blind)) for text in more]
        experiment = config.read("cartpole_lmgt", [f"num_runs={RUNS}", *own])
        result = reading.read(runner.run(experiment, folder / prose.slug(name), progress=False))
        rows[name] = {}
        for step in AT:
            returns = result.returns[:, int(np.flatnonzero(result.steps == step)[0])]
            iqm = statistics.bootstrap_interval(returns).rounded(1)
            rows[name][f"{step}"] = {"iqm": iqm, "mean": round(float(returns.mean()), 1)}
        print(name, rows[name], flush=True)
    return {"runs": RUNS, "rows": rows}


def on_lakes(folder: Path) -> dict[str, Any]:
    """Learners on held-out maps by their judges; a row each, by algorithm."""
    found = {}
    for base, title in ((DQN, "dqn"), (PPO, "ppo")):
        results: dict[str, reading.Result] = {}
        alike = [f"total_steps={STEPS[base]}", f"eval_every={EVERY}", f"num_runs={RUNS}"]
        named: Mapping[str, tuple[str, Sequence[str]]] = {
            **{name: (base, more) for name, more in ON_LAKES.items()},
            **{name: (base, more) for name, more in LOOKING_AHEAD.items() if base == DQN},
            **{n: x for n, x in PRIORS.items() if ("DQN" in n) == (base == DQN)},
        }
        for name, (file, more) in named.items():
            out = folder / prose.slug(f"{title} {name}")
            experiment = config.read(file, [*alike, *more])
            results[name] = reading.read(runner.run(experiment, out, progress=False))
            print(title, name, results[name].success.mean(0)[[8, 16, -1]], flush=True)
        found[title] = {
            name: {
                "steps_to_80": f"{summary.steps_to_threshold}",
                "success": summary.success.rounded(),
                "untrained": round(float(results[name].success[:, 0].mean()), 2),
            }
            for name, summary in comparison.summarize(results).items()
        }
    return found


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """Markdown by name."""
    found = {}
    if CARTPOLE in figures:
        head = ["judge", *(f"{step:,}" for step in AT)]
        rows = [
            [name, *(_interval(row[f"{step}"]["iqm"]) for step in AT)]
            for name, row in figures[CARTPOLE]["rows"].items()
        ]
        found["lmgt_cartpole"] = markdown(head, rows)
    for title, rows in figures.get(LAKES, {}).items():
        head = ["judge", "success untrained", "steps to 80 %", "success at the end"]
        cells = [
            [
                name,
                prose.share(row["untrained"]),
                row["steps_to_80"],
                _interval(row["success"], 2),
            ]
            for name, row in rows.items()
        ]
        found[f"lmgt_lakes_{title}"] = markdown(head, cells)
    return found


def numbers(figures: Mapping[str, Any]) -> dict[str, str]:
    """What sentences quote."""
    found: dict[str, str] = {}
    if CARTPOLE in figures:
        found["runs"] = f"{figures[CARTPOLE]['runs']}"
        for name, row in figures[CARTPOLE]["rows"].items():
            for step, value in row.items():
                key = f"cartpole.{prose.slug(name)}.{step}"
                found[key] = f"{value['iqm'][0]:.0f}"
                found[f"{key}.interval"] = _interval(value["iqm"])
                found[f"{key}.mean"] = f"{value['mean']:.0f}"
    for title, rows in figures.get(LAKES, {}).items():
        for name, row in rows.items():
            key = f"lakes.{title}.{prose.slug(name)}"
            found |= prose.within(key, prose.reached("steps", row["steps_to_80"]))
            found[f"{key}.success"] = prose.share(row["success"][0])
            found[f"{key}.untrained"] = prose.share(row["untrained"])
    return found


def _interval(estimate: Sequence[float], digits: int = 0) -> str:
    """`46 [40, 52]`"""
    value, low, high = (f"{x:.{digits}f}" for x in estimate)
    return f"{value} [{low}, {high}]"


if __name__ == "__main__":
    main()
