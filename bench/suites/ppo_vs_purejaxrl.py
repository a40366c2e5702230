"""PPO on CartPole-v1, here and in purejaxrl, at equal settings: `lprl train cartpole_ppo`.

A whole training each, half a million environment steps a run, by their `make_train` as it stands
in a clone of theirs at COMMIT, and by ours; once with one run and once with 32, theirs by
`jax.vmap(train)` as they propose. Of ours the 32 are also divided over the devices, a device a
core, as `lprl train` does; theirs has no such thing.

Each is a process of its own, for theirs needs an older gymnax, but their JAX has to be the same as
ours; they take turns, and wait meanwhile. Compilation is apart. PUREJAXRL names the clone,
PUREJAXRL_PYTHON an interpreter with what it needs: see `peers/purejaxrl_ppo.py`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import jax
from tools.timing import Row, row, unmeasured
from tools.turns import race

BENCH = Path(__file__).parents[1]
COMMIT = "31756b197773a52db763fdbe6d635e4b46522a73"
RUNS = 32
THEIRS, OURS = "training/purejaxrl_ppo", "training/ppo"
RATIO = "training/ppo_vs_purejaxrl"
ENDINGS = ("", f"/{RUNS}_runs", f"/{RUNS}_runs_over_devices")
"""Of the names of ratios and of our rows."""


def run(quick: bool) -> tuple[list[Row], dict[str, float | None]]:
    """Rows and ratios; without their clone or interpreter, their absence."""
    if why := unavailable():
        missing = [unmeasured(THEIRS + ending, "steps/s", why) for ending in ENDINGS[:2]]
        missing += [unmeasured(OURS + ending, "steps/s", why) for ending in ENDINGS]
        return missing, {RATIO + ending: None for ending in ENDINGS}
    one_rows, one_ratios = measure({THEIRS: "", OURS: ""}, 1, 11 if quick else 21)
    many = {THEIRS + ENDINGS[1]: "", OURS + ENDINGS[1]: "", OURS + ENDINGS[2]: _all_devices()}
    many_rows, many_ratios = measure(many, RUNS, 3 if quick else 10)
    return one_rows + many_rows, one_ratios | many_ratios


def unavailable() -> str:
    """Why it cannot be measured here; empty if it can."""
    clone, python = clone_of_theirs(), interpreter()
    for name, path in (("PUREJAXRL", clone), ("PUREJAXRL_PYTHON", python)):
        if path is None:
            return f"{name} is not set; see bench/suites/ppo_vs_purejaxrl.py"
        if not path.exists():
            return f"{name} is {path}, which does not exist"
    assert clone is not None
    git = ["git", "-C", str(clone)]
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
    if head.stdout.strip() != COMMIT:
        return f"the clone of purejaxrl is at {head.stdout.strip() or 'no commit'}, not at {COMMIT}"
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "purejaxrl"])
    return f"the clone of purejaxrl differs from {COMMIT}" if changed.returncode else ""


def clone_of_theirs() -> Path | None:
    """Where it lies."""
    return Path(os.environ["PUREJAXRL"]) if os.environ.get("PUREJAXRL") else None


def interpreter() -> Path | None:
    """What runs it."""
    return Path(os.environ["PUREJAXRL_PYTHON"]) if os.environ.get("PUREJAXRL_PYTHON") else None


def command_of_theirs() -> list[str]:
    """To which options are to be added."""
    return [str(interpreter()), str(BENCH / "peers" / "purejaxrl_ppo.py"), str(clone_of_theirs())]


def measure(
    programs: Mapping[str, str], runs: int, turns: int
) -> tuple[list[Row], dict[str, float | None]]:
    """Rows and ratios of programs, theirs first, with their XLA_FLAGS."""
    own = [sys.executable, str(BENCH / "tools" / "ppo_training.py")]
    commands = {
        name: [*(command_of_theirs() if name.startswith(THEIRS) else own), "--runs", str(runs)]
        for name in programs
    }
    environments = {
        name: {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags} for name, flags in programs.items()
    }
    seconds, about = race(commands, turns, environments)
    rows = [
        row(
            name,
            [about[name]["steps"] / s for s in seconds[name]],
            "steps/s",
            about[name]["compile_seconds"],
            note_on_theirs(about[name]) if name.startswith(THEIRS) else f"{runs} runs",
        )
        for name in programs
    ]
    theirs, *ours = programs
    ratios: dict[str, float | None] = {
        RATIO + name.removeprefix(OURS): statistics.median(
            a / b for a, b in zip(seconds[theirs], seconds[name], strict=True)
        )
        for name in ours
    }
    return rows, ratios


def note_on_theirs(about: Mapping[str, object]) -> str:
    """What ran, and what stood in for what it imports and does not use.

    Raises:
        RuntimeError: if their JAX is not ours: programs are to be compared, not compilers.
    """
    versions = about["versions"]
    assert isinstance(versions, dict)
    if versions["jax"] != jax.__version__:
        raise RuntimeError(f"PUREJAXRL_PYTHON has jax {versions['jax']}, here is {jax.__version__}")
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    instead = about["stand_ins"]
    assert isinstance(instead, list)
    empty = f"; empty modules for {' and '.join(instead)}" if instead else ""
    return f"commit {COMMIT[:7]}; {named}{empty}"


def _all_devices() -> str:
    return f"--xla_force_host_platform_device_count={len(os.sched_getaffinity(0))}"
