"""The demonstration: what a language-model prior is worth on instances that neither has seen.

Four experiments (`configs/`) on the same held-out instances, one a run: DQN, DQN that starts out
optimistic (the strongest baseline without a prior), DQN-Prior, and the same with a habit that does
not look at the state, which says how much of the gain is reading. With `controls`, also the other
priors that a claim has to be held against.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from lprl_envs import InvalidInput
from lprl_envs.errors import require_one_of

from lprl_jax.experiments import config, run_directory, runner
from lprl_jax.experiments.holding import hold
from lprl_jax.files import paths
from lprl_jax.results import comparison, plotting, reading
from lprl_jax.results.reading import Result


@dataclasses.dataclass(frozen=True)
class World:
    """What is demonstrated."""

    title: str
    """Of the picture."""
    configs: str
    """The first part of the configs' names."""
    overrides: tuple[str, ...] = ()
    """Of the configs."""


WORLDS = {
    "frozen_lake": World("Frozen Lake 8x8, goal anywhere, held-out maps, one a run", "frozen_lake"),
    "frozen_lake_corner": World(
        "Frozen Lake 8x8, goal in the corner, held-out maps, one a run",
        "frozen_lake",
        ("env_params.goal=corner",),
    ),
    "blocks_world": World("Blocks World with 5 blocks, held-out goals, one a run", "blocks_world"),
    "cube_stacking": World("Stacking 8 cubes, held-out cubes, one a run", "cube_stacking"),
}
"""By name. Where the goal of a lake is in the corner a habit goes far; where it is anywhere the map
has to be read."""
PRIOR, HABIT = "DQN-Prior", "DQN-Prior, habit"
EXPERIMENTS = {
    "DQN": "dqn",
    "DQN, optimistic": "dqn_optimistic",
    PRIOR: "dqn_prior",
    HABIT: "dqn_prior_habit",
}
"""By the last part of their configs' names. The habit is the control that is always run, with
settings of its own."""
CONTROLS = {
    "DQN-Prior, degraded": "prior_epsilon=0.5",
    "DQN-Prior, weakest model": "prior=embedded-early-1",
    "DQN-Prior, uniform": "prior=uniform",
    "DQN-Prior, adversarial": "prior_adversarial=true",
}
"""What differs from DQN-Prior, apart from as many steps as the baselines have."""


def run(
    out: Path | None,
    world: str = "frozen_lake",
    controls: bool = False,
    slippery: bool = False,
    progress: bool = True,
) -> dict[str, Result]:
    """Run the experiments, print the table and write it, with a plot, to `out`.

    Args:
        out: New directory; default, the first of results/demo, results/demo-2, ... that is free.
        world: One of `WORLDS`.
        controls: Whether to run the other control priors too.
        slippery: Whether the ice is slippery, with the settings that were tuned on firm ice.
        progress: Whether to show a progress bar.

    Raises:
        InvalidInput: if there is no such world, or it has no ice to be slippery, or the directory
            is in use or not empty.
        CannotWrite: if there is no room for more.
    """
    require_one_of("demo", world, WORLDS)
    if slippery and WORLDS[world].configs != "frozen_lake":
        raise InvalidInput(f"slippery is for lakes; {world} has no ice")
    out = paths.given(out or _free(Path("results/demo")))
    with hold(out):
        run_directory.require_empty(out)
        results = _run(out, world, controls, slippery, progress)
    print(f"written to {out}, with learning_curves.png")
    return results


def _run(
    out: Path, world: str, controls: bool, slippery: bool, progress: bool
) -> dict[str, Result]:
    """`run`, in a directory that is held."""
    ice = ("env_params.is_slippery=true",) if slippery else ()
    results = {}
    for name, (file, overrides) in experiments(world, controls).items():
        folder = out / name.lower().replace(", ", "-").replace(" ", "-")
        runner.run(config.read(file, (*overrides, *ice)), folder, progress=progress)
        results[name] = reading.read(folder)
    summaries = comparison.summarize(results)
    table = comparison.table(summaries)
    print(table)
    paths.write_new(out / "table.md", table + "\n")
    figures = json.dumps(comparison.as_json(summaries), indent=1)
    paths.write_new(out / "summary.json", figures + "\n")
    curves = {name: plotting.Curve(r.steps, r.success) for name, r in results.items()}
    figure = plotting.draw_learning_curves(
        curves,
        threshold=comparison.THRESHOLD,
        title=WORLDS[world].title + (", slippery" if slippery else ""),
    )
    with paths.new_file(out / "learning_curves.png") as file:
        file.write(plotting.as_image(figure, ".png"))
    return results


def experiments(world: str, controls: bool) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Config and overrides by name; all are evaluated as often, and by as many episodes.

    They have as many steps as the baseline, but for DQN-Prior, which is soon there.
    """
    here = WORLDS[world]
    baseline, own = (config.read(f"{here.configs}_{last}").config for last in ("dqn", "dqn_prior"))
    measured = f"eval_every={own.eval_every}", f"eval_episodes={own.eval_episodes}"
    steps = f"total_steps={baseline.total_steps}"

    def of(last: str, *more: str) -> tuple[str, tuple[str, ...]]:
        return f"{here.configs}_{last}", (*more, *here.overrides, *measured)

    found = {
        name: of(last) if name == PRIOR else of(last, steps) for name, last in EXPERIMENTS.items()
    }
    if controls:
        found |= {name: of("dqn_prior", other, steps) for name, other in CONTROLS.items()}
    return found


def _free(path: Path) -> Path:
    """The path, or the first of path-2, path-3, ... that does not exist."""
    candidates = [path, *(path.with_name(f"{path.name}-{n}") for n in range(2, 1000))]
    return next(candidate for candidate in candidates if not candidate.exists())
