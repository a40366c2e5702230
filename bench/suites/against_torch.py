"""DQN-Prior here and as a user writes it today (`peers/torch_loop.py`), on the same core.

Ours is `lprl train frozen_lake_dqn_prior`: 32 runs from a table of the prior, of which all
environment steps count. Theirs is one run, asking a model at every step or from a dictionary: a
small model as one finds it (3M weights, prompts of 150 tokens), or the embedded one, a third of
that size. What is in a table or a dictionary does not matter to their speed.
Each is a process of its own, pinned to the same cores, with a thread (ours: a device) a core. They
run alone and in turns, several windows a turn. Compiling, making the table and filling the
dictionary are not in the rates.

On all cores, and on one: torch gains little from a second thread, the matrices are too small to
share, so who has more cores may start more such loops. On a busy machine a second thread makes
torch many times slower.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lprl_envs.frozen_lake.maps import TILES
from tools import processes
from tools.timing import Measured, Ratio, row, unmeasured

from lprl_jax.experiments import build, config
from lprl_jax.priors import TabularPrior

PEER = Path(__file__).parents[1] / "peers" / "torch_loop.py"
OURS, THEIRS = "training/dqn_prior_table_pinned", "training/torch_{}"
RATIO = "training/dqn_prior_table_vs_torch_{}"
RUNS = 32
"""Of ours."""
OUR_STEPS = 3_000
"""Environment steps a run in a window."""
PEER_STEPS = {"cached": 2_000, "live": 50, "live_embedded": 100}
"""The same of the peer, for its ways to a prior; they differ in speed."""
TOLERANCE = 1e-4
"""Between the two sides' probabilities of an action."""


def run(quick: bool) -> Measured:
    """Rows and ratios, on all cores and on one; without torch, their absence."""
    if why := unavailable():
        names = [THEIRS.format(kind) for kind in PEER_STEPS]
        missing = [unmeasured(name, "steps/s", why) for name in names]
        return missing, {RATIO.format(kind): None for kind in PEER_STEPS}
    turns, windows = (1, 10) if quick else (4, 5)
    maps, priors = bank()
    rows, ratios = [], {}
    for cores in sorted({len(os.sched_getaffinity(0)), 1}, reverse=True):
        more_rows, more_ratios = on_cores(cores, turns, windows, maps, priors)
        rows += more_rows
        ratios |= more_ratios
    return rows, ratios


def on_cores(cores: int, turns: int, windows: int, maps: list[str], priors: np.ndarray) -> Measured:
    """Rows and ratios of both sides on so many cores; one core has a name of its own."""
    rates: dict[str, list[float]] = {OURS: [], **{THEIRS.format(kind): [] for kind in PEER_STEPS}}
    compiling = 0.0
    with processes.pinned(sorted(os.sched_getaffinity(0))[:cores]):
        for turn in range(turns):
            compiling, measured = ours(cores, windows)
            rates[OURS] += measured
            for kind, steps in PEER_STEPS.items():
                report = theirs(kind, steps, cores, windows, maps[turn])
                if kind != "live":  # both sides have one prior
                    found = report["prior_at_start"]
                    np.testing.assert_allclose(found, priors[turn], atol=TOLERANCE)
                rates[THEIRS.format(kind)] += report["rates"]
    suffix, note = "/1_core" * (cores == 1), f"cores and threads: {cores}"
    rows = [row(OURS + suffix, rates[OURS], "steps/s", compiling, f"{RUNS} runs; {note}")]
    ratios = {}
    for kind in PEER_STEPS:
        name = THEIRS.format(kind)
        rows.append(row(name + suffix, rates[name], "steps/s", note=f"1 run; {note}"))
        pairs = zip(rates[OURS], rates[name], strict=True)
        ratios[RATIO.format(kind) + suffix] = Ratio.of(a / b for a, b in pairs)
    return rows, ratios


def unavailable() -> str:
    """Why it cannot be measured here; empty if it can."""
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed"
    if not hasattr(os, "sched_setaffinity"):
        return "this system cannot pin processes to cores"
    return ""


def bank(overrides: Sequence[str] = ()) -> tuple[list[str], np.ndarray]:
    """The experiment's maps, rows joined by /, and our prior in their starts, `f[M, 4]`."""
    experiment = config.read("frozen_lake_dqn_prior", overrides)
    env, params = build.make_env(experiment.config.env, experiment.env_arguments, experiment.bank)
    table = build.make_prior(experiment, env, params)
    assert isinstance(table, TabularPrior)
    width = env.shape[1]  # type: ignore[attr-defined]
    maps = [
        "/".join("".join(TILES[tile] for tile in row) for row in tiles.reshape(-1, width))
        for tiles in np.asarray(params.bank.tiles)
    ]
    starts = np.asarray(params.bank.starts)[:, 0]
    return maps, np.exp(np.asarray(table.table))[np.arange(len(maps)), starts]


def ours(cores: int, windows: int) -> tuple[float, list[float]]:
    """Seconds of compilation, and the steps a second of every window after a first."""
    total = OUR_STEPS * (1 + windows)
    measured = processes.train(
        (f"num_runs={RUNS}", f"eval_every={OUR_STEPS}", f"total_steps={total}", "eval_episodes=1"),
        JAX_PLATFORMS="cpu",
        XLA_FLAGS=f"--xla_force_host_platform_device_count={cores}",
    )
    return measured.compiling, [RUNS * OUR_STEPS / s for s in measured.training[1:]]


def theirs(kind: str, steps: int, threads: int, windows: int, rows: str) -> dict[str, Any]:
    """What the peer reports."""
    command = [sys.executable, str(PEER), "--prior", kind, "--map", rows]
    for option, value in (("steps", steps), ("windows", windows), ("threads", threads)):
        command += [f"--{option}", str(value)]
    return processes.report(command, USE_TORCH="1", OMP_NUM_THREADS=str(threads))
