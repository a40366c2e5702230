"""What a published model knows of our worlds, by wording and calibration, on held-out instances.

    lprl fetch smollm2
    python docs/experiments/wordings.py [WORLD ...]

In every world and every wording that ships, the model is asked once about states of held-out
instances, and once about states of training instances. The calibrations are worked out from the
same answers: none, pmi, contextual, and the one with its temperature that is best on the training
instances. Beside them stand the habit of right answers, fitted on training instances, and the
uniform prior. Writes `docs/results/wordings.json`; worlds that are not named are kept.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import prose
import written

from lprl_jax.algorithms.tabular import calibrations, exams, habits
from lprl_jax.algorithms.tabular.exams import Examiner
from lprl_jax.algorithms.tabular.worked_examples import worked
from lprl_jax.experiments import build, config
from lprl_jax.lm import named
from lprl_jax.lm.checkpoint import load
from lprl_jax.priors import LanguagePrior, calibration, judging
from lprl_jax.priors.base import normalize
from lprl_jax.priors.judging import Scores
from lprl_jax.priors.shipped import MODEL, WORDINGS
from lprl_jax.results import comparison
from lprl_jax.results.statistics import bootstrap_interval

OUT = Path(__file__).parents[1] / "results" / "wordings.json"
CHOSEN = "chosen"
"""The calibration that is best on training instances, with its temperature."""
SEED = 0
DRAWS = 16
"""Banks that are drawn, at most, until enough instances read differently."""


class World(NamedTuple):
    """Where the model is asked."""

    title: str
    """For tables."""
    env: str
    """A registered id."""
    env_params: Mapping[str, Any]
    """Arguments, and how instances are drawn."""
    instances: int
    """Held out, and as many for training; no two read alike, and where there are fewer, all."""
    states: int
    """Of each, at most."""


_LAKE = {"is_slippery": False}
WORLDS = {
    "lake_4_corner": World(
        "4×4 lake, goal in the corner", "FrozenLake-lprl", {**_LAKE, "map_name": "4x4"}, 48, 16
    ),
    "lake_4_anywhere": World(
        "4×4 lake, goal anywhere",
        "FrozenLake-lprl",
        {**_LAKE, "map_name": "4x4", "goal": "anywhere"},
        48,
        16,
    ),
    "blocks_4": World("Blocks World, 4 blocks", "BlocksWorld-lprl", {"num_blocks": 4}, 32, 20),
    "cubes_8": World("8 cubes", "CubeStacking-lprl", {}, 32, 8),
}


def measure(world: World, model: Any) -> dict[str, Any]:
    """All wordings and calibrations in a world, a row each."""
    env, bank, held_out = _drawn(world, "held-out")
    *_, training = _drawn(world, "train")
    key = jax.random.key(SEED)
    exam = exams.draw(env, held_out, key, world.states)

    def judge(log_probs: jax.Array) -> Scores:
        return judging.of_instances(log_probs, exam.right)

    uniform = judge(normalize(jnp.zeros(exam.legal.shape, jnp.float32), exam.legal))
    right = habits.of_training(env, build.drawn_by(bank)).log_weights
    habit = judge(normalize(jnp.broadcast_to(right, exam.legal.shape), exam.legal))
    rows = [_row("habit", "", habit, habit), _row("uniform", "", uniform, habit)]
    for wording in WORDINGS:
        begun = time.perf_counter()
        how = worked(wording, env, build.drawn_by(bank))
        prior = LanguagePrior.of_model(model, env, held_out, wording=how)
        choice = calibrations.choose(prior, training, num_states=world.states, seed=SEED)
        answers = Examiner(prior).ask(prior.params, exam, held_out)
        ways = {name: (name, 1.0) for name in calibration.METHODS}
        ways[CHOSEN] = choice.best.method, choice.best.temperature
        for name, (method, temperature) in ways.items():
            made = prior.calibrated(method, temperature).params.calibration
            scores = judge(made.of_log_probs(answers, prior.scorer.divisor))
            own = {"method": method, "temperature": temperature} if name == CHOSEN else {}
            rows.append({**_row(wording, name, scores, habit), **own})
        shortest, longest = (
            int(f(np.asarray(prior.params.prefix_valid).sum(1))) for f in (np.min, np.max)
        )
        rows[-1]["prefix_tokens"] = [shortest, longest]
        print(world.title, wording, f"{time.perf_counter() - begun:.0f} s", flush=True)
    return {"instances": len(habit.kl), "states": int(np.asarray(exam.asked).sum()), "rows": rows}


def _drawn(world: World, split: str) -> tuple[Any, Any, Any]:
    """The environment, how its instances are drawn, and those that read differently from others.

    An exam asks about the states of an instance whatever the episode's first one is, so instances
    that differ in that alone are one. They are drawn again, with other seeds, until there are
    enough, or hardly a new one comes.
    """
    drawn = {"num_instances": world.instances, "split": split, **world.env_params}
    arguments, bank = config.parse_env_params(world.env, drawn)
    env, params = build.make_env(world.env, arguments, bank)
    found: dict[bytes, Any] = {}
    for seed in range(DRAWS):
        again = dataclasses.replace(bank, bank_seed=seed)
        params = build.make_env(world.env, arguments, again)[1]
        texts = np.asarray(_texts(env, params))
        for i, text in enumerate(texts):
            own = jax.tree.map(lambda leaf, i=i: leaf[i], params.bank)
            found.setdefault(text.tobytes(), own)
        if len(found) >= world.instances:
            break
    rows = list(found.values())[: world.instances]
    together = jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)
    return env, bank, params.with_bank(together)


def _texts(env: Any, params: Any) -> jax.Array:
    """Slots `i32[M, num_slots]` of a state of each instance, the same in all."""

    def text(instance: jax.Array) -> jax.Array:
        return env.slots(env.state_at(instance, 0, params), params)

    return jax.vmap(text)(params.instances)


def _row(wording: str, method: str, scores: Scores, habit: Scores) -> dict[str, Any]:
    """Means with their intervals over instances; and the KL that is saved beside the habit."""
    found = {name: _interval(values) for name, values in scores._asdict().items()}
    saved = _interval(habit.kl - scores.kl)
    return {"wording": wording, "calibration": method, **found, "saved_beside_habit": saved}


def _interval(values: np.ndarray) -> list[float | None]:
    found = bootstrap_interval(values, np.mean)
    ends = (found.estimate, found.low, found.high)
    return [None if x is None else round(float(x), 4) for x in ends]


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """A table a world: `wordings_lake_4_corner`, ..."""
    head = ["wording", "calibration", "top-1", "in five", "KL(π* ‖ p)", "KL below the habit's"]
    made = {}
    for name, world in figures["worlds"].items():
        cells = [
            [
                row["wording"],
                _calibration(row),
                *(_shown(row[x]) for x in ("top1", "covered", "kl", "saved_beside_habit")),
            ]
            for row in world["rows"]
        ]
        made[f"wordings_{name}"] = comparison.markdown(head, cells)
    return made


def _calibration(row: Mapping[str, Any]) -> str:
    if row["calibration"] != CHOSEN:
        return row["calibration"]
    return f"chosen: {row['method']}, T {row['temperature']:g}"


def _shown(found: list[float | None]) -> str:
    middle, low, high = (None if x is None else prose.share(x) for x in found)
    return f"{middle} [{low}, {high}]"


def numbers(figures: Mapping[str, Any]) -> prose.Numbers:
    """By place: `lake_4_corner.bare.none.top1`, `.kl`; `lake_4_corner.habit.kl`; `.best`, ..."""
    found: prose.Numbers = {"wordings": f"{len(WORDINGS)}"}
    worlds = figures["worlds"]
    for name, world in worlds.items():
        found[f"{name}.instances"] = f"{world['instances']}"
        found[f"{name}.states"] = prose.count(world["states"])
        for row in world["rows"]:
            place = ".".join(x for x in (name, row["wording"], row["calibration"]) if x)
            for score in ("top1", "covered", "kl"):
                found |= prose.estimate(f"{place}.{score}", row[score])
            found |= prose.estimate(f"{place}.saved", row["saved_beside_habit"])
    every = [row for world in worlds.values() for row in world["rows"] if row["calibration"]]
    beats = [row for row in every if (row["saved_beside_habit"][1] or 0) > 0]
    worse = [row for row in every if (row["saved_beside_habit"][2] or 0) < 0]
    found |= {"rows": f"{len(every)}", "beats_habit": f"{len(beats)}"}
    found["worse_than_habit"] = f"{len(worse)}"
    plain = [
        row["kl"][0] > next(x["kl"][0] for x in world["rows"] if x["wording"] == "uniform")
        for world in worlds.values()
        for row in world["rows"]
        if row["calibration"] == "none"
    ]
    return found | {"plain": f"{len(plain)}", "plain.dearer": f"{sum(plain)}"}


def main() -> None:
    """Measure the worlds that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("worlds", nargs="*", choices=[[], *WORLDS], help="by default, all")
    chosen = parser.parse_args().worlds or list(WORLDS)
    figures = written.kept(OUT, [MODEL]) or {"worlds": {}}
    model = load(named.path_of(MODEL))._replace(name=MODEL)
    for name in chosen:
        figures["worlds"][name] = measure(WORLDS[name], model)
        figures["worlds"] = {x: figures["worlds"][x] for x in WORLDS if x in figures["worlds"]}
        written.write(OUT, figures, [MODEL])


if __name__ == "__main__":
    main()
