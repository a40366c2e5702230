"""What `lprl eval` and `lprl plan` have found, as tables and as JSON: intervals over the runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from lprl_jax.experiments import evaluate, planning
from lprl_jax.results.comparison import interval, markdown
from lprl_jax.results.statistics import bootstrap_interval


def of_evaluations(rows: Sequence[evaluate.Row]) -> str:
    """A Markdown table, a row a way of acting."""
    swept = any(row.setting for row in rows)
    head = ["setting"] * swept + ["prior", "k", "policy", "runs", "episodes a run"]
    head += ["success (IQM, 95 %)", "return (IQM, 95 %)", "queries"]
    cells = [
        [row.setting] * swept
        + [row.prior, f"{row.k}", row.policy, f"{row.runs}", f"{row.episodes}"]
        + [_over_runs(row.success), _over_runs(row.returns), f"{row.queries:,}"]
        for row in rows
    ]
    return markdown(head, cells)


def of_plans(rows: Sequence[planning.Row]) -> str:
    """A Markdown table, a row a setting."""
    swept = any(row.setting for row in rows)
    head = ["setting"] * swept + ["prior", "runs", "instances", "success (IQM, 95 %)"]
    head += ["actions", "nodes an instance", "queries", "values computed", "evaluations"]
    cells = [
        [row.setting] * swept
        + [row.prior, f"{row.runs}", f"{row.instances}", _over_runs(row.success)]
        + [f"{x:,.1f}" for x in (row.actions, row.nodes, row.queries, row.valuations)]
        + [f"{row.evaluations:,}"]
        for row in rows
    ]
    return markdown(head, cells)


def as_json(row: evaluate.Row | planning.Row) -> dict[str, Any]:
    """A row's fields; of a value a run, the IQM with its 95 % interval, null of few runs."""
    fields = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    return {
        name: dataclasses.asdict(bootstrap_interval(value))
        if isinstance(value, np.ndarray)
        else value
        for name, value in fields.items()
    }


def _over_runs(values: np.ndarray) -> str:
    return interval(bootstrap_interval(values), len(values))
