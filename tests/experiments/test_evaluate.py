"""Evaluating a trained run: as it was trained, and with another prior and another k."""

from pathlib import Path

import numpy as np
import pytest
from lprl_envs import InvalidInput
from small_experiment import fields

from lprl_jax.experiments import config, evaluate, run_directory, runner, sharding
from lprl_jax.results import tables
from lprl_jax.results.statistics import iqm


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    changes = {"prior": "embedded-early-1", "k": 2, "total_steps": 600, "eval_every": 300}
    runner.run(config.parse(fields(**changes)), folder, progress=False)
    return folder


def test_the_newest_state_plays_the_training_s_last_evaluation(trained: Path) -> None:
    experiment = config.parse(run_directory.read_config(trained))
    setup, state = runner.set_up(experiment), evaluate.newest_state(trained, experiment)
    of = setup.algorithm, setup.mesh, experiment.config.eval_episodes, "posterior", state
    played = sharding.compile_evaluation(*of, setup.data)(state, setup.data)
    last = run_directory.read_lines(trained / "metrics.jsonl")[-1]
    for name in ("success", "length"):
        np.testing.assert_allclose(played[name], last[name], atol=1e-5)


def test_evaluation_plays_episodes_of_its_own_by_the_seed(trained: Path) -> None:
    posterior, greedy = evaluate.run(trained)
    last = run_directory.read_lines(trained / "metrics.jsonl")[-1]
    assert posterior.policy == "posterior"
    assert posterior.queries != round(2 * sum(last["length"]))  # the training's last were others
    assert (greedy.policy, greedy.k, greedy.prior) == ("greedy", 2, "embedded-early-1")
    assert (greedy.runs, greedy.episodes) == (4, 2)
    again, other = (evaluate.run(trained, [f"seed={seed}"])[0] for seed in (0, 1))
    np.testing.assert_array_equal(again.success, posterior.success)
    assert again.queries == posterior.queries != other.queries


def test_every_prior_meets_every_k(trained: Path) -> None:
    rows = evaluate.run(
        trained, ["eval_episodes=16"], priors=["embedded", "uniform"], ks=["1", "exact"]
    )
    asked = [(row.prior, row.k, row.policy) for row in rows]
    expected = [
        (prior, k, policy)
        for prior in ("embedded", "uniform")
        for k in (1, "exact")
        for policy in ("posterior", "greedy")
    ]
    assert asked == expected
    success = {row: iqm(r.success) for row, r in zip(asked, rows, strict=True)}
    assert success["embedded", 1, "posterior"] > success["uniform", 1, "posterior"]
    queries = {row: r.queries for row, r in zip(asked, rows, strict=True)}
    assert queries["embedded", 1, "greedy"] > 0
    assert queries["uniform", 1, "greedy"] == 0
    lines = tables.of_evaluations(rows).splitlines()
    assert len(lines) == 2 + len(rows)
    assert len({line.count("|") for line in lines}) == 1


def test_other_instances_are_other_episodes(trained: Path) -> None:
    rows = evaluate.run(trained, ["env_params.bank_seed=5"], instances="held-out")
    assert all(np.isfinite(row.success).all() for row in rows)
    with pytest.raises(InvalidInput, match="unknown split 'test'"):
        evaluate.run(trained, instances="test")


def test_without_a_prior_it_acts_greedily(trained: Path) -> None:
    (row,) = evaluate.run(trained, priors=["none"])
    assert (row.policy, row.k, row.queries) == ("greedy", "–", 0)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["hidden_sizes=[16]"], "hidden_sizes cannot differ from the training's; valid: prior"),
        (["env_params.map_name=8x8"], "env_params.map_name cannot differ"),
        (["colour=red"], "colour cannot differ"),
        (["eval_episodes=0"], "eval_episodes is 0"),
    ],
)
def test_what_cannot_change_is_refused(trained: Path, overrides: list[str], words: str) -> None:
    with pytest.raises(InvalidInput) as error:
        evaluate.run(trained, overrides)
    assert words in str(error.value)


def test_what_is_no_trained_run_is_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no run"):
        evaluate.run(tmp_path)
    (tmp_path / "config.yaml").write_text((trained / "config.yaml").read_text())
    with pytest.raises(InvalidInput, match="holds no checkpoint"):
        evaluate.run(tmp_path)
    with pytest.raises(InvalidInput, match="unknown prior 'gpt'"):
        evaluate.run(trained, priors=["gpt"])
    with pytest.raises(InvalidInput, match="k is 0"):
        evaluate.run(trained, ks=["0"])
