"""check_env: our environments pass, and every check catches an environment broken on purpose."""

import dataclasses
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.conformance.broken_boxes import BROKEN, Line
from envs.conformance.broken_lakes import TheGoalIsNoEnd
from envs.track import Track
from lprl_envs import CHECKS, CheckFailed, FrozenLake, InvalidInput, check_env
from lprl_envs.conformance import check
from lprl_envs.conformance.compare import unlikely
from lprl_envs.conformance.subject import Subject


@pytest.mark.parametrize(
    ("cls", "expected"), BROKEN.items(), ids=lambda x: getattr(x, "__name__", "")
)
def test_a_broken_environment_fails_its_check(cls, expected):
    name, message = expected
    env = cls()
    with pytest.raises(CheckFailed) as caught:
        check.require(Subject(env), name)
    assert caught.value.check == name, caught.value
    line = str(caught.value)
    assert line.startswith(f"{env.name} fails the check {name}: ")
    assert message in line
    assert "\n" not in line


def test_every_check_catches_something():
    assert {name for name, _ in BROKEN.values()} == set(CHECKS)
    assert all(function.__doc__ and function.__name__ == name for name, function in CHECKS.items())


PASSING = {
    "4x4 slippery": ({}, None),
    "4x4 firm, tokens, 4 maps": ({"is_slippery": False, "observation": "tokens"}, 4),
    "8x8 slippery, features, 12 maps": ({"map_name": "8x8", "observation": "features"}, 12),
    "8x8 firm": ({"map_name": "8x8", "is_slippery": False}, None),
}


@pytest.mark.parametrize(("config", "num_instances"), PASSING.values(), ids=PASSING)
def test_frozen_lake_passes(config, num_instances):
    env = FrozenLake(**config)
    params = num_instances and env.sample_params(jax.random.key(1), num_instances)
    assert check_env(env, params or None) == tuple(CHECKS)


def test_other_starts_rewards_and_instances_pass():
    # Several starts a map, of which episodes play some, one of them more often; another seed.
    env = FrozenLake("2x3", success_rate=0.9, reward_schedule=(2.5, -0.7, -0.01))
    params = env.params_of([["SFS", "SFG"], ["SHF", "SFG"], ["GFS", "SFS"]])
    params = dataclasses.replace(params, instances=jnp.array([2, 0, 2], jnp.int32))
    assert check_env(env, params, seed=5) == tuple(CHECKS)


@pytest.mark.parametrize("env", [Track(), Line()], ids=["two numbers", "one number"])
def test_continuous_worlds_pass(env):
    assert check_env(env) == tuple(CHECKS)


def test_names_come_as_the_checks_pass():
    names, passed = check.passing(TheGoalIsNoEnd()), []
    with pytest.raises(CheckFailed) as caught:
        passed.extend(names)
    assert caught.value.check == BROKEN[TheGoalIsNoEnd][0]
    assert passed == list(CHECKS)[: list(CHECKS).index(caught.value.check)]


def test_only_text_environments_can_be_checked():
    with pytest.raises(InvalidInput, match="object is no TextEnv"):
        check_env(object())  # pyright: ignore[reportArgumentType]


def test_a_failure_survives_pickling():
    error = CheckFailed("Lake", "final", "found; right: right")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.check) == (str(error), "final")


# -- frequencies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "probs", "wrong"),
    [
        ([[1365, 1366, 1365]], [[1 / 3, 1 / 3, 1 / 3]], None),
        ([[4096, 0]], [[1.0, 0.0]], None),
        ([[4095, 1]], [[1.0, 0.0]], (0, 0)),
        ([[4092, 4]], [[0.9999, 0.0001]], None),  # rare, which happens: Pearson's test would flake
        ([[2048, 2048], [2300, 1796]], [[0.5, 0.5], [0.5, 0.5]], (1, 0)),
    ],
)
def test_unlikely(counts, probs, wrong):
    assert unlikely(np.array(counts), np.array(probs)) == wrong
