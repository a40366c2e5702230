"""What was taught is drawn again: no text of a held-out instance, where the text carries it."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lprl_jax.pretraining import lessons, replay
from lprl_jax.pretraining.curriculum import TASKS
from lprl_jax.pretraining.pretrain import PretrainConfig, step_key
from lprl_jax.pretraining.tasks import ActionTask
from lprl_jax.pretraining.tokenizer import train_tokenizer

STEPS = (1, 800)
NUM_HELD_OUT = 12


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TASKS)


@pytest.fixture(scope="module")
def found(tokenizer):
    replayed = replay.replay(PretrainConfig(), TASKS, tokenizer, STEPS, NUM_HELD_OUT)
    return {row.task: row for row in replayed.held_out}


def test_every_task_is_replayed(found):
    assert set(found) == {task.name for task in TASKS}
    for row in found.values():
        assert row.lesson_texts > 0
        assert row.texts > 0
        assert 0 < row.instances <= NUM_HELD_OUT


def test_no_text_of_a_held_out_instance_was_taught(found):
    carried = [row for row in found.values() if row.held_out_as == "text"]
    assert {row.task.split(" ")[0] for row in carried} == {
        "FrozenLake",
        "BlocksWorld",
        "CubeStacking",
    }
    assert all(row.taught_texts == 0 and row.is_kept_apart for row in carried)


def test_no_held_out_pattern_was_taught_though_some_texts_were(found):
    hidden = [row for row in found.values() if row.held_out_as == "content"]
    assert {row.task.split(" ")[0] for row in hidden} == {"ImageCompletion", "ObjectArrangement"}
    assert all(row.taught_instances == 0 and row.is_kept_apart for row in hidden)


def test_it_finds_what_was_taught(tokenizer):
    # A task whose lessons are of both sides.
    (task,) = [task for task in TASKS if task.name == "BlocksWorld 4"]
    assert isinstance(task, ActionTask)

    def sample(key, num_instances, split):
        side = None if split == "train" else split
        return task.env.sample_params(key, num_instances, side)

    leaky = dataclasses.replace(task, sample=sample)
    leak = replay.replay(PretrainConfig(), [leaky], tokenizer, range(1, 9), NUM_HELD_OUT)
    (row,) = leak.held_out
    assert not row.is_kept_apart
    assert row.taught_texts > 0


def test_the_replayed_texts_are_those_of_the_lessons(tokenizer):
    # The same tokens as in the batch that the loss is of, hashed by hand on the host.
    (task,) = [task for task in TASKS if task.name == "CubeStacking 8"]
    course = task.compile(tokenizer)
    groups = lessons.grouped([task], tokenizer)
    ((key,),) = lessons.keys_of(groups, step_key(0, 3))
    widths = lessons.measure_widths(task, course, 1.0)
    batch = jax.device_get(lessons.draw_lessons(task, course, widths, key))
    texts = set()
    for g in range(task.instances):
        prefix = batch.prefix[g][batch.prefix_valid[g]].tolist()
        for s in range(task.states):
            text = prefix + batch.text[g, s][batch.text_valid[g, s]].tolist()
            texts.add(tuple(text))
    replayed = replay.replay(PretrainConfig(), [task], tokenizer, [3], NUM_HELD_OUT)
    (row,) = replayed.held_out
    assert row.lesson_texts == len(texts)
    pairs = {pair for text in texts for pair in itertools.pairwise(text)}
    assert replayed.pairs.tolist() == sorted(map(list, pairs))
    again = replay._hashed(replay._lessons(task, course, key)[0])
    right = {_by_hand(text) for text in texts}
    assert {tuple(pair) for pair in np.asarray(again).reshape(-1, 2).tolist()} == right


def _by_hand(text):
    padded = np.zeros(replay.COLUMNS, np.int32)
    padded[: len(text)] = text
    return tuple(int(x) for x in np.asarray(replay._two_hashes(jnp.asarray(padded))))
