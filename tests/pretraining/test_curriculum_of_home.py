"""What `embedded-home` is taught: kitchens and rooms for training, and what is right there."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from priors.tiny import tiny_of

from lprl_jax.pretraining import lessons, measuring
from lprl_jax.pretraining.curriculum_of_home import HOME_PHRASES, HOME_TASKS
from lprl_jax.pretraining.tokenizer import train_tokenizer
from lprl_jax.priors.judging import make_legal_scorer, make_scorer, most_columns

pytestmark = pytest.mark.optimized

TASKS = {task.name: task for task in HOME_TASKS}
TOMATO = TASKS["Overcooked tomato"]
tokenizer = functools.cache(lambda: train_tokenizer(HOME_TASKS, HOME_PHRASES))


@functools.cache
def drawn(name):
    """A training instance's states, what is right and what is legal there."""
    task = TASKS[name]
    bank = task.sample(jax.random.key(0), 1, "train")
    states, right = jax.jit(lambda key: task.draw(key, bank, jnp.int32(0), 16))(jax.random.key(1))
    legal = jax.vmap(task.env.action_mask, (0, None))(states, bank)
    return bank, states, np.asarray(right), np.asarray(legal)


@pytest.mark.parametrize("name", TASKS)
def test_what_is_right_is_legal_and_asked_for_in_most_states(name):
    _, _, right, legal = drawn(name)
    assert not (right & ~legal).any()
    assert right.any(1).sum() >= 4
    assert (right.sum(1) < legal.sum(1))[right.any(1)].any()


@pytest.mark.parametrize("task", HOME_TASKS, ids=lambda task: task.name.replace(" ", "-"))
def test_held_out_instances_are_never_sampled(task):
    sample = jax.jit(lambda key: jax.vmap(task.env.held_out)(task.sample(key, 24, "train").bank))
    assert not any(sample(jax.random.key(seed)).any() for seed in range(2))


@pytest.mark.parametrize("task", HOME_TASKS, ids=lambda task: task.name.replace(" ", "-"))
def test_each_kind_of_instances_is_there_to_be_measured_on_and_to_fit_habits_on(task):
    for population in task.measured:
        own = population.sample(jax.random.key(0), 4, "held-out")
        assert jax.vmap(task.env.held_out)(own.bank).all()
        other = population.sample(jax.random.key(0), 4, "train")
        assert not jax.vmap(task.env.held_out)(other.bank).any()


def test_a_thing_with_its_number_is_one_token():
    ids = tokenizer().encode("\n egg 2 in fridge 1\n mug 1 on countertop 2")
    words = [tokenizer().decode([i]) for i in ids]
    assert words == ["\n egg 2", " in", " fridge 1", "\n mug 1", " on", " countertop 2"]


def test_texts_are_told_in_few_columns():
    task = TASKS["Household kitchen-small"]
    course = task.compile(tokenizer())
    bank, states, _, _ = drawn(task.name)
    (_, prefix), (_, text) = lessons.tell(task, course, states, bank)
    assert int(prefix.sum()) < 70
    assert int(text.sum(1).max()) < 200 < text.shape[1]


def test_of_legal_answers_alone_the_scores_are_the_same():
    task = TASKS["Overcooked tomato"]
    bank, states, _, legal = drawn(task.name)
    table = task.compile(tokenizer()).prompts
    slots = jax.vmap(task.env.slots, (0, None))(states, bank)[None]
    config, params, *_ = tiny_of(tokenizer())
    mask = jnp.asarray(legal)[None]
    few = make_legal_scorer(config, table, mask, most_columns(table, slots))(params, slots)
    every = make_scorer(config, table)(params, slots)
    np.testing.assert_allclose(few, jnp.where(mask, every, 0.0), rtol=2e-5, atol=2e-5)


def test_a_model_plays_where_states_cannot_be_listed(monkeypatch):
    """Whoever it is: here one that is asked at every step, and knows nothing."""
    monkeypatch.setattr(measuring.following, "PLAYED", 2)
    monkeypatch.setattr(measuring.following, "EPISODES", 2)
    for module in (measuring, measuring.following):
        monkeypatch.setattr(module, "can_list_states", lambda env: False)
    found = measuring.measure_actions({"tiny": tiny_of(tokenizer())}, TOMATO, TOMATO.measured[0], 3)
    assert found.success is not None
    assert 0 <= found.success.drawn.estimate <= 1
    assert found.uniform.top1 > 0.1
