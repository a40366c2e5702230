"""Kill a training at random moments, resume it, and compare it with one that was left alone.

`python tests/experiments/kill_resume.py --kills 50` prints a line a kill, and fails if any run
differs in a byte of `metrics.jsonl` or in a bit of its last state (weights, optimiser, replay,
keys, counters).

Every other kill waits for a checkpoint to be in the making and strikes then; the others come at a
random time between the start of the process and its usual end.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")

import jax
import jax.numpy as jnp
import numpy as np
import yaml

TOTAL_STEPS = 1_980  # the last chunk is a shorter one
FIELDS = {
    "env": "FrozenLake-lprl",
    "env_params": {"map_name": "4x4", "num_instances": 4, "split": "train"},
    "prior": "uniform",
    "num_runs": 4,
    "total_steps": TOTAL_STEPS,
    "eval_every": 50,
    "eval_episodes": 2,
    "buffer_size": 1_000,
    "batch_size": 8,
    "hidden_sizes": [16],
    "checkpoint_every": 1,
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What happened to one training."""

    when: str
    """"in a checkpoint" or "at a random time"."""
    kept: list[int]
    """Steps that its checkpoints held after each kill; -1 is none."""
    half_written: int
    """Checkpoints that the kills left half-written."""
    same: bool
    """Whether the end was that of the training left alone."""


def train(folder: Path, out: Path) -> subprocess.Popen[bytes]:
    """`lprl train --resume` in a process of its own."""
    config = folder / "config.yaml"
    if not config.exists():
        config.write_text(yaml.safe_dump(FIELDS))
    command = [sys.executable, "-m", "lprl_jax.cli", "train", str(config), "--out", str(out)]
    cache = {"JAX_COMPILATION_CACHE_DIR": str(folder / "cache")}
    cache["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    return subprocess.Popen(
        [*command, "--resume", "--quiet"],
        env={**os.environ, **cache},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for a training's end; it must be a good one."""
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors.decode()


@functools.cache
def fresh_state() -> Any:
    """A state of the shapes of a checkpoint's."""
    from lprl_jax.experiments import config, runner

    return runner.set_up(config.parse(FIELDS)).initial_state()


@functools.cache
def last_state(out: Path) -> dict[str, np.ndarray]:
    """The arrays of the newest checkpoint, by path."""
    from lprl_jax.experiments import checkpoint

    assert checkpoint.newest(out / "checkpoints") == TOTAL_STEPS
    state = checkpoint.restore(out / "checkpoints", TOTAL_STEPS, fresh_state())

    def plain(leaf: Any) -> np.ndarray:
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path): plain(leaf) for path, leaf in leaves}


def kill(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    """Kill -9 as soon as the moment has come."""
    while process.poll() is None and not ready():
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def moment(out: Path, in_checkpoint: bool, usual: float, rng: random.Random) -> Callable[[], bool]:
    """A random moment of a training that usually takes so many seconds."""
    if in_checkpoint:
        wanted, lines = rng.randrange(1, 35), out / "metrics.jsonl"

        def in_the_making() -> bool:
            begun = lines.exists() and lines.read_bytes().count(b"\n") >= wanted
            return begun and bool(half_written(out))

        return in_the_making
    end = time.monotonic() + rng.uniform(0.0, usual)
    return lambda: time.monotonic() >= end


def half_written(out: Path) -> list[Path]:
    """Checkpoints in the making."""
    return list((out / "checkpoints").glob("*checkpoint-tmp*"))


def one(folder: Path, number: int, usual: float, reference: Path, rng: random.Random) -> Outcome:
    """Train, kill once or twice, resume, and compare."""
    out, in_checkpoint = folder / f"killed-{number}", number % 2 == 0
    kept, half = [], 0
    for _ in range(rng.choice([1, 1, 2])):
        kill(train(folder, out), moment(out, in_checkpoint, usual, rng))
        whole = [int(p.name) for p in (out / "checkpoints").glob("*") if p.name.isdigit()]
        kept.append(max(whole, default=-1))
        half += len(half_written(out))
    finish(train(folder, out))
    same = (out / "metrics.jsonl").read_bytes() == (reference / "metrics.jsonl").read_bytes()
    a, b = last_state(out), last_state(reference)
    same &= a.keys() == b.keys() and all(
        x.dtype == b[name].dtype and x.tobytes() == b[name].tobytes() for name, x in a.items()
    )
    return Outcome("in a checkpoint" if in_checkpoint else "at a random time", kept, half, same)


def campaign(folder: Path, kills: int, seed: int) -> list[Outcome]:
    """As many trainings, each killed once or twice, held against one that was not."""
    reference = folder / "reference"
    finish(train(folder, reference))  # fills the compilation cache
    (folder / "warm").mkdir()
    start = time.monotonic()
    finish(train(folder, folder / "warm" / "run"))
    usual = time.monotonic() - start
    rng = random.Random(seed)
    outcomes = []
    for number in range(kills):
        outcomes.append(one(folder, number, usual, reference, rng))
        print(number + 1, outcomes[-1], flush=True)
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill a training, resume it, compare.")
    parser.add_argument("--kills", type=int, default=50, help="trainings that are killed")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = campaign(Path(folder), options.kills, options.seed)
    same = sum(outcome.same for outcome in outcomes)
    half = sum(outcome.half_written for outcome in outcomes)
    print(f"{same} of {len(outcomes)} resumed bit-identically; {half} checkpoints half-written")
    print(dict(Counter(outcome.when for outcome in outcomes)))
    sys.exit(same != len(outcomes))


if __name__ == "__main__":
    main()
