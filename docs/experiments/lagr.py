"""LaGR and LaGR-SEQ: when to ask, the paper's cubes, and the embedded model as completer.

    python docs/experiments/lagr.py [PART ...]

Parts:

* `schedules`: object arrangement 5x5 with recorded answers; a primary that drops with p = ½ until
  an answer is accepted. Steps and queries to that, a thousand trials a schedule. SEQ has learnt in
  other trials of the same pattern first.
* `pictures`: how often SEQ asks on the paper's picture, where recorded answers are right in 2 of 7
  cases at most: at the paper's rewards the best choice is never to ask.
* `cubes`: the paper's eight cubes as its code has them (`configs/*_paper.yaml`), a hundred seeds,
  under its reward and under the exact one: Q-learning, LaGR, LaGR-SEQ, and LaGR with one switch
  changed.
* `held_out`, or a world of it: the embedded model completes held-out patterns, one a run, 32 runs;
  beside it DQN, DQN-Prior and its habit, and completers that are always right, never right, wrong
  half of the time, and earlier versions of the model: eight cubes and eleven, objects, pictures.
  How often the model is right by how much is shown stands in its model card.

Writes `docs/results/lagr.json`; parts that are not named are kept.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import written
from lagr_pages import numbers as numbers
from lagr_pages import tables as tables
from lprl_envs import ImageCompletion, ObjectArrangement

from lprl_jax import Data
from lprl_jax.algorithms.base import Algorithm
from lprl_jax.algorithms.schedules import Schedule, Seen
from lprl_jax.algorithms.value_based import lagr
from lprl_jax.algorithms.value_based.lagr_config import LaGRConfig
from lprl_jax.completers import Recorded
from lprl_jax.experiments import build, config, run_directory, runner
from lprl_jax.results import comparison, reading

OUT = written.ROOT / "docs/results/lagr.json"
MODELS = ("embedded", "embedded-early-1", "embedded-early-2")
PARTS = ("schedules", "pictures", "cubes", "held_out")

# -- schedules ---------------------------------------------------------------------------------

TRIALS, EPISODES, SHORT, HORIZON = 1_000, 30, 6, 50
"""Trials last for EPISODES; those from which SEQ learns only are SHORT."""
ELEMENTS = 8
"""Of the diamond."""
FIXED: Mapping[str, Mapping[str, Any]] = {
    "always": {"schedule": "always", "eligible": "any"},
    "random, p = .5": {"schedule": "random", "ask_probability": 0.5, "eligible": "any"},
    "random, p = .1": {"schedule": "random", "ask_probability": 0.1, "eligible": "any"},
    "random, p = .03": {"schedule": "random", "ask_probability": 0.03, "eligible": "any"},
    "every 10 steps": {"schedule": "every", "ask_every": 10, "eligible": "any"},
    "every 25 steps": {"schedule": "every", "ask_every": 25, "eligible": "any"},
    "first 50 steps": {"schedule": "first", "ask_first": 50, "eligible": "any"},
    "linear decay, 200 steps": {
        "schedule": "linear_decay", "ask_decay_steps": 200, "eligible": "any",
    },
    "once a prompt": {"schedule": "once", "eligible": "any"},
    "on change": {"schedule": "on_change", "eligible": "any"},
    "on change, 4 queries at most": {"schedule": "on_change", "ask_budget": 4},
}  # fmt: skip
SHOWN = (3, 4, 5, 6)
"""Objects that are placed at the least, of schedules that wait for so many."""
SEQ: Mapping[str, Mapping[str, Any]] = {
    "SEQ, Thompson, c = .05": {"query_cost": 0.05},
    "SEQ, Thompson, c = .2": {"query_cost": 0.2},
    "SEQ, Thompson, c = .5": {"query_cost": 0.5},
    "SEQ, ε-greedy, c = .5": {
        "query_cost": 0.5, "seq_choose": "epsilon", "seq_epsilon_steps": 5_000.0,
    },
}  # fmt: skip
TAUGHT = 20
"""Trials that SEQ has behind it."""


def on_objects() -> dict[str, Any]:
    """Steps and queries to acceptance, by schedule."""
    found = {}
    for name, own in FIXED.items():
        found[name] = _trials(LaGRConfig(**_objects(own)))
    for least in SHOWN:
        settings = LaGRConfig(**_objects({"eligible": "changed"}))
        found[f"{least} shown and changed"] = _trials(settings, _when_shown(least))
    for name, own in SEQ.items():
        settings = {"schedule": "seq", "seq_bins": ELEMENTS + 1, **own}
        found[name] = _trials(LaGRConfig(**_objects(settings)), taught=TAUGHT)
    return {"trials": TRIALS, "taught": TAUGHT, "rows": found}


def _objects(own: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a primary that drops with p = ½ and is never ahead of itself."""
    return {
        "keep": "trial", "epsilon": 1.0, "hidden_sizes": (), "rollout_length": HORIZON,
        "buffer_size": HORIZON, "batch_size": 1, **own,
    }  # fmt: skip


def _when_shown(least: int) -> Schedule:
    """Ask where so many objects are placed."""

    def ask(carry: Any, keys: Any, seen: Seen) -> tuple[jax.Array, Any]:
        return seen.revealed * ELEMENTS >= least - 0.5, carry

    return Schedule(f"{least} shown", lambda keys, seen: (), ask)


def _trials(
    settings: LaGRConfig, schedule: Schedule | None = None, taught: int = 0
) -> dict[str, Any]:
    """A thousand trials of the paper's diamond, each till its answer is accepted.

    With `taught`, the schedule has gone through so many trials before, which it learnt from.
    """
    env = ObjectArrangement("5x5")
    completer = Recorded.of(env)
    own = (settings, env, None, completer, *([schedule] if schedule else []))
    algorithm = lagr.make(*own)
    data = Data((), env.default_params, completer_params=completer.params)
    only = jnp.zeros((TRIALS, 1), jnp.int32)
    keys = jax.random.split(jax.random.key(0), TRIALS)
    state = algorithm.init(keys, settings.hparams(TRIALS), data, only)
    for _ in range(taught):
        state, _ = algorithm.train(state, data, SHORT)
        state = algorithm.restart(state, data, only)
    begun = int(state.num_steps)
    state, seen = algorithm.train(state, data, EPISODES)
    done = np.asarray(state.guide.first) >= 0
    first = np.asarray(state.guide.first) - begun
    steps = np.where(done, first, np.inf)
    print(settings.schedule if schedule is None else schedule.name, np.median(steps), flush=True)
    asked, evaluated = (np.asarray(seen[name]).sum(0) for name in ("asked", "evaluated"))
    median = np.median(steps)
    return {
        "median": float(median) if np.isfinite(median) else None,
        "steps": _mean(first[done]),
        "queries": _mean(asked),
        "evaluations": _mean(evaluated),
        "accepted": float(done.mean()),
    }


def _mean(values: Any) -> list[float]:
    """A mean and its standard error."""
    values = np.asarray(values, float)
    return [round(float(values.mean()), 3), round(float(values.std() / len(values) ** 0.5), 3)]


# -- pictures ----------------------------------------------------------------------------------

PAINTERS, PART, NUM_PARTS = 64, 1_000, 20
"""Runs; steps of a part, in which queries are counted."""
COSTS = (0.5, 0.05)


def on_pictures() -> dict[str, Any]:
    """Queries a run in each thousand steps of a learner that flips with p = ½."""
    env = ImageCompletion("10x10")
    completer = Recorded.of(env)
    data = Data((), env.default_params, completer_params=completer.params)
    keys = jax.random.split(jax.random.key(0), PAINTERS)
    only = jnp.zeros((PAINTERS, 1), jnp.int32)
    found = {}
    for cost in COSTS:
        settings = LaGRConfig(
            schedule="seq", query_cost=cost, seq_bins=21, eligible="any", epsilon=1.0,
            hidden_sizes=(), rollout_length=PART, buffer_size=PART, batch_size=1,
        )  # fmt: skip
        algorithm = lagr.make(settings, env, None, completer)
        state = algorithm.init(keys, settings.hparams(PAINTERS), data, only)
        _, seen = algorithm.train(state, data, NUM_PARTS)
        asked = np.asarray(seen["asked"])
        found[f"c = {cost:g}"] = {"first": _mean(asked[0]), "last": _mean(asked[-1])}
    return {"part": PART, "steps": PART * NUM_PARTS, "rows": found}


# -- cubes -------------------------------------------------------------------------------------

EARLY = slice(1, 5)
"""Episodes 2 to 5."""
LEARNERS: Mapping[str, tuple[str, Sequence[str]]] = {
    "Q-learning": ("cube_stacking_lagr_paper", ("schedule=never",)),
    "LaGR": ("cube_stacking_lagr_paper", ()),
    "LaGR-SEQ": ("cube_stacking_lagr_seq_paper", ()),
    "LaGR-SEQ, Thompson": ("cube_stacking_lagr_seq_paper", ("seq_choose=thompson",)),
    "LaGR, learns while following": (
        "cube_stacking_lagr_paper", ("learn_while_following=true",),
    ),
    "Q-learning, illegal choices masked": (
        "cube_stacking_lagr_paper", ("schedule=never", "illegal=masked"),
    ),
    "LaGR, illegal choices masked": ("cube_stacking_lagr_paper", ("illegal=masked",)),
    "LaGR-SEQ, illegal choices masked": ("cube_stacking_lagr_seq_paper", ("illegal=masked",)),
}  # fmt: skip
REWARDS = ("paper", "exact")


def on_cubes() -> dict[str, Any]:
    """Returns of training episodes, and queries a trial."""
    found: dict[str, Any] = {}
    runs, episodes = set[int](), set[int]()
    for reward in REWARDS:
        found[reward] = {}
        for name, (base, overrides) in LEARNERS.items():
            experiment = config.read(base, [f"env_params.reward={reward}", *overrides])
            setup = runner.set_up(experiment)
            count = experiment.config.total_steps // HORIZON
            runs, episodes = runs | {experiment.num_runs}, episodes | {count}
            algorithm: Algorithm = setup.algorithm
            drawn = build.keys(experiment), build.hparams(experiment)
            own = build.run_instances(experiment, setup.params)
            state = algorithm.init(*drawn, setup.data, own)
            _, seen = algorithm.train(state, setup.data, count)
            returns, asked = (np.asarray(seen[x]) for x in ("reward", "asked"))
            found[reward][name] = {
                "early": _mean(returns[EARLY].mean(0)),
                "last": _mean(returns[-10:].mean(0)),
                "queries": _mean(asked.sum(0)),
                "evaluations": _mean(np.asarray(seen["evaluated"]).sum(0)),
                "curve": [round(float(x), 2) for x in returns.mean(1)],
            }
    (seeds,), (length,) = runs, episodes  # of all alike
    return {"seeds": seeds, "episodes": length, "rewards": found}


# -- held-out patterns -------------------------------------------------------------------------

WORLDS: Mapping[str, tuple[str, Sequence[str]]] = {
    "cube_stacking": ("cube_stacking", ()),
    "cube_stacking_11": ("cube_stacking", ("env_params.num_cubes=11",)),
    "object_arrangement": (
        "object_arrangement",
        ("total_steps=1000", "eval_every=100", "eval_episodes=16"),
    ),
    "image_completion": (
        "image_completion",
        ("total_steps=2000", "eval_every=200", "eval_episodes=8", "ask_budget=100"),
    ),
    "object_arrangement_8": (
        "object_arrangement",
        ("env_params.size=8x8", "total_steps=1000", "eval_every=100", "eval_episodes=16"),
    ),
    "image_completion_16": (
        "image_completion",
        (
            "env_params.size=16x16",
            "total_steps=2000",
            "eval_every=200",
            "eval_episodes=8",
            "ask_budget=10",
        ),
    ),
}
"""The beginnings of the configs' names, and what differs from them. Where answers are long and few
are right, it takes long."""
RARELY: Mapping[str, Sequence[str]] = dict.fromkeys(
    ("image_completion", "image_completion_16"), ("schedule=every", "ask_every=25")
)
"""In the place of asking at every change: of a picture nearly every question is new, and an answer
has a token a pixel."""
UNTAUGHT = ("object_arrangement_8", "image_completion_16")
"""Larger than all that the model was taught."""
COMPLETERS: Mapping[str, tuple[str, Sequence[str]]] = {
    "LaGR": ("lagr", ()),
    "LaGR-SEQ, c = .05": ("lagr_seq", ()),
    "LaGR-SEQ, c = .5": ("lagr_seq", ("query_cost=.5",)),
    "LaGR, embedded-early-2": ("lagr", ("completer=embedded-early-2",)),
    "LaGR, embedded-early-1": ("lagr", ("completer=embedded-early-1",)),
    "LaGR, wrong half of the time": ("lagr", ("completer_epsilon=.5",)),
    "LaGR, always right": ("lagr", ("completer=perfect",)),
    "LaGR, never right": ("lagr", ("completer=never-right",)),
    "DQN": ("lagr", ("schedule=never",)),
}
OTHERS: Mapping[str, Mapping[str, str]] = {
    "cube_stacking": {"DQN-Prior": "dqn_prior", "DQN-Prior, habit": "dqn_prior_habit"},
    "cube_stacking_11": {"DQN-Prior": "dqn_prior", "DQN-Prior, habit": "dqn_prior_habit"},
    "object_arrangement": {"DQN-Prior": "dqn_prior"},
}
"""With the same model as a prior."""
OF_UNTAUGHT = ("LaGR", "LaGR, always right", "DQN")
"""Rows where the model knows nothing."""


def held_out(worlds: Sequence[str] = tuple(WORLDS)) -> dict[str, Any]:
    """Learning curves of every completer, and queries."""
    found = dict(written.kept(OUT, MODELS).get("held_out", {}))
    for world in worlds:
        with tempfile.TemporaryDirectory() as folder:
            found[world] = _world(world, Path(folder))
        written.write(OUT, {**written.kept(OUT, MODELS), "held_out": found}, MODELS)
    return found


def _world(world: str, folder: Path) -> dict[str, Any]:
    results, unreadable = {}, {}
    others = {name: (kind, ()) for name, kind in OTHERS.get(world, {}).items()}
    for name, (kind, overrides) in {**COMPLETERS, **others}.items():
        if world in UNTAUGHT and name not in OF_UNTAUGHT:
            continue
        base, own = WORLDS[world]
        rarely = RARELY.get(world, ()) if kind == "lagr" else ()
        experiment = config.read(f"{base}_{kind}", [*own, *rarely, *overrides])
        run = runner.run(experiment, folder / f"run-{len(results)}", progress=False)
        results[name] = reading.read(run)
        lines = list(run_directory.read_lines(run / run_directory.METRICS))
        asked, failed = (
            sum(np.sum(x.get(key, 0)) for x in lines) for key in ("asked", "unreadable")
        )
        unreadable[name] = float(failed / max(asked, 1))
        print(world, name, results[name].success[:, -1].mean(), flush=True)
    return {
        name: {
            "steps_to_80": f"{s.steps_to_threshold}",
            "success": s.success.rounded(),
            "queries": s.queries,
            "evaluations": s.evaluations,
            "unreadable": round(unreadable[name], 3),
            "runs": s.runs,
            "steps": s.steps,
            "every": int(results[name].steps[1] - results[name].steps[0]),
        }
        for name, s in comparison.summarize(results).items()
    }


def main() -> None:
    """Measure the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    known = [*PARTS, *WORLDS]
    parser.add_argument("parts", nargs="*", choices=[[], *known], help="by default, all")
    chosen = parser.parse_args().parts or PARTS
    measured: Mapping[str, Callable[[], Any]] = {
        "schedules": on_objects, "pictures": on_pictures, "cubes": on_cubes, "held_out": held_out,
    }  # fmt: skip
    for name in chosen:
        part = "held_out" if name in WORLDS else name
        found = held_out([name]) if name in WORLDS else measured[part]()
        figures = {**written.kept(OUT, MODELS), part: found}
        written.write(OUT, {x: figures[x] for x in PARTS if x in figures}, MODELS)


if __name__ == "__main__":
    main()
