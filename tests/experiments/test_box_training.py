"""Continuous worlds on the usual path: trained, swept, resumed, evaluated; or refused in a line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lprl_jax.algorithms.base import FOR_BOXES
from lprl_jax.algorithms.registry import ALGORITHMS
from lprl_jax.cli.main import main
from lprl_jax.experiments import run_directory
from lprl_jax.results import reading

FIELDS: dict[str, Any] = {
    "env": "Pendulum-v1",
    "num_runs": 4,
    "total_steps": 40,
    "eval_every": 20,
    "eval_episodes": 2,
    "learning_starts": 12,
    "hidden_sizes": [8],
    "batch_size": 4,
    "buffer_size": 100,
    "checkpoint_every": 1,
}
every = pytest.mark.parametrize("name", FOR_BOXES)


def written(folder: Path, name: str) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**FIELDS, "algorithm": name}))
    return str(path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of 60 steps, over both devices."""
    folder = tmp_path_factory.mktemp("whole")
    for name in FOR_BOXES:
        call = ["train", written(folder, name), "--quiet", "--out", str(folder / name)]
        assert main([*call, "total_steps=60"]) == 0
    return {name: folder / name for name in FOR_BOXES}


def test_the_list_of_algorithms_for_boxes_is_the_registrys() -> None:
    assert all(name in ALGORITHMS for name in FOR_BOXES)


@every
def test_it_trains_and_tells_returns(trained: dict[str, Path], name: str) -> None:
    found = reading.read(trained[name])
    assert found.returns.shape == (4, 4)
    assert ((found.returns < 0) & (found.returns > -2000)).all()
    lines = run_directory.read_lines(trained[name] / "metrics.jsonl")
    assert [line["step"] for line in lines] == [0, 20, 40, 60]
    assert all(np.all(np.array(line["loss"]) > 0) for line in lines[1:])
    assert {"loss", "policy_loss", "episodes"} <= set(lines[1])


@every
def test_it_resumes_to_the_same_bytes(trained: dict[str, Path], name: str, tmp_path: Path) -> None:
    # Interrupted behind its 40th step: replay, moments, counters and keys are all in the state.
    call = ["train", written(tmp_path, name), "--quiet", "--out", str(tmp_path / "run")]
    assert main(call) == 0
    assert main([*call, "--resume", "total_steps=60"]) == 0
    found, right = (
        (folder / "metrics.jsonl").read_bytes() for folder in (tmp_path / "run", trained[name])
    )
    assert found == right


@every
def test_it_is_evaluated(
    trained: dict[str, Path], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(trained[name])]) == 0
    found = capsys.readouterr().out
    assert "| none | – | greedy | 4 | 2 | 0.00 (4 runs) |" in found
    assert ("| sample |" in found) == (name == "sac")


def test_it_is_swept(trained: dict[str, Path], tmp_path: Path) -> None:
    out = str(tmp_path / "sweep")
    call = ["train", written(tmp_path, "td3"), "--quiet", "--out", out, "num_runs=2"]
    assert main([*call, "exploration_noise=.1,.3", "total_steps=20"]) == 0
    settings = reading.read(Path(out)).by_setting()
    assert list(settings) == ["exploration_noise 0.1", "exploration_noise 0.3"]


REFUSED = [
    (["env=CartPole-v1"], ["CartPole-v1 has discrete actions, and SACConfig", "but sac, td3"]),
    (["algorithm=discrete_sac"], ["Pendulum-v1 has continuous actions", "valid: sac, td3"]),
    (["prior=uniform"], ["no words", "right: None"]),
    (["prior=embedded"], ["Pendulum-v1 is gymnax's own and has no text"]),
    (["env_params.instances=[{max_torque: 1}, {}]"], ["share one box"]),
    (["learning_starts=-1"], ["learning_starts is -1", "0 or above"]),
    (["batch_size=1,2"], ["batch_size", "cannot be swept", "target_entropy"]),
]


@pytest.mark.parametrize(("overrides", "words"), REFUSED)
def test_what_does_not_fit_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], overrides: list[str], words: list[str]
) -> None:
    call = ["train", written(tmp_path, "sac"), "--quiet", "--out", str(tmp_path / "run")]
    assert main([*call, *overrides]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert all(word in line for word in words), line
