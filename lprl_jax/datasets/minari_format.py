"""Datasets to Minari's format and back, for tools that read that; needs the extra `minari`.

An episode of Minari is one of ours; a run's last may be unfinished. Observations are the
environment's, and `infos` hold what a `Dataset` has beyond Minari: the states' leaves, masks,
log-probabilities, and each transition's `run` and `place` in it. The description is our manifest.
"""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from gymnax.environments.spaces import gymnax_space_to_gym_space
from lprl_envs import InvalidInput, TextEnv, TextEnvParams

from lprl_jax.algorithms.interaction import legal_actions
from lprl_jax.datasets import dataset as files
from lprl_jax.datasets.dataset import Dataset, Origin

OF_BOTH_STATES = {"log_probs": "next_log_probs"}
"""By the name at the state, the name at the next one; leaves of states besides."""


def export(
    dataset_id: str,
    dataset: Dataset,
    origin: Origin,
    env: TextEnv[Any, Any],
    env_params: TextEnvParams,
) -> None:
    """Write a dataset under a new id, such as `"lake/random-v0"`, where Minari keeps them.

    Raises:
        InvalidInput: if the id is taken or none, or Minari is not installed.
    """
    minari = _minari()
    see = jax.jit(lambda state, params: _observations(env, state, params))
    here, there = (
        np.asarray(see(state, env_params)) for state in (dataset.state, dataset.next_state)
    )
    mask = np.asarray(legal_actions(env, dataset.next_state, env_params))
    columns = {**files.named(dataset), "next_action_mask": mask}
    numbers = np.indices(dataset.action.shape)
    columns |= {"run": numbers[0], "place": numbers[1]}
    episodes = []
    for run, rows in _episodes(dataset, origin.num_envs):
        last = rows[-1:]
        infos = {
            name: np.concatenate([columns[name][run, rows], columns[after][run, last]])
            for name, after in _in_infos(columns).items()
        }
        episodes.append(
            minari.data_collector.EpisodeBuffer(
                id=len(episodes),
                observations=np.concatenate([here[run, rows], there[run, last]]),
                actions=dataset.action[run, rows],
                rewards=dataset.reward[run, rows],
                terminations=dataset.terminated[run, rows],
                truncations=dataset.truncated[run, rows],
                infos=infos,
            )
        )
    try:
        with warnings.catch_warnings():
            # That it has no author and no link to code.
            warnings.simplefilter("ignore", UserWarning)
            minari.create_dataset_from_buffers(
                dataset_id,
                episodes,
                observation_space=gymnax_space_to_gym_space(env.observation_space(env_params)),
                action_space=gymnax_space_to_gym_space(env.action_space(env_params)),
                description=json.dumps(files.manifest_of(origin, env, env_params)),
                data_format="hdf5",
            )
    except ValueError as error:
        raise InvalidInput(f"cannot write {dataset_id!r}: {error}") from None


def read(
    dataset_id: str, env: TextEnv[Any, Any], env_params: TextEnvParams
) -> tuple[Dataset, Origin]:
    """Read what `export` wrote.

    Raises:
        InvalidInput: if there is no such dataset, it was not written by `export`, or it does not
            belong to this environment and bank; see `dataset.load`.
    """
    minari = _minari()
    try:
        found = minari.load_dataset(dataset_id)
        manifest = json.loads(found.storage.metadata["description"])
        episodes = list(found.iterate_episodes())
        infos = [episode.infos for episode in episodes]
        places = [np.stack([info["run"], info["place"]], axis=1)[:-1] for info in infos]
    except FileNotFoundError:
        raise InvalidInput(f"Minari has no dataset {dataset_id!r} here") from None
    except (LookupError, TypeError, ValueError):
        raise InvalidInput(f"{dataset_id!r} is not a dataset that was exported by us") from None
    lead = _lead(dataset_id, places)
    arrays: dict[str, np.ndarray] = {}

    def put(name: str, info: dict[str, np.ndarray], values: np.ndarray) -> None:
        own = arrays.setdefault(name, np.zeros((*lead, *values.shape[1:]), values.dtype))
        own[info["run"][: len(values)], info["place"][: len(values)]] = values

    columns = {"actions": "action", "rewards": "reward"}
    columns |= {"terminations": "terminated", "truncations": "truncated"}
    try:
        for episode, info in zip(episodes, infos, strict=True):
            for column, name in columns.items():
                put(name, info, getattr(episode, column))
            for name in info.keys() - {"run", "place"}:
                put(name, info, info[name][:-1])
                if name.startswith("state.") or name in OF_BOTH_STATES:
                    put(f"next_{name}", info, info[name][1:])
    except (IndexError, TypeError, ValueError) as error:
        raise InvalidInput(f"{dataset_id!r} is damaged: {' '.join(str(error).split())}") from None
    return files.of_arrays(dataset_id, manifest, arrays, env, env_params)


def _lead(dataset_id: str, places: Sequence[np.ndarray]) -> tuple[int, int]:
    """R and T, from the run and the place of every transition, `[length, 2]` of each episode.

    Raises:
        InvalidInput: unless every run has a transition at every place, and only one.
    """
    every = np.concatenate(places) if places else np.zeros((0, 2), np.int64)
    if not every.size or not np.issubdtype(every.dtype, np.integer) or every.min() < 0:
        raise InvalidInput(f"{dataset_id!r} is damaged: its runs and places are not numbered")
    every = every.astype(np.int64)
    runs, size = (int(most) + 1 for most in every.max(axis=0))
    numbers, counts = np.unique(every[:, 0] * size + every[:, 1], return_counts=True)
    if (counts > 1).any() or numbers.size != runs * size:
        raise InvalidInput(
            f"{dataset_id!r} is damaged: {len(every)} transitions, {numbers.size} of them "
            f"different, are not {runs} runs of {size}"
        )
    return runs, size


def _observations(env: TextEnv[Any, Any], states: Any, env_params: Any) -> jax.Array:
    """Of states `[R, T]`."""
    key = jax.random.key(0)  # which no observation uses
    return jax.vmap(jax.vmap(lambda s: env.observe(key, s, None, env_params)))(states)


def _in_infos(columns: dict[str, np.ndarray]) -> dict[str, str]:
    """What infos hold by name, and where its last entry, of the final state, comes from."""
    after = {name: f"next_{name}" for name in columns if f"next_{name}" in columns}
    return after | {name: name for name in ("behaviour", "run", "place")}


def _episodes(dataset: Dataset, num_envs: int) -> Iterator[tuple[int, np.ndarray]]:
    """Each episode's run, and where its transitions lie in it; environments take turns."""
    done = np.asarray(dataset.terminated) | np.asarray(dataset.truncated)
    for run in range(dataset.num_runs):
        for first in range(num_envs):
            own = np.arange(first, dataset.size, num_envs)
            ends = np.flatnonzero(done[run, own]) + 1
            for rows in np.split(own, ends):
                if rows.size:
                    yield run, rows


def _minari() -> Any:
    """The package.

    Raises:
        InvalidInput: if it is not installed.
    """
    try:
        importlib.import_module("minari.data_collector")
        return importlib.import_module("minari")
    except ImportError:
        raise InvalidInput("Minari is missing; install lprl-jax[minari]") from None
