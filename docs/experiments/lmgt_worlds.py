"""LMGT, world by world: five algorithms, a model that has learnt to judge, and its controls.

    python docs/experiments/lmgt_worlds.py [PART ...]

Parts: `cartpole`, `pendulum`, `blackjack`, `watch`, `rooms` are worlds, each with its learners;
`alone` follows the judge by itself, with nothing learnt; `scales` the scale of the shift by
learner; `bits` the judge at fewer bits; `priors` the same learners with the same model as a prior
instead. The judge is `embedded-judge`, asked in words; instances are held out from its lessons.
Returns and decisions are of the unshifted reward. Writes `docs/results/lmgt_worlds.json`; parts
that are not named are kept.

A judge that knows nothing, `uniform`, adds 0 to every reward (`tests/judges/test_judges.py`): its
rows would be those of no judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import prose
import written
from lmgt_alone import alone
from lmgt_learners import (
    ALPHAS,
    AS_PRIORS,
    HABIT,
    HALF,
    HAVE_A_PRIOR,
    IN_WORDS,
    JUDGES,
    MODEL,
    RUNS,
    SCALES,
    WORLDS,
    World,
    made,
    scale_of,
)
from lmgt_pages import numbers as numbers
from lmgt_pages import tables as tables

from lprl_jax.experiments import config, run_directory, runner
from lprl_jax.judges import tabular
from lprl_jax.judges.base import has_choice
from lprl_jax.lm import named
from lprl_jax.lm.quantised import quantised
from lprl_jax.pretraining import measuring_verdicts
from lprl_jax.pretraining.curriculum_of_judge import JUDGE_TASKS
from lprl_jax.results import reading, statistics

OUT = written.ROOT / "docs/results/lmgt_worlds.json"
SCALED = {"cartpole": ("PPO", "A2C", "DQN"), "pendulum": ("SAC", "TD3")}
BITS = (32, 8, 6, 5, 4, 3, 2)
ON_BITS = ("cartpole", "PPO")
JUDGED = 100
"""Held-out instances on which the verdicts of fewer bits are measured."""
PARTS = (*WORLDS, "alone", "scales", "bits", "priors")


def main() -> None:
    """Measure the parts that are named, or all."""

    def measure(part: str, folder: Path, figures: dict[str, Any]) -> dict[str, Any]:
        del figures
        if part == "alone":
            return {name: alone(own) for name, own in WORLDS.items()}
        own = {"scales": scales, "bits": bits, "priors": priors}
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


def priors(folder: Path) -> dict[str, Any]:
    """The same learners with a prior in the judge's place, by world, learner, prior and α."""
    found: dict[str, Any] = {}
    for name, (learners, known, how) in HAVE_A_PRIOR.items():
        for learner in learners:
            for prior in known:
                fields = {**_fields(name, learner), "prior": prior, "alpha": list(ALPHAS)}
                fields = config.override(fields, how)
                out = folder / prose.slug(f"{name} {learner} {prior}")
                runner.run(config.parse(fields), out, progress=False)
                key = f"{AS_PRIORS[learner]}, {prior} ({name})"
                of_alpha = _summaries(WORLDS[name], out, "queries")
                found[key] = dict(zip((f"{a:g}" for a in ALPHAS), of_alpha, strict=True))
                print(key, found[key], flush=True)
    return found


def _row(name: str, learner: str, more: Sequence[str], out: Path) -> dict[str, Any]:
    """What one learner comes to with one judge."""
    own = WORLDS[name]
    out.parent.mkdir(exist_ok=True, parents=True)
    habit = out.parent / "habit.npz"
    if any(HABIT in text for text in more) and not habit.exists():
        _write_habit(own, habit)
    half = f"{scale_of(own) / 2:g}"
    texts = [text.replace(HABIT, str(habit)).replace(HALF, half) for text in more]
    fields = config.override(_fields(name, learner), texts)
    runner.run(config.parse(fields), out, progress=False)
    (found,) = _summaries(own, out, "judge_queries")
    print(name, learner, more, found, flush=True)
    return found


def _fields(name: str, learner: str) -> dict[str, Any]:
    own = WORLDS[name]
    return {**own.fields, **own.learners[learner], "num_runs": RUNS}


def _summaries(own: World, out: Path, asked: str) -> list[dict[str, Any]]:
    """What a directory's runs came to, by setting; `asked` is the metric that counts questions."""
    found = []
    (*_, last) = run_directory.read_lines(out / run_directory.METRICS)
    of_setting = reading.read(out).by_setting().values()
    for result in of_setting:
        curve = result.returns if own.of_returns else result.success
        reached = statistics.summarize_steps(
            *statistics.steps_to_threshold(result.steps, curve, own.threshold)
        )
        digits = 1 if own.of_returns and abs(own.threshold) > 1 else 3
        half = curve[:, len(result.steps) // 2]
        found.append(
            {
                "steps": f"{reached}",
                "half": statistics.bootstrap_interval(half).rounded(digits),
                "end": statistics.bootstrap_interval(curve[:, -1]).rounded(digits),
                "queries": int(last.get(asked, 0)) // len(of_setting),
            }
        )
    return found


def _write_habit(own: World, path: Path) -> None:
    """The best verdicts on actions that look at no state, fitted on training instances."""
    env, params = made(own)
    said = measuring_verdicts.habit_of(_task_of(own))
    verdicts = np.where(_choice(env, params)[:, None], said[None], 0.0)[None]
    table = np.broadcast_to(verdicts, (len(params.instances), *verdicts.shape[1:]))
    tabular.of_table(env, params, table, "habit").save(path, params)


def _choice(env: Any, params: Any) -> np.ndarray:
    """`bool[rows]` of a table: whether there is more than one legal action."""
    rows = tabular.num_rows(env)
    if env.num_states is None:  # then all actions are legal
        return np.ones(rows, bool)
    states = jax.vmap(lambda i: env.state_at(0, i, params))(jnp.arange(rows))
    return np.asarray(has_choice(env, states, params))


def _task_of(own: World) -> Any:
    return next(task for task in JUDGE_TASKS if task.name == own.task)


if __name__ == "__main__":
    main()
