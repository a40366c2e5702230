"""The figures of docs/experiments/key_rooms.py: the same instances in every row, ratios by hand."""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lprl_jax.results.reading import Result

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "experiments"))
key_rooms: Any = importlib.import_module("key_rooms")
learners: Any = importlib.import_module("key_rooms_learners")

STEPS = np.arange(0, 4_001, 100)
NEVER = 9_999


def result(reached_at: list[int]) -> Result:
    """Runs that are solved from a step on; shown two evaluations later."""
    success = (STEPS[None] >= np.array(reached_at)[:, None]).astype(float)
    runs = len(reached_at)
    return Result(STEPS, success, success, runs * STEPS, 0 * STEPS, STEPS * 1.0, 0.0, 0.0)


OWN_SCALES = {
    learners.RAW_SCALE: "shift_steps=HALF shift_scale=0.3",
    learners.PENALTY_SCALE: "shift_scale=0.2",
    learners.AHEAD_SCALE: "shift_scale=0.1",
    learners.COST: "shift_scale=-0.4",
}
"""What a search is to have found of judged learners."""
PENALTIES = tuple(name for name in learners.ROWS if name.endswith("penalties alone"))


def found() -> dict[str, Any]:
    """The outcome of a search, the first of each one's settings being the best."""
    own = {name: [{"setting": "learning_rate=0.02", "area": 0.5}] for name in learners.SEARCHES}
    return own | {name: [{"setting": x, "area": 0.9}] for name, x in OWN_SCALES.items()}


def right_shift(name: str) -> tuple[float, bool]:
    """A judged row's scale, and whether it falls."""
    if name == "always bad":
        return -0.4, False
    if name in PENALTIES:
        return 0.2, False
    return (0.1, False) if name.endswith("looking ahead") else (0.3, True)


@pytest.mark.parametrize("name", learners.ROWS)
def test_rows_play_the_same_held_out_instances_with_what_was_found_in_training(name: str) -> None:
    row = learners.ROWS[name]
    for rooms in learners.ROOMS:
        own = [text.replace(learners.HABIT, "habit.npz") for text in row.own]
        fields = (*key_rooms.best(found(), row.search), *own)
        experiment = key_rooms.read(rooms, fields, "held-out", 32)
        bank, algorithm = experiment.bank, experiment.algorithm
        assert (bank.split, bank.num_instances, bank.instance_per_run) == ("held-out", 32, True)
        assert experiment.env_arguments["rooms"] == rooms
        assert (experiment.config.num_runs, experiment.config.eval_every) == (32, 500)
        half = experiment.config.total_steps / 2
        assert algorithm.epsilon_steps in (half, 1.0)
        assert algorithm.learning_rate == 0.02
        judged = any(word in name for word in ("judge", "always")) and "prior" not in name
        assert (experiment.config.judge != "none") == judged
        if judged:
            scale, falls = right_shift(name)
            assert algorithm.shift_scale == scale
            assert algorithm.shift_steps == (half if falls else float("inf"))
            assert (algorithm.shift_values == "penalty") == (name in PENALTIES)


@pytest.mark.parametrize("name", learners.SEARCHES)
def test_settings_are_tried_on_training_instances(name: str) -> None:
    plan = learners.SEARCHES[name]
    for program in plan.programs:
        for judge in plan.judged_by:
            fields = (*plan.common, *program, *judge, *plan.swept)
            experiment = key_rooms.read(learners.SEARCHED, fields, "train", 8)
            assert experiment.bank.split == "train"
            assert 2 <= len(experiment.settings) <= 18
            if name == learners.COST:
                assert all(setting["shift_scale"] < 0 for setting in experiment.settings)


def test_a_part_without_its_search_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    partly = {x: y for x, y in found().items() if x != learners.COST}
    for kept, lacks in (({}, "ε-greedy"), ({"search": partly}, learners.COST)):
        monkeypatch.setattr("written.kept", lambda *_, kept=kept: kept)
        monkeypatch.setattr(sys, "argv", ["key_rooms.py", "2"])
        with pytest.raises(SystemExit) as left:
            key_rooms.main()
        assert left.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"key_rooms.json holds no settings of {lacks}")


def test_what_lies_at_an_end_of_what_was_tried() -> None:
    def of(*settings: str) -> list[str]:
        return key_rooms.at_an_end([{"setting": text} for text in settings])

    assert of(
        "alpha=0.01 learning_rate=3", "alpha=0.1 learning_rate=2", "alpha=1 learning_rate=5"
    ) == ["alpha=.01"]
    assert of("shift_scale=-0.003", "shift_scale=-1", "shift_scale=-2") == ["shift_scale=-.003"]
    assert of("b=2", "b=1", "b=3") == []
    steps = [f"shift_steps={x} shift_scale={y}" for x in ("HALF", ".inf") for y in (2, 1, 3)]
    assert of(*steps) == []


def test_how_many_settings_were_tried() -> None:
    numbers = key_rooms.numbers({"search": found()})
    assert numbers["search.count-bonus.tried"] == "1"
    assert numbers["search.cost-of-a-step.shift_scale"] == "-.4"


@pytest.mark.parametrize(
    ("base", "own", "text"),
    [
        ([1_800] * 12, [800] * 12, "2.0 [2.0, 2.0]"),
        ([800] * 12, [1_800] * 12, ".5 [.5, .5]"),
        ([NEVER] * 12, [1_800] * 12, "> 2.0 [> 2.0]"),
        ([1_800] * 12, [NEVER] * 12, "< .5"),
        ([NEVER] * 12, [NEVER] * 12, "–"),
        ([1_800] * 7 + [NEVER] * 5, [800] * 12, "2.0 [2.0, –]"),
        ([1_800] * 12, [800] * 7 + [NEVER] * 5, "2.0 [.0, 2.0]"),
    ],
)
def test_how_many_times_as_fast(base: list[int], own: list[int], text: str) -> None:
    assert key_rooms.times(result(base), result(own)) == text


def test_an_interval_of_ratios_is_that_of_medians_of_pairs_drawn_again() -> None:
    rng = np.random.default_rng(1)
    base, own = (100 * rng.integers(1, 30, 11) for _ in range(2))
    drawn = rng.integers(11, size=(4_000, 11))
    ratios = [np.median(base[d] + 200) / np.median(own[d] + 200) for d in drawn]
    low, high = np.quantile(ratios, [0.025, 0.975])
    text = key_rooms.times(result(base.tolist()), result(own.tolist()))
    middle, ends = text.split(" [")
    assert float(middle) == pytest.approx(np.median(base + 200) / np.median(own + 200), abs=0.051)
    mine = [float(x) for x in ends.rstrip("]").split(", ")]
    np.testing.assert_allclose(mine, [low, high], rtol=0.15)


def test_tables_and_numbers_say_what_was_measured() -> None:
    row = {"steps_to_80": "6,000 [5,000, 7,000], 31/32", "success": [0.5, 0.4, 0.61]}
    row |= {"times": "> 3.1 [> 2.4]", "asked": 30_001}
    part = {"runs": 32, "steps": 30_000, "rows": {key_rooms.BASE: row, "perfect judge": row}}
    part["followed"] = {"in words": [0.5, 0.25, 0.75]}
    figures = {key_rooms.SEARCH: found(), "2": part, "3": part}
    shown = key_rooms.tables(figures)
    cells = " | ".join(["6,000 [5,000, 7,000], 31/32"] * 2 + [".50 [.40, .61]"] * 2)
    assert f"| perfect judge | {cells} |" in shown["key_rooms"]
    assert "| perfect judge | > 3.1 [> 2.4] | > 3.1 [> 2.4] |" in shown["key_rooms_times"]
    assert key_rooms.BASE not in shown["key_rooms_times"].split("\n", 2)[2]
    quoted = key_rooms.numbers(figures)
    assert quoted["3.perfect-judge.steps.interval"] == "6,000 [5,000, 7,000]"
    assert quoted["3.perfect-judge.times"] == "> 3.1"
    assert quoted["search.raw-scale.shift_scale"] == ".3"
    assert quoted["search.raw-scale.form"] == "falling"
    assert quoted["2.followed.in-words.interval"] == ".50 [.25, .75]"
    assert quoted["2.perfect-judge.asked"] == "30,001"
