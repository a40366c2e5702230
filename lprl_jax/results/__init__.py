"""Reading runs: their curves, statistics over seeds, comparisons, plots, reports.

`reading.read(directory)` gives a `Result`; `statistics` holds the estimators (IQM, intervals),
`curves` those of learning curves, `grids` says which results may be laid side by side and where;
`comparison` and `tables` make tables, `plotting` pictures, `report` a page. It may import
`experiments`, whose directories it reads and which knows nothing of it.
"""

from lprl_jax.results.reading import Result, name_of, read, read_all, runs_in

__all__ = ["Result", "name_of", "read", "read_all", "runs_in"]
