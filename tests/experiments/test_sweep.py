"""Sweeps: every combination is a run of one program, and is what it would be on its own."""

from pathlib import Path

import numpy as np
import pytest
from lprl_envs import InvalidInput
from small_experiment import fields

from lprl_jax.experiments import build, config, run_directory, runner
from lprl_jax.results import reading


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep") / "sweep"
    fields_ = config.override(fields(), ["alpha=.05,.5", "learning_rate=[1e-3, 1e-2]"])
    runner.run(config.parse(fields_), folder, progress=False)
    return folder


def test_settings_are_all_combinations(swept: Path) -> None:
    experiment = config.read(swept / "config.yaml")
    expected = [
        {"learning_rate": 1e-3, "alpha": 0.05},
        {"learning_rate": 1e-3, "alpha": 0.5},
        {"learning_rate": 1e-2, "alpha": 0.05},
        {"learning_rate": 1e-2, "alpha": 0.5},
    ]
    assert experiment.settings == expected
    assert experiment.num_runs == 16
    assert run_directory.read_provenance(swept)["settings"] == expected
    hparams = build.hparams(experiment)
    rates = [1e-3] * 8 + [1e-2] * 8
    assert np.asarray(hparams.learning_rate).tolist() == pytest.approx(rates)
    assert np.asarray(hparams.alpha).tolist() == pytest.approx(([0.05] * 4 + [0.5] * 4) * 2)
    assert np.asarray(hparams.gamma).tolist() == pytest.approx([0.99] * 16)


def test_results_know_their_values(swept: Path) -> None:
    names = list(reading.read_all([swept]))
    assert names[0] == "sweep (learning_rate 0.001, alpha 0.05)"
    assert len(names) == 4
    lines = run_directory.read_lines(swept / "metrics.jsonl")
    part = reading.read(swept).by_setting()["learning_rate 0.01, alpha 0.05"]
    assert part.success.shape == (4, 4)
    assert part.success[:, -1].tolist() == lines[-1]["success"][8:12]


def test_a_setting_is_what_it_would_be_alone(swept: Path, tmp_path: Path) -> None:
    alone = config.parse(fields(alpha=0.5, learning_rate=1e-2))
    runner.run(alone, tmp_path / "alone", progress=False)
    lines = run_directory.read_lines(swept / "metrics.jsonl")
    for mine, theirs in zip(
        run_directory.read_lines(tmp_path / "alone" / "metrics.jsonl"), lines, strict=True
    ):
        assert mine["success"] == theirs["success"][12:]
        assert mine.get("episodes") == theirs.get("episodes", [])[12:] or "episodes" not in mine
        np.testing.assert_allclose(mine.get("loss", []), theirs.get("loss", [])[12:], atol=2e-5)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("k=1,5", ["k is '1,5'", "cannot be swept", "learning_rate, gamma"]),
        ("batch_size=[4, 8]", ["batch_size is [4, 8]", "cannot be swept"]),
        ("alpha=.1,-1", ["alpha is -1.0", "above 0"]),
        ("alpha=.1,.1", ["different numbers"]),
        ("alpha=.1,", ["alpha is ''", "a number"]),
        ("gamma=.9,high", ["gamma is 'high'", "a number"]),
    ],
)
def test_what_cannot_be_swept_is_refused(override: str, words: list[str]) -> None:
    with pytest.raises(InvalidInput) as error:
        config.parse(config.override(fields(), [override]))
    assert all(word in str(error.value) for word in words), str(error.value)
