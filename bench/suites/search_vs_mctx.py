"""Nodes a second of SLINVIT's search, beside mctx's Gumbel MuZero, in the same law.

PlanBench's 602 instances as `suites/search.py` has them, each played to its end or its budget, one
action more than its shortest plan has. Each side is a process of its own, over all devices, in its
best settings: 512 lanes a device here, there what it finds itself (`peers/mctx_blocks_world.py`).
They take turns, and wait meanwhile. Compilation is apart. On a CPU.

A node is a state that the law was applied to and that the heuristic valued: a child made here, a
simulation there. A decision has as many there as here on average, rounded. (Here a tree of depth 2
and k = 3 has 12 at most; it has fewer where fewer moves are legal, or one of them solves.) All of
mctx's count, those below a solved state too, which ours leaves out; what an idle lane makes counts
on neither side.

What differs: ours keeps the k best children of a node, level by level, in arrays of a fixed size,
and takes the best leaf's path. Theirs keeps statistics of visits, chooses by them where each next
simulation goes, and backs values up, so that simulations follow one another. It finds more with as
many nodes; the notes say which share of the instances was solved. And a prior costs it more of the
heuristic. Ours values the moves of a node when it gives it children; theirs those of every node
that it makes, for the prior's logits, up to six valuations a node. Beside `UNIFORM` its prior is
the same for all moves, and a node is one valuation: that ratio compares equal work of the law.

Where mctx is: `tools/peers.py`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tools.peers import MCTX
from tools.timing import REPEATS, Measured, Ratio, Row, row, unmeasured
from tools.turns import race

from suites import search

BENCH = Path(__file__).parents[1]
THEIRS, OURS, RATIO = "search/mctx", "search/slinvit_beside_mctx", "search/slinvit_vs_mctx"
UNIFORM = "/uniform_prior"
"""Ends the names of theirs where all moves have the same prior."""
PRIORS = {"": "heuristic", UNIFORM: "uniform"}
POINTS = {"": (2, 3), "/N3_k5": (3, 5)}
"""Endings of names: depth and k, first the paper's."""


def run(quick: bool) -> Measured:
    """Rows and ratios; without mctx, its absence. Quick is the paper's point."""
    rows: list[Row] = []
    ratios: dict[str, Ratio | None] = {}
    why = MCTX.unavailable()
    for ending in list(POINTS)[: 1 if quick else None]:
        found = absent(ending, why) if why else measure(ending, search.COPIES, REPEATS)
        rows, ratios = rows + found[0], ratios | found[1]
    return rows, ratios


def absent(ending: str, why: str) -> Measured:
    """Rows and ratios of what was not measured."""
    names = [OURS + ending, *(THEIRS + ending + kind for kind in PRIORS)]
    ratios = dict.fromkeys(RATIO + ending + kind for kind in PRIORS)
    return [unmeasured(name, "nodes/s", why) for name in names], ratios


def nodes_a_decision(depth: int, k: int) -> int:
    """Of ours, on average over all decisions, rounded."""
    _, (_, length, nodes) = search.ours(depth, k, copies=1)
    return round(np.sum(nodes) / np.sum(length))


def measure(ending: str, copies: int, pairs: int) -> Measured:
    """Rows and ratios at a point.

    Raises:
        RuntimeError: if their JAX is not ours: programs are to be compared, not compilers.
    """
    depth, k = POINTS[ending]
    ours, theirs = OURS + ending, {THEIRS + ending + kind: kind for kind in PRIORS}
    simulations = nodes_a_decision(depth, k)
    same = ["--copies", str(copies)]
    peer = [*MCTX.command("mctx_blocks_world.py"), *same]
    own = [sys.executable, str(BENCH / "tools" / "slinvit_playing.py"), *same]
    commands = {ours: [*own, "--depth", str(depth), "--k", str(k)]}
    for name, kind in theirs.items():
        commands[name] = [*peer, "--simulations", str(simulations), "--prior", PRIORS[kind]]
    devices = f"--xla_force_host_platform_device_count={os.cpu_count() or 1}"
    machine = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": devices}
    seconds, about = race(commands, pairs, dict.fromkeys(commands, machine))
    rates = {name: [about[name]["nodes"] / s for s in seconds[name]] for name in commands}
    notes = {ours: f"depth {depth}, k = {k}"}
    notes |= {name: note_on_theirs(about[name], PRIORS[kind]) for name, kind in theirs.items()}
    rows = [
        row(
            name,
            rates[name],
            "nodes/s",
            about[name]["compile_seconds"],
            f"{notes[name]}; {note_on_any(about[name])}",
        )
        for name in commands
    ]
    ratios: dict[str, Ratio | None] = {}
    for name, kind in theirs.items():
        turns = zip(rates[ours], rates[name], strict=True)
        ratios[RATIO + ending + kind] = Ratio.of(a / b for a, b in turns)
    return rows, ratios


def note_on_any(about: Mapping[str, Any]) -> str:
    """What was played, and what was found."""
    a_decision = about["nodes"] / about["decisions"]
    return (
        f"{about['solved']:.1%} of {about['instances']:,} instances solved, "
        f"{about['nodes']:,} nodes, {a_decision:.1f} a decision"
    )


def note_on_theirs(about: Mapping[str, Any], prior: str) -> str:
    """What ran; raises RuntimeError as `measure` does."""
    settings = about["settings"]
    wide = ", wide vectors" * settings["is_wide"]
    return f"{MCTX.note(dict(about))}; prior {prior}, {settings['lanes']} lanes a device{wide}"
