"""What may be laid side by side, on curves written by hand."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lprl_envs import InvalidInput
from results.test_reading import write

from lprl_jax.algorithms.registry import ALGORITHMS
from lprl_jax.results import comparison, grids, reading, report
from lprl_jax.results.reading import Result


def rising(evaluations: int) -> list[list[float]]:
    """Two runs that solve everything from the third evaluation on."""
    return [[float(t >= 2)] * 2 for t in range(evaluations)]


def results(folder: Path, **runs: dict[str, Any]) -> dict[str, Result]:
    """By name, from the arguments of `write`."""
    for name, arguments in runs.items():
        write(folder / name, **arguments)
    return reading.read_all([folder / name for name in runs])


def test_the_finer_one_is_taken_where_the_coarser_one_was_evaluated(tmp_path: Path) -> None:
    found = results(
        tmp_path,
        coarse={"success": rising(7), "every": 300},
        fine={"success": rising(19), "every": 100},
    )
    assert grids.cadence_of(found) == 300
    alike = grids.alike(found)
    assert alike["fine"].steps.tolist() == [0, 300, 600, 900, 1200, 1500, 1800]
    assert alike["fine"].success.shape == (2, 7)
    assert alike["fine"].seconds.tolist() == [0, 3, 6, 9, 12, 15, 18]
    assert alike["coarse"].steps.tolist() == found["coarse"].steps.tolist()
    alone = comparison.summarize({"fine": found["fine"]})["fine"].steps_to_threshold
    assert alone is not None
    assert alone.median.estimate == 400  # solved from 200 on; three evaluations every 100
    both = comparison.summarize(found)
    for name, steps in (("fine", 900), ("coarse", 1200)):  # every 300: from 300 on, and from 600 on
        own = both[name].steps_to_threshold
        assert own is not None
        assert own.median.estimate == steps
        assert both[name].evaluated_every == 300
    lines = grids.notes(found, 0.8)
    assert len(lines) == 1
    assert "evaluations every 300 environment steps" in lines[0]
    assert lines[0].endswith("evaluated more often: fine (100).")
    assert lines[0] in report.render([tmp_path])


def test_results_alike_need_no_note(tmp_path: Path) -> None:
    many = {"success": rising(5), "eval_episodes": 8}
    found = results(tmp_path, one=many, other=many)
    assert grids.notes(found, 0.8) == []


def test_evaluations_that_share_no_grid_are_refused(tmp_path: Path) -> None:
    found = results(
        tmp_path,
        a={"success": rising(5), "every": 1000},
        b={"success": rising(5), "every": 96},
    )
    words = "b was evaluated every 96 steps and a every 1,000"
    with pytest.raises(InvalidInput, match=words):
        comparison.summarize(found)
    with pytest.raises(InvalidInput, match=words):
        report.render([tmp_path])
    assert comparison.summarize({"b": found["b"]})["b"].evaluated_every == 96


def test_grids_of_which_neither_is_part_of_the_other_share_a_coarser_one(tmp_path: Path) -> None:
    found = results(
        tmp_path,
        a={"success": rising(7), "every": 100},
        b={"success": rising(5), "every": 150},
        c={"success": rising(13), "every": 50},
    )
    assert grids.cadence_of(found) == 300
    steps = {name: result.steps.tolist() for name, result in grids.alike(found).items()}
    assert steps == {name: [0, 300, 600] for name in found}
    (line,) = grids.notes(found, 0.8)
    assert line.endswith("evaluated more often: a (100), b (150), c (50).")
    found["b"] = reading.read(write(tmp_path / "d", rising(4), every=150))
    with pytest.raises(InvalidInput, match="a was evaluated every 100 steps and b every 150: at"):
        grids.cadence_of(found)


def test_a_last_evaluation_off_the_grid_is_the_end_and_nothing_else(tmp_path: Path) -> None:
    success = [[0.0] * 2, [1.0] * 2, [1.0] * 2, [1.0] * 2, [0.0] * 2]
    found = results(tmp_path, early={"success": success, "last": 310}, long={"success": rising(6)})
    assert grids.alike(found)["early"].steps.tolist() == [0, 100, 200, 300]
    early = comparison.summarize(found)["early"]
    assert (early.steps, early.success.estimate) == (310, 0.0)
    assert early.steps_to_threshold is not None
    assert early.steps_to_threshold.median.estimate == 300
    assert early.area is not None
    assert early.area.estimate == pytest.approx(2.5 / 3)
    # Two evaluations do not tell how far apart they were to be: the others' 100 may be that.
    short = results(tmp_path, short={"success": rising(2), "last": 70})
    assert grids.cadence_of(found | short) == 100
    assert grids.notes(found | short, 0.8)[-1].endswith("to tell when 80 % was reached: short.")


def test_steps_of_different_kinds_are_refused(tmp_path: Path) -> None:
    for name in ("dqn", "cql", "linvit", "prior_only"):
        write(tmp_path / name, rising(5), algorithm=name)
    found = reading.read_all([tmp_path])
    kinds = {name: result.step for name, result in found.items()}
    assert kinds == {
        "dqn": "environment steps",
        "cql": "gradient steps",
        "linvit": "episodes × horizon",
        "prior_only": "",  # takes none, and goes with all
    }
    for name, step in kinds.items():
        both = {key: found[key] for key in (name, "prior_only")}
        assert grids.step_of(both) == step or step == ""
        assert f"| {step or 'steps'} |" in comparison.table(comparison.summarize(both))
    words = "dqn counts environment steps, cql counts gradient steps: these are not laid side"
    with pytest.raises(InvalidInput, match=words):
        comparison.summarize({name: found[name] for name in ("dqn", "cql")})
    with pytest.raises(InvalidInput, match="episodes × horizon"):
        report.render([tmp_path])
    page = report.render([tmp_path / "cql"])
    assert "Success rate against gradient steps a run" in page
    assert "environment steps" not in page


def test_every_algorithm_says_what_its_steps_are() -> None:
    for name, entry in ALGORITHMS.items():
        assert bool(entry.step) == (name != "prior_only")
        assert (entry.step == "gradient steps") == entry.from_data


def test_what_cannot_be_told_is_a_dash_or_refused(tmp_path: Path) -> None:
    found = results(tmp_path, a={"success": rising(2)}, b={"success": rising(1)})
    summaries = comparison.summarize(found)
    assert [s.steps_to_threshold for s in summaries.values()] == [None, None]
    assert [s.seconds_to_threshold for s in summaries.values()] == [None, None]
    assert "| – | – |" in comparison.table(summaries)
    with pytest.raises(InvalidInput, match="a has 2 of the 3 evaluations that are needed"):
        grids.require_resolved(found, 0.8)
    long = results(tmp_path, long={"success": rising(3)})
    grids.require_resolved(found | long, 0.8)
    assert grids.notes(found | long, 0.8)[-1].endswith("80 % was reached: a, b.")


@pytest.mark.parametrize("threshold", [0.01, 0.0416, 0.96, 0.999])
def test_a_threshold_between_shares_and_their_ends_is_refused(
    tmp_path: Path, threshold: float
) -> None:
    found = results(tmp_path, run={"success": rising(5), "eval_episodes": 8})
    with pytest.raises(InvalidInput, match=r"by 8 episodes.*1/24: it must be 1, or lie in 0\.0417"):
        grids.require_resolved(found, threshold)
    with pytest.raises(InvalidInput, match="by 8 episodes"):
        report.render([tmp_path], threshold)
    assert comparison.summarize(found, threshold)["run"].steps_to_threshold is None
    for good in (1, 0.8, 1 / 24, 23 / 24):
        grids.require_resolved(found, good)
        assert comparison.summarize(found, good)["run"].steps_to_threshold is not None


def test_other_numbers_of_episodes_are_told(tmp_path: Path) -> None:
    found = results(
        tmp_path,
        a={"success": rising(5), "eval_episodes": 8},
        b={"success": rising(5), "eval_episodes": 32},
    )
    (line,) = grids.notes(found, 0.8)
    assert "Episodes an evaluation differ: a 8, b 32." in line
    assert [s.episodes for s in comparison.summarize(found).values()] == [8, 32]


def test_equal_evaluations_give_equal_figures_however_often_one_was_looked_at(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    fine = np.sort(rng.uniform(size=(41, 8)), axis=0)
    found = results(
        tmp_path,
        fine={"success": fine.tolist(), "every": 50},
        coarse={"success": fine[::4].tolist(), "every": 200},
    )
    figures = comparison.summarize(found)
    for name in ("area", "steps_to_threshold", "success"):
        assert getattr(figures["fine"], name) == getattr(figures["coarse"], name)
    assert figures["coarse"].better is not None
    assert figures["coarse"].better.estimate == pytest.approx(0.5)


def test_a_last_evaluation_between_the_others_is_told(tmp_path: Path) -> None:
    found = results(tmp_path, run={"success": rising(6), "every": 100})
    steps = found["run"].steps.copy()
    steps[-1] = 430
    early = {"run": dataclasses.replace(found["run"], steps=steps)}
    (line,) = grids.notes(early, 0.8)
    assert "a last evaluation between those: run (430)" in line
