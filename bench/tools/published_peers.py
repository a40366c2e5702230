"""A published model's scorer beside its peers: torch and llama.cpp, each a process of its own.

They run alone, one after another, on the same cores with as many threads; in a full report in
several turns, in a quick one in one. A peer's scores are compared before its rates are. One that
fails, or whose scores differ, has a row that says so; the others stand.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lprl_jax.lm import checkpoint
from lprl_jax.lm.checkpoint import LanguageModel
from tools import dequantised, processes
from tools.published_scorer import Sizes
from tools.timing import Measured, Ratio, row, unmeasured

BENCH = Path(__file__).parents[1]
PINNED = "scoring/smollm2_pinned"
ONCE = ("--windows", "0", "--states", "4")
"""Scores alone."""


class Peer(NamedTuple):
    """Who scores the same."""

    row: str
    ratio: str
    program: str
    options: tuple[str, ...]
    package: str
    """That must be installed."""
    tolerance: float
    """Of a log-probability."""
    rounds: bool = False
    """Whether it rounds activations, unless the weights are f32."""


PEERS = (
    Peer("scoring/smollm2_torch", "scoring/smollm2_vs_torch", "torch_published.py", (), "torch",
         1e-4),
    Peer("scoring/smollm2_torch_whole", "scoring/smollm2_vs_torch_whole", "torch_published.py",
         ("--whole",), "torch", 1e-4),
    Peer("scoring/smollm2_llama_cpp", "scoring/smollm2_vs_llama_cpp", "llama_cpp_published.py",
         (), "llama_cpp", 0.02, rounds=True),
)  # fmt: skip


def why_not(peer: Peer, path: Path) -> str:
    """Why a peer cannot be measured here; empty if it can."""
    if not hasattr(os, "sched_setaffinity"):
        return "this system cannot pin processes to cores"
    if importlib.util.find_spec(peer.package) is None:
        return f"{peer.package} is not installed"
    if peer.package == "llama_cpp" and path.is_dir():
        return "llama.cpp reads GGUF files"
    return ""


def measure(
    folder: Path, path: Path, model: LanguageModel, sizes: Sizes, turns: int, windows: int
) -> Measured:
    """Ours and its peers; `work.npz` lies in the folder, which also takes the weights they read."""
    absent = {peer.row: why_not(peer, path) for peer in PEERS}
    there = [peer for peer in PEERS if not absent[peer.row]]
    left_out = [unmeasured(name, "states/s", why) for name, why in absent.items() if why]
    ratios: dict[str, Ratio | None] = dict.fromkeys(peer.ratio for peer in PEERS)
    if not there:
        return [unmeasured(PINNED, "states/s", "there is no peer"), *left_out], ratios
    weights = path
    if not path.is_dir():
        weights = folder / "model"
        checkpoint.save(weights, model)
    cores = sorted(os.sched_getaffinity(0))
    threads = str(len(cores))
    own = [sys.executable, str(BENCH / "tools" / "published_scorer.py"), str(path)]
    own += ["--windows", str(windows)]
    for name, value in sizes._asdict().items():
        own += [f"--{name.replace('_', '-')}", str(value)]
    rates: dict[str, list[float]] = {PINNED: [], **{peer.row: [] for peer in there}}
    notes = {PINNED: "", **{peer.row: "" for peer in there}}
    compiling, failed = 0.0, dict[str, str]()
    exact: dict[str, Any] = {}
    """Scores with weights in f32, of peers that round activations."""

    def ask(peer: Peer, read: Path, *more: str) -> dict[str, Any]:
        command = [sys.executable, str(BENCH / "peers" / peer.program), str(read)]
        command += [str(folder / "work.npz"), "--threads", threads, *peer.options, *more]
        return processes.report(command, USE_TORCH="1", OMP_NUM_THREADS=threads)

    with processes.pinned(cores):
        for turn in range(turns):
            ours = processes.report(own, JAX_PLATFORMS="cpu", USE_TORCH="0", XLA_FLAGS="")
            rates[PINNED] += ours["rates"]
            compiling = ours["compile_seconds"]
            for peer in (peer for peer in there if peer.row not in failed):
                read = weights if peer.package == "torch" else path
                try:
                    if peer.rounds and not turn:
                        exact[peer.row] = ask(peer, _in_f32(path, folder), *ONCE)["scores"]
                    found = ask(peer, read, "--windows", str(windows))
                    apart = agree(ours["scores"], exact.get(peer.row, found["scores"]), peer)
                except RuntimeError as error:  # what it is built for is not this machine, say
                    failed[peer.row] = f"it failed: {str(error).rpartition(': ')[2]}"
                    continue
                except AssertionError as error:  # the other rows stand all the same
                    failed[peer.row] = str(error)
                    continue
                rates[peer.row] += found["rates"]
                said = f"scores within {apart:.0e}"
                if peer.rounds:
                    rounded = difference(ours["scores"], found["scores"])
                    said += f" with f32 weights, within {rounded:.2g} with activations rounded"
                notes[peer.row] = f"; {said}" + f"; {found['note']}" * bool(found["note"])
    measured = [
        row(
            name, values, "states/s", compiling if name == PINNED else None,
            f"cores and threads: {threads}{notes[name]}",
        )
        for name, values in rates.items()
        if name not in failed
    ]  # fmt: skip
    left_out += [unmeasured(name, "states/s", why) for name, why in failed.items()]
    for peer in (peer for peer in there if peer.row not in failed):
        pairs = zip(rates[PINNED], rates[peer.row], strict=True)
        ratios[peer.ratio] = Ratio.of(a / b for a, b in pairs)
    return measured + left_out, ratios


def _in_f32(path: Path, folder: Path) -> Path:
    """The same model, dequantised."""
    out = folder / "f32.gguf"
    dequantised.write(path, out)
    return out


def difference(ours: Any, theirs: Any) -> float:
    """The largest; a peer may have scored the first states only."""
    known = np.asarray(theirs)
    return float(np.max(np.abs(np.asarray(ours)[: len(known)] - known)))


def agree(ours: Any, theirs: Any, peer: Peer) -> float:
    """The largest difference; refuses to compare the speed of different results."""
    apart = difference(ours, theirs)
    assert apart < peer.tolerance, f"our scores and those of {peer.row} differ by {apart}"
    return apart
