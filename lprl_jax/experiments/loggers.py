"""Where else a run's progress can go: TensorBoard and Weights & Biases, by CleanRL's names.

Metrics arrive once a chunk, as means over the runs of a setting: a sweep has a curve a setting.
Nothing is logged per step. `metrics.jsonl` is written in any case and holds a value for every run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from lprl_envs import InvalidInput

from lprl_jax.experiments import run_directory
from lprl_jax.experiments.config import name_of

WANDB_IDS = "wandb.json"
"""In the directory of the runs: setting to id."""
OFFLINE = "WANDB_MODE=offline keeps everything on this machine"


class Logger(Protocol):
    """Takes scalars."""

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """Scalars at an environment step of a run."""
        ...

    def close(self) -> None:
        """Nothing more will come."""
        ...


@dataclasses.dataclass(frozen=True)
class Logged:
    """What a logger is told of what it logs: the runs of one setting."""

    out: Path
    """The directory of all runs."""
    setting: str
    """The swept values; empty without a sweep."""
    config: Mapping[str, Any]
    """Every field, the swept ones with this setting's values."""
    from_step: int
    """Where it begins: 0, or the checkpoint from which it was resumed."""


NAMES = {
    "return": "charts/episodic_return",
    "length": "charts/episodic_length",
    "success": "charts/success_rate",
    "loss": "losses/loss",
    "value_loss": "losses/value_loss",
    "entropy": "losses/entropy",
    "kl": "losses/prior_kl",
    "episodes": "charts/episodes",
    "queries": "charts/prior_queries",
    "evaluations": "charts/prior_evaluations",
}
"""Names in metrics.jsonl to names in the logs."""


def scalars(record: Mapping[str, Any], steps_per_second: float) -> dict[str, float]:
    """A line of metrics.jsonl as scalars: the mean over the runs."""
    values = {log: float(np.mean(record[own])) for own, log in NAMES.items() if own in record}
    return {**values, "charts/SPS": steps_per_second} if steps_per_second else values


def of_settings(record: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """A line of metrics.jsonl as one for each setting; what is of all runs together is in each."""

    def own(value: Any, i: int) -> Any:
        if not isinstance(value, list):
            return value
        runs = len(value) // count
        return value[i * runs : (i + 1) * runs]

    return [{name: own(value, i) for name, value in record.items()} for i in range(count)]


class TensorBoard:
    """Event files in `out/tensorboard`; in a sweep, in a folder for each setting."""

    def __init__(self, origin: Logged):
        self._events = _needs("tensorboardX.proto.event_pb2", "tensorboard")
        self._summary = _needs("tensorboardX.summary", "tensorboard")
        writer = _needs("tensorboardX.event_file_writer", "tensorboard").EventsWriter
        folder = origin.out.absolute() / "tensorboard" / origin.setting
        folder.mkdir(parents=True, exist_ok=True)
        # Written by this thread, at once: a thread of its own would die of a full disk unheard.
        self._writer = writer(str(folder / "events"), f".{time.time_ns()}")
        if origin.from_step:
            # What a killed run wrote after its checkpoint is written again, and hidden here.
            status = self._events.SessionLog(status=self._events.SessionLog.START)
            self._write(origin.from_step, session_log=status)
            return
        table = "".join(f"|{name}|{value}|\n" for name, value in origin.config.items())
        text = f"|param|value|\n|-|-|\n{table}"
        self._write(0, summary=self._summary.text("hyperparameters", text))

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """One point in every chart."""
        for name, value in scalars.items():
            self._write(step, summary=self._summary.scalar(name, value))
        self._writer.flush()

    def close(self) -> None:
        """Flush."""
        self._writer.close()

    def _write(self, step: int, **what: Any) -> None:
        self._writer.write_event(self._events.Event(step=step, wall_time=time.time(), **what))


class WandB:
    """A Weights & Biases run a setting, its files in `out/wandb`; WANDB_MODE=offline keeps it here.

    Its id is kept in `out/wandb.json`, so that a resumed run goes on where it was.
    """

    def __init__(self, origin: Logged):
        wandb = _needs("wandb", "wandb")
        name = origin.out.absolute().name
        sweep = {"group": name, "name": f"{name} ({origin.setting})"} if origin.setting else {}
        try:
            self._run = wandb.init(
                project="lprl-jax",
                dir=str(origin.out),
                config=dict(origin.config),
                id=_wandb_id(origin),
                resume="allow",
                reinit="create_new",  # the settings of a sweep log side by side
                **{"name": name, **sweep},
            )
        except wandb.errors.Error as error:
            raise InvalidInput(f"wandb: {_line(error)} {OFFLINE}") from None

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """One point in every chart."""
        self._run.log(dict(scalars), step=step)

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()


LOGGERS: dict[str, Callable[[Logged], Logger]] = {"tensorboard": TensorBoard, "wandb": WandB}


def make(
    names: Sequence[str],
    out: Path,
    config: Mapping[str, Any],
    settings: Sequence[Mapping[str, float]],
    from_step: int,
) -> list[list[Logger]]:
    """The loggers of these names, each for every setting.

    Raises:
        InvalidInput: if there is no logger of a name, or it does not work here.
        OSError: if it cannot write.
    """
    require_usable(names)
    origins = [Logged(out, name_of(s), {**config, **s}, from_step) for s in settings]
    made: list[list[Logger]] = []
    with contextlib.ExitStack() as begun:
        for name in names:
            made.append([])
            for origin in origins:
                made[-1].append(LOGGERS[name](origin))
                begun.callback(made[-1][-1].close)
        begun.pop_all()
    return made


def require_usable(names: Sequence[str]) -> None:
    """Raise InvalidInput unless every name is a logger that is installed and may be used here."""
    packages = {"tensorboard": "tensorboardX", "wandb": "wandb"}
    for name in names:
        if name not in LOGGERS:
            raise InvalidInput(f"unknown log {name!r}; valid: {', '.join(LOGGERS)}")
        _needs(packages[name], name)
    if "wandb" in names:
        _log_in()


def _log_in() -> None:
    """To Weights & Biases, which asks for a key at a terminal only."""
    wandb = _needs("wandb", "wandb")
    try:
        if wandb.setup().settings.mode not in ("offline", "dryrun", "disabled"):
            wandb.login()
    except wandb.errors.Error as error:
        raise InvalidInput(f"wandb: {_line(error)} {OFFLINE}") from None
    except ValueError as error:  # of its own settings
        raise InvalidInput(f"wandb: {' '.join(str(error).split())[:200]}") from None


def _wandb_id(origin: Logged) -> str:
    """Of the run of a setting, made and kept when it is first asked for."""
    path, ids = origin.out / WANDB_IDS, {}
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text())
        ids = found if isinstance(found, dict) else {}
    if not isinstance(ids.get(origin.setting), str):
        ids[origin.setting] = secrets.token_hex(4)
        run_directory.write(path, json.dumps(ids, indent=1) + "\n")
    return ids[origin.setting]


def _line(error: Exception) -> str:
    """The first line of a message, with a full stop."""
    text = str(error).strip().splitlines() or [type(error).__name__]
    return text[0].rstrip(".") + "."


def _needs(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise InvalidInput(f"{package} is not installed; pip install 'lprl-jax[{extra}]'") from None
