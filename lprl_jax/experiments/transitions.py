"""The dataset that a config names, for runs that learn from one."""

from __future__ import annotations

from typing import Any

import jax
from lprl_envs import InvalidInput, TextEnv, TextEnvParams

from lprl_jax.algorithms.registry import ALGORITHMS
from lprl_jax.datasets import dataset
from lprl_jax.datasets.dataset import Dataset
from lprl_jax.experiments import needs
from lprl_jax.experiments.config import Experiment
from lprl_jax.priors import Prior


def load(
    experiment: Experiment, env: TextEnv[Any, Any], params: TextEnvParams, prior: Prior | None
) -> Dataset | tuple[()]:
    """The transitions that the experiment's runs learn from; () where they learn from acting.

    Raises:
        InvalidInput: if one is named that is not used or none that is needed, if it does not belong
            to this environment, bank or prior, or holds too little.
    """
    config, path = experiment.config, experiment.config.dataset
    if not ALGORITHMS[config.algorithm].from_data:
        if path:
            able = [name for name, entry in ALGORITHMS.items() if entry.from_data]
            raise InvalidInput(
                f"dataset is {path!r}, but {config.algorithm} does not learn from one; valid: "
                f"{', '.join(able)}"
            )
        return ()
    if not path:
        raise InvalidInput(
            f"{config.algorithm} learns from a dataset, and none is named; write dataset=FILE, a "
            f"file of `{dataset.COMMAND}`"
        )
    needs.require_file("dataset", path)
    found, origin = dataset.load(path, env, params)
    if found.num_runs < config.num_runs:
        raise InvalidInput(
            f"num_runs is {config.num_runs}; the dataset {path} has {found.num_runs} runs"
        )
    largest = max([experiment.algorithm.dataset_size, *experiment.sweep.get("dataset_size", ())])
    if largest > found.size:
        raise InvalidInput(
            f"dataset_size is {largest:g}; the dataset {path} has {found.size} transitions a run"
        )
    found = jax.tree.map(lambda leaf: leaf[: config.num_runs], found)
    if prior is None:
        return found._replace(log_probs=(), next_log_probs=())
    dataset.require_prior(path, origin, prior)
    return found
