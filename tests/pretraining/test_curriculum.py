"""The curriculum: what is asked about patterns, and how a completion is taught."""

import functools
from typing import Any

import jax
import numpy as np
import pytest
from lprl_envs import CubeStacking
from lprl_envs.frozen_lake.maps import GOAL
from priors.tiny import tiny_model

from lprl_jax.lm import embedded
from lprl_jax.pretraining import curriculum, lessons
from lprl_jax.pretraining.curriculum import TASKS
from lprl_jax.pretraining.tasks import ActionTask, CompletionTask, planned

PATTERNS = [t for t in TASKS if isinstance(t, ActionTask) and hasattr(t.env, "pattern")]
CUBES = CubeStacking(4)


def names(tasks):
    return [task.name.replace(" ", "-") for task in tasks]


@pytest.mark.parametrize("task", PATTERNS, ids=names(PATTERNS))
def test_right_is_to_act_where_the_pattern_lacks_a_cell(task):
    env, bank = task.env, task.sample(jax.random.key(0), 1, "train")
    draw = jax.jit(lambda key: task.draw(key, bank, jax.numpy.int32(0), 64))
    states, right = jax.tree.map(np.asarray, draw(jax.random.key(1)))
    hidden = np.asarray(bank.bank.cells[0])
    shown, cell = jax.vmap(env.cells)(states), jax.vmap(env.cell)(states)
    assert not (shown & ~hidden[None]).any()
    for cells, c, answer in zip(np.asarray(shown), np.asarray(cell).tolist(), right, strict=True):
        acts = bool(hidden[c] and not cells[c])
        over = bool((cells == hidden).all())
        assert answer.tolist() == ([False, False] if over else [not acts, acts])
    assert {row.tobytes() for row in right} >= {b"\x01\x00", b"\x00\x01"}  # both are asked for


def test_half_of_a_scans_states_have_missed_nothing():
    task = next(task for task in PATTERNS if task.env.name == "ImageCompletion-lprl")
    bank = task.sample(jax.random.key(0), 1, "train")
    states, _ = task.draw(jax.random.key(1), bank, jax.numpy.int32(0), 64)
    passed = np.arange(100)[None] < np.asarray(states.pixel)[:, None]
    shown = np.asarray(states.image) == (np.asarray(bank.bank.cells) & passed)
    assert shown[:32].all()
    assert not shown[32:].all(1).any()


def test_a_completion_lesson_reads_as_prompt_and_pattern():
    task: Any = CompletionTask("cubes", CUBES, CUBES.sample_params, planned(CUBES, 8, 0.9), 3, 2)
    tokenizer = tiny_model().tokenizer
    course = task.compile(tokenizer)
    widths = lessons.measure_widths(task, course, 1.0, 8)
    drawn = jax.jit(functools.partial(lessons.draw_lessons, task, course, widths))(
        jax.random.key(0)
    )
    bank = task.sample(jax.random.split(jax.random.key(0))[0], 3, "train")
    for g, s in np.ndindex(3, 2):
        parts = [
            (drawn.prefix[g], drawn.prefix_valid[g]),
            (drawn.text[g, s], drawn.text_valid[g, s]),
            (drawn.answer[g, s], drawn.answer_valid[g, s]),
        ]
        text = tokenizer.decode([t for tokens, valid in parts for t in np.asarray(tokens)[valid]])
        whole = CUBES.completion.render(CUBES.target(jax.numpy.int32(g), bank).tolist())
        assert text.endswith(whole)
        assert text.startswith("Stack all the cubes.")
        shown = text.removesuffix(whole).partition("from the bottom")[2].split("\n")[0]
        assert whole.startswith(shown)  # the part that the state shows begins the pattern
    assert course.num_decisions == 4


def test_the_package_s_models_say_what_they_were_taught():
    assert {task.env.name for task in TASKS} == set(embedded.TAUGHT)


def test_tasks_have_names_of_their_own():
    assert len({task.name for task in curriculum.TASKS}) == len(TASKS)


def test_a_model_is_measured_on_lakes_of_either_kind_by_itself():
    lake = next(task for task in TASKS if task.name == "FrozenLake 4x4, firm")
    assert isinstance(lake, ActionTask)
    corner, anywhere = (
        np.asarray(population.sample(jax.random.key(0), 16, "held-out").bank.tiles) == GOAL
        for population in lake.measured
    )
    assert [population.name for population in lake.measured] == [
        "corner to corner",
        "start and goal anywhere",
    ]
    assert corner[:, -1].all()
    assert not anywhere[:, -1].all()
