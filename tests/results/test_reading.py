"""Results and their comparison, on curves written by hand."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from lprl_envs import InvalidInput

from lprl_jax.results import comparison, reading
from lprl_jax.results.statistics import Interval, probability_of_improvement


def write(
    folder: Path,
    success: Sequence[Sequence[float]],
    settings: list[dict[str, float]] | None = None,
    *,
    every: int = 100,
    last: int | None = None,
    **config: Any,
) -> Path:
    """A run's directory: `success [T][R]` at steps 0, 100, ..., a second of training each; the last
    perhaps at another step.
    """
    folder.mkdir(parents=True)
    steps = [every * t for t in range(len(success))]
    steps[-1] = steps[-1] if last is None else last
    lines = [
        {"step": step, "return": row, "success": row, "queries": step // 10, "evaluations": 7}
        for step, row in zip(steps, success, strict=True)
    ]
    times: list[dict[str, float]] = [{"prepare_seconds": 2.0, "compile_seconds": 3.0}]
    times += [{"step": step, "train_seconds": float(step > 0)} for step in steps]
    for name, records in (("metrics.jsonl", lines), ("timing.jsonl", times)):
        (folder / name).write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / "config.yaml").write_text(yaml.safe_dump({"env": "FrozenLake-lprl", **config}))
    provenance = {"settings": settings or [{}], "command": "lprl train x", "jax": "0"}
    (folder / "run.json").write_text(json.dumps(provenance))
    return folder


SLOW = [[0.0] * 4, [0.0] * 4, [0.5, 0.5, 0.5, 1.0], [1.0, 1.0, 0.5, 1.0]] + 2 * [
    [1.0, 1.0, 0.0, 1.0]
]
FAST = [[0.0] * 4, [1.0] * 4, [1.0] * 4, [1.0] * 4]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write(tmp_path / "slow", SLOW)
    write(tmp_path / "fast", FAST)
    return tmp_path


def test_a_result_reads_as_it_was_written(runs: Path) -> None:
    result = reading.read(runs / "slow")
    assert result.steps.tolist() == [0, 100, 200, 300, 400, 500]
    assert result.success.tolist() == np.array(SLOW).T.tolist()
    assert result.seconds.tolist() == [0, 1, 2, 3, 4, 5]
    assert result.setup_seconds == 5.0
    assert result.steps_per_second == 400.0  # 100 steps of 4 runs a second
    assert result.queries.tolist() == [0, 10, 20, 30, 40, 50]
    assert (result.step, result.episodes) == ("environment steps", None)


def test_a_folder_of_runs_is_all_of_them(runs: Path) -> None:
    assert list(reading.read_all([runs])) == ["fast", "slow"]
    assert list(reading.read_all([runs / "slow", runs / "fast"])) == ["slow", "fast"]


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = [write(tmp_path / parent / "run", FAST) for parent in ("a", "b")]
    assert list(reading.read_all(paths)) == ["run", "b/run"]
    with pytest.raises(InvalidInput, match="named twice"):
        reading.read_all([paths[0], paths[0], paths[0]])


def test_the_figures_are_those_worked_by_hand(runs: Path) -> None:
    summaries = comparison.summarize(reading.read_all([runs / "slow", runs / "fast"]))
    slow, fast = summaries["slow"], summaries["fast"]
    # The means of three evaluations are 1/2, 5/6, 1 from step 300 on, of two runs, of the last one
    # 2/3, 1, 1; one never comes to .8.
    assert slow.steps_to_threshold is not None
    assert slow.steps_to_threshold.median.estimate == 400
    assert (slow.steps_to_threshold.num_reached, slow.runs) == (3, 4)
    assert slow.seconds_to_threshold is not None
    assert slow.seconds_to_threshold.median.estimate == 9.0  # 5 of set-up, 4 of training
    assert fast.steps_to_threshold is not None
    assert fast.steps_to_threshold.median.estimate == 300  # 2/3 at step 200
    assert slow.success == Interval(1.0, None, None)  # the middle half of 0, 1, 1, 1; four runs
    # Of the slow runs .6, .6, .2 and .7 of their 500 steps lie below the curve.
    assert slow.area is not None
    assert slow.area.estimate == pytest.approx(0.6)
    assert fast.area is not None
    assert fast.area.estimate == pytest.approx(5 / 6)
    # Up to step 300, the last that both have seen: all of the fast runs have more.
    assert slow.better is None
    assert fast.better is not None
    # Four pairs of runs, all won: by one of two to the fourth power at the most by chance.
    assert (fast.better.estimate, fast.better.high) == (1.0, 1.0)
    assert fast.better.low == pytest.approx(0.025**0.25)
    assert (slow.step, slow.evaluated_every, slow.episodes) == ("environment steps", 100, None)


def test_the_clock_of_a_resumed_run_counts_set_up_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", SLOW)
    lines = (folder / "timing.jsonl").read_text().splitlines(keepends=True)
    again = json.dumps({"prepare_seconds": 20.0, "compile_seconds": 30.0}) + "\n"
    (folder / "timing.jsonl").write_text("".join([*lines[:4], again, *lines[4:]]))  # after step 200
    result = reading.read(folder)
    assert result.setup_seconds == 5.0
    seconds = comparison.summarize({"run": result})["run"].seconds_to_threshold
    assert seconds is not None
    assert seconds.median.estimate == 9.0  # as if it had never been interrupted


def test_an_area_does_not_depend_on_what_else_is_in_the_table(tmp_path: Path) -> None:
    for name, success in (("slow", SLOW), ("fast", FAST), ("half", [[0.5] * 4] * 3)):
        write(tmp_path / name, success)
    found = reading.read_all([tmp_path / name for name in ("slow", "fast", "half")])
    together = comparison.summarize(found)
    for name, result in found.items():
        assert comparison.summarize({name: result})[name].area == together[name].area
    # Up to step 200 the slow runs have 1/8, 1/8, 1/8 and 1/4, the others 1/2; fast ends at 300.
    of_two = comparison.summarize({name: found[name] for name in ("slow", "half")})
    assert of_two["half"].better == together["half"].better
    assert together["half"].better is not None
    assert together["half"].better.estimate == 1.0


def test_two_curves_are_compared_where_both_were_evaluated(tmp_path: Path) -> None:
    # Up to step 200, the last of both: every run of far has 1/4 of its area, one of near 1/3.
    write(tmp_path / "far", [[0.0] * 2, [0.5] * 2, [0.5] * 2, [1.0] * 2], every=200)
    write(tmp_path / "near", [[0.0] * 2, [1.0] * 2, [2 / 3] * 2, [0.0] * 2], last=250)
    summaries = comparison.summarize(reading.read_all([tmp_path / "far", tmp_path / "near"]))
    assert summaries["near"].better is not None
    assert summaries["near"].better.estimate == 1.0
    # Its areas are of steps 0 and 200 too, not of 100, which far was not evaluated at.
    assert summaries["near"].area is not None
    assert summaries["near"].area.estimate == pytest.approx(1 / 3)
    assert (summaries["near"].steps, summaries["near"].evaluated_every) == (250, 200)


def test_what_was_evaluated_once_has_no_area(tmp_path: Path) -> None:
    write(tmp_path / "fast", FAST)
    write(tmp_path / "begun", [[0.9] * 4])
    write(tmp_path / "short", [[0.3] * 4, [0.3] * 4], last=60)
    found = reading.read_all([tmp_path / name for name in ("fast", "begun", "short")])
    summaries = comparison.summarize(found)
    assert summaries["begun"].area is None
    assert summaries["short"].area is not None
    assert summaries["short"].area.estimate == pytest.approx(0.3)
    # Step 0 is all that both have: what is untrained says nothing of who is better.
    assert [summary.better for summary in summaries.values()] == [None] * 3
    assert comparison.as_json(summaries)["begun"]["area"] is None
    row = comparison.table(summaries).splitlines()[3]
    assert row == "| begun | 4 | 0 | 0.90 (4 runs) | – | – | – | – | 0 | 7 | 0 |"


def test_the_table_has_a_cell_a_column(runs: Path) -> None:
    summaries = comparison.summarize(reading.read_all([runs]), 0.9)
    lines = comparison.table(summaries, 0.9).splitlines()
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1
    assert "| environment steps | final success" in lines[0]
    assert "environment steps to 90 % (median" in lines[0]
    assert "| 500, 3/4 | 10.0 |" in lines[3]  # 5/6 are too few
    assert "1.00 (4 runs)" in lines[3]
    alone = comparison.table(comparison.summarize(reading.read_all([runs / "fast"])))
    assert "P(" not in alone


def test_json_has_null_where_nothing_was_reached(tmp_path: Path) -> None:
    write(tmp_path / "never", [[0.0] * 4] * 3)
    figures = comparison.as_json(comparison.summarize(reading.read_all([tmp_path])))
    text = json.dumps(figures, allow_nan=False)
    assert json.loads(text)["never"]["steps_to_threshold"]["median"]["estimate"] is None
    assert json.loads(text)["never"]["success"] == {"estimate": 0.0, "low": None, "high": None}


def test_a_sweep_is_a_result_a_setting(tmp_path: Path) -> None:
    settings = [{"alpha": 0.1}, {"alpha": 0.5}]
    write(tmp_path / "sweep", [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]], settings)
    found = reading.read_all([tmp_path / "sweep"])
    assert list(found) == ["sweep (alpha 0.1)", "sweep (alpha 0.5)"]
    assert [r.success[:, -1].tolist() for r in found.values()] == [[0.0, 0.0], [1.0, 1.0]]


def test_what_is_no_run_is_named(tmp_path: Path, runs: Path) -> None:
    with pytest.raises(InvalidInput, match="no such directory"):
        reading.read_all([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match=r"it has no config\.yaml"):
        reading.read_all([tmp_path / "empty"])
    (runs / "slow" / "metrics.jsonl").write_text("")
    with pytest.raises(InvalidInput, match="no evaluation yet"):
        reading.read(runs / "slow")
    (runs / "slow" / "metrics.jsonl").write_text('{"step": 0}\n')
    with pytest.raises(InvalidInput, match="damaged"):
        reading.read(runs / "slow")


def test_the_probability_of_improvement() -> None:
    # 3 beats all of 0, 1, 3 but the last, where it draws: 2.5 of 3; 1 beats 0, draws 1: 1.5 of 3.
    found = probability_of_improvement([3.0, 1.0], [0.0, 1.0, 3.0])
    assert found.estimate == pytest.approx(4.0 / 6)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.estimate <= found.high
    # Of one pair of runs, lost: nothing is known but that it was not won by chances above .975.
    assert probability_of_improvement([0.0], [1.0]).rounded() == [0.0, 0.0, 0.975]
    rng = np.random.default_rng(0)
    x, y = rng.normal(1.0, 1.0, 400), rng.normal(0.0, 1.0, 500)
    exact = 0.5 * (1 + math.erf(1 / math.sqrt(2) / math.sqrt(2)))  # P(N(1, 2) > 0)
    found = probability_of_improvement(x, y)
    assert found.low is not None
    assert found.high is not None
    assert found.low < exact < found.high
    assert found.high - found.low < 0.1
