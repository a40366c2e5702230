"""DQN-Prior that asks the embedded model at every step, here and in `peers/torch_loop.py`.

Both sides run the same model in full: nothing is remembered between steps, and of equal states each
is asked about. Ours is one program of many runs, each with one environment and one update per ten
of its steps, as theirs; the number of runs is ours to choose and fills the prior's chunks. On one
map all share a prompt; on fifty, each map's prompt is run beforehand and gathered at every step.
The program is on one device, of which a product has all cores. Theirs is one run, in which a map's
prompt is part of every question.

Each is a process of its own, pinned to the same cores with as many threads, alone and in turns, as
in `against_torch`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tools import processes
from tools.timing import Measured, Ratio, row, unmeasured

from suites.against_torch import TOLERANCE, bank, theirs, unavailable

PROGRAM = Path(__file__).parents[1] / "tools" / "live_training.py"
OURS, PEER = "training/dqn_prior_live_pinned", "training/torch_live_pinned"
RATIO = "training/dqn_prior_live_vs_torch_live"
RUNS = 256
"""Of ours."""
MAPS = {"": 1, "/50_maps": 50}
"""How many there are, by what names end in."""
PEER_STEPS = 100
"""Environment steps of the peer in a window."""


def run(quick: bool) -> Measured:
    """Rows and ratios; without torch, their absence."""
    if why := unavailable():
        names = [name + ending for name in (OURS, PEER) for ending in MAPS]
        missing = [unmeasured(name, "steps/s", why) for name in names]
        return missing, {RATIO + ending: None for ending in MAPS}
    turns, windows = (1, 10) if quick else (4, 5)
    rows, ratios = [], {}
    for ending, count in MAPS.items():
        own, other, compiling = measure(count, turns, windows)
        cores = f"cores and threads: {_cores()}"
        note = f"{RUNS} runs, {count} map{'s' * (count > 1)}; {cores}"
        rows.append(row(OURS + ending, own, "steps/s", compiling, note))
        rows.append(row(PEER + ending, other, "steps/s", note=f"1 run; {cores}"))
        pairs = zip(own, other, strict=True)
        ratios[RATIO + ending] = Ratio.of(a / b for a, b in pairs)
    return rows, ratios


def measure(count: int, turns: int, windows: int) -> tuple[list[float], list[float], float]:
    """Steps a second of ours and of theirs in every window, and our seconds of compilation."""
    maps, priors = bank((f"env_params.num_instances={count}",))
    own, other, compiling = [], [], 0.0
    with processes.pinned(sorted(os.sched_getaffinity(0))):
        for turn in range(turns):
            report = ours(count, windows)
            own += report["rates"]
            compiling = report["compile_seconds"]
            played = turn % count
            report = theirs("live_embedded", PEER_STEPS, _cores(), windows, maps[played])
            np.testing.assert_allclose(report["prior_at_start"], priors[played], atol=TOLERANCE)
            other += report["rates"]
    return own, other, compiling


def ours(count: int, windows: int) -> dict[str, Any]:
    """What `live_training` reports."""
    command = [sys.executable, str(PROGRAM), "--maps", str(count), "--runs", str(RUNS)]
    return processes.report(
        [*command, "--windows", str(windows)], JAX_PLATFORMS="cpu", USE_TORCH="0", XLA_FLAGS=""
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0))
