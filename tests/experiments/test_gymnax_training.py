"""gymnax's own environments on the usual path: trained, resumed, evaluated; or refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lprl_jax.cli.main import main
from lprl_jax.results import reading

FIELDS: dict[str, Any] = {
    "env": "CartPole-v1",
    "algorithm": "dqn",
    "num_runs": 4,
    "total_steps": 60,
    "eval_every": 30,
    "eval_episodes": 2,
    "hidden_sizes": [8],
    "batch_size": 4,
    "buffer_size": 100,
    "checkpoint_every": 1,
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("gymnax") / "cart_pole.yaml"
    path.write_text(yaml.safe_dump(FIELDS))
    return str(path)


@pytest.fixture(scope="module")
def trained(config: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 90 steps, over both devices."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert main(["train", config, "--quiet", "--out", str(folder), "total_steps=90"]) == 0
    return folder


def test_returns_are_told_and_success_is_never(trained: Path) -> None:
    found = reading.read(trained)
    assert found.returns.shape == (4, 4)
    assert not found.success.any()
    assert (found.returns >= 8).all()  # no pole falls faster
    assert (found.returns <= 500).all()


def test_a_training_says_its_return(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main(["train", config, "--quiet", "--out", str(out), "total_steps=30"]) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("gymnax's own"))
    last = reading.read(out).returns[:, -1]
    assert f"run {np.sort(last)[1:3].mean():.2f} (4 runs)" in line


def test_it_resumes_to_the_same_bytes(config: str, trained: Path, tmp_path: Path) -> None:
    call = ["train", config, "--quiet", "--out", str(tmp_path / "run")]
    assert main(call) == 0
    assert main([*call, "--resume", "total_steps=90"]) == 0
    found, right = (
        (folder / "metrics.jsonl").read_bytes() for folder in (tmp_path / "run", trained)
    )
    assert found == right


def test_it_is_evaluated(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(trained)]) == 0
    assert "| none | – | greedy | 4 | 2 | 0.00 (4 runs) |" in capsys.readouterr().out


def test_what_is_collected_is_learnt_from(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(tmp_path / "data.npz")
    assert main(["collect", config, "-o", data, "--steps", "40", "num_envs=1"]) == 0
    offline = {**FIELDS, "algorithm": "bc", "dataset": data, "dataset_size": 40}
    offline = {key: value for key, value in offline.items() if key != "buffer_size"}
    path = tmp_path / "bc.yaml"
    path.write_text(yaml.safe_dump(offline))
    call = ["train", str(path), "--quiet", "--out"]
    assert main([*call, str(tmp_path / "bc")]) == 0
    capsys.readouterr()
    assert main([*call, str(tmp_path / "other"), "env=Acrobot-v1"]) == 2
    assert "of environment 'CartPole-v1', here it is 'Acrobot-v1'" in capsys.readouterr().err


NO_TEXT = ["CartPole-v1 is gymnax's own and has no text", "none, uniform", "FrozenLake-lprl"]
REFUSED = [
    (["prior=embedded"], NO_TEXT),
    (["prior=embedded", "prior_access=live"], NO_TEXT),
    (["prior=embedded", "q_input=features"], NO_TEXT),
    (["env=Pendulum-v1"], ["Pendulum-v1 has continuous actions", "DQNConfig", "sac, td3"]),
    (["env=Pendulum-v1", "prior=uniform"], ["Pendulum-v1", "no words", "no prior", "None"]),
    (["env=CartPole-v7"], ["unknown env 'CartPole-v7'", "FrozenLake-lprl", "Acrobot-v1"]),
    (["env_params.map_name=4x4"], ["unknown env_params key 'map_name'", "instances"]),
    (["env_params.num_instances=3"], ["no instances to draw", "by hand"]),
    (["env_params.instances=[{mass: 1}]"], ["unknown parameter 'mass'", "masscart"]),
    (["env=Catch-bsuite", "env_params.rows=many"], ["rows is 'many'", "a whole number"]),
    (["env=Catch-bsuite", "env_params.rows=-1"], ["cannot make Catch-bsuite with rows=-1"]),
]


@pytest.mark.parametrize(("overrides", "words"), REFUSED)
def test_what_does_not_fit_is_one_line(
    config: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    overrides: list[str],
    words: list[str],
) -> None:
    call = ["train", config, "--quiet", "--out", str(tmp_path / "run"), *overrides]
    assert main(call) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    "call",
    [
        ["prior", "CartPole-v1", "--model", "embedded", "-o", "TABLE"],
        ["plan", "blocks_world_slinvit_heuristic", "env=CartPole-v1", "env_params={}"],
    ],
)
def test_commands_that_need_text_or_a_law(
    call: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "t.npz") if word == "TABLE" else word for word in call]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "CartPole-v1" in line
    assert not list(tmp_path.iterdir())


def test_the_list_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["envs"]) == 0
    discrete, continuous = capsys.readouterr().out.splitlines()[-2:]
    assert discrete.startswith("gymnax's own, without text: CartPole-v1, ")
    assert "Pendulum" not in discrete
    assert continuous.startswith("  with continuous actions: Pendulum-v1, ")


def test_what_applies_of_the_contract_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "Pendulum-v1"]) == 0
    assert capsys.readouterr().out.endswith("Pendulum-v1 keeps the contract: 16 checks passed\n")


def test_a_dataset_of_points_is_refused(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(tmp_path / "data.npz")
    assert main(["collect", config, "-o", data, "--steps", "40", "env=Pendulum-v1"]) == 2
    line = capsys.readouterr().err
    assert "Pendulum-v1 has continuous actions, and a dataset holds discrete ones" in line
    assert line.count("\n") == 1
