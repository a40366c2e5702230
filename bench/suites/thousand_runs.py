"""A thousand runs of the demo's DQN-Prior in one program: how long they take."""

from __future__ import annotations

from collections.abc import Sequence

from tools import processes
from tools.timing import Measured, Row, row

NAME = "training/1000_runs_demo"


def run(quick: bool) -> Measured:
    """Rows, at the same size when quick; there are no ratios."""
    del quick
    return measure(), {}


def measure(num_runs: int = 1_000, overrides: Sequence[str] = ()) -> list[Row]:
    """Seconds of training and of evaluation, each the sum over the demo's chunks."""
    # Only the last state is written. Of an accelerator, of which the parent holds most of the
    # memory, the rest is taken as it is needed.
    seconds = processes.train(
        (f"num_runs={num_runs}", "checkpoint_every=1_000", *overrides),
        XLA_PYTHON_CLIENT_PREALLOCATE="false",
    )
    trained, evaluated = sum(seconds.training), sum(seconds.evaluating)
    whole = (
        f"the process, with its start, the prior's table and a checkpoint: {seconds.whole:.1f} s"
    )
    return [
        row(NAME, [trained], "s", seconds.compiling, f"training of {num_runs} runs; {whole}"),
        row(f"{NAME}/evaluation", [evaluated], "s", note=f"{len(seconds.evaluating)} evaluations"),
    ]
