"""Training with a live model gives the same numbers over one device, eight, and two processes."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PROGRAM = Path(__file__).parent / "sharded_training.py"
COLLECTIVES = "all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter"
DEVICES = r"--xla_force_host_platform_device_count=\d+"


def start(out: Path, devices: int, *arguments: str) -> subprocess.Popen[str]:
    flags = re.sub(DEVICES, DEVICES.replace(r"\d+", f"{devices}"), os.environ["XLA_FLAGS"])
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, str(PROGRAM), str(out), *arguments]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def read(path: Path) -> dict[str, dict[str, Any]]:
    """What was found, mesh by mesh."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in np.load(path).items():
        mesh, _, name = key.partition(" ")
        found.setdefault(mesh, {})[name] = value
    return {mesh: values | json.loads(str(values.pop("report"))) for mesh, values in found.items()}


@pytest.fixture(scope="module")
def eight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """One device, eight with a share of the runs each, and four pairs that share the weights."""
    out = tmp_path_factory.mktemp("eight") / "found.npz"
    process = start(out, 8, "1x1", "8x1", "4x2")
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return read(out)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The model is the policy of every run: one device, and two pairs."""
    out = tmp_path_factory.mktemp("policy") / "found.npz"
    process = start(out, 4, "1x1", "2x2", "--learner", "ppo")
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return read(out)


def assert_same(found: dict[str, Any], right: dict[str, Any]) -> None:
    names = [name for name, value in right.items() if isinstance(value, np.ndarray)]
    assert {"log_probs", "loss 1", "played success", "queries"} <= set(names)
    for name in names:
        np.testing.assert_allclose(found[name], right[name], atol=1e-5, rtol=1e-5, err_msg=name)


def collectives(program: str) -> list[tuple[str, list[list[int]]]]:
    """Every exchange between devices: what it is, and the shapes that it gives."""
    lines = re.findall(rf"= (.*?) ({COLLECTIVES})(?:-start)?\(", program)
    shapes = [re.findall(r"\w+\[([\d,]*)\]", types) for types, _ in lines]
    sizes = [[[int(n) for n in shape.split(",") if n] for shape in found] for found in shapes]
    return [(kind, size) for (_, kind), size in zip(lines, sizes, strict=True)]


@pytest.mark.parametrize("mesh", ["8x1", "4x2"])
def test_eight_devices_equal_one(eight: dict[str, dict[str, Any]], mesh: str) -> None:
    assert_same(eight[mesh], eight["1x1"])
    assert eight["1x1"]["queries"] >= 8 * 2 * (1 + 2 * 3)
    assert np.ptp(eight["1x1"]["log_probs"]) > 1


def test_runs_over_devices_exchange_nothing(eight: dict[str, dict[str, Any]]) -> None:
    assert "num_partitions=8" in eight["8x1"]["program"]
    assert collectives(eight["8x1"]["program"]) == []
    assert eight["8x1"]["held"] == 1.0


def test_devices_that_share_weights_hold_their_part_and_never_gather_it(
    eight: dict[str, dict[str, Any]],
) -> None:
    assert 0.5 <= eight["4x2"]["held"] < 0.52  # norms are whole
    exchanged = collectives(eight["4x2"]["program"])
    assert {kind for kind, _ in exchanged} >= {"all-reduce"}  # or nothing would be shared
    weights = [sorted(shape) for shape in eight["4x2"]["shapes"]]
    weights += [sorted(shape[1:]) for shape in eight["4x2"]["shapes"] if len(shape) == 3]
    for kind, shapes in exchanged:
        if kind != "all-reduce":
            assert not [shape for shape in shapes if sorted(shape) in weights], kind


def test_a_policy_that_pairs_of_devices_share_equals_one_device(
    policy: dict[str, dict[str, Any]],
) -> None:
    assert_same(policy["2x2"], policy["1x1"])
    assert np.abs(policy["1x1"]["['value']['kernel']"]).max() > 1e-4  # it has learnt


def test_a_policy_is_split_as_its_model_is_also_after_training(
    policy: dict[str, dict[str, Any]],
) -> None:
    """Weights and both moments: of every matrix a device has half, of its runs; norms are whole."""
    split, seen = {"q": 3, "k": 3, "v": 3, "gate": 3, "up": 3, "o": 2, "down": 2}, 0
    for path, (shape, held) in policy["2x2"]["lies"].items():
        names = re.findall(r"\w+", path)
        right = [shape[0] // 2, *shape[1:]]
        axis = split.get(names[-2]) if names[-1] == "kernel" else None
        axis = 1 if names[-1] in ("embedding", "head") else axis
        if axis is not None:
            right[axis] //= 2
            seen += 1
        assert held == right, path
    assert seen == 3 * (7 + 2)
    assert {kind for kind, _ in collectives(policy["2x2"]["program"])} >= {"all-reduce"}


def test_two_processes_equal_one(eight: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    out = tmp_path / "found.npz"
    processes = [start(out, 2, "4x1", "--process", i, "--port", port) for i in ("0", "1")]
    errors = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    found = read(out)["4x1"]
    assert found["processes"] == 2
    assert_same(found, eight["1x1"])
