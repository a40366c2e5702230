"""A whole training of a config, again and again, fresh runs included; for programs in turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from lprl_jax.experiments import runner, sharding
from lprl_jax.experiments.config import Experiment
from lprl_jax.experiments.runner import Setup


class WholeTraining(NamedTuple):
    """A training that is compiled, but for what makes fresh runs."""

    setup: Setup
    """What is trained."""
    call: Callable[[], Any]
    """Trains fresh runs to the end: state and metrics, which are ready."""
    about: dict[str, Any]
    """What is told of it: `compile_seconds`, `steps` of all runs, `devices`."""


def whole_training(experiment: Experiment) -> WholeTraining:
    """Over as many devices as there are and divide the runs."""
    setup = runner.set_up(experiment)
    per_update = experiment.algorithm.steps_per_update
    updates = experiment.config.total_steps // per_update
    start = time.perf_counter()
    train = sharding.compile_chunk(
        setup.algorithm, setup.mesh, updates, setup.initial_state(), setup.data
    )
    compiling = time.perf_counter() - start

    def call() -> Any:
        return jax.block_until_ready(train(setup.initial_state(), setup.data))

    about = {
        "compile_seconds": compiling,
        "steps": experiment.num_runs * updates * per_update,
        "devices": setup.mesh.devices.size,
    }
    return WholeTraining(setup, call, about)
