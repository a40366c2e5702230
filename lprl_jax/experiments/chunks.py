"""How a training is cut into chunks: the steps between two evaluations, and how many there are."""

from __future__ import annotations

import dataclasses
import math

from lprl_jax.experiments.config import Experiment


@dataclasses.dataclass(frozen=True)
class Chunks:
    """The chunks of a training, which are numbered from 1; 0 is what comes before any."""

    a_step: int
    """Steps of an update."""
    updates: int
    """Of a chunk, but perhaps the last."""
    all_updates: int
    """Of all chunks."""

    @classmethod
    def of(cls, experiment: Experiment) -> Chunks:
        """An experiment's: `total_steps` rounded up to updates, `eval_every` rounded to them."""
        config, a_step = experiment.config, experiment.algorithm.steps_per_update
        updates = max(1, round(config.eval_every / a_step))
        return cls(a_step, updates, math.ceil(config.total_steps / a_step))

    @property
    def steps(self) -> int:
        """Of a chunk, but perhaps the last: the grid on which runs are evaluated."""
        return self.updates * self.a_step

    @property
    def total(self) -> int:
        """Steps of all chunks."""
        return self.all_updates * self.a_step

    @property
    def number(self) -> int:
        """How many there are."""
        return math.ceil(self.all_updates / self.updates)

    def step_after(self, chunk: int) -> int:
        """Steps trained with the end of a chunk."""
        return min(chunk * self.steps, self.total)

    def updates_of(self, chunk: int) -> int:
        """Of this chunk."""
        return (self.step_after(chunk) - self.step_after(chunk - 1)) // self.a_step

    def lengths(self, first: int) -> set[int]:
        """Different numbers of updates among the chunks from one on: a program each."""
        return {self.updates_of(chunk) for chunk in range(max(1, first), self.number + 1)}

    def ends_with(self, chunk: int) -> bool:
        """Whether its state is kept at the end: the last, and the last that a longer run has."""
        return chunk == self.number or chunk == self.total // self.steps
