"""LaGR from the config to a directory: trained, resumed, evaluated; and what is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from cli.test_cli import complaint
from priors.tiny import tiny_model

from lprl_jax.cli.main import main
from lprl_jax.experiments import completing, config, evaluate, run_directory, runner
from lprl_jax.lm import checkpoint

FIELDS: dict[str, Any] = {
    "env": "CubeStacking-lprl",
    "env_params": {
        "num_cubes": 4,
        "observation": "index",
        "num_instances": 4,
        "split": "train",
        "instance_per_run": True,
    },
    "algorithm": "lagr",
    "completer": "recorded",
    "schedule": "seq",
    "keep": "trial",
    "num_runs": 4,
    "total_steps": 90,
    "eval_every": 30,
    "eval_episodes": 2,
    "buffer_size": 100,
    "batch_size": 4,
    "hidden_sizes": [8],
    "checkpoint_every": 2,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lagr") / "run"
    return runner.run(config.parse(FIELDS), out, progress=False)


def test_a_run_says_what_was_asked(run: Path) -> None:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 30, 60, 90]
    asked = sum(sum(line["asked"]) for line in lines[1:])
    assert lines[-1]["queries"] == asked > 0
    assert lines[-1]["evaluations"] == sum(sum(line["evaluated"]) for line in lines[1:]) <= asked
    assert sum(sum(line["accepted"]) for line in lines[1:]) > 0
    assert {*lines[1]} > {"followed", "unreadable", "loss", "success"}


def test_a_resumed_run_is_the_same_run(run: Path, tmp_path: Path) -> None:
    begun = shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(begun / run_directory.CHECKPOINTS / "90")
    runner.run(config.parse(FIELDS), begun, progress=False, resume=True)
    whole, again = ((path / run_directory.METRICS).read_text() for path in (run, begun))
    assert whole == again


def test_a_finished_run_is_evaluated(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(run), "eval_episodes=2"]) == 0
    out = capsys.readouterr().out
    assert "guided" in out
    assert "greedy" in out
    held, alone = (row for row in evaluate.run(run, ["eval_episodes=2"]))
    # Every run has an answer by now, and follows it without a mistake; 4 cubes in 24 steps.
    np.testing.assert_allclose(held.returns, 16 + 1 + 20)
    assert alone.returns.mean() < held.returns.mean()


def test_a_model_that_knows_no_completions_is_remarked_on_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint.save(tmp_path / "tiny", tiny_model())
    own = {**FIELDS, "completer": str(tmp_path / "tiny"), "schedule": "on_change", "num_runs": 2}
    runner.run(config.parse(own), tmp_path / "run", progress=False)
    err = capsys.readouterr().err
    assert err.count("could not be read as a pattern") == 1
    assert "(100 %)" in err


def test_most_answers_have_to_be_unreadable() -> None:
    experiment = config.parse(FIELDS)
    asked = np.array([4, 6])
    assert completing.warning(experiment, {"asked": asked, "unreadable": np.array([4, 1])}) is None
    told = completing.warning(experiment, {"asked": asked, "unreadable": np.array([4, 2])})
    assert told is not None
    assert told.startswith("of 10 answers of the completer 'recorded' 6 (60 %) could not be read")
    assert completing.warning(experiment, {"loss": asked}) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"env": "FrozenLake-lprl", "env_params": {"map_name": "4x4"}},
            "FrozenLake-lprl has no pattern to complete; valid: CubeStacking-lprl",
        ),
        ({"ask_budget": -1}, "ask_budget is -1"),
        ({"schedule": "sometimes"}, "sometimes"),
        ({"ask_probability": 1.5}, "ask_probability is 1.5"),
        ({"completer": "nobody"}, "nobody"),
        ({"prior": "uniform"}, "LaGR's learner has none: prior=none"),
        (
            {"env_params": {**FIELDS["env_params"], "instance_per_run": False}},
            "keep is 'trial', and a run plays 4 instances",
        ),
    ],
    ids=["world", "budget", "schedule", "probability", "completer", "prior", "trial"],
)
def test_what_is_refused(
    changes: dict[str, Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lagr.yaml"
    file.write_text(yaml.safe_dump({**FIELDS, **changes}))
    told = complaint(["train", str(file), "--out", str(tmp_path / "run")], capsys)
    assert message in told
    assert not (tmp_path / "run" / "config.yaml").exists()
