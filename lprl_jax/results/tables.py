"""What commands have found, as tables and as JSON.

Of `lprl eval` and `lprl plan` with intervals over the runs; of `lprl train --memory` in bytes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from lprl_jax import memory
from lprl_jax.experiments import evaluate, planning
from lprl_jax.experiments.footprint import Footprint
from lprl_jax.results.comparison import interval, markdown
from lprl_jax.results.statistics import bootstrap_interval

SMALL = 1e-3
"""Parts of less than this share of what is held are one row."""


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


def of_footprint(found: Footprint) -> str:
    """A Markdown table, a row a part, and what it comes to beside what is free."""
    least = SMALL * found.lasting
    small = [part.num_bytes for part in found.held if part.num_bytes < least]
    cells = [
        (part.name, part.num_bytes, "its share" if part.divided else "the whole", part.smaller_by)
        for part in found.held
        if part.num_bytes >= least
    ]
    cells += [(f"smaller parts ({len(small)})", sum(small), "", {})] * bool(small)
    cells += [
        (f"{program.name}, while it runs", program.num_bytes, "its share", program.smaller_by)
        for program in found.programs
    ]
    rows = [
        [name, memory.in_words(size), of, " ".join(f"{key}={value}" for key, value in by.items())]
        for name, size, of, by in cells
    ]
    return "\n".join([markdown(["part", "a device", "of it", "smaller by"], rows), *_sums(found)])


def _sums(found: Footprint) -> list[str]:
    """What parts and programs come to."""
    running, beginning, donated, all_devices = (
        memory.in_words(size)
        for size in (
            found.running,
            found.beginning,
            max(program.donated for program in found.programs),
            found.copies * found.most,
        )
    )
    devices = f"{found.devices} device{'s' * (found.devices > 1)}"
    sharing = f" of all {found.devices}, which share the host's" if found.copies > 1 else ""
    free = "nobody knows how much is" if found.free is None else memory.in_words(found.free)
    return [
        "",
        f"{found.runs:,} runs on {devices}, in the memory of each:",
        f"  {running} in training and evaluation, of which {donated} are updated in place",
        f"  {beginning} before, until each has its share of the runs",
        f"At the most {all_devices}{sharing}; {free} free.",
    ]


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
