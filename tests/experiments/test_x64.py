"""With `jax_enable_x64` all keep their 32 bits: the same instances, training, plans, checks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import lprl_envs
import numpy as np
import pytest
from lprl_envs import check_env
from small_experiment import fields

from lprl_jax.experiments import config, planning, runner
from lprl_jax.experiments.config import Experiment
from lprl_jax.results import reading

WORLDS: dict[str, dict[str, Any]] = {
    "FrozenLake-lprl": {"map_name": "4x4"},
    "BlocksWorld-lprl": {"num_blocks": 3},
    "CubeStacking-lprl": {},
    "ImageCompletion-lprl": {},
    "ObjectArrangement-lprl": {},
    "KeyRooms-lprl": {"rooms": 2},
    "CartPole-lprl": {},
    "Pendulum-lprl": {},
    "Blackjack-lprl": {},
    "WatchRepair-lprl": {},
    "Overcooked-lprl": {"kitchen": "tomato"},
    "Household-lprl": {"room": "bathroom"},
    "HouseholdOptions-lprl": {"room": "bathroom"},
}
LEARNERS: dict[str, dict[str, Any]] = {
    "dqn": {"prior": "embedded-early-1", "prior_epsilon": 0.1},
    "ppo": {"num_envs": 2, "rollout_length": 5, "num_minibatches": 1},
    "linvit": {"horizon": 4, "prior_epsilon": 0.1},
}
SHARED = ("env", "env_params", "prior", "num_runs", "total_steps", "eval_every", "eval_episodes")


@pytest.fixture
def wide() -> Iterator[None]:
    """64-bit types on."""
    with jax.enable_x64(True):
        yield


def drawn(name: str) -> Any:
    env, _ = lprl_envs.make(name, **WORLDS[name])
    return jax.device_get(jax.jit(lambda key: env.sample_params(key, 3))(jax.random.key(5)))


@pytest.mark.parametrize("name", WORLDS)
def test_a_bank_holds_the_same_instances(name: str) -> None:
    narrow = drawn(name)
    with jax.enable_x64(True):
        wide = drawn(name)
    for here, there in zip(jax.tree.leaves(wide), jax.tree.leaves(narrow), strict=True):
        assert here.dtype == there.dtype
        np.testing.assert_array_equal(here, there)


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(
    "name",
    [
        "FrozenLake-lprl",
        "ObjectArrangement-lprl",
        "Blackjack-lprl",
        "WatchRepair-lprl",
        "Overcooked-lprl",
        "Household-lprl",
        "HouseholdOptions-lprl",
        "Pendulum-lprl",
    ],
)
def test_worlds_keep_the_contract(name: str) -> None:
    check_env(*lprl_envs.make(name, **WORLDS[name]))


def small(algorithm: str) -> Experiment:
    own = {name: value for name, value in fields().items() if name in SHARED or algorithm == "dqn"}
    return config.parse({**own, "algorithm": algorithm, **LEARNERS[algorithm]})


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("algorithm", LEARNERS)
def test_learners_train(algorithm: str, tmp_path: Path) -> None:
    runner.run(small(algorithm), tmp_path / "run", progress=False)
    found = reading.read(tmp_path / "run")
    assert found.steps[-1] >= 90
    assert np.isfinite(found.returns).all()


@pytest.mark.usefixtures("wide")
def test_a_search_plans() -> None:
    bank = {"num_blocks": 3, "suite": "", "num_instances": 2, "split": "held-out"}
    settings = {"depth": 1, "budget": "time_limit", "num_runs": 1}
    fields = {"env": "BlocksWorld-lprl", "env_params": bank, "algorithm": "slinvit", **settings}
    heuristic = {"proposals": "heuristic", "value": "heuristic", "alpha": 0.0}
    (row,) = planning.run(config.parse({**fields, "prior": "none", **heuristic}))
    assert row.nodes > 0
    assert jnp.asarray(row.success).dtype == jnp.float64  # or nothing was tried
