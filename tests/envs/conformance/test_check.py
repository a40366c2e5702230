"""check_env: our environments pass, and every check catches an environment broken on purpose."""

import dataclasses
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.conformance.broken_boxes import BROKEN, Line
from envs.conformance.broken_lakes import TheGoalIsNoEnd
from envs.conformance.broken_laws import Noisy
from envs.track import Track
from lprl_envs import CHECKS, CheckFailed, FrozenLake, InvalidInput, check_env
from lprl_envs.conformance import check, rewards
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


@pytest.mark.parametrize("seed", range(3))
def test_noisy_rewards_pass(seed):
    check.require(Subject(Noisy(), seed=seed), "law_is_step")


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


# -- mean rewards --------------------------------------------------------------------------------


def test_an_outcome_that_is_listed_twice_has_one_mean():
    prob = np.array([[0.25, 0.25, 0.5], [0.9, 0.1, 0.0]])
    reward = np.array([[4.0, 1.0, 8.0], [0.0, 10.0, 7.0]])
    found = rewards.law_means(prob, reward, np.array([[0, 1, 0], [0, 0, 2]]))
    np.testing.assert_allclose(found, [[20 / 3, 1, 0], [1, 0, 0]])


def test_means_of_drawn_rewards():
    # By hand: outcome 0 pays 1 or 3, outcome 1 pays 10 twice, where the law says 2 and 9.
    found = rewards.means_of(
        np.array([[1.0, 3.0, 10.0, 10.0]]), np.array([[0, 0, 1, 1]]), np.array([[2.0, 9.0]])
    )
    assert found.num.tolist() == [[2, 2, 4]]
    assert found.excess.tolist() == [[0, 1, 0.5]]
    np.testing.assert_allclose(found.error, [[1, 0, np.sqrt((2.25 + 0.25 + 0.25 + 0.25) / 3 / 4)]])
    assert not found.side.any()  # of so few draws nothing is judged


def test_rare_outcomes_are_judged_together():
    # 1,000 outcomes, ten draws of each, all of which pay .1 too much, with a spread of 1.
    noise = np.random.default_rng(0).normal(size=(1, 10_000))
    outcome, law = np.arange(10_000)[None] % 1000, np.arange(1000.0)[None]
    off = rewards.means_of(noise + outcome + 0.1, outcome, law)
    assert off.side[0].tolist() == [0] * 1000 + [1]
    right = rewards.means_of(noise + outcome, outcome, law)
    assert not right.side.any()
    assert rewards.wrong_mean(right, lambda: pytest.fail("was drawn again")) is None


def test_a_mean_is_wrong_if_it_is_off_twice_to_one_side():
    def means(side):
        nothing = np.zeros((1, 3))
        return rewards.Means(nothing, nothing, nothing, np.array([side]))

    once = means([0, 1, -1])
    assert rewards.wrong_mean(once, lambda: means([1, -1, 0])) is None
    assert rewards.wrong_mean(once, lambda: means([1, 1, -1])) == (0, 1)


def test_right_means_are_seldom_off():
    # 20,000 means of 100 draws each: 6 in 100,000 are more than 4 errors off if they are normal,
    # and somewhat more of so few draws.
    noise = np.random.default_rng(1).normal(size=(20_000, 100))
    found = rewards.means_of(noise, np.zeros(noise.shape, int), np.zeros((20_000, 1)))
    assert 0 < np.abs(found.side[:, 0]).sum() < 10
