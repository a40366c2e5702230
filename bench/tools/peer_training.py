"""An algorithm of another library and ours, trained side by side at equal settings.

A whole training each, by theirs as it is published and by ours. Each is a process of its own, for
theirs needs an older gymnax; they take turns, and wait meanwhile. Compilation and evaluation are
apart.

Both have to learn: before anything is timed, LEARNERS runs of each are trained, long enough, and
play; where the median of either is not above what the contest asks for, nothing is reported. Of a
variant of theirs that does not learn, nothing is reported of the variant. What
is timed may be shorter then, for of many runs at once a training at full length takes an hour.

Both have to do the same work: where gradient steps or environment steps differ by more than EQUAL,
nothing is reported. Of more than 32 runs ours trains some after others (`experiments/blocks.py`),
theirs all at once.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tools.peers import Peer
from tools.timing import Measured, Ratio, Row, row, unmeasured
from tools.turns import race

OWN = Path(__file__).parent / "own_training.py"
LEARNERS, EPISODES = 5, 128
"""Runs that are to show that a side learns, and what each of them plays at the end."""
EQUAL = 0.05
"""By which share the work of the two sides may differ."""
WITH_REPLACEMENT = "/with_replacement"
OVER_DEVICES = "_over_devices"
ENOUGH_THREADS = {"PJRT_NPROC": "16"}
"""For orthogonal weights of several runs, which jaxlib makes over threads that wait for each other:
on two cores purejaxrl's PPO hangs without. It is set where nothing is timed."""
ALL_DEVICES = f"--xla_force_host_platform_device_count={len(os.sched_getaffinity(0))}"
"""XLA's flag: a device a core."""
AS_PUBLISHED: Mapping[str, tuple[str, ...]] = {"": ()}
BOTH_DRAWS = {**AS_PUBLISHED, WITH_REPLACEMENT: ("--with-replacement",)}
"""Theirs as published, and drawing batches as ours does."""
ONE_DEVICE: Mapping[str, str] = {"": ""}
BOTH_SPREADS = {**ONE_DEVICE, OVER_DEVICES: ALL_DEVICES}
"""Ours on one device, as theirs is, and over all."""


@dataclasses.dataclass(frozen=True)
class Training:
    """What is timed. Endings of names are added to those of the contest and of the runs."""

    runs: int
    """At once, in one program."""
    steps: int
    """Of the environment, a run."""
    turns: int
    """Of every program: pairs."""
    theirs: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=lambda: AS_PUBLISHED)
    """Options of theirs, by the ending of its name."""
    ours: Mapping[str, str] = dataclasses.field(default_factory=lambda: ONE_DEVICE)
    """XLA_FLAGS of ours, by the ending of its name."""

    @property
    def ending(self) -> str:
        """Of names."""
        return "" if self.runs == 1 else f"/{self.runs}_runs"


@dataclasses.dataclass(frozen=True)
class Contest:
    """An algorithm of theirs and of ours on one environment."""

    peer: Peer
    program: tuple[str, ...]
    """Theirs, of `bench/peers`, and its own options."""
    config: str
    """Ours."""
    settings: Callable[[int], Mapping[str, Any]]
    """Of a training of so many steps: what ours differs in from the config."""
    policy: str
    """By which ours plays at the end."""
    learnt: float
    """The return above which a run has learnt."""
    steps: int
    """Of the trainings that show that both learn, which may be longer than what is published."""
    names: tuple[str, str, str]
    """Of theirs, of ours, and of the ratio."""
    trainings: tuple[Training, ...]
    """What is timed, that of one run first."""
    remark: Callable[[Mapping[str, Any], list[float]], str] = lambda about, seconds: ""
    """What a row of ours says beside the runs: from what the program says, and its seconds."""

    def command_of_theirs(self) -> list[str]:
        """To which options are to be added."""
        script, *own = self.program
        return [*self.peer.command(script), *own]

    def command_of_ours(self, runs: int, steps: int, *options: str) -> list[str]:
        """With so many runs of so many steps."""
        settings = {**self.settings(steps), "total_steps": steps, "num_runs": runs}
        overrides = [f"{name}={value}" for name, value in settings.items()]
        command = [sys.executable, str(OWN), "--policy", self.policy, *options]
        return [*command, self.config, *overrides]

    def run(self, quick: bool) -> Measured:
        """Rows and ratios; without their package, its absence. Quick is without many runs."""
        trainings = self.trainings[: 1 if quick else None]
        theirs, ours, _ = self.names
        why = self.peer.unavailable()
        lost = {} if why else self.not_learnt(trainings[0].theirs)
        why = why or lost.get(theirs, "") or lost.get(ours, "")
        rows: list[Row] = []
        ratios: dict[str, Ratio | None] = {}
        for training in trainings:
            learnt = {x: y for x, y in training.theirs.items() if why or theirs + x not in lost}
            rest = dataclasses.replace(training, theirs=learnt)
            found = self.absent(training, why) if why else self.measure(rest)
            rows, ratios = rows + found[0], ratios | found[1]
            for kind in training.theirs.keys() - learnt.keys():
                absent = self.absent_of(training, kind, lost[theirs + kind])
                rows, ratios = rows + absent[0], ratios | absent[1]
        return rows, ratios

    def not_learnt(self, kinds: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
        """Which programs do not learn, at full length, and how far they come; empty if all do."""
        theirs, ours, _ = self.names
        size = "--runs", str(LEARNERS), "--steps", str(self.steps), "--episodes", str(EPISODES)
        commands = {
            theirs + kind: [*self.command_of_theirs(), *size, *options]
            for kind, options in kinds.items()
        }
        commands[ours] = self.command_of_ours(LEARNERS, self.steps, "--episodes", str(EPISODES))
        lost = {}
        for name, command in commands.items():
            try:
                _, about = race({name: command}, 0, {name: {**on_cpu(""), **ENOUGH_THREADS}})
            except RuntimeError as error:
                lost[name] = f"{name} failed: {error}"
                continue
            found = statistics.median(about[name]["returns"])
            print(f"{name:52} {found:14,.1f} return of {LEARNERS} runs", flush=True)
            if not found > self.learnt:
                lost[name] = f"not learnt: {name} is at {found:.0f}, not above {self.learnt:g}"
        return lost

    def absent(self, training: Training, why: str) -> Measured:
        """Rows and ratios of what was not measured."""
        found = [self.absent_of(training, kind, why) for kind in training.theirs]
        rows = [row for of_one, _ in found for row in of_one]
        ours = self.names[1] + training.ending
        rows += [unmeasured(ours + ending, "steps/s", why) for ending in training.ours]
        return rows, {name: ratio for _, of_one in found for name, ratio in of_one.items()}

    def absent_of(self, training: Training, kind: str, why: str) -> Measured:
        """The same, of one of their programs."""
        theirs, _, ratio = (name + training.ending for name in self.names)
        names = [ratio + kind + ending for ending in training.ours]
        return [unmeasured(theirs + kind, "steps/s", why)], dict.fromkeys(names)

    def measure(self, training: Training) -> Measured:
        """Rows and ratios; raises RuntimeError as `Peer.note` does."""
        theirs, ours, ratio = (name + training.ending for name in self.names)
        size = "--runs", str(training.runs), "--steps", str(training.steps)
        commands = {
            theirs + kind: [*self.command_of_theirs(), *size, *options]
            for kind, options in training.theirs.items()
        }
        own = self.command_of_ours(training.runs, training.steps)
        commands |= {ours + ending: own for ending in training.ours}
        environments = {name: on_cpu("") for name in commands}
        environments |= {ours + x: on_cpu(flags) for x, flags in training.ours.items()}
        try:
            seconds, about = race(commands, training.turns, environments)
        except RuntimeError as error:  # one has ended: what others measure stands all the same
            return self.absent(training, f"it failed: {error}")
        notes = {theirs + x: "; " + self.peer.note(about[theirs + x]) for x in training.theirs}
        if why := unequal(about):
            return self.absent(training, why)
        notes |= {ours + x: self.remark(about[ours + x], seconds[ours + x]) for x in training.ours}
        length = f"{training.runs} run{'s' * (training.runs > 1)} of {training.steps:,} steps"
        rows = [
            row(
                name,
                [about[name]["steps"] / s for s in seconds[name]],
                "steps/s",
                about[name]["compile_seconds"],
                length + notes[name],
            )
            for name in commands
        ]
        ratios: dict[str, Ratio | None] = {}
        for kind in training.theirs:
            for x in training.ours:
                pairs = zip(seconds[theirs + kind], seconds[ours + x], strict=True)
                ratios[ratio + kind + x] = Ratio.of(a / b for a, b in pairs)
        return rows, ratios


def on_cpu(flags: str) -> dict[str, str]:
    """Variables of a program, with XLA's flags."""
    return {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}


def unequal(about: Mapping[str, Mapping[str, Any]]) -> str:
    """Which programs did another amount of work than the rest; empty if none did."""
    for what, amount in (
        ("steps", lambda x: x["steps"]),
        ("gradient steps", lambda x: max(x["gradient_steps"])),
    ):
        amounts = {name: amount(x) for name, x in about.items()}
        if max(amounts.values()) > (1 + EQUAL) * min(amounts.values()):
            each = ", ".join(f"{name} {count:,}" for name, count in amounts.items())
            return f"not the same work: {what} are {each}"
    return ""
