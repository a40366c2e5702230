"""What a prior is worth offline: return against the number of transitions that are learnt from.

    python docs/experiments/offline.py [WORLD ...]

Data are a mixture, half of the episodes random, half by DQN that has been trained for a while on
the same instances, ε = .1; 32 held-out instances, one a run, each run with its own data. Every
learner sees the same transitions: those that use a prior differ in its log-probabilities alone.
Settings are those of `configs/`, tuned on training instances by `offline_tuning.py`. Writes
`docs/results/offline.json`.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={os.cpu_count() or 1}")

import numpy as np
import prose
import written

from lprl_jax.experiments import build, config, gather, runner
from lprl_jax.experiments.places import WITHOUT_MODEL
from lprl_jax.priors import tabulate
from lprl_jax.results import comparison, reading, statistics
from lprl_jax.results.statistics import Interval

RESULTS = Path(__file__).parents[1] / "results" / "offline.json"
SIZES = (100, 300, 1_000, 3_000, 10_000)
"""Transitions a run."""
EPISODES = 16
"""Of an evaluation, a run."""
RESAMPLES = 2_000
_JUDGED = {"returns": "return", "success": "success"}


@dataclasses.dataclass(frozen=True)
class World:
    """Where data are gathered."""

    title: str
    """For tables."""
    configs: str
    """First part of the names of its configs."""
    behaviour_steps: int
    """Environment steps after which DQN acts."""
    overrides: tuple[str, ...] = ()
    """Of all its configs."""
    models: tuple[str, ...] = ("embedded", "embedded-early-1")
    """The prior, then worse versions of it."""
    tabulated: bool = True
    """Whether the model is asked about every state once; else when one is met."""
    judged_by: str = "returns"
    """Field of a result, `returns` or `success`: of returns below 0 there are no shares. Both are
    kept under `return`."""
    settings: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    """What differs from a learner's config, by the last part of its name."""

    def priors(self) -> dict[str, dict[str, Any]]:
        """Fields of a config by name: the prior, then the controls."""
        model, *worse = self.models
        return {
            model: {"prior": model},
            "half uniform": {"prior": model, "prior_epsilon": 0.5},
            **{name: {"prior": name} for name in worse},
            "habit": {"prior": "habit"},
            "uniform": {"prior": "uniform"},
            "adversarial": {"prior": model, "prior_adversarial": True},
        }


WORLDS = {
    "frozen_lake": World("Frozen Lake 8×8, firm", "frozen_lake", 3_000),
    "blocks_world": World(
        "Blocks World, 4 blocks", "blocks_world", 3_000, ("env_params.num_blocks=4",)
    ),
}
MODELS = ("embedded", "embedded-early-1")
WITHOUT = {"CQL": "cql", "DQN on data": "offline_dqn", "behaviour cloning": "bc"}
"""Learners without a prior, by the last part of their configs' names."""


def main() -> None:
    """Measure both worlds and write the figures."""
    figures = written.kept(RESULTS, MODELS)
    figures |= {"sizes": list(SIZES), "episodes": EPISODES}
    for world in sys.argv[1:] or WORLDS:
        with tempfile.TemporaryDirectory() as folder:
            figures[world] = measure(WORLDS[world], Path(folder))
        written.write(RESULTS, figures, MODELS)


def measure(world: World, folder: Path) -> dict[str, Any]:
    """All learners of one world."""
    model = world.models[0]
    bare, summary = behave(world, folder)
    returns, asked = {}, {}

    def learn(name: str, learner: str, fields: Mapping[str, Any], data: Path | None) -> None:
        result = run(world, learner, fields, folder / f"run-{len(returns)}", data)
        by_setting = result.by_setting().values()
        returns[name] = np.array([getattr(part, world.judged_by)[:, -1] for part in by_setting]).T
        asked[name] = {"queries": 0, "evaluations": int(result.evaluations[-1])}

    for name, learner in WITHOUT.items():
        learn(name, learner, {}, bare)
    for name, fields in with_tables(world, folder).items():
        data = folder / f"{name}.npz"
        experiment = read(world, "cql_prior", fields)
        _, origin = gather.relabel(experiment, bare, data)
        labels = {"queries": origin.queries, "evaluations": origin.evaluations}
        learn(f"CQL-Prior, {name}", "cql_prior", fields, data)
        asked[f"CQL-Prior, {name}"] = labels
        learn(f"prior alone, {name}", "prior_only", fields, None)
        for what, changes in (ablations(world) if name == model else {}).items():
            learn(f"CQL-Prior, {name}, {what}", "cql_prior", {**fields, **changes}, data)
            asked[f"CQL-Prior, {name}, {what}"] = labels
    for name in ("dqn_prior", "dqn"):
        title = {"dqn_prior": f"DQN-Prior online, {model}", "dqn": "DQN online"}[name]
        returns[title], asked[title] = online(world, name, folder)
    cql = returns["CQL"]
    figures = {
        "data": summary,
        "learners": {
            name: {
                "return": [interval(row) for row in curve.T],
                "runs": len(curve),
                **asked[name],
            }
            for name, curve in returns.items()
        },
        "fractions": {
            name: {f"{share:g}": fraction(cql, curve, share) for share in (1.0, 0.9)}
            for name, curve in returns.items()
            if name.startswith("CQL-Prior")
        },
    }
    return figures


def ablations(world: World) -> dict[str, dict[str, float]]:
    """What else CQL-Prior is tried with: no penalty; the settings that CQL was tuned to."""
    cql = read(world, "cql", {}).algorithm
    same = {name: getattr(cql, name) for name in ("learning_rate", "gamma", "tau", "beta")}
    return {"β = 0": {"beta": 0.0}, "CQL's settings": same}


def behave(world: World, folder: Path, bank: Sequence[str] = ()) -> tuple[Path, str]:
    """Train the behaviour, collect without a prior; the file, and a summary of it."""
    steps = world.behaviour_steps
    dqn = read(world, "dqn", {"total_steps": steps, "eval_every": steps}, bank)
    runner.run(dqn, folder / "behaviour", progress=False)
    found, origin = gather.run(
        dqn,
        folder / "bare.npz",
        f"random:.5,{folder / 'behaviour'}:.5",
        num_steps=SIZES[-1],
    )
    summary = gather.summary(found, origin).partition("\n")[0]
    return folder / "bare.npz", summary.replace(str(folder / "behaviour"), "DQN")


def with_tables(world: World, folder: Path, bank: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """The fields of its priors, each model asked about every state only once."""
    named = {}
    for name, fields in world.priors().items():
        model, table = fields["prior"], folder / f"table-{fields['prior']}.npz"
        if model in WITHOUT_MODEL or not world.tabulated:
            access = {"prior_access": "live"} if model in WITHOUT_MODEL else {}
            named[name] = fields | access
            continue
        if not table.exists():
            experiment = read(world, "cql_prior", {}, bank)
            where = experiment.config.env, experiment.env_arguments, experiment.bank
            env, params = build.make_env(*where)
            prior = build.language_prior(model, env, params)
            tabulate(prior, env, params, **prior.settings).save(table, params)
        named[name] = {**fields, "prior": str(table)}
    return named


def read(
    world: World, learner: str, fields: Mapping[str, Any], bank: Sequence[str] = ()
) -> config.Experiment:
    """A config of the package with fields of a prior."""
    chosen = [f"{name}={value}" for name, value in fields.items()]
    own = world.settings.get(learner, ())
    return config.read(f"{world.configs}_{learner}", [*world.overrides, *own, *bank, *chosen])


def run(world: World, learner: str, fields: Mapping[str, Any], out: Path, data: Path | None) -> Any:
    """Train at every size of the data, in one program; without data, only play."""
    steps = read(world, learner, fields).config.total_steps
    more: dict[str, Any] = {"eval_every": steps, "eval_episodes": EPISODES}
    if data is not None:
        more |= {"dataset": data, "dataset_size": ",".join(str(size) for size in SIZES)}
    runner.run(read(world, learner, {**fields, **more}), out, progress=False)
    return reading.read(out)


def online(world: World, learner: str, folder: Path) -> tuple[np.ndarray, dict[str, int]]:
    """Return `[R, sizes]` after so many environment steps, and what the prior was asked."""
    fields = {"total_steps": SIZES[-1], "eval_every": 100, "eval_episodes": EPISODES}
    runner.run(read(world, learner, fields), folder / learner, progress=False)
    result = reading.read(folder / learner)
    at = np.searchsorted(result.steps, SIZES)
    asked = {"queries": int(result.queries[-1]), "evaluations": int(result.evaluations[-1])}
    return getattr(result, world.judged_by)[:, at], asked


def interval(returns: np.ndarray) -> list[float | None]:
    """IQM and its interval."""
    return statistics.bootstrap_interval(returns).rounded()


def fraction(cql: np.ndarray, prior: np.ndarray, share: float) -> list[float | None]:
    """Share of the data with which CQL-Prior gets what CQL gets of all: estimate, low, high.

    What is to be reached is `share` of CQL's IQM with the most data. Both learners' sizes are the
    first at which their IQM is as high, on a straight line in log size between two sizes; a level
    that the smallest size already reaches counts as reached there. The interval is a bootstrap over
    the runs, which are paired. None: it was not reached, or CQL has nothing.
    """
    rng = np.random.default_rng(0)
    draws = [rng.integers(len(cql), size=len(cql)) for _ in range(RESAMPLES)]
    values = [_fraction(cql[rows], prior[rows], share) for rows in [np.arange(len(cql)), *draws]]
    ordered = np.sort(values[1:])
    tail = int(0.025 * (RESAMPLES - 1))
    found = values[0], ordered[tail], ordered[-1 - tail]
    return [None if np.isinf(value) else round(float(value), 4) for value in found]


def _fraction(cql: np.ndarray, prior: np.ndarray, share: float) -> float:
    ours, theirs = statistics.iqm(prior, axis=0), statistics.iqm(cql, axis=0)
    level = share * theirs[-1]
    if level <= 0:
        return np.inf  # there is nothing to reach
    return _size_at(ours, level) / _size_at(theirs, level)


def _size_at(curve: np.ndarray, level: float) -> float:
    """The size at which a curve over SIZES first reaches a level; infinite, if it never does."""
    above = np.flatnonzero(curve >= level - 1e-9)
    if not above.size:
        return np.inf
    at = above[0]
    if at == 0:
        return float(SIZES[0])
    low, high = curve[at - 1], curve[at]
    part = (level - low) / (high - low)
    return float(SIZES[at - 1] * (SIZES[at] / SIZES[at - 1]) ** part)


def tables(
    figures: Mapping[str, Any], worlds: Mapping[str, World] = WORLDS, prefix: str = "offline"
) -> dict[str, str]:
    """Return against size, and the fractions, by the names of their places on the page."""
    made = {}
    head = ["transitions a run", *(f"{size:,}" for size in figures["sizes"])]
    for world in worlds:
        rows = []
        for name, found in figures[world]["learners"].items():
            cells = [_text(values) for values in found["return"]]
            if len(cells) == 1:  # it learns nothing
                cells = cells + ["as before"] * (len(head) - 2)
            rows.append([name, *cells, f"{found['queries']:,}", f"{found['evaluations']:,}"])
        made[f"{prefix}_{world}"] = comparison.markdown([*head, "queries", "evaluations"], rows)
    names = list(figures[next(iter(worlds))]["fractions"])
    head = ["share of CQL's data that is needed"]
    head += [
        f"{world.title}: {what}"
        for world in worlds.values()
        for what in (f"all of its {_JUDGED[world.judged_by]}", "90 %")
    ]
    rows = [
        [name, *(_share(figures[world]["fractions"][name][part])
                 for world in worlds for part in ("1", "0.9"))]
        for name in names
    ]  # fmt: skip
    made[f"{prefix}_fractions"] = comparison.markdown(head, rows)
    return made


def numbers(figures: Mapping[str, Any], worlds: Mapping[str, World] = WORLDS) -> prose.Numbers:
    """What sentences quote: `WORLD.LEARNER.SIZE`, `WORLD.fraction.LEARNER.90`, `WORLD.data`."""
    found = {"episodes": f"{figures['episodes']}", "most": prose.count(figures["sizes"][-1])}
    steps = {read(world, "cql", {}).config.total_steps for world in worlds.values()}
    found["gradient_steps"] = " or ".join(map(prose.count, sorted(steps)))
    found["least"] = prose.count(figures["sizes"][0])
    for world, here in worlds.items():
        own = figures[world]
        mean = own["data"].partition("mean return ")[2].partition(":")[0]
        found[f"{world}.data"] = prose.share(float(mean))
        found[f"{world}.behaviour_steps"] = prose.count(here.behaviour_steps)
        for learner, row in own["learners"].items():
            name = f"{world}.{prose.slug(learner)}"
            found["runs"] = f"{row['runs']}"
            if len(row["return"]) == 1:  # it learns nothing
                found |= prose.estimate(name, row["return"][0])
                continue
            for size, values in zip(figures["sizes"], row["return"], strict=True):
                found |= prose.estimate(f"{name}.{size}", values)
        for learner, row in own["fractions"].items():
            for part, values in (("all", row["1"]), ("90", row["0.9"])):
                name = f"{world}.fraction.{prose.slug(learner)}.{part}"
                found[f"{name}.needs"] = _needs(values)
    return found


def _needs(values: Sequence[float | None]) -> str:
    """`19 % of CQL's data (from 5 % to 81 %)`; more than there is is written in words."""
    estimate, low, high = ("more than all" if v is None else prose.percent(v) for v in values)
    return f"{estimate} of CQL's data (from {low} to {high})"


def _text(values: Sequence[float]) -> str:
    return comparison.interval(Interval(*values))


def _share(values: Sequence[float | None]) -> str:
    """`.03 [.02, .05]`; more than all of it is written as not reached."""
    estimate, low, high = ("not reached" if v is None else f"{100 * v:.1f} %" for v in values)
    return f"{estimate} [{low}, {high}]"


if __name__ == "__main__":
    main()
