"""What a training will hold on each device, told before any run is begun.

Bank, prior and whoever else is asked are made as training makes them, a prior's table included. Of
the runs themselves there are only shapes, and the programs are compiled for these.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from lprl_jax import memory
from lprl_jax.algorithms.base import Data
from lprl_jax.experiments import needs, runner, sharding, transitions
from lprl_jax.experiments.chunks import Chunks
from lprl_jax.experiments.config import Experiment
from lprl_jax.experiments.prior_kinds import TABLE
from lprl_jax.memory import Part

STATE = {
    "replay": "replay",
    "params": "what is learnt",
    "target_params": "target networks",
    "opt_state": "the optimiser",
    "env_state": "environments",
    "log_probs": "the prior's answers where they stand",
    "features": "the prior's features where they stand",
    "prior_carry": "what the prior was asked, and a memo",
    "advised": "the judge's verdicts where they stand",
    "run_instances": "the runs' instances",
    "key": "keys",
    "hparams": "hyper-parameters",
}
"""What the fields of a state are called; others by their own name."""
DATA = {
    "prior_params": "the prior",
    "env_params": "the bank",
    "dataset": "the dataset",
    "policy_params": "the policy",
    "completer_params": "the completer",
    "judge_params": "the judge",
}
"""And those of `Data`."""
BANK = "env_params.num_instances"
MODELS = {
    "prior_params": ("prior", "prior_dtype", "model_parallel"),
    "policy_params": ("policy", "model_parallel"),
    "completer_params": ("prior", "prior_dtype", "model_parallel"),
    "judge_params": ("judge", "prior_dtype", "model_parallel"),
}
"""By which fields of a config a model's weights become smaller."""
TRAINING = ("num_runs", "num_envs", "rollout_length", "batch_size", "hidden_sizes", "chunk")
EVALUATION = ("num_runs", "eval_episodes", "chunk")
"""By which fields a program's temporaries do, as a rule."""
_WEIGHTS = ("weights", "start")
"""What parameters call a model's weights."""


@dataclasses.dataclass(frozen=True)
class Held:
    """A part of what is held for as long as a training lasts."""

    name: str
    """In words."""
    field: str
    """Of the algorithm's state, or of `Data`."""
    num_bytes: int
    """On a device."""
    divided: bool
    """Whether each device has its share, of the runs or of a model, or the whole as every other."""
    smaller_by: dict[str, Any]
    """Fields of the config that make it smaller, with their values."""


@dataclasses.dataclass(frozen=True)
class Program:
    """A compiled program, beside its arguments."""

    name: str
    """`training` or `evaluation`."""
    temporaries: int
    """Bytes on a device that it holds while it runs."""
    results: int
    """Bytes of its results that do not take the place of an argument."""
    donated: int
    """Bytes of arguments whose place results take."""
    smaller_by: dict[str, Any]
    """Fields of the config that make temporaries smaller, with their values."""

    @property
    def num_bytes(self) -> int:
        """What it needs beside its arguments."""
        return self.temporaries + self.results


@dataclasses.dataclass(frozen=True)
class Footprint:
    """What a training holds, in bytes on a device."""

    runs: int
    """R: of all settings."""
    devices: int
    """Over which the runs are divided, or the weights of a model."""
    held: tuple[Held, ...]
    """All parts that are not empty."""
    programs: tuple[Program, ...]
    """One runs at a time."""
    beginning: int
    """What is held when it begins: every device has the state whole, and gets its share array by
    array, by a copy."""
    copies: int
    """How many devices take what they hold from the memory that is free."""
    free: int | None
    """Before anything was made; None where nobody knows."""

    @property
    def lasting(self) -> int:
        """What is held throughout."""
        return sum(part.num_bytes for part in self.held)

    @property
    def running(self) -> int:
        """What is held while the larger program runs."""
        return self.lasting + max(program.num_bytes for program in self.programs)

    @property
    def most(self) -> int:
        """At once."""
        return max(self.beginning, self.running)

    def as_dict(self) -> dict[str, Any]:
        """Its figures and sums, for a file."""
        sums = "lasting", "running", "most"
        return {**dataclasses.asdict(self), **{name: getattr(self, name) for name in sums}}


def of(experiment: Experiment, progress: bool = False, kept: Path | None = None) -> Footprint:
    """What training would hold.

    Args:
        experiment: Read and checked; of an algorithm that `lprl train` runs.
        progress: Whether a bar is shown, where it takes long to tabulate a prior.
        kept: Where tables are kept that were made before; None: nowhere.

    Raises:
        InvalidInput: if it cannot be built, or takes more memory than there is; by then no run was
            begun, and nothing is written.
    """
    needs.require_least(experiment)
    free = memory.free_bytes()
    setup = runner.set_up(experiment, progress=progress, tables=kept)
    dataset = transitions.load(experiment, setup.env, setup.params, setup.prior)
    data = setup.data._replace(dataset=sharding.place(setup.mesh, dataset))
    whole = setup.state_shapes()
    state = sharding.spread_shapes(setup.mesh, whole)
    largest = max(sharding.device_bytes(leaf) for leaf in jax.tree.leaves(state))
    own, others = tuple(_of_state(experiment, state)), tuple(_of_data(experiment, data))
    devices = setup.mesh.devices.size
    found = Footprint(
        runs=experiment.num_runs,
        devices=devices,
        held=(*own, *others),
        programs=tuple(_programs(experiment, setup, state, data)),
        beginning=sum(part.num_bytes for part in others) + memory.num_bytes(whole) + 2 * largest,
        copies=memory.copies(devices),
        free=free,
    )
    _require(experiment, found, own)
    return found


def _of_state(experiment: Experiment, state: Any) -> Iterator[Held]:
    for field, tree in state._asdict().items():
        if size := sharding.device_bytes(tree):
            name = STATE[field] if field in STATE else str(field).replace("_", " ")
            own = needs.FIELDS.get(field, ())
            # A memo is one a device, however many runs there are.
            by = own if field == "prior_carry" else ("num_runs", *own)
            yield Held(name, field, size, True, _settings(experiment, by))


def _of_data(experiment: Experiment, data: Data) -> Iterator[Held]:
    """A model's weights by themselves, since a smaller bank makes only the rest smaller."""
    for field, tree in data._asdict().items():
        size, weights = sharding.device_bytes(tree), _weights(tree)
        if weights:
            by = _settings(experiment, MODELS[field])
            divided = experiment.config.model_parallel > 1
            yield Held(f"{DATA[field]}: weights", field, weights, divided, by)
        if size > weights:
            name = f"{DATA[field]}: tables and texts" if field in MODELS else DATA[field]
            by = _settings(experiment, ("dataset",) if field == "dataset" else (BANK,))
            yield Held(name, field, size - weights, False, by)


def _weights(params: Any) -> int:
    """Bytes of the models among parameters, whatever wraps them."""
    if not isinstance(params, tuple) or not hasattr(params, "_asdict"):
        return 0
    own: dict[str, Any] = params._asdict()  # pyright: ignore[reportAttributeAccessIssue]
    return sum(
        sharding.device_bytes(tree) if name in _WEIGHTS else _weights(tree)
        for name, tree in own.items()
    )


def _programs(
    experiment: Experiment, setup: runner.Setup, state: Any, data: Data
) -> Iterator[Program]:
    """Those that training compiles; of chunks of two lengths the longer one's."""
    updates = Chunks.of(experiment).lengths(0)
    if updates:
        program = sharding.compile_chunk(setup.algorithm, setup.mesh, max(updates), state, data)
        yield _program("training", program, _settings(experiment, TRAINING))
    episodes, policy = experiment.config.eval_episodes, setup.algorithm.policies[0]
    program = sharding.compile_evaluation(
        setup.algorithm, setup.mesh, episodes, policy, state, data
    )
    yield _program("evaluation", program, _settings(experiment, EVALUATION))


def _program(name: str, program: Any, smaller_by: dict[str, Any]) -> Program:
    sizes = program.memory_analysis()
    if sizes is None:  # not every backend tells
        return Program(name, 0, 0, 0, smaller_by)
    donated = sizes.alias_size_in_bytes
    results = sizes.output_size_in_bytes - donated
    return Program(name, sizes.temp_size_in_bytes, results, donated, smaller_by)


def _settings(experiment: Experiment, names: tuple[str, ...]) -> dict[str, Any]:
    """Those of the names that the config has, with their values."""
    known = _known(experiment)
    return {name: known[name] for name in names if name in known}


def _known(experiment: Experiment) -> dict[str, Any]:
    """The fields that may be named, with their values."""
    config = experiment.config
    names = "prior", "prior_dtype", "judge", "dataset", "model_parallel"
    asked = ("chunk",) * (config.prior_access != TABLE or config.judge_access != TABLE)
    others = {name: vars(config)[name] for name in (*names, *asked)}
    return {**others, **needs.named(experiment)}


def _require(experiment: Experiment, found: Footprint, own: tuple[Held, ...]) -> None:
    """Raise InvalidInput unless what is not yet made fits into what is free now."""
    largest = max(found.programs, key=lambda program: program.num_bytes)
    parts = [Part(tuple(part.smaller_by), found.copies * part.num_bytes) for part in own]
    parts.append(Part(tuple(largest.smaller_by), found.copies * largest.num_bytes))
    memory.require(f"{needs.runs_of(experiment)} and their program", parts, _known(experiment))
