"""LINVIT by the command line: trained, continued, evaluated, refused."""

import json

import pytest

from lprl_jax.cli.main import main

SMALL = ("prior=uniform", "num_runs=2", "env_params.num_instances=2", "horizon=6", "eval_every=600")


def lines(directory):
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("linvit") / "run"
    arguments = ["frozen_lake_linvit", *SMALL, "total_steps=2400", "--out", str(out), "--quiet"]
    assert main(["train", *arguments]) == 0
    return out


def test_a_run_is_written(trained):
    written = lines(trained)
    assert [line["step"] for line in written] == [0, 600, 1200, 1800, 2400]
    assert all(line["episodes"] == [100, 100] for line in written[1:])
    gaps = [line["loss"][0] for line in written[1:]]
    assert gaps[-1] < gaps[0] <= 6


def test_it_continues_to_the_same_bytes(trained, tmp_path):
    out = str(tmp_path / "run")
    begun = ["train", "frozen_lake_linvit", *SMALL, "--out", out, "--quiet"]
    assert main([*begun, "total_steps=1200"]) == 0
    assert main([*begun, "total_steps=2400", "--resume"]) == 0
    assert (tmp_path / "run/metrics.jsonl").read_bytes() == (trained / "metrics.jsonl").read_bytes()


def test_it_is_evaluated_without_a_question(trained, tmp_path):
    figures = tmp_path / "figures.json"
    assert main(["eval", str(trained), "--json", str(figures)]) == 0
    rows = json.loads(figures.read_text())
    assert [row["policy"] for row in rows] == ["last", "drawn"]
    assert [row["queries"] for row in rows] == [0, 0]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("horizon=0", "horizon is 0; it must be above 0"),
        ("temperature=0", "temperature is 0.0; it must be above 0"),
        ("env_params.instance_per_run=false", "a run has 2 instances; LINVIT learns one"),
        ("env_params.split=other", "unknown split 'other'"),
        ("env_params.reward_schedule=[2,0,0]", r"rewards lie in [0, 2]; LINVIT needs them in"),
    ],
)
def test_bad_input_leaves_nothing(override, message, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", "frozen_lake_linvit", *SMALL, override, "--out", str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists() or not list(out.iterdir())


def test_other_instances_are_refused_where_a_table_was_learnt(trained, capsys):
    assert main(["eval", str(trained), "--instances", "train"]) == 2
    assert main(["eval", str(trained), "env_params.bank_seed=3"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "env_params.bank_seed cannot differ from the training's: what linvit learns" in second
    assert "env_params.split cannot differ" in first
