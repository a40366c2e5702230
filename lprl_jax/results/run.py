"""A run's directory in Python: its curves, its agent, and the worlds that it plays."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import chex
import jax
import numpy as np
from lprl_envs import TextEnv, TextEnvParams

from lprl_jax.algorithms.base import Algorithm
from lprl_jax.experiments import config, evaluate, run_directory, runner, sharding
from lprl_jax.experiments.run_directory import METRICS
from lprl_jax.files import paths
from lprl_jax.priors import Prior
from lprl_jax.results import reading


class Run:
    """What `lprl train` has written, R runs at once in the order of their settings.

    >>> run = lprl_jax.Run("results/k3")                            # doctest: +SKIP
    >>> run.metrics["success"]                                      # doctest: +SKIP
    >>> _, states = jax.vmap(run.env.reset, (0, None))(keys, run.params)    # doctest: +SKIP
    >>> run.act(states, key)                                        # doctest: +SKIP

    Reading curves builds nothing. The agent is built when it is first asked for, and it is the
    newest checkpoint's.

    Args:
        directory: Of the run.

    Raises:
        InvalidInput: if it holds no run; later, if it has no checkpoint yet, or was trained with
            another prior or other instances than the same config names now.
    """

    def __init__(self, directory: str | Path):
        self.directory = paths.given(directory)
        self.experiment = config.parse(run_directory.read_config(self.directory))

    def __repr__(self) -> str:
        named = self.experiment.config
        return f"Run({str(self.directory)!r}: {named.algorithm} on {named.env})"

    @property
    def metrics(self) -> dict[str, np.ndarray]:
        """What each line of `metrics.jsonl` says: `[T]`, or `[T, R]` of what each run has.

        Before any training there is no loss: NaN stands where a line does not say it.
        """
        records = run_directory.read_lines(self.directory / METRICS)
        last = records[-1] if records else {}
        blank = {name: np.full(np.shape(value), np.nan) for name, value in last.items()}
        return {name: np.array([r.get(name, blank[name]) for r in records]) for name in last}

    @property
    def result(self) -> reading.Result:
        """Its curves, as `lprl compare` and `lprl plot` read them."""
        return reading.read(self.directory)

    @functools.cached_property
    def _setup(self) -> runner.Setup:
        return runner.set_up(self.experiment)

    @property
    def env(self) -> TextEnv[Any, Any]:
        """The environment."""
        return self._setup.env

    @property
    def params(self) -> TextEnvParams:
        """Its bank of instances."""
        return self._setup.params

    @property
    def prior(self) -> Prior | None:
        """As the algorithm asks it; None without one."""
        return self._setup.prior

    @property
    def algorithm(self) -> Algorithm:
        """Made with the run's prior."""
        return self._setup.algorithm

    @property
    def data(self) -> Any:
        """What the algorithm's functions take."""
        return self._setup.data

    @functools.cached_property
    def state(self) -> Any:
        """The newest checkpoint's, of all runs."""
        state = evaluate.state_in(self.directory, self.experiment, self._setup)
        return sharding.gathered(state)

    def act(self, env_state: Any, key: chex.PRNGKey, policy: str | None = None) -> jax.Array:
        """What the runs do in states `[R]` or `[R, N]` of the environment; see `Algorithm.act`."""
        chosen = self.algorithm.policies[0] if policy is None else policy
        return self.algorithm.act(self.state, self.data, env_state, key, chosen)

    def evaluate(self, num_episodes: int, policy: str | None = None) -> dict[str, jax.Array]:
        """Means over episodes that are played now, `[R]` each; see `Algorithm.evaluate`."""
        chosen = self.algorithm.policies[0] if policy is None else policy
        return self.algorithm.evaluate(self.state, self.data, num_episodes, chosen)
