"""The algorithms, by the names that configs give them: an entry each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from lprl_jax.algorithms import prior_only
from lprl_jax.algorithms.policy_based import ppo
from lprl_jax.algorithms.search import slinvit
from lprl_jax.algorithms.tabular import linvit
from lprl_jax.algorithms.value_based import bc, cql, discrete_sac, dqn, lagr, sac, sac_config, td3


class AlgorithmEntry(NamedTuple):
    """What an experiment needs to know of an algorithm."""

    config: type[Any]
    """Its settings, a frozen dataclass."""
    make: Callable[..., Any]
    """`(config, env, prior) -> Algorithm`, or `Search`"""
    sweepable: tuple[str, ...]
    """Settings that may differ between the runs of one program."""
    command: str = "train"
    """The command that runs it."""
    from_data: bool = False
    """Whether it learns from a dataset alone."""
    step: str = "environment steps"
    """What its steps are, in the plural; empty where none is taken."""
    of_instances: bool = False
    """Whether what it learns are tables of its instances, which mean nothing in others."""


ALGORITHMS = {
    "dqn": AlgorithmEntry(dqn.DQNConfig, dqn.make, dqn.HParams._fields),
    "ppo": AlgorithmEntry(ppo.PPOConfig, ppo.make, ppo.HParams._fields),
    "linvit": AlgorithmEntry(
        linvit.LINVITConfig,
        linvit.make,
        linvit.HParams._fields,
        step="episodes × horizon",  # as many environment steps at most: episodes may end
        of_instances=True,
    ),
    "slinvit": AlgorithmEntry(slinvit.SLINVITConfig, slinvit.make, slinvit.HParams._fields, "plan"),
    "lagr": AlgorithmEntry(lagr.LaGRConfig, lagr.make, lagr.HParams._fields),
    "cql": AlgorithmEntry(
        cql.CQLConfig, cql.make, cql.HParams._fields, from_data=True, step="gradient steps"
    ),
    "bc": AlgorithmEntry(
        bc.BCConfig, bc.make, bc.HParams._fields, from_data=True, step="gradient steps"
    ),
    "sac": AlgorithmEntry(sac_config.SACConfig, sac.make, sac_config.HParams._fields),
    "discrete_sac": AlgorithmEntry(
        sac_config.DiscreteSACConfig, discrete_sac.make, sac_config.HParams._fields
    ),
    "td3": AlgorithmEntry(td3.TD3Config, td3.make, td3.HParams._fields),
    "prior_only": AlgorithmEntry(prior_only.PriorOnlyConfig, prior_only.make, (), step=""),
}
"""By name."""
