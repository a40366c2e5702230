"""The demonstration: what a language-model prior is worth on maps that neither has seen.

Three experiments (`configs/`) on the same held-out maps, one map a run: DQN, DQN that starts out
optimistic (the strongest baseline without a prior), and DQN-Prior. With `controls`, also the priors
that a claim has to be held against.
"""

from __future__ import annotations

import json
from pathlib import Path

from lprl_jax import comparison, config, plotting, run_directory, runner
from lprl_jax.results import Result

EXPERIMENTS = {
    "DQN": ("frozen_lake_dqn", ()),
    "DQN, optimistic": ("frozen_lake_dqn_optimistic", ()),
    "DQN-Prior": ("frozen_lake_dqn_prior", ()),
}
CONTROLS = {
    "DQN-Prior, degraded": ("frozen_lake_dqn_prior", ("prior_epsilon=0.5",)),
    "DQN-Prior, weakest model": ("frozen_lake_dqn_prior", ("prior=embedded-early-1",)),
    "DQN-Prior, uniform": ("frozen_lake_dqn_prior", ("prior=uniform",)),
    "DQN-Prior, adversarial": ("frozen_lake_dqn_prior", ("prior_adversarial=true",)),
}
# What differs from DQN-Prior only in the prior gets as many steps as the baselines.
_CONTROL_STEPS = ("total_steps=60_000", "eval_every=500")


def run(
    out: Path | None, controls: bool = False, slippery: bool = False, progress: bool = True
) -> dict[str, Result]:
    """Run the experiments, print the table and write it, with a plot, to `out`.

    Args:
        out: New directory; default, the first of results/demo, results/demo-2, ... that is free.
        controls: Whether to run the control priors too.
        slippery: Whether the ice is slippery, with the settings that were tuned on firm ice.
        progress: Whether to show a progress bar.
    """
    out = out or _free(Path("results/demo"))
    run_directory.claim(out)
    experiments = dict(EXPERIMENTS)
    if controls:
        experiments |= {n: (c, (*o, *_CONTROL_STEPS)) for n, (c, o) in CONTROLS.items()}
    ice = ("env_params.is_slippery=true",) if slippery else ()
    results = {}
    for name, (file, overrides) in experiments.items():
        folder = out / name.lower().replace(", ", "-").replace(" ", "-")
        results[name] = runner.run(config.read(file, (*overrides, *ice)), folder, progress=progress)
    summaries = comparison.summarize(results)
    table = comparison.table(summaries)
    print(table)
    (out / "table.md").write_text(table + "\n")
    (out / "summary.json").write_text(json.dumps(comparison.as_json(summaries), indent=1) + "\n")
    curves = {name: plotting.Curve(r.steps, r.success) for name, r in results.items()}
    plotting.plot_learning_curves(
        curves,
        out / "learning_curves.png",
        threshold=comparison.THRESHOLD,
        title=f"Frozen Lake 8x8{', slippery' if slippery else ''}, held-out maps, one map a run",
    )
    print(f"written to {out}, with learning_curves.png")
    return results


def _free(path: Path) -> Path:
    """The path, or the first of path-2, path-3, ... that does not exist."""
    candidates = [path, *(path.with_name(f"{path.name}-{n}") for n in range(2, 1000))]
    return next(candidate for candidate in candidates if not candidate.exists())
