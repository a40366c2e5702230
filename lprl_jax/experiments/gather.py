"""What `lprl collect` does: from an experiment and behaviours' names to a dataset's file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
from lprl_envs import InvalidInput

from lprl_jax.algorithms.base import Data, Env
from lprl_jax.datasets import dataset
from lprl_jax.datasets.collect import collect, label
from lprl_jax.datasets.dataset import NO_PRIOR, Dataset, Origin
from lprl_jax.experiments import behaviours, build, needs
from lprl_jax.experiments.config import Experiment
from lprl_jax.files import archive, paths
from lprl_jax.priors import Counters, Prior


def run(
    experiment: Experiment,
    out: Path,
    behaviour: str,
    *,
    num_steps: int,
    num_envs: int = 1,
    epsilon: float = 0.1,
) -> tuple[Dataset, Origin]:
    """Collect and write.

    Args:
        experiment: Whose environment, instances, prior, number of runs and seed.
        out: New file.
        behaviour: As `behaviours.parse` takes it.
        num_steps: T, transitions a run.
        num_envs: N, environments a run.
        epsilon: Probability of a random action of a run's networks.

    Raises:
        InvalidInput: if something is out of range or unknown, or the file cannot be written.
    """
    out = paths.require_new(out, archive.ENDINGS)
    names, shares = behaviours.parse(behaviour)
    needs.require_steps(experiment.config.num_runs, num_steps)
    env, prior, data = _objects(experiment)
    acting = behaviours.make(names, experiment, env, epsilon)
    runs = experiment.config.num_runs
    found, asked = collect(
        env,
        prior,
        acting,
        shares,
        build.keys(experiment)[:runs],
        data,
        build.run_instances(experiment, data.env_params)[:runs],
        num_steps,
        num_envs,
    )
    origin = Origin(
        behaviours=names,
        shares=shares,
        epsilon=epsilon,
        num_envs=num_envs,
        seed=experiment.config.seed,
        **_answers(prior, asked),
    )
    found = jax.device_get(found)
    dataset.save(out, found, origin, env, data.env_params)
    return found, origin


def relabel(experiment: Experiment, source: Path, out: Path) -> tuple[Dataset, Origin]:
    """Write a dataset's transitions anew, with the log-probabilities of the experiment's prior.

    Raises:
        InvalidInput: if the experiment has no prior, the dataset is not of its environment, or the
            file cannot be written.
    """
    out = paths.require_new(out, archive.ENDINGS)
    env, prior, data = _objects(experiment)
    if prior is None:
        raise InvalidInput(
            "--from adds a prior's log-probabilities, but the prior is none; name one"
        )
    found, origin = dataset.load(source, env, data.env_params)
    found, asked = label(env, prior, found, data)
    origin = dataclasses.replace(origin, **_answers(prior, asked))
    found = jax.device_get(found)
    dataset.save(out, found, origin, env, data.env_params)
    return found, origin


def summary(found: Dataset, origin: Origin) -> str:
    """Two lines about a dataset."""
    done = np.asarray(found.terminated) | np.asarray(found.truncated)
    mean = found.reward.sum() / max(1, done.sum())
    mixture = ", ".join(
        f"{share:.0%} {name}" for name, share in zip(origin.behaviours, origin.shares, strict=True)
    )
    return (
        f"{found.num_runs} runs of {found.size:,} transitions, {done.sum():,} episodes "
        f"of mean return {mean:.3f}: {mixture}\n"
        f"prior {origin.prior}: {origin.queries:,} queries, {origin.evaluations:,} evaluations"
    )


def _answers(prior: Prior | None, asked: Counters) -> dict[str, Any]:
    """What an `Origin` says of the log-probabilities."""
    return {
        "prior": NO_PRIOR if prior is None else prior.name,
        "prior_settings": dataset.settings_of(prior),
        "queries": int(asked.queries),
        "evaluations": int(asked.evaluations),
    }


def _objects(experiment: Experiment) -> tuple[Env, Prior | None, Data]:
    """Environment and prior that an experiment names."""
    env, params = build.make_env(experiment.config.env, experiment.env_arguments, experiment.bank)
    prior = build.make_prior(experiment, env, params)
    return env, prior, Data(() if prior is None else prior.params, params)
