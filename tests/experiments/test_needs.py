"""What does not fit into memory is refused before it is asked for, by the fields that ask it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from lprl_envs import FrozenLake, InvalidInput
from small_experiment import fields

from lprl_jax import memory
from lprl_jax.experiments import build, config, gather, needs, planning, runner
from lprl_jax.priors import LanguagePrior, UniformPrior, tabulate

NOTHING = {"prior": "none"}
TOO_MUCH = [
    (
        {"num_runs": 1000, "buffer_size": 10_000_000},
        ["num_runs is 1000", "buffer_size is 1000000"],
    ),
    ({"num_runs": 2_000_000_000, "buffer_size": 1}, ["num_runs is 2000000000"]),
    ({"batch_size": 2_000_000_000}, ["num_runs is 4", "batch_size is 2000000000"]),
    ({"num_envs": 1_000_000_000, "buffer_size": 1_000_000_000}, ["num_envs is 1000000000"]),
    ({"hidden_sizes": [1_000_000, 1_000_000]}, ["hidden_sizes is (1000000, 1000000)"]),
    ({"eval_episodes": 2_000_000_000}, ["eval_episodes is 2000000000"]),
    ({"prior": "uniform", "k": 2_000_000_000}, ["buffer_size is 100", "k is 2000000000"]),
    ({"env_params": {"num_instances": 2_000_000_000}}, ["env_params.num_instances is 2000000000"]),
    (
        {"num_runs": 1_000_000, "alpha": list(range(1, 1001)), "buffer_size": 100_000},
        ["num_runs is 1000000", "the runs of 1000 settings take"],
    ),
    (
        {"algorithm": "ppo", "num_envs": 1_000_000, "rollout_length": 1_000_000},
        ["num_envs is 1000000", "rollout_length is 1000000"],
    ),
    ({"algorithm": "linvit", "horizon": 2_000_000_000}, ["horizon is 2000000000"]),
    ({"algorithm": "slinvit", "depth": 2_000_000_000, "k": 3}, ["lanes is 1024", "depth is 20000"]),
    ({"algorithm": "cql", "batch_size": 2_000_000_000}, ["batch_size is 2000000000"]),
]


def of(changes: dict[str, Any]) -> config.Experiment:
    """The small experiment, with what its algorithm does not know left away."""
    changed = fields(**{**NOTHING, **changes})
    if changes.get("algorithm", "dqn") != "dqn":
        for name in ("buffer_size", "batch_size", "hidden_sizes"):
            if name not in changes:
                del changed[name]
    return config.parse(changed)


def limit(monkeypatch: pytest.MonkeyPatch, num_bytes: int) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: num_bytes)


@pytest.mark.parametrize(("changes", "words"), TOO_MUCH, ids=lambda x: " ".join(x)[:40])
def test_a_config_that_cannot_fit(
    changes: dict[str, Any], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, 16_000_000_000)
    monkeypatch.setattr(jax, "eval_shape", None)  # by the numbers alone: nothing is traced
    with pytest.raises(InvalidInput) as error:
        needs.require_least(of(changes))
    line = str(error.value)
    assert all(word in line for word in words), line
    assert "and 16.0 GB are free" in line


def test_the_configs_of_the_package_fit_into_little(monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, 300_000_000)
    for name in config.names():
        needs.require_least(config.read(name))
    limit(monkeypatch, 10)
    for name in config.names():
        with pytest.raises(InvalidInput, match=r"and 0\.0 kB are free"):
            needs.require_least(config.read(name))


def test_a_state_that_does_not_fit_is_never_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = of({"buffer_size": 1_000})
    setup = runner.set_up(experiment)
    keys, hparams = build.keys(experiment), build.hparams(experiment)
    runs = build.run_instances(experiment, setup.params)
    state = jax.eval_shape(setup.algorithm.init, keys, hparams, setup.data, runs)
    needed = memory.num_bytes(state) * setup.mesh.devices.size
    limit(monkeypatch, needed)
    needs.require_state(experiment, state, setup.mesh)
    limit(monkeypatch, needed // 2)
    with pytest.raises(InvalidInput, match="num_runs is 4, buffer_size is 1000: the runs take"):
        setup.initial_state()
    with pytest.raises(InvalidInput, match="num_runs is 4, buffer_size is 1000: the runs take"):
        runner.run(experiment, tmp_path / "run", progress=False)
    assert not list(tmp_path.rglob("*.*"))


def test_datasets_tables_and_what_is_collected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "data.npz"
    np.savez_compressed(file, zeros=np.zeros(10_000))
    limit(monkeypatch, 50_000)
    with pytest.raises(InvalidInput, match=r"dataset is '.*data\.npz': its arrays take 80\.\d kB"):
        needs.require_file("dataset", str(file))
    needs.require_file("dataset", str(tmp_path / "none.npz"))
    with pytest.raises(InvalidInput, match="num_runs is 4, steps is 100000: the transitions take"):
        gather.run(of({}), tmp_path / "new.npz", "random", num_steps=100_000)
    with pytest.raises(InvalidInput, match="lanes is 1024, depth is 30"):
        planning.run(of({"algorithm": "slinvit", "depth": 30}))
    env = FrozenLake("4x4", is_slippery=False)
    limit(monkeypatch, 200)
    with pytest.raises(InvalidInput, match="instances is 1, states is 16, actions is 4: a table's"):
        tabulate(UniformPrior(env), env, env.default_params)
    with pytest.raises(InvalidInput, match="instances is 1: keys and values of their texts take"):
        LanguagePrior.from_pretrained("embedded-early-1", env)


def test_the_command_refuses_what_no_machine_holds(tmp_path: Path) -> None:
    overrides = ["num_runs=1000", "buffer_size=1_000_000_000", "total_steps=100"]
    call = [sys.executable, "-m", "lprl_jax.cli", "train", "frozen_lake_dqn", *overrides, "--quiet"]
    done = subprocess.run(
        [*call, "--out", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "num_runs is 1000, buffer_size is 1000000000: the runs take" in done.stderr
    assert not list(tmp_path.rglob("*"))
