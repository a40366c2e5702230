"""The algorithms, by the names that configs give them: an entry each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from lprl_jax.algorithms import bc, cql, dqn, prior_only


class AlgorithmEntry(NamedTuple):
    """What an experiment needs to know of an algorithm."""

    config: type[Any]
    """Its settings, a frozen dataclass."""
    make: Callable[..., Any]
    """`(config, env, prior) -> Algorithm`"""
    sweepable: tuple[str, ...]
    """Settings that may differ between the runs of one program."""
    from_data: bool = False
    """Whether it learns from a dataset alone; a step is then a gradient step."""


ALGORITHMS = {
    "dqn": AlgorithmEntry(dqn.DQNConfig, dqn.make, dqn.HParams._fields),
    "cql": AlgorithmEntry(cql.CQLConfig, cql.make, cql.HParams._fields, from_data=True),
    "bc": AlgorithmEntry(bc.BCConfig, bc.make, bc.HParams._fields, from_data=True),
    "prior_only": AlgorithmEntry(prior_only.PriorOnlyConfig, prior_only.make, ()),
}
"""By name."""
