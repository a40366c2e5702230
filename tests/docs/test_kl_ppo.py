"""The figures of docs/experiments/kl_ppo.py and generalisation.py."""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lprl_jax.experiments.chunks import Chunks
from lprl_jax.results.reading import Result

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "experiments"))
kl_ppo: Any = importlib.import_module("kl_ppo")
generalisation: Any = importlib.import_module("generalisation")


def test_a_row_holds_success_at_the_first_evaluation_from_each_step_on() -> None:
    steps = np.array([0, 128, 256, 384])
    success = np.tile([0.0, 0.25, 0.5, 1.0], (12, 1))
    result = Result(steps, success, 2 * success, 12 * steps, 0 * steps + 7, steps * 1.0, 0.0, 0.0)
    row = kl_ppo.row_of(kl_ppo.World("", 128, (0, 100, 128, 129, 10_000)), result, settings=3)
    assert [values[0] for values in row["success"]] == [0.0, 0.25, 0.25, 0.5, 1.0]
    assert row["return"][-1] == [2.0, 2.0, 2.0]
    assert row["steps_to_80"] == "> 384, 0/12"  # .58 are the last three's mean
    assert (row["queries"], row["evaluations"]) == (4 * 384, 7)


def test_what_was_evaluated_twice_comes_to_no_threshold() -> None:
    success = np.tile([0.9, 0.9], (4, 1))
    steps = np.array([0, 1])
    result = Result(steps, success, success, steps, steps, steps * 1.0, 0.0, 0.0)
    assert kl_ppo.row_of(kl_ppo.World("", 1, (0, 1)), result)["steps_to_80"] == "–"


@pytest.mark.parametrize("world", kl_ppo.WORLDS)
@pytest.mark.parametrize("learner", [*kl_ppo.LEARNERS.values(), "kl_ppo", "prior_only"])
def test_all_learners_play_the_same_held_out_instances(world, learner) -> None:
    experiment = kl_ppo.read(world, learner, {})
    reference = kl_ppo.read(world, "dqn_prior", {})
    assert experiment.bank == reference.bank
    assert experiment.env_arguments == reference.env_arguments
    assert experiment.bank.split == "held-out"
    if learner != "prior_only":
        assert experiment.config.total_steps == reference.config.total_steps
        assert abs(Chunks.of(experiment).steps - kl_ppo.WORLDS[world].every) < 10


def test_a_run_with_more_instances_plays_those_of_a_run_with_fewer() -> None:
    runs = generalisation.instances_of_runs()
    sizes, seeds = generalisation.SIZES, generalisation.SEEDS
    runs = runs.reshape(len(sizes), seeds, sizes[-1])
    for seed in range(seeds):
        before: set[int] = set()
        for size, own in zip(sizes, runs[:, seed], strict=True):
            instances, times = np.unique(own, return_counts=True)
            assert len(instances) == size
            assert set(times) == {sizes[-1] // size}
            assert before < set(instances.tolist())
            before = set(instances.tolist())
    assert len({tuple(sorted(set(own))) for own in runs[1].tolist()}) == seeds
