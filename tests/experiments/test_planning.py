"""`lprl plan`: the table and its file, sweeps, and bad input in one line that writes nothing."""

import json
from pathlib import Path

import jax.numpy as jnp
import pytest
from lprl_envs import BlocksWorld

from lprl_jax.cli.main import main
from lprl_jax.experiments import config, planning
from lprl_jax.results.statistics import iqm

SMALL = ["env_params.suite=planbench-length-2", "depth=1", "k=1"]
RULE = "blocks_world_slinvit_heuristic"
PRIOR = "blocks_world_slinvit"
SUBGOALS = "blocks_world_subgoals_slinvit"


def test_the_heuristic_s_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "figures.json"
    assert main(["plan", RULE, "depth=1", "--json", str(file)]) == 0
    (row,) = json.loads(file.read_text())
    assert (row["prior"], row["runs"], row["instances"]) == ("none", 1, 114)
    assert row["success"]["estimate"] == pytest.approx(71 / 114)
    assert round(row["nodes"]) == 12
    assert (row["queries"], row["evaluations"]) == (0, 0)
    printed = capsys.readouterr().out
    assert "| none | 1 | 114 | 0.62 (1 run) | 6.4 | 12.0 | 0.0 | 18.2 | 0 |" in printed


def test_sub_goals_are_planned_within_the_same_actions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Three sub-goals are six actions; one sub-goal less solves nothing."""
    assert main(["plan", SUBGOALS]) == 0
    assert "| none | 1 | 114 | 0.85 (1 run) | 3.0 | 5.0 | 0.0 | 16.5 | 0 |" in (
        capsys.readouterr().out
    )
    (row,) = planning.run(config.read(SUBGOALS, ["budget=2"]))
    assert iqm(row.success) == 0
    uniform = ["prior=uniform", "proposals=draws", "alpha=0.1", "k=3", "num_runs=2"]
    (row,) = planning.run(config.read(SUBGOALS, uniform))
    assert 0 < iqm(row.success) < 0.5


def test_a_sweep_has_a_row_a_setting(capsys: pytest.CaptureFixture[str]) -> None:
    call = ["plan", PRIOR, "prior=uniform", "num_runs=1", "proposals=best", "alpha=0,1e3"]
    assert main([*call, "env_params.suite=planbench-length-4", "depth=2", "k=5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["alpha 0", "alpha 1000"]
    # By its worth a plan is found; support alone turns to where there is least choice.
    worth, support = (float(line.split("|")[5].split("(")[0]) for line in lines[2:])
    assert worth > support


def test_queries_and_evaluations_are_the_prior_s(tmp_path: Path) -> None:
    """One node a search: as many queries as actions; and a table's evaluations."""
    instances = "[{init: [cb, a], goal: [ab]}]"
    overrides = [
        "env_params.num_blocks=3", "env_params.suite=''", f"env_params.instances={instances}",
        "depth=1", "k=1", "budget=4", "num_runs=2", "prior=embedded-early-1",
    ]  # fmt: skip
    (row,) = planning.run(config.read(PRIOR, overrides))
    assert (row.instances, row.runs) == (1, 2)
    assert row.queries == row.actions == row.nodes
    assert 0 < row.evaluations <= 22
    assert row.prior == "embedded-early-1"


def test_budgets() -> None:
    env = BlocksWorld(5)
    params = env.suite("planbench-length-2")
    for budget, expected in (("optimal+1", 3), ("7", 7), ("time_limit", 32)):
        experiment = config.read(PRIOR, [*SMALL, f"budget={budget}"])
        found = planning.budgets_of(experiment, env, params)
        assert jnp.all(found == expected)
        assert found.shape == (47,)


def test_shortest_plans_are_the_suite_s() -> None:
    lengths = BlocksWorld(5).shortest_plans("planbench")
    assert lengths.shape == (602,)
    assert (int(lengths.min()), int(lengths.max())) == (2, 16)


BAD = [
    (["plan", PRIOR, "depth=0"], ["depth is 0", "above 0"]),
    (["plan", PRIOR, "k=0"], ["k is 0", "above 0"]),
    (["plan", PRIOR, "k=many"], ["k is 'many'", "a whole number"]),
    (["plan", PRIOR, "alpha=-1"], ["alpha is -1", "0 or more"]),
    (["plan", PRIOR, "k=2,3"], ["k is '2,3'", "cannot be swept", "alpha"]),
    (["plan", PRIOR, "proposals=all"], ["unknown proposals 'all'", "draws, best, heuristic"]),
    (["plan", PRIOR, "value=luck"], ["unknown value 'luck'", "heuristic, rollouts"]),
    (["plan", PRIOR, "execute=all"], ["unknown execute 'all'", "first, path"]),
    (["plan", PRIOR, "budget=0"], ["budget is 0", "optimal+1, time_limit"]),
    (["plan", PRIOR, "budget=soon"], ["budget is 'soon'", "whole number from 1"]),
    (["plan", PRIOR, "lanes=0"], ["lanes is 0", "above 0"]),
    (["plan", PRIOR, "prior=none"], ["proposals=draws, alpha=0.1", "prior is none"]),
    (["plan", SUBGOALS, "proposals=draws"], ["proposals=draws", "prior is none"]),
    (["plan", SUBGOALS, "env_params.num_blocks=4"], ["5 blocks", "num_blocks: 5"]),
    (["plan", SUBGOALS, "env_params.blocks=4"], ["unknown env_params key 'blocks'", "num_blocks"]),
    (["plan", RULE, "value=rollouts"], ["value=rollouts", "prior is none"]),
    (
        ["plan", PRIOR, "env_params.suite=''", "env_params.num_instances=2"],
        ["optimal+1", "name a suite", "budget=time_limit"],
    ),
    (
        ["plan", PRIOR, "env=CubeStacking-lprl", "env_params={{}}", "budget=9"],
        ["CubeStacking-lprl has no heuristic", "roll-outs"],
    ),
    (
        ["plan", PRIOR, "env=FrozenLake-lprl", "env_params={{}}", "value=rollouts", "budget=9"],
        ["3 outcomes", "without chance"],
    ),
    (
        ["plan", PRIOR, "env=CubeStacking-lprl", "env_params={{suite: paper-8}}", "value=rollouts"],
        ["not known", "CubeStacking-lprl", "paper-8"],
    ),
    (["plan", "frozen_lake_dqn"], ["does not run dqn", "`lprl train` does"]),
    (["plan", "nowhere"], ["no config nowhere", PRIOR]),
    (["plan", RULE, "--json", "{mine}"], ["exists"]),
    (["train", PRIOR, "--out", "{new}"], ["does not run slinvit", "`lprl plan` does"]),
]


@pytest.mark.parametrize(("call", "words"), BAD, ids=lambda value: " ".join(value)[:50])
def test_bad_input_is_one_line_and_writes_nothing(
    call: list[str], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text("mine")
    arguments = [text.format(mine=mine, new=tmp_path / "new") for text in call]
    if "--json" not in arguments and call[0] == "plan":
        arguments += ["--json", str(tmp_path / "new" / "figures.json")]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("lprl: ")
    assert captured.err.count("\n") == 1
    for word in words:
        assert word in captured.err
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["mine.json"]
    assert not list(tmp_path.glob("new/*"))
    assert mine.read_text() == "mine"


def test_the_time_limit_of_firm_ice_is_searched_by_rollouts() -> None:
    """An environment without a heuristic: a 2x2 lake, two actions from the goal."""
    overrides = [
        "env=FrozenLake-lprl",
        "env_params={map_name: 2x2, is_slippery: false, instances: [[SF, FG]]}",
        "prior=uniform", "proposals=best", "k=4", "depth=2", "value=rollouts", "budget=2",
        "alpha=0", "gamma=0.9", "num_runs=1",
    ]  # fmt: skip
    (row,) = planning.run(config.read(PRIOR, overrides))
    assert (iqm(row.success), row.actions) == (1.0, 2.0)
