"""What a published model is worth to learners and in a search: SmolLM2, asked as it does best.

    lprl fetch smollm2
    python docs/experiments/published.py [PART ...] [--tables DIR]

Parts: `corner` and `anywhere`, DQN-Prior and LINVIT on lakes with such goals; `blocks`, SLINVIT on
the held-out ones of PlanBench's shorter plans. How the model is asked (wording, calibration,
temperature) is chosen on training instances. Beside it stand its answers mixed with uniform ones
and turned round, the habit, the uniform prior, and on lakes the same model asked with the bare
text. There the model's learner, the habit's and the uniform prior's are tuned with one budget, on
training maps with such goals; the controls of the model have its settings. Writes
`docs/results/published.json`; parts that are not named are kept. With a directory the model's
tables are kept there, and used again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import linvit
import prose
import published_priors
import slinvit
import slinvit_tables
import written
from demo import rows as learners
from lprl_envs import BlocksWorld, FrozenLake
from published_pages import BLOCKS, GOALS
from published_pages import numbers as numbers
from published_pages import tables as tables

from lprl_jax import Data, TabularPrior, UniformPrior, degrade, tabulate
from lprl_jax.algorithms.tabular import habits
from lprl_jax.algorithms.tabular.linvit_problem import of_bank
from lprl_jax.cli.demo import HABIT
from lprl_jax.experiments import build, config, runner
from lprl_jax.lm import named
from lprl_jax.lm.checkpoint import load
from lprl_jax.priors.shipped import MODEL
from lprl_jax.results import reading

sys.path.insert(0, str(written.ROOT / "bench"))

import tune  # pyright: ignore[reportMissingImports]

OUT = written.ROOT / "docs/results/published.json"
PARTS = (*GOALS, BLOCKS)
SUITE, K = "planbench-4", 3
BEST, BARE = "SmolLM2", "SmolLM2, bare text"
HALF, TURNED = "SmolLM2, half uniform", "SmolLM2, adversarial"
UNIFORM, DQN, EMBEDDED = "uniform", "DQN", "embedded model"
STEPS, EVERY = 60_000, 250
"""Of DQN-Prior, and between two evaluations."""
TUNED = 20_000
"""Steps by which settings are chosen."""
TRAINING = 32
"""Training instances by which the best way of asking is chosen; of blocks, slower, half of them."""


def main() -> None:
    """Measure the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="by default, all")
    parser.add_argument("--tables", type=Path, help="keep the model's tables in this directory")
    options = parser.parse_args()
    models = [MODEL, "embedded"]
    figures = written.kept(OUT, models)
    model = load(named.path_of(MODEL))._replace(name=MODEL)
    for part in options.parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            tables_of = options.tables or Path(folder)
            measure = on_blocks if part == BLOCKS else on_lakes
            figures[part] = measure(model, part, tables_of / part, Path(folder))
        figures = {name: figures[name] for name in PARTS if name in figures}
        written.write(OUT, figures, models)


def on_lakes(model: Any, goal: str, tables_of: Path, folder: Path) -> dict[str, Any]:
    """DQN-Prior on maps of 8 x 8, LINVIT on maps of 4 x 4."""
    return {
        "dqn": with_dqn(model, goal, tables_of / "dqn", folder),
        "linvit": with_linvit(model, goal, tables_of / "linvit"),
    }


def with_dqn(model: Any, goal: str, tables_of: Path, folder: Path) -> dict[str, Any]:
    """Every prior's learner, on the same held-out maps."""
    here = f"env_params.goal={goal}"

    def bank(*more: str) -> tuple[Any, Any, Any]:
        found = config.read("frozen_lake_dqn_prior", [here, *more])
        env, params = build.make_env(found.config.env, found.env_arguments, found.bank)
        return env, params, build.drawn_by(found.bank)

    train = "env_params.split=train"
    env, training, drawn = bank(train, f"env_params.num_instances={TRAINING}", seeded(1))
    best, bare = published_priors.ways(model, env, training, drawn)
    banks = {
        "held-out": bank(),
        "training": bank(train, f"env_params.num_instances={tune.INSTANCES}", seeded(0)),
    }
    paths = {}
    for name, way in ((BEST, best), (BARE, bare)):
        for split, (env, params, drawn) in banks.items():
            paths[name, split] = tables_of / f"{prose.slug(name)}-{split}.npz"
            published_priors.table(model, env, params, way, drawn, paths[name, split])
    tuned: dict[str, Any] = {}
    for name in (BEST, BARE, "habit", UNIFORM):
        prior = paths.get((name, "training"), name)
        more = [here, f"prior={prior}", f"total_steps={TUNED}"]
        found = tune.tune("frozen_lake", "dqn_prior", 0, more)["settings"][0]
        tuned[name] = {field: found[field] for field in tune.grid_of("frozen_lake", "dqn_prior")}
        print(goal, name, found, flush=True)

    def run(file: str, *more: str) -> reading.Result:
        alike = [here, f"total_steps={STEPS}", f"eval_every={EVERY}", *more]
        out = runner.run(config.read(file, alike), folder / f"{len(results)}", progress=False)
        return reading.read(out)

    def with_prior(prior: Any, settings: Mapping[str, float], *more: str) -> reading.Result:
        own = [f"{field}={value}" for field, value in settings.items()]
        return run("frozen_lake_dqn_prior", f"prior={prior}", *own, *more)

    results: dict[str, reading.Result] = {}
    best_table = paths[BEST, "held-out"]
    results[BEST] = with_prior(best_table, tuned[BEST])
    results[BARE] = with_prior(paths[BARE, "held-out"], tuned[BARE])
    results[HALF] = with_prior(best_table, tuned[BEST], "prior_epsilon=0.5")
    results[TURNED] = with_prior(best_table, tuned[BEST], "prior_adversarial=true")
    results[HABIT] = with_prior("habit", tuned["habit"])
    results[UNIFORM] = with_prior("uniform", tuned[UNIFORM])
    results[DQN] = run("frozen_lake_dqn")
    results[EMBEDDED] = run("frozen_lake_dqn_prior")
    return {
        "way": best._asdict(),
        "bare": bare._asdict(),
        "tuned": tuned,
        "rows": learners(results),
    }


def seeded(seed: int) -> str:
    """Instances that are drawn by this seed."""
    return f"env_params.bank_seed={seed}"


def with_linvit(model: Any, goal: str, tables_of: Path) -> dict[str, Any]:
    """Every prior, on firm ice, as `linvit.py` measures them."""
    env = FrozenLake("4x4", **linvit.LAKES["firm"])
    drawn = (("goal", goal),)
    training = env.sample_params(jax.random.key(1), TRAINING, "train", goal=goal)
    held_out = env.sample_params(jax.random.key(0), linvit.MAPS, "held-out", goal=goal)
    best, bare = published_priors.ways(model, env, training, drawn)
    found = {
        name: published_priors.table(
            model, env, held_out, way, drawn, tables_of / f"{prose.slug(name)}.npz"
        )
        for name, way in ((BEST, best), (BARE, bare))
    }
    base, _ = of_bank(env, UniformPrior(env), Data((), held_out))
    uniform, told = base.log_prior, found[BEST].table
    habit = tabulate(habits.of_training(env, drawn), env, held_out).table
    priors = {
        f"{BEST}, 2 % uniform": linvit.mixed(told, uniform, 0.98),
        f"{BARE}, 2 % uniform": linvit.mixed(found[BARE].table, uniform, 0.98),
        HALF: linvit.mixed(told, uniform, 0.5),
        f"{TURNED}, half uniform": linvit.mixed(turned(found[BEST], env), uniform, 0.5),
        "habit, 2 % uniform": linvit.mixed(habit, uniform, 0.98),
        UNIFORM: uniform,
    }
    tuned = linvit.tune(env, training)
    scale = linvit.best_scale(tuned)
    return {
        "way": best._asdict(),
        "bonus_scale": scale,
        "queries": sum(table.evaluations for table in found.values()),
        "rows": linvit.measure(env, held_out, base, priors, scale),
    }


def turned(table: TabularPrior, env: Any) -> jax.Array:
    """Its preferences the other way round, `f32[M, S, A]`."""
    return jax.nn.log_softmax(jnp.where(jnp.isfinite(table.table), -table.table, -jnp.inf), axis=-1)


def on_blocks(model: Any, part: str, tables_of: Path, folder: Path) -> dict[str, Any]:
    """SLINVIT on a suite; the model is asked about blocks as many as an instance has."""
    del part, folder
    rows = slinvit_tables.instances_of([SUITE])
    held_out = slinvit.bank_of(rows).held_out
    rows = [row for row, own in zip(rows, held_out, strict=True) if own]
    env = BlocksWorld(4)  # as most of the suite's instances have
    training = env.sample_params(jax.random.key(1), TRAINING // 2, "train")
    way, _ = published_priors.ways(model, env, training, ())

    def of_size(env: Any, params: Any) -> TabularPrior:
        path = tables_of / f"{prose.slug(BEST)}-{env.num_blocks}.npz"
        return published_priors.table(model, env, params, way, (), path)

    told = slinvit_tables.by_size(BEST, rows, slinvit_tables.ENV, of_size)
    params = slinvit_tables.params_of(rows)
    worse = {HALF: degrade(told, epsilon=0.5), TURNED: degrade(told, adversarial=True)}
    priors = {
        BEST: told,
        **{name: tabulate(x, slinvit_tables.ENV, params) for name, x in worse.items()},
        "habit": slinvit_tables.of_habit(rows),
        UNIFORM: slinvit_tables.uniform(rows),
    }
    bank = slinvit.bank_of(rows)
    found = [
        {"prior": name, "depth": depth, **slinvit.play(bank, prior, depth=depth, k=K)[SUITE]}
        for depth in slinvit.DEPTHS
        for name, prior in priors.items()
    ]
    found += [
        {
            "prior": "the heuristic, no prior",
            "depth": depth,
            **slinvit.play(bank, None, depth=depth, k=K, proposals="heuristic")[SUITE],
        }
        for depth in slinvit.DEPTHS
    ]
    return {
        "way": way._asdict(),
        "instances": len(rows),
        "seeds": slinvit.SEEDS,
        "evaluations": told.evaluations,
        "rows": found,
    }


if __name__ == "__main__":
    main()
