"""Plan in every instance of a bank: how many are solved, and what it takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnvParams

from lprl_jax.algorithms import streams
from lprl_jax.algorithms.base import Data, Env
from lprl_jax.algorithms.search import slinvit
from lprl_jax.algorithms.search.slinvit import Outcome
from lprl_jax.algorithms.search.slinvit_config import HParams
from lprl_jax.experiments import build, config, needs, sharding
from lprl_jax.experiments.config import Experiment


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One setting, of all runs in all instances."""

    setting: str
    """The swept values; empty without a sweep."""
    prior: str
    """What proposes, or supports."""
    runs: int
    """R: they differ in what is drawn."""
    instances: int
    """M."""
    success: np.ndarray
    """f64[R]: share of the instances that a run solves."""
    actions: float
    """Executed in an instance."""
    nodes: float
    """Children made in an instance."""
    queries: float
    """Prompts sent to the model in an instance; none by a uniform prior or a habit."""
    valuations: float
    """States valued in an instance: heuristics computed, or leaves rolled out."""
    evaluations: int
    """Prompts run through the model in all, a table's included."""


def run(experiment: Experiment) -> list[Row]:
    """A row a setting.

    Raises:
        InvalidInput: if environment, prior or instances lack what the search needs.
    """
    num_runs = experiment.config.num_runs
    return [
        row_of(setting, prior, num_runs, outcome)
        for setting, prior, outcome in outcomes(experiment)
    ]


def outcomes(experiment: Experiment) -> Iterator[tuple[str, str, Outcome]]:
    """What came of every instance: of each setting its name, the prior's, and all runs in a row.

    Run r has rows `[r * M : (r + 1) * M]` of the outcome. The experiment is checked when the first
    is asked for.

    Raises:
        InvalidInput: if environment, prior or instances lack what the search needs.
    """
    needs.require_least(experiment)
    chosen = experiment.config
    env, params = build.make_env(chosen.env, experiment.env_arguments, experiment.bank)
    slinvit.require_fit(experiment.algorithm, env, chosen.prior != "none")
    budgets = budgets_of(experiment, env, params)
    mesh = sharding.make_mesh(chosen.num_runs * params.instances.size, chosen.model_parallel)
    shared = mesh if chosen.model_parallel > 1 else None
    prior = build.make_prior(experiment, env, params, shared)
    solve = sharding.over_rows(slinvit.make(experiment.algorithm, env, prior), mesh)
    instances, budgets = (jnp.tile(x, chosen.num_runs) for x in (params.instances, budgets))
    key = streams.of(jax.random.key(chosen.seed), "search")
    data = Data(() if prior is None else prior.params, params)
    key, data = sharding.place(mesh, (key, data))
    for setting in experiment.settings:
        alpha = jnp.float32(setting.get("alpha", experiment.algorithm.alpha))
        hparams = HParams(jnp.broadcast_to(alpha, instances.shape))
        outcome = sharding.fetch(solve(key, instances, budgets, hparams, data))
        yield config.name_of(setting), "none" if prior is None else prior.name, outcome


def budgets_of(experiment: Experiment, env: Env, params: TextEnvParams) -> jax.Array:
    """`i32[M]`: the actions in which each instance must be solved.

    Raises:
        InvalidInput: if they rest on shortest plans, which are not known.
    """
    budget, suite = experiment.algorithm.budget, experiment.bank.suite
    if budget == "optimal+1":
        if not suite:
            raise InvalidInput(
                "budget is optimal+1, but shortest plans are known of a suite only; name a suite, "
                "or set budget=time_limit, or a number"
            )
        return env.shortest_plans(suite) + 1
    actions = params.max_steps_in_episode if budget == "time_limit" else budget
    return jnp.full(params.instances.shape, actions, jnp.int32)


def row_of(setting: str, prior: str, num_runs: int, outcome: Outcome) -> Row:
    """The figures of an outcome whose rows are run by run, on the host."""
    num_rows = outcome.solved.size
    shares = np.asarray(outcome.solved, np.float64).reshape(num_runs, -1).mean(axis=1)
    return Row(
        setting=setting,
        prior=prior,
        runs=num_runs,
        instances=num_rows // num_runs,
        success=shares,
        actions=float(np.mean(outcome.length)),
        nodes=float(np.mean(outcome.cost.nodes)),
        queries=int(outcome.prior_carry.queries) / num_rows,
        valuations=float(np.mean(outcome.cost.valuations)),
        evaluations=int(outcome.prior_carry.evaluations),
    )
