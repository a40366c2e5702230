"""Trained on few instances or many, played on unseen ones: PPO, KL-PPO, DQN, DQN-Prior.

    python docs/experiments/generalisation.py [WORLD ...] [--tables DIR]

Every run has m training instances of its own, all of which it plays, and is then evaluated on these
and on 64 held-out ones. Observations hold the instance (`observation: features`), and settings are
those of `configs/`. At evaluation the policies of PPO and KL-PPO act alone; DQN-Prior asks its
prior. Writes `docs/results/generalisation.json`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={os.cpu_count() or 1}")

import jax
import jax.numpy as jnp
import kl_ppo
import numpy as np
import prose
import written

from lprl_jax import Data
from lprl_jax.experiments import build, config, sharding
from lprl_jax.priors import tabulate
from lprl_jax.results import comparison
from lprl_jax.results.statistics import Interval

RESULTS = Path(__file__).parents[1] / "results" / "generalisation.json"
MODELS = ("embedded",)
SIZES = (1, 4, 16, 64, 256)
"""m."""
SEEDS, HELD_OUT, EPISODES = 16, 64, 64


@dataclasses.dataclass(frozen=True)
class World:
    """Where it is measured."""

    title: str
    """For tables."""
    overrides: tuple[str, ...]
    """Of the configs."""
    steps: tuple[int, ...]
    """Environment steps a run after which is played; multiples of the first."""
    of: str = ""
    """First part of the configs' names; empty, the world's own name."""


WORLDS = {
    "frozen_lake": World(
        "Frozen Lake 4×4, firm",
        ("env_params.map_name=4x4", "env_params.observation=features"),
        (25_000, 50_000),
    ),
    "blocks_world": World(
        "Blocks World, 4 blocks, goals never seen",
        ("env_params.num_blocks=4",),
        (12_500, 25_000),
    ),
    "blocks_world_shape": World(
        "Blocks World, 4 blocks, shapes of goals never seen",
        ("env_params.num_blocks=4", "env_params.split_by=shape"),
        (12_500, 25_000),
        of="blocks_world",
    ),
}
HABIT = "DQN-Prior, habit"
LEARNERS = {
    "PPO": ("ppo", 1.0),
    "KL-PPO": ("kl_ppo", 1.0),
    "KL-PPO, ten times its α": ("kl_ppo", 10.0),
    "DQN": ("dqn", 1.0),
    "DQN-Prior": ("dqn_prior", 1.0),
    HABIT: ("dqn_prior", 1.0),
}
"""The last part of a config's name, and a factor of α."""
ALONE = "the prior alone"


def main() -> None:
    """Measure the worlds and write the figures."""
    parser = argparse.ArgumentParser(description="Generalisation from m training instances.")
    parser.add_argument("worlds", nargs="*", default=list(WORLDS), metavar="WORLD")
    parser.add_argument("--tables", type=Path, help="keep the models' tables in this directory")
    options = parser.parse_args()
    figures = written.kept(RESULTS, MODELS)
    figures["sizes"] = list(SIZES)
    for world in options.worlds:
        with tempfile.TemporaryDirectory() as folder:
            figures[world] = measure(world, options.tables or Path(folder))
        written.write(RESULTS, figures, MODELS)


def measure(world: str, folder: Path) -> dict[str, Any]:
    """All learners, and the prior alone on the held-out instances."""
    tables = {split: table_of(world, split, folder) for split in ("train", "held-out")}
    found: dict[str, Any] = {}
    for name, (learner, factor) in LEARNERS.items():
        priors = dict.fromkeys(tables, "habit") if name == HABIT else tables
        found[name] = learn(world, learner, factor, priors)
        print(world, name, json.dumps(found[name]), flush=True)
    found[ALONE] = alone(world, tables["held-out"])
    return found


def alone(world: str, table: str) -> list[float | None]:
    """Success of the prior by itself on the held-out instances."""
    experiment, setup, data = _set_up(world, "kl_ppo", table, "held-out", "prior_only")
    keys = jax.random.split(jax.random.key(0), SEEDS)
    state = setup.init(keys, experiment.algorithm.hparams(SEEDS), data)
    played = setup.evaluate(state, data, EPISODES)
    return kl_ppo.interval(np.asarray(played["success"]))


def learn(world: str, learner: str, factor: float, tables: dict[str, str]) -> dict[str, Any]:
    """Success on a run's own instances and on held-out ones, by m; all runs in one program."""
    prior = {split: "none" if learner in ("ppo", "dqn") else at for split, at in tables.items()}
    experiment, algorithm, data = _set_up(world, learner, prior["train"], "train")
    _, _, unseen = _set_up(world, learner, prior["held-out"], "held-out")
    num_runs = len(SIZES) * SEEDS
    hparams = experiment.algorithm.hparams(num_runs)
    if factor != 1.0:
        hparams = hparams._replace(alpha=factor * hparams.alpha)
    own = jnp.asarray(instances_of_runs())
    keys = jnp.tile(jax.random.split(jax.random.key(0), SEEDS), len(SIZES))
    mesh = sharding.make_mesh(num_runs)
    state = jax.jit(algorithm.init)(keys, hparams, data, own)
    state = sharding.spread(mesh, state)
    data, unseen = sharding.place(mesh, (data, unseen))
    a_chunk = experiment.algorithm.steps_per_update
    updates = round(WORLDS[world].steps[0] / a_chunk)
    train = sharding.compile_chunk(algorithm, mesh, updates, state, data)

    def elsewhere(state: Any) -> Any:
        others = jnp.broadcast_to(jnp.arange(HELD_OUT, dtype=jnp.int32), (num_runs, HELD_OUT))
        like = jax.tree.leaves(state.run_instances)[0].sharding
        return state._replace(run_instances=jax.device_put(others, like))

    policies = algorithm.policies
    ways: dict[str, tuple[str, Callable[[Any], Any], Data]] = {
        "own": (policies[0], lambda state: state, data),
        "held-out": (policies[0], elsewhere, unseen),
        "greedy": ("greedy", elsewhere, unseen),
    }
    play = {
        name: sharding.compile_evaluation(algorithm, mesh, EPISODES, policy, move(state), of)
        for name, (policy, move, of) in ways.items()
    }
    found: dict[str, Any] = {"policies": list(policies), **{name: [] for name in ways}}
    done = 0
    for steps in WORLDS[world].steps:
        for _ in range(round(steps / a_chunk / updates) - done):
            state, _ = train(state, data)
            done += 1
        for name, (_, move, of) in ways.items():
            success = np.asarray(play[name](move(state), of)["success"])
            found[name].append([kl_ppo.interval(part) for part in np.split(success, len(SIZES))])
    asked = jax.device_get(state.prior_carry)
    found["queries"] = int(asked.queries)
    found["evaluations"] = int(asked.evaluations)
    return found


def instances_of_runs() -> np.ndarray:
    """`i32[len(SIZES) * SEEDS, SIZES[-1]]`: what each run plays, all seeds of a size in a row.

    A seed has the same instances in every learner, those of a smaller m among a larger's. Where
    they are few each is given several times, alike often, for resets draw among them.
    """
    order = [np.random.default_rng(seed).permutation(SIZES[-1]) for seed in range(SEEDS)]
    runs = [np.resize(order[seed][:m], SIZES[-1]) for m in SIZES for seed in range(SEEDS)]
    return np.array(runs, np.int32)


def _set_up(
    world: str, learner: str, prior: str, split: str, algorithm: str | None = None
) -> tuple[config.Experiment, Any, Data]:
    """A config's algorithm in a bank; `prior_only` takes the config of another."""
    experiment = _read(world, learner, split, prior)
    env, params = build.make_env(experiment.config.env, experiment.env_arguments, experiment.bank)
    known = build.make_prior(experiment, env, params)
    if algorithm is not None:
        own = dataclasses.asdict(experiment.config) | {"algorithm": algorithm}
        experiment = config.parse(own)
    made = build.make_algorithm(experiment, env, known)
    return experiment, made, Data(() if known is None else known.params, params)


def _read(world: str, learner: str, split: str, prior: str) -> config.Experiment:
    count = SIZES[-1] if split == "train" else HELD_OUT
    bank = [f"env_params.num_instances={count}", f"env_params.split={split}"]
    bank += ["env_params.instance_per_run=false", f"prior={prior}"]
    here = WORLDS[world]
    return config.read(f"{here.of or world}_{learner}", [*here.overrides, *bank])


def table_of(world: str, split: str, folder: Path) -> str:
    """A file with the embedded model's answers about every state of a bank, asked once."""
    path = folder / f"{world}-of-generalisation-{split}.npz"
    if not path.exists():
        experiment = _read(world, "kl_ppo", split, "embedded")
        where = experiment.config.env, experiment.env_arguments, experiment.bank
        env, params = build.make_env(*where)
        prior = build.language_prior("embedded", env, params)
        tabulate(prior, env, params, **prior.settings).save(path, params)
    return str(path)


def tables(figures: dict[str, Any]) -> dict[str, str]:
    """Success by m, by the names of their places on the page."""
    made = {}
    for name, world in measured(figures).items():
        rows = []
        for learner, found in figures[name].items():
            if learner == ALONE:
                rows.append([learner, "held-out", "", *[_text(found)] * len(SIZES), "–", "–"])
                continue
            shown = [("own", "own", -1), ("held-out", "held-out", 0), ("held-out", "held-out", -1)]
            shown += [("held-out, greedily", "greedy", -1)] * (len(found["policies"]) > 1)
            for where, key, at in shown:
                cells = [_text(values) for values in found[key][at]]
                asked = [f"{found['queries']:,}", f"{found['evaluations']:,}"]
                rows.append([learner, where, f"{world.steps[at]:,}", *cells, *asked])
        head = [
            "learner",
            "instances",
            "environment steps",
            *(f"m = {m}" for m in figures["sizes"]),
        ]
        made[f"generalisation_{name}"] = comparison.markdown(
            [*head, "queries", "evaluations"], rows
        )
    return made


def measured(figures: dict[str, Any]) -> dict[str, World]:
    """The worlds that there are figures of."""
    return {name: world for name, world in WORLDS.items() if name in figures}


def numbers(figures: dict[str, Any]) -> prose.Numbers:
    """What sentences quote: `WORLD.LEARNER.held-out.64`, by m, after all steps."""
    found = {"seeds": f"{SEEDS}", "episodes": f"{EPISODES}", "held_out": f"{HELD_OUT}"}
    found["runs"] = f"{SEEDS * len(figures['sizes'])}"
    for world, here in measured(figures).items():
        found[f"{world}.steps"] = prose.count(here.steps[-1])
        best_of_one = 0.0
        for learner, own in figures[world].items():
            name = f"{world}.{prose.slug(learner)}"
            if learner == ALONE:
                found |= prose.estimate(name, own)
                continue
            for where in ("own", "held-out", "greedy"):
                for m, values in zip(figures["sizes"], own[where][-1], strict=True):
                    found |= prose.estimate(f"{name}.{where}.{m}", values)
            if learner not in ("DQN-Prior", HABIT):
                best_of_one = max(best_of_one, own["held-out"][-1][0][0])
        found[f"{world}.without_a_prior.held-out.1"] = prose.share(best_of_one)
    return found


def _text(values: list[float]) -> str:
    return comparison.interval(Interval(*values))


if __name__ == "__main__":
    main()
