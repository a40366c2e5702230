"""Results and their comparison, on curves written by hand."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from lprl_envs import InvalidInput

from lprl_jax.results import comparison, reading
from lprl_jax.results.statistics import probability_of_improvement


def write(
    folder: Path, success: list[list[float]], settings: list[dict[str, float]] | None = None
) -> Path:
    """A run's directory: `success [T][R]` at steps 0, 100, ..., a second of training each."""
    folder.mkdir(parents=True)
    lines = [
        {"step": 100 * t, "return": row, "success": row, "queries": 10 * t, "evaluations": 7}
        for t, row in enumerate(success)
    ]
    times: list[dict[str, float]] = [{"prepare_seconds": 2.0, "compile_seconds": 3.0}]
    times += [{"step": 100 * t, "train_seconds": float(t > 0)} for t in range(len(success))]
    for name, records in (("metrics.jsonl", lines), ("timing.jsonl", times)):
        (folder / name).write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / "config.yaml").write_text(yaml.safe_dump({"env": "FrozenLake-lprl"}))
    provenance = {"settings": settings or [{}], "command": "lprl train x", "jax": "0"}
    (folder / "run.json").write_text(json.dumps(provenance))
    return folder


SLOW = [[0.0] * 4, [0.0] * 4, [0.5, 0.5, 0.5, 1.0], [1.0, 1.0, 0.5, 1.0]]
FAST = [[0.0] * 4, [1.0] * 4]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write(tmp_path / "slow", SLOW)
    write(tmp_path / "fast", FAST)
    return tmp_path


def test_a_result_reads_as_it_was_written(runs: Path) -> None:
    result = reading.read(runs / "slow")
    assert result.steps.tolist() == [0, 100, 200, 300]
    assert result.success.tolist() == np.array(SLOW).T.tolist()
    assert result.seconds.tolist() == [0, 1, 2, 3]
    assert result.setup_seconds == 5.0
    assert result.steps_per_second == 400.0  # 100 steps of 4 runs a second
    assert result.queries.tolist() == [0, 10, 20, 30]


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
    assert slow.steps_to_threshold.median.estimate == 300
    assert (slow.steps_to_threshold.num_reached, slow.runs) == (3, 4)
    assert slow.seconds_to_threshold.median.estimate == 8.0  # 5 of set-up, 3 of training
    assert fast.seconds_to_threshold.median.estimate == 6.0
    assert slow.success.estimate == 1.0  # the middle half of .5, 1, 1, 1
    # Of the slow runs 1/3, 1/3, 1/4 and 1/2 of their 300 steps lie below the curve.
    assert slow.area.estimate == pytest.approx(1 / 3)
    assert fast.area.estimate == 0.5
    # Up to step 100, the last that both have seen: nothing, and a triangle.
    assert slow.better is None
    assert fast.better is not None
    assert (fast.better.estimate, fast.better.low, fast.better.high) == (1.0, 1.0, 1.0)


def test_the_clock_of_a_resumed_run_counts_set_up_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", SLOW)
    lines = (folder / "timing.jsonl").read_text().splitlines(keepends=True)
    again = json.dumps({"prepare_seconds": 20.0, "compile_seconds": 30.0}) + "\n"
    (folder / "timing.jsonl").write_text("".join([*lines[:4], again, *lines[4:]]))  # after step 200
    result = reading.read(folder)
    assert result.setup_seconds == 5.0
    seconds = comparison.summarize({"run": result})["run"].seconds_to_threshold
    assert seconds.median.estimate == 8.0  # as if it had never been interrupted


def test_an_area_does_not_depend_on_what_else_is_in_the_table(tmp_path: Path) -> None:
    for name, success in (("slow", SLOW), ("fast", FAST), ("half", [[0.5] * 4] * 3)):
        write(tmp_path / name, success)
    found = reading.read_all([tmp_path / name for name in ("slow", "fast", "half")])
    together = comparison.summarize(found)
    for name, result in found.items():
        assert comparison.summarize({name: result})[name].area == together[name].area
    # Up to step 200 the slow runs have 1/8, 1/8, 1/8 and 1/4, the others 1/2; fast ends at 100.
    of_two = comparison.summarize({name: found[name] for name in ("slow", "half")})
    assert of_two["half"].better == together["half"].better
    assert together["half"].better is not None
    assert together["half"].better.estimate == 1.0


def test_two_curves_are_compared_up_to_one_step(tmp_path: Path) -> None:
    # To step 100: between 0 at step 0 and 1 at step 200 a straight line, 1/4; the other, 0.3.
    far, near = write(tmp_path / "far", [[0.0], [1.0]]), write(tmp_path / "near", [[0.3], [0.3]])
    for name in ("metrics.jsonl", "timing.jsonl"):
        text = (far / name).read_text()
        (far / name).write_text(text.replace('"step": 100', '"step": 200'))
    summaries = comparison.summarize(reading.read_all([far, near]))
    assert (summaries["far"].area.estimate, summaries["near"].area.estimate) == (0.5, 0.3)
    assert summaries["near"].better is not None
    assert summaries["near"].better.estimate == 1.0


def test_the_table_has_a_cell_a_column(runs: Path) -> None:
    summaries = comparison.summarize(reading.read_all([runs]), 0.9)
    lines = comparison.table(summaries, 0.9).splitlines()
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1
    assert "steps to 90 %" in lines[0]
    assert "300 [200, > 300], 3/4" in lines[3]
    alone = comparison.table(comparison.summarize(reading.read_all([runs / "fast"])))
    assert "P(" not in alone


def test_json_has_null_where_nothing_was_reached(tmp_path: Path) -> None:
    write(tmp_path / "never", [[0.0] * 4, [0.0] * 4])
    figures = comparison.as_json(comparison.summarize(reading.read_all([tmp_path])))
    text = json.dumps(figures, allow_nan=False)
    assert json.loads(text)["never"]["steps_to_threshold"]["median"]["estimate"] is None


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
    assert found.low <= found.estimate <= found.high
    assert probability_of_improvement([0.0], [1.0]).high == 0.0
    rng = np.random.default_rng(0)
    x, y = rng.normal(1.0, 1.0, 400), rng.normal(0.0, 1.0, 500)
    exact = 0.5 * (1 + math.erf(1 / math.sqrt(2) / math.sqrt(2)))  # P(N(1, 2) > 0)
    found = probability_of_improvement(x, y)
    assert found.low < exact < found.high
    assert found.high - found.low < 0.1
