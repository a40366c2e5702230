"""How long `lprl train` takes to begin: every config, started twice.

A start is a process of its own, and a row the seconds from its beginning to its first line of
metrics of trained runs. The first start finds nothing that was kept: it compiles, and asks models.
The second finds what the first kept, in a directory of this suite's. `total_steps` is cut to one
update, so that little is trained. The seconds of the row's compilation are those of training and
evaluation, as the run's timing.jsonl has them; a start compiles more than these, and the note says
what the process worked in all.

One second start is held to a bar and repeated: that of `frozen_lake_dqn_prior`, to the end of its
first chunk as it is shipped, 250 steps.

Configs that learn from a dataset are not measured where it has not been collected.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from lprl_envs import InvalidInput
from tools import processes
from tools.timing import REPEATS, Measured, Row, row, unmeasured

from lprl_jax.algorithms.registry import ALGORITHMS
from lprl_jax.experiments import config
from lprl_jax.experiments.config import Experiment

BARRED = "frozen_lake_dqn_prior"
QUICK = ("frozen_lake_dqn", BARRED, "cartpole_ppo")


def run(quick: bool) -> Measured:
    """Rows; there are no ratios. In full about 25 minutes."""
    return measure(QUICK if quick else trained()), {}


def trained() -> list[str]:
    """The configs that `lprl train` takes."""
    every = {name: config.read(name).config.algorithm for name in config.names()}
    return [name for name, algorithm in every.items() if ALGORITHMS[algorithm].command == "train"]


def measure(names: Sequence[str], more: Sequence[str] = (), repeats: int = REPEATS) -> list[Row]:
    """Two rows a config.

    Args:
        names: Of configs.
        more: Overrides of all of them.
        repeats: Of the second start that is held to a bar.
    """
    rows = []
    for name in names:
        both = f"startup/{name}/first", f"startup/{name}/second"
        try:
            rows += _of(config.read(name, more), name, both, more, repeats)
        except (InvalidInput, RuntimeError) as error:
            rows += [unmeasured(row_name, "s", str(error)) for row_name in both]
    return rows


def _of(
    experiment: Experiment, name: str, both: tuple[str, str], more: Sequence[str], repeats: int
) -> list[Row]:
    dataset = experiment.config.dataset
    if dataset and not Path(dataset).is_file():
        raise InvalidInput(f"there is no {dataset}, which `lprl collect` makes")
    steps = experiment.algorithm.steps_per_update
    if name == BARRED:
        steps = experiment.config.eval_every
    overrides = *more, f"total_steps={steps}", f"eval_every={steps}"
    with tempfile.TemporaryDirectory() as caches:
        times = 1 + (repeats if name == BARRED else 1)
        first, *others = (processes.start(name, overrides, Path(caches)) for _ in range(times))
    return [_row(both[0], [first]), _row(both[1], others)]


def _row(name: str, starts: Sequence[processes.Start]) -> Row:
    """Of starts that are alike; what is not of all of them is of the first."""
    one = starts[0]
    seconds = [start.first_update for start in starts]
    note = f"{one.first_line:.1f} s to the line of untrained runs; {one.work:.1f} s of work in all"
    return row(name, seconds, "s", one.compiling, note)
