"""SAC on Pendulum-v1, here and in rejax, at equal settings: `lprl train pendulum_sac`.

A whole training each, 10,000 environment steps a run and as many gradient steps but for the first
256, by rejax's `SAC.train` as it is published, and by ours; once with one run and once with 32,
theirs by `jax.vmap(train)` as they propose. Each is a process of its own, on one device; they take
turns, and wait meanwhile. Compilation and evaluation are apart.

Settings are those that rejax publishes for Pendulum: one environment, a gradient step a step, batch
256, a replay of 10,000, 64-64 networks, Adam at .01, γ .99, Polyak .98. Two of them ours does not
have, so that theirs goes without: swish units (relu) and normalised observations. A gradient step
is then the same arithmetic in both: a forward of the policy and of both target critics at the next
states; forwards and backwards of both critics; of the policy, through both critics; three of Adam.

One thing theirs does more: a batch is drawn without replacement, which orders all 10,000 places
anew at each step. So one run is measured a second time where theirs draws as ours does: that ratio
compares equal work, the other two what a user gets. What else differs is small. Theirs keeps
observations, ours states, of which an observation is a part here. Ours draws its first actions
uniformly, theirs by its policy. Ours would clip gradients by their norm, theirs each number by
itself; neither has a bound here.

Both have to learn: where the median run's return at the end is not above LEARNT, nothing is
reported.

The floor is the networks' matrix products: `MACS` multiplications an example, batch 256, 36 MFLOP a
gradient step of a run. The note on a row of ours says which share that is of what the device does
in the same process on large square matrices. Of the rest much is that 64-wide matrices are slower,
those of weights' gradients most.

REJAX_PYTHON names an interpreter with what theirs needs: see `peers/rejax_sac.py`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from tools.timing import Row, row, unmeasured
from tools.turns import race

BENCH = Path(__file__).parents[1]
VERSION, COMMIT = "0.1.3", "d7510951b7a89ca8463cb2a6d18e21750ec454ff"
"""Of the package, and the commit that has the same files."""
RUNS = 32
THEIRS, OURS, RATIO = "training/rejax_sac", "training/sac", "training/sac_vs_rejax"
ALIKE = "/with_replacement"
"""Ends the names of theirs where it draws as ours does."""
TRAININGS: dict[str, tuple[int, tuple[str, ...]]] = {
    "": (1, ("", ALIKE)),
    f"/{RUNS}_runs": (RUNS, ("",)),
}
"""Endings of names: how many runs they are, and which of theirs they are measured beside."""
FLAGS = {"": (), ALIKE: ("--with-replacement",)}
LEARNT = -300.0
"""Of Pendulum's return; a policy that does nothing useful has -1,200, the best one -140."""
BATCH, POLICY, CRITIC = 256, (3 * 64, 64 * 64, 64 * 2), (4 * 64, 64 * 64, 64)
"""Examples a gradient step, and the weights of a network's layers."""
MACS = (
    (1 + 2) * sum(POLICY) + sum(POLICY[1:])  # forward at s'; at s, and backward
    + 2 * (1 + 2) * sum(CRITIC) + 2 * sum(CRITIC[1:])  # targets; critics, and backward
    + 2 * 2 * sum(CRITIC)  # what the policy climbs, and backward to the action
)  # fmt: skip
"""Multiplications of a gradient step, an example. Backward is one for a layer's weights and one for
its inputs, but for the first layer's inputs, which are given."""


def run(quick: bool) -> tuple[list[Row], dict[str, float | None]]:
    """Rows and ratios; without their package, its absence. Quick is without many runs."""
    rows: list[Row] = []
    ratios: dict[str, float | None] = {}
    why = unavailable()
    for ending, (runs, kinds) in list(TRAININGS.items())[: 1 if quick else None]:
        turns = 3 if quick else (11 if runs == 1 else 5)
        found = absent(ending, kinds, why) if why else measure(ending, runs, kinds, turns)
        rows, ratios = rows + found[0], ratios | found[1]
    return rows, ratios


def unavailable() -> str:
    """Why it cannot be measured here; empty if it can."""
    python = os.environ.get("REJAX_PYTHON")
    if not python:
        return "REJAX_PYTHON is not set; see bench/suites/sac_vs_rejax.py"
    if not Path(python).exists():
        return f"REJAX_PYTHON is {python}, which does not exist"
    ask = "import importlib.metadata as m; print(m.version('rejax'))"
    found = subprocess.run([python, "-c", ask], capture_output=True, text=True).stdout.strip()
    return "" if found == VERSION else f"REJAX_PYTHON has rejax {found or 'not'}, not {VERSION}"


def absent(
    ending: str, kinds: tuple[str, ...], why: str
) -> tuple[list[Row], dict[str, float | None]]:
    """Rows and ratios of what was not measured."""
    names = [*(THEIRS + ending + kind for kind in kinds), OURS + ending]
    rows = [unmeasured(name, "steps/s", why) for name in names]
    return rows, {RATIO + ending + kind: None for kind in kinds}


def measure(
    ending: str, runs: int, kinds: tuple[str, ...], turns: int
) -> tuple[list[Row], dict[str, float | None]]:
    """Rows and ratios of so many runs.

    Raises:
        RuntimeError: if their JAX is not ours: programs are to be compared, not compilers.
    """
    theirs, ours = {THEIRS + ending + kind: kind for kind in kinds}, OURS + ending
    peer = [os.environ["REJAX_PYTHON"], str(BENCH / "peers" / "rejax_sac.py")]
    own = [sys.executable, str(BENCH / "tools" / "sac_training.py")]
    count = ["--runs", str(runs)]
    commands = {name: [*peer, *count, *FLAGS[kind]] for name, kind in theirs.items()}
    commands[ours] = [*own, *count]
    one_device = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
    seconds, about = race(commands, turns, dict.fromkeys(commands, one_device))
    returns = {name: statistics.median(about[name]["returns"]) for name in commands}
    lost = [f"{name} is at {x:.0f}" for name, x in returns.items() if not x > LEARNT]
    if lost:
        return absent(ending, kinds, f"not learnt: the return of {' and '.join(lost)}")
    notes = {name: note_on_theirs(about[name]) for name in theirs}
    notes[ours] = f"{share_of_floor(about[ours], seconds[ours]):.0%} of the floor's speed"
    rows = [
        row(
            name,
            [about[name]["steps"] / s for s in seconds[name]],
            "steps/s",
            about[name]["compile_seconds"],
            f"{runs} run{'s' * (runs > 1)}, return {returns[name]:.0f}; {notes[name]}",
        )
        for name in commands
    ]
    ratios: dict[str, float | None] = {
        RATIO + ending + kind: statistics.median(
            a / b for a, b in zip(seconds[name], seconds[ours], strict=True)
        )
        for name, kind in theirs.items()
    }
    return rows, ratios


def note_on_theirs(about: Mapping[str, Any]) -> str:
    """What ran; raises RuntimeError as `measure` does."""
    versions = about["versions"]
    if versions["jax"] != jax.__version__:
        raise RuntimeError(f"REJAX_PYTHON has jax {versions['jax']}, here is {jax.__version__}")
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{named}, commit {COMMIT[:7]}; relu, observations as they are"


def share_of_floor(about: Mapping[str, Any], seconds: list[float]) -> float:
    """Of the rate of large matrices, what the networks' products alone reach."""
    flops = 2.0 * MACS * BATCH * about["gradient_steps"]
    return flops / statistics.median(seconds) / about["matmul_flops"]
