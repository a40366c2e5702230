"""Datasets written down by hand, of processes written down as tables."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from algorithms.probes import END, State, Tables, TabularMDP

from lprl_jax.datasets.dataset import Dataset, Origin

ORIGIN = Origin(("random",), (1.0,), 0.1, 1, 0, "by hand", {"normalization": "sum"}, 3, 4)


def dataset_of(
    env: TabularMDP,
    processes: Sequence[Tables],
    runs: Sequence[Sequence[tuple[int, int, int]]],
    log_probs: Any = (),
) -> Dataset:
    """Transitions `(instance, place, action)`, run by run.

    Args:
        env: The environment.
        processes: Its instances.
        runs: As many for each run.
        log_probs: f32[places + 1, A], of every instance; () without a prior.
    """
    instance, place, action = np.moveaxis(np.array(runs, np.int32), -1, 0)
    follows = np.stack([process.next_state for process in processes])[instance, place, action]
    reward = np.stack([process.reward for process in processes])[instance, place, action]
    legal = np.stack([process.legal for process in processes])[instance, place]
    over = follows == END
    after = np.where(over, env.num_places, follows).astype(np.int32)
    zero = np.zeros_like(instance)

    def states(time: Any, place: Any) -> State:
        return State(time=time, instance=cast(Any, instance), place=place)

    return Dataset(
        state=states(zero, place),
        action=action,
        reward=reward,
        terminated=over,
        truncated=np.zeros_like(over),
        next_state=states(zero + 1, after),
        action_mask=legal,
        behaviour=zero,
        log_probs=log_probs[place] if len(log_probs) else (),
        next_log_probs=log_probs[after] if len(log_probs) else (),
    )
