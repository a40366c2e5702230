"""How what a judge is worth grows with the difficulty of exploration: KeyRooms of 2, 3 and 4 rooms.

    python docs/experiments/key_rooms.py [PART ...]

Parts: `search`, the settings of all learners, on training instances of three rooms; `2`, `3`, `4`,
that many rooms with the settings that the search found best: runs on held-out instances, one each,
the same ones in every row. Writes `docs/results/key_rooms.json`; parts that are not named are kept.

One learner explores in different ways: DQN whose network is a table, with five gradient steps every
ten environment steps (with one, tables are slow, an optimist's most of all). Where nothing
else is said, ε falls to .05 over the first half of the steps. A raw shift's scale is tried with
falling to 0 alike, and without. Beside it stands a network of two hidden layers, with one gradient
step.

A verdict is paid at every step, and the treasure once, after d of them: worth γ^(d - 1) at the
start. So a scale is tried from where praise for ever, scale / (1 - γ), is worth less than that
(.003 and .01, with γ = .95 and d = 20, the mean of three rooms) to where it is worth many times as
much. The scale of raw shifts is one for all judges, the best on average over three: one that is
perfect, and two that are 70 % right. Who calls everything bad, and so reads nothing, has a scale of
its own: penalties by such a judge are a cost of every step.

Success is of greedy play; with a prior, of its posterior, DQN-Prior's own way to act.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import judged_habit
import lmgt_alone
import numpy as np
import prose
import written
from key_rooms_learners import (
    BASE,
    EVERY,
    FOLLOWED,
    HABIT,
    HALF,
    INSTANCES,
    JUDGED,
    LASTING,
    LEARNER,
    MODELS,
    RAW_SCALE,
    ROOMS,
    ROWS,
    RUNS,
    SEARCHED,
    SEARCHES,
    STEPS,
)

from lprl_jax.experiments import build, config, run_directory, runner
from lprl_jax.experiments.config import Experiment
from lprl_jax.results import comparison, reading, statistics
from lprl_jax.results.comparison import THRESHOLD, markdown
from lprl_jax.results.reading import Result

OUT = written.ROOT / "docs/results/key_rooms.json"
SEARCH = "search"
PARTS = (SEARCH, *map(str, ROOMS))


def main() -> None:
    """Measure the parts that are named, or all."""

    def of_part(part: str, folder: Path, figures: dict[str, Any]) -> dict[str, Any]:
        if part == SEARCH:
            return search(folder)
        missing = [name for name in SEARCHES if name not in figures.get(SEARCH, {})]
        written.require_settings(OUT, missing, "python docs/experiments/key_rooms.py search")
        return measure(int(part), figures[SEARCH], folder)

    written.by_parts(__doc__, OUT, PARTS, MODELS, of_part)


def read(rooms: int, fields: Sequence[str], split: str, runs: int) -> Experiment:
    """Runs on instances of a split, one each."""
    bank = {"rooms": rooms, "num_instances": runs, "split": split}
    steps = STEPS[rooms]
    alike = [f"num_runs={runs}", f"total_steps={steps}", f"eval_every={EVERY}", "eval_episodes=8"]
    alike += [f"env_params.{name}={value}" for name, value in bank.items()]
    own = [text.replace(HALF, f"{steps // 2}") for text in (*alike, *LEARNER, *fields)]
    return config.read("key_rooms_dqn", own)


def search(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Settings with the areas under their success curves, the best first, by search."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, plan in SEARCHES.items():
        areas: dict[str, list[float]] = {}
        base = best(found, BASE) if name in JUDGED else ()
        for program in plan.programs:
            for judge in plan.judged_by:
                out = folder / f"{len(list(folder.iterdir()))}"
                own = (*base, *plan.common, *program, *judge, *plan.swept)
                experiment = read(SEARCHED, own, "train", INSTANCES)
                result = reading.read(runner.run(experiment, out, progress=False))
                for one in result.by_setting().values():
                    values = (f"{field}={value:g}" for field, value in one.settings[0].items())
                    setting = " ".join((*program, *values))
                    area = statistics.normalized_area(one.steps, one.success).mean()
                    areas.setdefault(setting, []).append(float(area))
        ranked = sorted(areas, key=lambda setting: -np.mean(areas[setting]))
        found[name] = [{"setting": x, "area": round(float(np.mean(areas[x])), 3)} for x in ranked]
        print(name, *found[name], sep="\n  ", flush=True)
    return found


def best(found: Mapping[str, Sequence[Mapping[str, Any]]], name: str) -> tuple[str, ...]:
    """What rows of a search have: its best setting, beside what all of its settings have."""
    setting = tuple(found[name][0]["setting"].split())
    if name in JUDGED:
        return (*best(found, BASE), *JUDGED[name], *setting)
    return (*SEARCHES[name].common, *setting)


def measure(
    rooms: int, found: Mapping[str, Sequence[Mapping[str, Any]]], folder: Path
) -> dict[str, Any]:
    """Of so many rooms, every row."""
    results: dict[str, Result] = {}
    asked, habit = {}, folder / "habit.npz"
    given = read(rooms, (), "held-out", RUNS)
    world = build.make_env(given.config.env, given.env_arguments, given.bank)
    judged_habit.write(*world, f"KeyRooms {rooms}", habit)
    for name, row in ROWS.items():
        own = [text.replace(HABIT, f"{habit}") for text in row.own]
        experiment = read(rooms, (*best(found, row.search), *own), "held-out", RUNS)
        out = runner.run(experiment, folder / prose.slug(name), progress=False)
        results[name], asked[name] = reading.read(out), questions(out)
        print(rooms, name, *results[name].success.mean(0)[[5, 20, -1]].round(2), flush=True)
    rows = {
        name: {
            "steps_to_80": f"{summary.steps_to_threshold}",
            "success": summary.success.rounded(),
            "times": times(results[BASE], results[name]),
            "asked": asked[name],
        }
        for name, summary in comparison.summarize(results).items()
    }
    return {"runs": RUNS, "steps": STEPS[rooms], "followed": followed(rooms), "rows": rows}


def followed(rooms: int) -> dict[str, list[float]]:
    """The share of episodes that judges solve if they are followed: mean and interval.

    Nothing is learnt; the instances are those of the rows.
    """
    found = {}
    for name, texts in FOLLOWED.items():
        played = lmgt_alone.play(read(rooms, texts, "held-out", RUNS))
        share = statistics.share_interval(np.asarray(played["success"]))
        found[name] = [share.estimate, share.low, share.high]
        print(rooms, "followed", name, found[name], flush=True)
    return found


def questions(out: Path) -> int:
    """How often a prior and a judge were asked in training, a run."""
    last = run_directory.read_lines(out / run_directory.METRICS)[-1]
    return round((last["queries"] + last.get("judge_queries", 0)) / len(last["success"]))


def times(base: Result, own: Result, resamples: int = 10_000) -> str:
    """How many times as many steps to 80 % the median run of the first takes: `3.1 [2.4, 4.0]`.

    Runs are resampled in pairs, which are of one instance; the interval is of 95 %. Where the
    first's median lies beyond its last step there is a lower bound, `> 3.1 [> 2.4]`; where the
    other's does, an upper one, `< .8`; where both do, `–`.
    """
    last = float(base.steps[-1])
    pairs = np.stack([_reached(base), _reached(own)])  # [2, R]
    runs = pairs.shape[1]
    drawn = np.random.default_rng(0).integers(runs, size=(resamples, runs))
    (slow, fast), (slows, fasts) = _median(pairs), _median(pairs[:, drawn])
    if np.isinf(fast):
        return "–" if np.isinf(slow) else f"< {_ratio(slow / last)}"
    # A median beyond the last step is no less than it: so much is known of either bound.
    low = np.quantile(np.where(np.isinf(fasts), 0.0, np.minimum(slows, last) / fasts), 0.025)
    if np.isinf(slow):
        return f"> {_ratio(last / fast)} [> {_ratio(low)}]"
    most = np.where(np.isinf(slows), np.inf, slows / np.minimum(fasts, last))
    high = np.quantile(most, 0.975, method="higher")
    end = "–" if np.isinf(high) else _ratio(high)
    return f"{_ratio(slow / fast)} [{_ratio(low)}, {end}]"


def _reached(result: Result) -> np.ndarray:
    """f64[R]: steps to 80 %, inf where a run did not come there."""
    steps, reached = statistics.steps_to_threshold(result.steps, result.success, THRESHOLD)
    return np.where(reached, steps, np.inf)


def _median(steps: np.ndarray) -> np.ndarray:
    """Over the last axis; the lower of two in the middle, as in `statistics.summarize_steps`."""
    return np.sort(steps, axis=-1)[..., (steps.shape[-1] - 1) // 2]


def _ratio(value: float) -> str:
    return prose.share(float(value), 1)


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """Markdown by name."""
    parts = [f"{rooms}" for rooms in ROOMS if f"{rooms}" in figures]
    if not parts:
        return {}
    steps = [f"{part} rooms" for part in parts]
    success = [f"success at the end, {part} rooms" for part in parts]
    names = figures[parts[0]]["rows"]

    def of(field: str, name: str) -> list[Any]:
        return [figures[part]["rows"][name][field] for part in parts]

    return {
        "key_rooms": markdown(
            ["steps to 80 %", *steps, *success],
            [
                [name, *of("steps_to_80", name), *(prose.interval(x) for x in of("success", name))]
                for name in names
            ],
        ),
        "key_rooms_times": markdown(
            ["times as fast as ε-greedy", *steps],
            [[name, *of("times", name)] for name in names if name != BASE],
        ),
    }


def at_an_end(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """What of the best setting is the largest or the smallest that was tried: `["alpha=.001"]`."""
    tried = [dict(text.split("=") for text in own["setting"].split()) for own in settings]
    found = []
    for field, value in tried[0].items():
        every = {own[field] for own in tried} - {HALF, LASTING.partition("=")[2]}
        numbers = sorted(map(float, every))
        if value in every and len(numbers) > 2 and float(value) in (numbers[0], numbers[-1]):
            found.append(f"{field}={value}".replace("=0.", "=.").replace("=-0.", "=-."))
    return found


def numbers(figures: Mapping[str, Any]) -> dict[str, str]:
    """What sentences quote."""
    found: dict[str, str] = {}
    ends = {name: at_an_end(settings) for name, settings in figures.get(SEARCH, {}).items()}
    shown = [f"{name}: {', '.join(fields)}" for name, fields in ends.items() if fields]
    found["search.ends"] = "; ".join(shown) or "none"
    if raw := figures.get(SEARCH, {}).get(RAW_SCALE):
        found["search.raw-scale.form"] = "lasting" if LASTING in raw[0]["setting"] else "falling"
    for name, settings in figures.get(SEARCH, {}).items():
        found[f"search.{prose.slug(name)}.tried"] = f"{len(settings)}"
        for text in settings[0]["setting"].split():
            field, _, value = text.partition("=")
            found[f"search.{prose.slug(name)}.{field}"] = value.replace("0.", ".", 1)
    for rooms in (f"{rooms}" for rooms in ROOMS):
        if rooms not in figures:
            continue
        own = figures[rooms]
        for name, share in own["followed"].items():
            found |= prose.estimate(f"{rooms}.followed.{prose.slug(name)}", share)
        found |= {"runs": f"{own['runs']}", f"{rooms}.trained": prose.count(own["steps"])}
        for name, row in own["rows"].items():
            key = f"{rooms}.{prose.slug(name)}"
            found |= prose.within(key, prose.reached("steps", row["steps_to_80"]))
            found[f"{key}.success"] = prose.share(row["success"][0])
            found[f"{key}.success.interval"] = prose.interval(row["success"])
            found[f"{key}.times"] = row["times"].partition(" [")[0]
            found[f"{key}.times.interval"] = row["times"]
            found[f"{key}.asked"] = prose.count(row["asked"])
    return found


if __name__ == "__main__":
    main()
