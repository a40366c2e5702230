"""What a run has shown: its curves, read back from its directory."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lprl_envs import InvalidInput

from lprl_jax.algorithms.registry import ALGORITHMS
from lprl_jax.experiments import run_directory
from lprl_jax.experiments.config import name_of
from lprl_jax.experiments.run_directory import CONFIG, METRICS, TIMING
from lprl_jax.files import paths


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """Curves of an experiment, T evaluations of R runs, the first before any training."""

    steps: np.ndarray
    """i64[T]: steps a run, of the kind that `step` says."""
    success: np.ndarray
    """f64[R, T]: share of successful episodes."""
    returns: np.ndarray
    """f64[R, T]: mean return."""
    queries: np.ndarray
    """i64[T]: prompts sent to the model so far, by all runs of the program."""
    evaluations: np.ndarray
    """i64[T]: prompts run through it so far, a table's included."""
    seconds: np.ndarray
    """f64[T]: of training so far, all runs together; evaluation and set-up apart."""
    setup_seconds: float
    """Of making the prior and of compilation; a resumed run does both again, which is not its."""
    steps_per_second: float
    """Steps of all runs of the program a second of training, in the median chunk."""
    settings: tuple[Mapping[str, float], ...] = ({},)
    """The swept values of each setting; the runs lie setting by setting."""
    step: str = "environment steps"
    """What a step is, in the plural; empty where none is taken."""
    episodes: int | None = None
    """Episodes an evaluation, a run; None where the config does not say."""

    def by_setting(self) -> dict[str, Result]:
        """A result for each setting of a sweep, by its values; {"": self} without a sweep."""
        if len(self.settings) == 1:
            return {name_of(self.settings[0]): self}
        success = np.split(self.success, len(self.settings))
        returns = np.split(self.returns, len(self.settings))
        return {
            name_of(setting): dataclasses.replace(
                self, success=success[i], returns=returns[i], settings=(setting,)
            )
            for i, setting in enumerate(self.settings)
        }


def read(directory: Path) -> Result:
    """The result that lies in a run's directory, also while it runs or after it was killed.

    Raises:
        InvalidInput: if there is none.
    """
    directory = paths.given(directory)
    records = run_directory.read_lines(directory / METRICS)
    settings = run_directory.read_provenance(directory).get("settings", [{}])
    config = run_directory.read_config(directory)
    if not records:
        raise InvalidInput(f"{directory} holds no evaluation yet: {METRICS} is empty")
    timing = run_directory.read_lines(directory / TIMING)
    try:
        result = from_records(records, timing, settings)
    except (KeyError, TypeError, ValueError):
        raise InvalidInput(f"{directory / METRICS} is damaged: lines differ in shape") from None
    algorithm = ALGORITHMS.get(config.get("algorithm", "dqn"), ALGORITHMS["dqn"])
    episodes = config.get("eval_episodes")
    return dataclasses.replace(
        result, step=algorithm.step, episodes=episodes if isinstance(episodes, int) else None
    )


def from_records(
    records: list[dict[str, Any]], timing: list[dict[str, Any]], settings: list[dict[str, float]]
) -> Result:
    """A result from the lines of metrics.jsonl and timing.jsonl."""
    trained = {line["step"]: line["train_seconds"] for line in timing if "step" in line}
    steps = np.array([r["step"] for r in records])
    success = np.array([r["success"] for r in records], float).T
    seconds = np.cumsum([trained[step] for step in steps.tolist()])
    rates = np.diff(steps) * success.shape[0] / np.diff(seconds)
    return Result(
        steps=steps,
        success=success,
        returns=np.array([r["return"] for r in records], float).T,
        queries=np.array([r["queries"] for r in records]),
        evaluations=np.array([r["evaluations"] for r in records]),
        seconds=seconds,
        setup_seconds=next(
            (
                line["prepare_seconds"] + line["compile_seconds"]
                for line in timing
                if "compile_seconds" in line
            ),
            0.0,
        ),
        steps_per_second=float(np.median(rates)) if rates.size else 0.0,
        settings=tuple(settings),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Place:
    """Where a result lies."""

    directory: Path
    """Of the run."""
    run: str
    """Its name: the directory's, with the folder above where two are called alike."""
    setting: int
    """Which of its settings."""
    result: Result


def read_all(paths: Sequence[Path]) -> dict[str, Result]:
    """Results by name; see `places`."""
    return {name: place.result for name, place in places(paths).items()}


def places(paths: Sequence[Path]) -> dict[str, Place]:
    """Results and where they lie, by name: of run directories, and of directories that hold some.

    A sweep gives one for each setting.

    Raises:
        InvalidInput: if a path is neither, or two results would have one name.
    """
    found: dict[str, Place] = {}
    for path in paths:
        for directory in runs_in(path):
            name = directory.absolute().name
            by_setting = read(directory).by_setting()
            if any(_label(name, setting) in found for setting in by_setting):
                name = f"{directory.absolute().parent.name}/{name}"  # tells two of one name apart
            for number, (setting, result) in enumerate(by_setting.items()):
                if (label := _label(name, setting)) in found:
                    raise InvalidInput(f"{directory} is named twice; name each run once")
                found[label] = Place(directory, name, number, result)
    return found


def _label(run: str, setting: str) -> str:
    return f"{run} ({setting})" if setting else run


def runs_in(path: Path) -> list[Path]:
    """The path if it is a run's directory, or else those in it."""
    path = paths.given(path)
    if (path / CONFIG).is_file():
        return [path]
    found = sorted(p.parent for p in path.glob(f"*/{CONFIG}"))
    if not found:
        why = "there is no such directory" if not path.is_dir() else f"it has no {CONFIG}"
        raise InvalidInput(f"{path} holds no run: {why}")
    return found
