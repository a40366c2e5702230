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

STEPS = np.arange(0, 4_001, 100)
NEVER = 9_999


def result(reached_at: list[int]) -> Result:
    """Runs that are solved from a step on; shown two evaluations later."""
    success = (STEPS[None] >= np.array(reached_at)[:, None]).astype(float)
    runs = len(reached_at)
    return Result(STEPS, success, success, runs * STEPS, 0 * STEPS, STEPS * 1.0, 0.0, 0.0)


def found(**settings: str) -> dict[str, Any]:
    """The outcome of a search, the first of each one's settings being the best."""
    own = {name: [{"setting": "learning_rate=0.02", "area": 0.5}] for name in key_rooms.SEARCHES}
    own |= {name: [{"setting": "shift_scale=0.3", "area": 0.5}] for name in key_rooms.JUDGED}
    return own | {name: [{"setting": x, "area": 0.9}] for name, x in settings.items()}


@pytest.mark.parametrize("name", key_rooms.ROWS)
def test_rows_play_the_same_held_out_instances_with_what_was_found_in_training(name: str) -> None:
    row = key_rooms.ROWS[name]
    outcome = found()
    for rooms in key_rooms.ROOMS:
        fields = (*key_rooms.best(outcome, row.search), *row.own)
        experiment = key_rooms.read(rooms, fields, "held-out", 32)
        bank, own = experiment.bank, experiment.algorithm
        assert (bank.split, bank.num_instances, bank.instance_per_run) == ("held-out", 32, True)
        assert experiment.env_arguments["rooms"] == rooms
        assert (experiment.config.num_runs, experiment.config.eval_every) == (32, 500)
        half = experiment.config.total_steps / 2
        assert own.epsilon_steps in (half, 1.0)
        assert own.learning_rate == 0.02
        is_judged = experiment.config.judge != "none"
        assert is_judged == (row.search in key_rooms.JUDGED)
        assert own.shift_scale == (0.3 if is_judged else 1.0)
        annealed = is_judged and row.search == key_rooms.RAW_SCALE
        assert own.shift_steps == (half if annealed else float("inf"))


@pytest.mark.parametrize("name", key_rooms.SEARCHES)
def test_settings_are_tried_on_training_instances(name: str) -> None:
    plan = key_rooms.SEARCHES[name]
    for program in plan.programs:
        for judge in plan.judged_by:
            fields = (*plan.common, *program, *judge, *plan.swept)
            experiment = key_rooms.read(key_rooms.SEARCHED, fields, "train", 8)
            assert experiment.bank.split == "train"
            assert 2 <= len(experiment.settings) <= 15


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
    assert quoted["2.perfect-judge.asked"] == "30,001"
