"""Recorded answers: as often right as was recorded, frozen, and wrong ones never accepted."""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from completers.worlds import CUBES, IMAGE, OBJECTS, WORLDS, accepted, ask, keys_of, refusal, shown
from lprl_envs import (
    CubeStacking,
    FrozenLake,
    ImageCompletion,
    InvalidInput,
    Literal,
    ObjectArrangement,
    Scope,
    Slot,
    Template,
)
from priors.tiny import tiny_model

from lprl_jax.completers import Recorded, never_right, recorded
from lprl_jax.lm import parsing

RECORDED = {
    "cubes-8": [0, 0, 0, 1, 1, 1, 1, 0, 0],
    "cubes-11": [0, 0, 1, 0, 1, 0, 1, 0.3, 1, 1, 1, 1],
    "objects-5x5": [0, 0, 1 / 28, 7 / 40, 16 / 36, 13 / 23, 1, 1, 1],
    "image-10x10": [*[0] * 3, *[0.09] * 9, *[0.18] * 2, *[2 / 7] * 7],
}
NATIVE = {"cubes-8": 8, "cubes-11": 11, "objects-5x5": 25, "image-10x10": 100}


def test_the_data_are_those_of_the_notes():
    found = {table.name: table for table in recorded.tables()}
    assert list(found) == list(RECORDED)
    for name, right in RECORDED.items():
        np.testing.assert_allclose([float(p) for p in found[name].probabilities], right)
        assert found[name].slots == NATIVE[name]
        assert found[name].source.startswith("arXiv 2308.13542, recorded GPT-4 answers")
    assert sum((2, 10, 28, 40, 36, 23, 4)) == 143  # floors, as the source says


@pytest.mark.parametrize(
    ("env", "table"),
    [
        (CUBES, "cubes-8"),
        (CubeStacking(3), "cubes-8"),
        (CubeStacking(9), "cubes-8"),
        (CubeStacking(10), "cubes-11"),
        (CubeStacking(11), "cubes-11"),
        (CubeStacking(12), "cubes-11"),
        (OBJECTS, "objects-5x5"),
        (ObjectArrangement("8x8"), "objects-5x5"),
        (IMAGE, "image-10x10"),
        (ImageCompletion("16x16"), "image-10x10"),
    ],
    ids=range(10),
)
def test_the_nearest_size_is_taken(env, table):
    assert Recorded.of(env).probabilities == pytest.approx(RECORDED[table])


def test_counts_are_those_of_the_pattern_at_the_recorded_sizes():
    """The tables have an entry for each element of the authors' patterns, and one for none."""
    assert (
        len(Recorded.of(OBJECTS).probabilities)
        == 1 + 8
        == 1 + np.sum(OBJECTS.default_params.bank.cells)
    )
    assert (
        len(Recorded.of(IMAGE).probabilities)
        == 1 + 20
        == 1 + np.sum(IMAGE.default_params.bank.cells)
    )


@WORLDS
def test_it_is_right_as_often_as_recorded(env):
    params, table = env.default_params, Recorded.of(env)
    counts, trials = np.arange(len(table.probabilities)), 600
    states = shown(env, params, np.tile(counts, trials))
    answers, counters = ask(table, params, states, keys_of(len(states.time)))
    right = accepted(env, params, states, answers).reshape(trials, -1).mean(axis=0)
    p = np.array(table.probabilities)
    assert (np.abs(right - p) <= 4 * np.sqrt(p * (1 - p) / trials)).all()
    assert answers.readable.all()
    assert answers.completion.dtype == jnp.int32
    assert (int(counters.queries), int(counters.evaluations)) == (len(states.time),) * 2


def test_asking_again_changes_nothing():
    """Whatever does not belong to the pattern: the offer, the time, the row, who else is asked."""
    params, key = OBJECTS.default_params, keys_of(1)[0]
    half = Recorded(OBJECTS, (0.5,))
    counts = np.arange(9)
    keys = jnp.broadcast_to(key, 9)
    first, _ = ask(half, params, shown(OBJECTS, params, counts), keys)
    assert 0 < accepted(OBJECTS, params, shown(OBJECTS, params, counts), first).sum() < 9
    other = shown(OBJECTS, params, counts[::-1], place=7)
    other = other.replace(time=other.time + 5)  # pyright: ignore[reportAttributeAccessIssue]
    again, _ = ask(half, params, other, keys)
    np.testing.assert_array_equal(again.completion[::-1], first.completion)
    alone, _ = ask(half, params, shown(OBJECTS, params, [4]), keys[:1])
    np.testing.assert_array_equal(alone.completion[0], first.completion[4])


def test_other_trials_instances_and_questions_are_independent():
    params = OBJECTS.params_of([OBJECTS.presets["5x5"]] * 2)
    half, keys = Recorded(OBJECTS, (0.5,)), keys_of(400)

    def right(key, count, instance):
        states = shown(OBJECTS, params, [count] * len(keys), instance)
        return accepted(OBJECTS, params, states, ask(half, params, states, key)[0])

    first = right(keys, 3, 0)
    assert abs(first.mean() - 0.5) < 0.1  # other trials, 4 standard errors
    for other in (right(keys, 4, 0), right(keys, 3, 1), right(keys_of(400, seed=1), 3, 0)):
        assert abs((first == other).mean() - 0.5) < 0.1


@pytest.mark.parametrize(
    "env",
    [
        *map(CubeStacking, (2, 5, 12)),
        *map(ObjectArrangement, ("2x2", "5x5", "8x8")),
        *map(ImageCompletion, ("2x3", "10x10")),
    ],
    ids=range(8),
)
def test_a_wrong_answer_is_never_accepted_and_can_be_read(env):
    params = env.sample_params(jax.random.key(1), 20)
    states = jax.vmap(lambda i: env.initial_state(jax.random.key(0), i, params))(jnp.arange(20))
    answers, _ = ask(never_right(env), params, states, keys_of(20))
    assert not accepted(env, params, states, answers).any()
    target = jax.vmap(env.target, (0, None))(states.instance, params)
    assert (answers.completion != target).all()
    sizes = [len(slot.values) for slot in env.completion.slots]
    assert ((answers.completion >= 0) & (answers.completion < np.array([sizes]))).all()


@WORLDS
def test_a_wrong_answer_comes_back_from_its_text(env):
    params, tokenizer = env.default_params, tiny_model().tokenizer
    states = shown(env, params, [1])
    answers, _ = ask(never_right(env), params, states, keys_of(1))
    text = env.completion.render(answers.completion[0].tolist())
    tokens = tokenizer.encode(text, add_special_tokens=False)
    found, whole = parsing.compile(env.completion, tokenizer).parse(jnp.asarray(tokens, jnp.int32))
    assert bool(whole)
    np.testing.assert_array_equal(found, answers.completion[0])


def test_at_other_sizes_the_nearest_fraction_counts():
    """Against Python's own arithmetic; the larger of two that are as near."""
    env, key = ObjectArrangement("3x4"), keys_of(1)[0]
    params = env.params_of([["####", "##..", "...."]])
    for k in (1, 3, 4, 9):
        told = [float(i % 2) for i in range(k + 1)]
        states = shown(env, params, np.arange(7))
        answers, _ = ask(Recorded(env, tuple(told)), params, states, jnp.broadcast_to(key, 7))
        right = [told[math.floor(Fraction(n, 6) * k + Fraction(1, 2))] for n in range(7)]
        np.testing.assert_array_equal(accepted(env, params, states, answers), right)


def test_rows_that_are_not_needed_are_not_asked():
    params = CUBES.default_params
    states = shown(CUBES, params, [3, 4, 5])
    answers, counters = ask(Recorded.of(CUBES), params, states, keys_of(3), [True, False, True])
    assert answers.readable.tolist() == [True, False, True]
    assert (int(counters.queries), int(counters.evaluations)) == (2, 2)


class Elsewhere(CubeStacking):
    @property
    def name(self):
        return "Elsewhere-v0"


class OneWay(CubeStacking):
    @property
    def completion(self):
        return Template((Slot("only", (" a",)), Literal("\n", Scope.STATE)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Recorded(CUBES, ()), "probabilities is empty; right: one for each count"),
        (lambda: Recorded(CUBES, (0.5, 1.5)), "probabilities has 1.5; each must lie in [0, 1]"),
        (lambda: Recorded(CUBES, (math.nan,)), "probabilities has nan; each must lie in [0, 1]"),
        (lambda: Recorded(CUBES, 0.5), "probabilities is 0.5; it must be a list"),  # pyright: ignore
        (lambda: Recorded.of(Elsewhere()), "no answers are recorded in Elsewhere-v0; valid: Cube"),
        (lambda: Recorded.of(FrozenLake()), "FrozenLake-lprl has no pattern to complete; valid: "),
        (lambda: never_right(FrozenLake()), "FrozenLake-lprl has no pattern to complete; valid: "),
        (lambda: never_right(OneWay()), "the slot 'only' of the completion of CubeStacking-lprl"),
    ],
    ids=range(8),
)
def test_it_is_refused_in_one_line(call, words):
    with pytest.raises(InvalidInput) as error:
        call()
    assert refusal(error).startswith(words)
