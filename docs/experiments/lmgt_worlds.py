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

import judged_habit
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
    digits_of,
    experiment_of,
    scale_of,
)
from lmgt_pages import numbers as numbers
from lmgt_pages import tables as tables

from lprl_jax.experiments import build, config, run_directory, runner
from lprl_jax.lm import named
from lprl_jax.lm.quantised import quantised
from lprl_jax.pretraining import measuring_verdicts
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
    task = judged_habit.task_of(WORLDS[ON_BITS[0]].task)
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
        _habit(own, habit)
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


def _summaries(own: World, out: Path, counter: str) -> list[dict[str, Any]]:
    """What a directory's runs came to, by setting; `counter` is the metric of its questions."""
    found = []
    (*_, last) = run_directory.read_lines(out / run_directory.METRICS)
    of_setting = reading.read(out).by_setting().values()
    for result in of_setting:
        curve = result.returns if own.of_returns else result.success
        reached = statistics.summarize_steps(
            *statistics.steps_to_threshold(result.steps, curve, own.threshold)
        )
        digits = digits_of(own)
        half = curve[:, len(result.steps) // 2]
        found.append(
            {
                "steps": f"{reached}",
                "half": statistics.bootstrap_interval(half).rounded(digits),
                "end": statistics.bootstrap_interval(curve[:, -1]).rounded(digits),
                "queries": int(last.get(counter, 0)) // len(of_setting),
            }
        )
    return found


def _habit(own: World, path: Path) -> None:
    """The habit's verdicts of a world, in a file."""
    experiment = experiment_of(own)
    given = experiment.config
    env, params = build.make_env(given.env, experiment.env_arguments, experiment.bank)
    judged_habit.write(env, params, own.task, path)


if __name__ == "__main__":
    main()
