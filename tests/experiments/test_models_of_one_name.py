"""Models in directories of one name are two priors; a copy in another directory is the same one."""

import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
import yaml
from cli.test_cli import complaint
from priors.tiny import tiny_model
from small_experiment import fields

from lprl_jax.cli.main import main
from lprl_jax.datasets import dataset
from lprl_jax.experiments import build, config, evaluate
from lprl_jax.experiments.config import Experiment
from lprl_jax.lm import checkpoint

OF_DQN = ("buffer_size", "learning_starts", "train_every", "num_envs", "k")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models of one name, a copy of the first under another, and data of the first."""
    path = tmp_path_factory.mktemp("names")
    first = tiny_model()
    other = first._replace(params=jax.tree.map(lambda x: 1.5 * x, first.params))
    checkpoint.save(path / "x" / "checkpoint-500", first)
    checkpoint.save(path / "y" / "checkpoint-500", other)
    shutil.copytree(path / "x" / "checkpoint-500", path / "copy")
    own = fields(
        algorithm="cql", prior=str(path / "x" / "checkpoint-500"), dataset=str(path / "data.npz"),
        num_runs=2, total_steps=10, eval_every=10, dataset_size=0,
    )  # fmt: skip
    own = {name: value for name, value in own.items() if name not in OF_DQN}
    (path / "cql.yaml").write_text(yaml.safe_dump(own))
    call = ["collect", str(path / "cql.yaml"), "--steps", "20", "-o", str(path / "data.npz")]
    assert main(call) == 0
    return path


def experiment(folder: Path, prior: str) -> Experiment:
    return config.read(str(folder / "cql.yaml"), [f"prior={folder / prior}"])


def test_data_of_one_are_not_the_other_s(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["train", str(folder / "cql.yaml"), f"prior={folder / 'y' / 'checkpoint-500'}"]
    said = complaint([*call, "--quiet", "--out", str(folder / "run")], capsys)
    assert "is of the model 'checkpoint-500' with the digest" in said
    assert not list((folder / "run").glob("*"))


def test_data_of_one_are_its_copy_s(folder: Path) -> None:
    chosen = experiment(folder, "copy")
    env, params = build.make_env(chosen.config.env, chosen.env_arguments, chosen.bank)
    prior = build.make_prior(chosen, env, params)
    assert prior is not None
    assert prior.name == "copy"
    _, origin = dataset.load(folder / "data.npz", env, params)
    assert origin.prior == "checkpoint-500"
    dataset.require_prior(folder / "data.npz", origin, prior)


def row(prior: str) -> evaluate.Row:
    return evaluate.Row("", prior, 1, "greedy", 1, 1, np.zeros(1), np.zeros(1), 0)


def test_rows_of_priors_of_one_name_say_which_is_which() -> None:
    found = [
        ("x/checkpoint-500", row("checkpoint-500")),
        ("y/checkpoint-500", row("checkpoint-500")),
        ("x/checkpoint-500", row("checkpoint-500")),
        ("x/other", row("other")),
        ("x/other", row("other")),
        ("embedded", row("embedded (ε = 0.5)")),
        ("table.npz", row("embedded (ε = 0.5)")),
    ]
    assert [each.prior for each in evaluate.told_apart(found)] == [
        "checkpoint-500 from x/checkpoint-500",
        "checkpoint-500 from y/checkpoint-500",
        "checkpoint-500 from x/checkpoint-500",
        "other",
        "other",
        "embedded (ε = 0.5) from embedded",
        "embedded (ε = 0.5) from table.npz",
    ]
