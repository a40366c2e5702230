"""Reward shifts from the config to a directory: trained, resumed, swept, evaluated; refusals."""

import json
import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from cli.test_cli import complaint

from lprl_jax import judges
from lprl_jax.algorithms.tabular.perfect_judge import perfect_judge
from lprl_jax.cli.main import main
from lprl_jax.experiments import build, config, evaluate, run_directory, runner

FIELDS: dict[str, Any] = {
    "env": "FrozenLake-lprl",
    "env_params": {"observation": "index"},
    "judge": "perfect",
    "judge_accuracy": 0.8,
    "shift_steps": 200.0,
    "num_runs": 2,
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
    out = tmp_path_factory.mktemp("judged") / "run"
    return runner.run(config.parse({**FIELDS, "shift_scale": [0.1, 1.0]}), out, progress=False)


def test_a_run_says_what_was_judged(run: Path) -> None:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 30, 60, 90]
    # Four runs (two settings), a question a step, and one before the first.
    assert [line["judge_queries"] for line in lines] == [4 * (n + 1) for n in (0, 30, 60, 90)]
    assert lines[-1]["judge_evaluations"] == 0
    assert lines[-1]["queries"] == 0
    for line in lines[1:]:
        good, bad, advice = (np.array(line[name]) for name in ("good", "bad", "advice"))
        np.testing.assert_array_equal(good - bad, advice)
        assert ((good + bad > 0) & (good + bad <= 30)).all()


def test_a_resumed_run_is_the_same_run(run: Path, tmp_path: Path) -> None:
    begun = shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(begun / run_directory.CHECKPOINTS / "90")
    experiment = config.parse({**FIELDS, "shift_scale": [0.1, 1.0]})
    runner.run(experiment, begun, progress=False, resume=True)
    whole, again = ((path / run_directory.METRICS).read_text() for path in (run, begun))
    assert whole == again


def test_a_finished_run_is_evaluated(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(run), "eval_episodes=2"]) == 0
    assert "shift_scale 0.1" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["habit", "embedded", "table", "prior table"])
def test_judges_by_name(name: str, tmp_path: Path) -> None:
    fields = {**FIELDS, "judge_accuracy": 1.0, "judge": name}
    env, params = build.make_env("FrozenLake-lprl", {}, config.parse(FIELDS).bank)
    if name == "table":
        perfect_judge(env, params).save(tmp_path / "judge.npz", params)
        fields["judge"] = str(tmp_path / "judge.npz")
    if name == "prior table":
        path = tmp_path / "prior.npz"
        assert (
            main(["prior", "FrozenLake-lprl", "--model", "embedded", "-o", str(path), "--quiet"])
            == 0
        )
        fields["judge"] = str(path)
    setup = runner.set_up(config.parse(fields))
    state = jax.vmap(lambda i: env.state_at(0, i, params))(np.arange(16, dtype=np.int32))
    rows = jax.random.split(jax.random.key(0), 16), state, params, jnp.ones(16, bool)
    made: judges.Judge | None = setup.judge
    assert made is not None
    found, _ = made.verdicts(setup.data.judge_params, made.init(), *rows)
    assert set(np.unique(found)) <= {-1.0, 0.0, 1.0}
    assert np.any(np.asarray(found) == 1)


def test_a_shift_that_has_fallen_does_not_come_back_in_evaluation(tmp_path: Path) -> None:
    """Of a look-ahead learner whose networks know nothing: with the judge it always succeeds."""
    fields = {
        **FIELDS,
        "judge_accuracy": 1.0,
        "env_params": {"is_slippery": False},
        "shift_form": "look_ahead",
        "shift_scale": 1e6,
        "eval_episodes": 8,
    }
    found = []
    for steps in (30.0, 1e9):
        out = tmp_path / f"{steps}"
        runner.run(config.parse({**fields, "shift_steps": steps}), out, progress=False)
        last = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
        (row,) = evaluate.run(out, [])
        np.testing.assert_array_equal(np.asarray(last["success"]) == 1, row.success == 1)
        found.append(row.success.mean())
    assert found[0] < found[1] == 1


def test_a_run_is_evaluated_in_a_bank_that_its_judge_does_not_know(tmp_path: Path) -> None:
    bank = {"env_params.num_instances": 2, "env_params.split": "train"}
    env, params = build.make_env("FrozenLake-lprl", {}, config.parse(FIELDS).bank)
    perfect_judge(env, params).save(tmp_path / "judge.npz", params)
    fields = {**FIELDS, "judge": str(tmp_path / "judge.npz")}
    out = runner.run(config.parse(fields), tmp_path / "run", progress=False)
    (row,) = evaluate.run(out, [f"{name}={value}" for name, value in bank.items()])
    assert row.success.shape == (2,)


@pytest.mark.filterwarnings("ignore:embedded-early-1 is asked about:UserWarning")
def test_a_judge_that_asks_nobody_takes_nothing_of_how_a_prior_is_asked(tmp_path: Path) -> None:
    for more in (
        {"prior": "embedded-early-1", "wording": "instruction", "judge": "habit"},
        {"prior": "none", "wording": "instruction", "judge": "embedded-early-1"},
    ):
        setup = runner.set_up(config.parse({**FIELDS, **more}))
        assert setup.judge is not None
        assert (setup.prior is None) == (more["prior"] == "none")


REFUSED = {
    "judge=nobody": "unknown judge 'nobody'; valid: none, perfect",
    "judge_accuracy=2": "judge_accuracy is 2",
    "judge_errors=always": "judge_errors",
    "shift_scale=.nan": "shift_scale is nan",
    "shift_form=no": "shift_form",
    "algorithm=linvit": "judge is 'perfect', and linvit learns from no shifted reward",
    "judge=missing.npz": "no table at",
    "algorithm=lagr": "judge is 'perfect', and lagr learns from no shifted reward",
    "gamma=0": "gamma is 0, by which shift_form: look_back would divide",
}


@pytest.mark.parametrize("override", REFUSED)
def test_refusals(override: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fields = dict(FIELDS)
    if override.startswith("gamma"):
        fields["shift_form"] = "look_back"
    if override.startswith("algorithm"):
        fields = {name: fields[name] for name in ("env", "judge", "num_runs", "total_steps")}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(fields))
    out = tmp_path / "run"
    arguments = ["train", str(tmp_path / "own.yaml"), override, "--out", str(out)]
    assert REFUSED[override] in complaint(arguments, capsys)
    assert not (out / "metrics.jsonl").exists()
