"""From a config to a run's directory, and what can be done with one.

`config` reads what is to be run and `build` makes it; `runner` trains, `planning` searches,
`evaluate` plays, `gather` collects data, `export` writes a model. `sharding` lays it over devices,
`blocks` trains many runs some after others, `carries` are what these share, `kept` keeps what a
model was asked, `footprint` tells what a training would hold. Those that do something have a `run`,
which writes or returns what was found: statistics and tables are those of `results`, which it may
not import. It may import datasets and all below.
"""
