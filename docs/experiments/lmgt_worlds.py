"""LMGT, world by world: five algorithms, a model that has learnt to judge, and its controls.

    python docs/experiments/lmgt_worlds.py [PART ...]

Parts: `cartpole`, `pendulum`, `blackjack`, `watch` are worlds, each with its learners; `scales` the
scale of the shift by algorithm; `bits` the judge at fewer bits. The judge is `embedded-judge`,
asked in words; instances are held out from its lessons. Returns and decisions are of the unshifted
reward. Writes `docs/results/lmgt_worlds.json`; parts that are not named are kept.

A judge that knows nothing, `uniform`, adds 0 to every reward (`tests/judges/test_judges.py`): its
rows would be those of no judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import prose
import written

from lprl_jax.experiments import build, config, run_directory, runner
from lprl_jax.judges import tabular
from lprl_jax.lm import named
from lprl_jax.lm.quantised import quantised
from lprl_jax.pretraining import measuring_verdicts
from lprl_jax.pretraining.curriculum_of_judge import JUDGE_TASKS
from lprl_jax.pretraining.verdicts import WAYS
from lprl_jax.results import reading, statistics
from lprl_jax.results.comparison import markdown

OUT = written.ROOT / "docs/results/lmgt_worlds.json"
MODEL = "embedded-judge"
RUNS = 32
HABIT = "HABIT"
"""In the place of a file: the habit's verdicts."""
IN_WORDS = [f"judge={MODEL}", "judge_says=words"]
NO_JUDGE, MODELS_ROW = "no judge", "embedded judge"
JUDGES: dict[str, Sequence[str]] = {
    NO_JUDGE: ["judge=none"],
    MODELS_ROW: IN_WORDS,
    "perfect": ["judge=perfect"],
    "habit": [f"judge={HABIT}"],
    "always good": ["judge=always-good"],
    "embedded judge, adversarial": [*IN_WORDS, "judge_adversarial=true"],
    "perfect, 70 % right by step": ["judge=perfect", "judge_accuracy=0.7"],
    "perfect, 70 % right by state": ["judge=perfect", "judge_accuracy=0.7", "judge_errors=state"],
}
PPO = {
    "algorithm": "ppo",
    "num_envs": 8,
    "rollout_length": 32,
    "num_epochs": 10,
    "num_minibatches": 4,
    "learning_rate": 1e-3,
    "gamma": 0.98,
    "gae_lambda": 0.8,
    "entropy_coef": 0.0,
}
A2C = {
    **PPO,
    "rollout_length": 8,
    "num_epochs": 1,
    "num_minibatches": 1,
    "normalize_advantages": False,
    "learning_rate": 3e-3,
}
DQN = {
    "algorithm": "dqn",
    "learning_rate": 1e-3,
    "gamma": 0.98,
    "tau": 0.05,
    "epsilon": 0.05,
    "epsilon_steps": 2_000,
    "hidden_sizes": [64, 64],
}
REPLAYED = {
    "num_envs": 1,
    "rollout_length": 1,
    "updates_per_rollout": 1,
    "learning_starts": 500,
    "hidden_sizes": [64, 64],
    "buffer_size": 20_000,
    "batch_size": 128,
    "learning_rate": 1e-3,
}
ON_PENDULUM = {**REPLAYED, "gamma": 0.99, "tau": 0.005}


class World(NamedTuple):
    """A world, what it is measured by, and who learns in it."""

    fields: Mapping[str, Any]
    """Of configs."""
    of_returns: bool
    """Whether the return is measured, or the share of episodes that are solved."""
    threshold: float
    """To be reached."""
    learners: Mapping[str, Mapping[str, Any]]
    """By name, further fields."""
    task: str
    """What `embedded-judge` was taught of it."""


_HELD_OUT = {"num_instances": RUNS, "split": "held-out", "instance_per_run": True}
WORLDS = {
    "cartpole": World(
        {"env": "CartPole-lprl", "eval_every": 512, "eval_episodes": 16, "total_steps": 10_240},
        True,
        450,
        {
            "PPO": PPO,
            "A2C": {**A2C, "total_steps": 20_480},
            "DQN": {**DQN, "eval_every": 500, "total_steps": 10_000},
        },
        "CartPole",
    ),
    "pendulum": World(
        {"env": "Pendulum-lprl", "eval_every": 500, "eval_episodes": 20},
        True,
        -200,
        {
            "SAC": {**ON_PENDULUM, "algorithm": "sac", "total_steps": 4_000},
            "TD3": {**ON_PENDULUM, "algorithm": "td3", "total_steps": 6_000},
        },
        "Pendulum",
    ),
    "blackjack": World(
        {
            "env": "Blackjack-lprl",
            "env_params": _HELD_OUT,
            "eval_every": 512,
            "eval_episodes": 1_024,
        },
        True,
        -0.1,
        {
            "PPO": {**PPO, "gamma": 1.0, "total_steps": 10_240},
            "DQN": {**DQN, "gamma": 1.0, "eval_every": 500, "total_steps": 10_000},
        },
        "Blackjack",
    ),
    "watch": World(
        {
            "env": "WatchRepair-lprl",
            "env_params": _HELD_OUT,
            "eval_every": 2_560,
            "eval_episodes": 32,
            "total_steps": 25_600,
            "shift_scale": 5.0,
        },
        False,
        0.8,
        {
            "PPO": {**PPO, "rollout_length": 64, "gamma": 1.0, "gae_lambda": 1.0},
            "DQN": {**DQN, "gamma": 1.0, "eval_every": 2_500, "total_steps": 25_000},
        },
        "WatchRepair",
    ),
}
"""Settings are those of the package's configs of these learners; none was tuned for a judge."""
SCALES = (0.1, 0.3, 1.0, 3.0, 10.0)
SCALED = {"cartpole": ("PPO", "A2C", "DQN")}
BITS = (32, 8, 6, 5, 4, 3, 2)
ON_BITS = ("cartpole", "PPO")
JUDGED = 100
"""Held-out instances on which the verdicts of fewer bits are measured."""
PARTS = (*WORLDS, "scales", "bits")


def main() -> None:
    """Measure the parts that are named, or all."""

    def measure(part: str, folder: Path, figures: dict[str, Any]) -> dict[str, Any]:
        del figures
        own = {"scales": scales, "bits": bits}
        return own[part](folder) if part in own else world(part, folder)

    written.by_parts(__doc__, OUT, PARTS, (MODEL,), measure)


def world(name: str, folder: Path) -> dict[str, Any]:
    """Learners of a world by their judges; a row each, by learner."""
    return {
        learner: {
            title: _row(name, learner, more, folder / prose.slug(f"{learner} {title}"))
            for title, more in JUDGES.items()
        }
        for learner in WORLDS[name].learners
    }


def scales(folder: Path) -> dict[str, Any]:
    """The judge's steps to the threshold by the scale of the shift."""
    return {
        f"{learner} ({name})": {
            f"{scale:g}": _row(
                name,
                learner,
                [*IN_WORDS, f"shift_scale={scale}"],
                folder / prose.slug(f"{learner} {scale}"),
            )
            for scale in SCALES
        }
        for name, learners in SCALED.items()
        for learner in learners
    }


def bits(folder: Path) -> dict[str, Any]:
    """What a judge of fewer bits is worth, and how right it is on held-out physics."""
    found, model = {}, named.load(MODEL)
    task = _task_of(WORLDS[ON_BITS[0]])
    for number in BITS:
        more = [*IN_WORDS, f"judge_bits={number}"]
        row = _row(*ON_BITS, more, folder / f"{number}")
        asked = measuring_verdicts.measure_verdicts(quantised(model, number), task, JUDGED)
        right = {one.way: round(one.model.right, 3) for one in asked}
        found[f"{number}"] = {**row, "right": right}
    return found


def _row(name: str, learner: str, more: Sequence[str], out: Path) -> dict[str, Any]:
    """What one learner comes to with one judge."""
    own = WORLDS[name]
    fields = {**own.fields, **own.learners[learner], "num_runs": RUNS}
    out.parent.mkdir(exist_ok=True, parents=True)
    habit = out.parent / "habit.npz"
    texts = [text.replace(HABIT, str(habit)) for text in more]
    if texts != [*more] and not habit.exists():
        _write_habit(own, habit)
    result = reading.read(
        runner.run(config.parse(config.override(fields, texts)), out, progress=False)
    )
    curve = result.returns if own.of_returns else result.success
    reached = statistics.summarize_steps(
        *statistics.steps_to_threshold(result.steps, curve, own.threshold)
    )
    (*_, last) = run_directory.read_lines(out / run_directory.METRICS)
    digits = 1 if own.of_returns and abs(own.threshold) > 1 else 3
    found = {
        "steps": f"{reached}",
        "half": statistics.bootstrap_interval(curve[:, len(result.steps) // 2]).rounded(digits),
        "end": statistics.bootstrap_interval(curve[:, -1]).rounded(digits),
        "queries": int(last.get("judge_queries", 0)),
    }
    print(name, learner, more, found, flush=True)
    return found


def _write_habit(own: World, path: Path) -> None:
    """The best verdicts on actions that look at no state, fitted on training instances."""
    env, params = _made(own)
    said = measuring_verdicts.habit_of(_task_of(own))
    shape = len(params.instances), tabular.num_rows(env), env.num_actions
    verdicts = np.broadcast_to(said[None, None], shape)
    tabular.of_table(env, params, verdicts, "habit").save(path, params)


def _made(own: World) -> tuple[Any, Any]:
    experiment = config.parse({**own.fields, "num_runs": RUNS})
    given = experiment.config
    return build.make_env(given.env, experiment.env_arguments, experiment.bank)


def _task_of(own: World) -> Any:
    return next(task for task in JUDGE_TASKS if task.name == own.task)


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """Markdown by name."""
    found = {}
    for name in WORLDS:
        if name in figures:
            head = ["learner", "judge", "steps to the threshold", "half-way", "at the end"]
            rows = [
                [learner, title, row["steps"], _interval(row["half"]), _interval(row["end"])]
                for learner, of_learner in figures[name].items()
                for title, row in of_learner.items()
            ]
            found[f"worlds_{name}"] = markdown(head, rows)
    if "scales" in figures:
        head = ["learner", *(f"{scale:g}" for scale in SCALES)]
        rows = [
            [learner, *(row[f"{scale:g}"]["steps"] for scale in SCALES)]
            for learner, row in figures["scales"].items()
        ]
        found["worlds_scales"] = markdown(head, rows)
    if "bits" in figures:
        rows = [
            [
                number,
                *(prose.share(row["right"][way]) for way in WAYS),
                row["steps"],
                _interval(row["half"]),
                _interval(row["end"]),
            ]
            for number, row in figures["bits"].items()
        ]
        head = ["bits", *(f"right, {way}" for way in WAYS), "steps", "half-way", "at the end"]
        found["worlds_bits"] = markdown(head, rows)
    return found


def numbers(figures: Mapping[str, Any]) -> dict[str, str]:
    """What sentences quote: `cartpole.ppo.embedded-judge.steps.interval`, `.half`, `.end`."""
    found = {"runs": f"{RUNS}", "scale": "1"}
    found |= {"scales.largest": f"{SCALES[-1]:g}", "scales.second": f"{SCALES[-2]:g}"}
    for name, own in WORLDS.items():
        found[f"{name}.threshold"] = prose.share(own.threshold, 1 if abs(own.threshold) < 1 else 0)
        if "shift_scale" in own.fields:
            found[f"{name}.scale"] = f"{own.fields['shift_scale']:g}"
    for part, of_part in figures.items():
        rows = {"": of_part} if part == "bits" else of_part
        for learner, of_learner in rows.items():
            for title, row in of_learner.items():
                key = ".".join(prose.slug(x) for x in (part, learner, title) if x)
                found |= prose.within(key, prose.reached("steps", row["steps"]))
                found[f"{key}.half"] = _interval(row["half"])
                found[f"{key}.end"] = _interval(row["end"])
                found[f"{key}.queries"] = prose.count(row["queries"])
    return found


def _interval(estimate: Sequence[float]) -> str:
    """`463 [450, 471]`, `-.08 [-.09, -.07]`"""
    big = abs(estimate[0]) >= 10
    value, low, high = (f"{x:.0f}" if big else prose.share(x) for x in estimate)
    return f"{value} [{low}, {high}]"


if __name__ == "__main__":
    main()
