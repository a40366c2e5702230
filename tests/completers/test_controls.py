"""Controls: always right, never right, and worse by a known share."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from completers.worlds import CUBES, OBJECTS, WORLDS, accepted, ask, keys_of, refusal, shown
from lprl_envs import FrozenLake, InvalidInput

from lprl_jax.completers import Answers, Recorded, degrade, never_right, perfect
from lprl_jax.priors.base import Counters


@WORLDS
def test_one_is_always_right_and_one_never(env):
    params = env.default_params
    states = shown(env, params, np.arange(9))
    for completer, right in ((perfect(env), True), (never_right(env), False)):
        answers, _ = ask(completer, params, states, keys_of(9))
        assert answers.readable.all()
        assert accepted(env, params, states, answers).tolist() == [right] * 9
    assert (perfect(env).name, never_right(env).name) == ("perfect", "never-right")


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0], ids=str)
def test_so_many_answers_are_wrong_ones(epsilon):
    params, trials = CUBES.default_params, 1_000
    states, keys = shown(CUBES, params, [5] * trials), keys_of(trials)
    worse = degrade(perfect(CUBES), epsilon)
    answers, counters = ask(worse, params, states, keys)
    right = accepted(CUBES, params, states, answers)
    assert abs(right.mean() - (1 - epsilon)) <= 4 * np.sqrt(epsilon * (1 - epsilon) / trials)
    assert answers.readable.all()
    again, _ = ask(worse, params, states, keys)
    np.testing.assert_array_equal(again.completion, answers.completion)
    assert (int(counters.queries), int(counters.evaluations)) == (trials, trials)
    assert worse.name == f"perfect (ε = {epsilon:g})"


def test_what_is_spoilt_does_not_depend_on_what_was_right():
    params, trials = CUBES.default_params, 1_000
    states, keys = shown(CUBES, params, [5] * trials), keys_of(trials)
    half = Recorded(CUBES, (0.5,))
    both = [ask(c, params, states, keys)[0] for c in (half, degrade(half, 0.5))]
    before, after = (accepted(CUBES, params, states, answers) for answers in both)
    assert not (after & ~before).any()
    assert abs(after.sum() / before.sum() - 0.5) < 4 * np.sqrt(0.25 / before.sum())


def test_the_offer_changes_no_answer():
    params, keys = OBJECTS.default_params, keys_of(50)
    worse = degrade(perfect(OBJECTS), 0.5)
    states = [shown(OBJECTS, params, [3] * 50, place=place) for place in (0, 9)]
    first, second = (ask(worse, params, own, keys)[0] for own in states)
    np.testing.assert_array_equal(first.completion, second.completion)


class Mumbles:
    """Nobody can read it."""

    name, params = "mumbles", ()

    def init(self):
        return Counters.zero()

    def complete(self, params, carry, keys, env_state, env_params, needed):
        completion = jnp.zeros((len(needed), 8), jnp.int32)
        return Answers(completion, jnp.zeros_like(needed)), carry.after_running(needed)


def test_a_wrong_answer_can_be_read_whoever_it_replaces():
    params = CUBES.default_params
    states, needed = shown(CUBES, params, [3] * 40), np.arange(40) % 2 == 0
    worse = degrade(Mumbles(), 0.5, CUBES)
    answers, counters = ask(worse, params, states, keys_of(40), needed)
    assert not answers.readable[~needed].any()
    assert 0 < answers.readable[needed].sum() < 20
    assert int(counters.queries) == 20
    assert not accepted(CUBES, params, states, answers).any()


ODD: Any = "x"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: degrade(perfect(CUBES), 1.5), "epsilon is 1.5; it must lie in [0, 1]"),
        (lambda: degrade(perfect(CUBES), -0.1), "epsilon is -0.1; it must lie in [0, 1]"),
        (lambda: degrade(perfect(CUBES), ODD), "epsilon is 'x'; it must be a number"),
        (lambda: degrade(Mumbles(), 0.5), "the completer 'mumbles' does not tell its environment"),
        (lambda: degrade(Mumbles(), 0.5, FrozenLake()), "FrozenLake-lprl has no pattern"),
    ],
    ids=range(5),
)
def test_it_is_refused_in_one_line(call, words):
    with pytest.raises(InvalidInput) as error:
        call()
    assert refusal(error).startswith(words)
