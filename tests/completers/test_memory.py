"""The memory of answers, operation by operation, against a dictionary; and what is a question."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from completers.worlds import CUBES, OBJECTS, WORLDS, shown
from lprl_envs import ObjectArrangement

from lprl_jax.completers import Answers, memory

R, N, C, S = 2, 5, 4, 3
BITS = 2**32


class Twin:
    """One run's memory in plain Python: a cell each, the last row wins."""

    def __init__(self):
        self.cells = {}

    def look_up(self, question):
        tag, answer = self.cells.get(question[0] % C, (None, None))
        return answer if tag == question else None

    def store(self, question, answer):
        self.cells[question[0] % C] = question, answer


def test_it_is_what_a_dictionary_would_be():
    """Few questions and few cells: most steps hold questions twice, and forget one."""
    rng = np.random.default_rng(0)
    questions = rng.integers(1, BITS, (7, 2), dtype=np.uint32)
    questions[1] = questions[0] + [0, 1]  # one cell, told apart by the second word alone
    step = jax.jit(lambda m, h, a, mask: (memory.look_up(m, h), memory.store(m, h, a, mask)))
    ours, twins = memory.empty(R, C, S), [Twin() for _ in range(R)]
    hits = 0
    for _ in range(300):
        asked = rng.integers(0, len(questions), (R, N))
        mask = rng.random((R, N)) < 0.5
        new = rng.integers(0, 50, (R, N, S)).astype(np.int32), rng.random((R, N)) < 0.7
        answers = Answers(jnp.asarray(new[0]), jnp.asarray(new[1]))
        (known, found), ours = step(ours, questions[asked], answers, mask)
        for r, twin in enumerate(twins):
            for n in range(N):
                right = twin.look_up(tuple(questions[asked[r, n]].tolist()))
                assert bool(known[r, n]) == (right is not None)
                if right is not None:
                    hits += 1
                    assert found.completion.dtype == jnp.int32
                    assert (found.completion[r, n].tolist(), bool(found.readable[r, n])) == right
            for n in np.flatnonzero(mask[r]):
                answer = new[0][r, n].tolist(), bool(new[1][r, n])
                twin.store(tuple(questions[asked[r, n]].tolist()), answer)
    assert 300 < hits < 300 * R * N * 0.9  # some are known, and some forgotten


def test_nothing_is_known_of_an_empty_memory():
    known, answers = memory.look_up(memory.empty(1, 8, 2), jnp.zeros((1, 3, 2), jnp.uint32) + 5)
    assert not known.any()
    assert not answers.readable.any()


def test_what_is_not_asked_leaves_no_trace():
    """Not even of a later row in the same cell."""
    hashes = jnp.full((1, 2, 2), 9, jnp.uint32)
    answers = Answers(jnp.array([[[1, 2], [3, 4]]]), jnp.ones((1, 2), bool))
    kept = memory.store(memory.empty(1, 4, 2), hashes, answers, jnp.array([[True, False]]))
    known, found = memory.look_up(kept, hashes)
    assert known.all()
    assert found.completion.tolist() == [[[1, 2], [1, 2]]]


def test_it_is_written_in_place():
    """A step that reads, then writes, keeps no second table."""
    cells, slots = 512, 64

    def step(held, hashes):
        known, found = memory.look_up(held, hashes)
        answers = Answers(found.completion + 1, known)
        return memory.store(held, hashes, answers, ~known), jnp.sum(known)

    held = memory.empty(R, cells, slots)
    steps = jnp.ones((3, R, N, 2), jnp.uint32)
    run = jax.jit(lambda held, steps: jax.lax.scan(step, held, steps))
    analysis = run.lower(held, steps).compile().memory_analysis()
    assert analysis is not None
    assert analysis.temp_size_in_bytes < held.completion.nbytes / 4


def mixed(x):
    """The last step of MurmurHash3, of one number."""
    x = (x ^ (x >> 16)) * 0x85EBCA6B % BITS
    x = (x ^ (x >> 13)) * 0xC2B2AE35 % BITS
    return x ^ (x >> 16)


def plain_hash(numbers):
    """As `hash_of`, with Python's numbers."""
    words = []
    for flip in (0, 0x5BD1E995):
        own = [mixed((n ^ flip) ^ i * 0x9E3779B9 % BITS) for i, n in enumerate(numbers, 1)]
        words.append(mixed(sum(own) % BITS))
    return words if any(words) else [1, 1]


@WORLDS
def test_a_question_is_the_slots_of_its_prompt_and_the_instance(env):
    params = env.sample_params(jax.random.key(3), 2)
    states = shown(env, params, np.arange(4), instance=1)
    hashes = memory.prompt_hash(env, states, params)
    for i, found in enumerate(hashes.tolist()):
        state = env.question(jax.tree.map(lambda x, i=i: x[i], states), params)
        slots = env.slots(state, params).tolist()
        assert len(slots) == env.completion_prompt.num_slots
        assert found == plain_hash([*slots, 1])
    pairs = jax.tree.map(lambda x: x.reshape(2, 2, *x.shape[1:]), states)
    again = memory.prompt_hash(env, pairs, params)
    np.testing.assert_array_equal(again.reshape(4, 2), hashes)
    assert hashes.dtype == jnp.uint32


def test_different_floors_are_different_questions_and_offers_are_not():
    env = ObjectArrangement("3x4")
    params = env.params_of([["####", "####", "###."]] * 2)
    cells = (jnp.arange(2**12)[:, None] >> jnp.arange(12)[None]) % 2 == 1

    def hashes(instance, cell):
        rows = jnp.full(2**12, instance), cells, jnp.full(2**12, cell)
        states = jax.vmap(env.state_of)(*rows)
        return np.asarray(memory.prompt_hash(env, states, params))

    first = hashes(0, 0)
    np.testing.assert_array_equal(hashes(0, 5), first)
    both = np.concatenate([first, hashes(1, 0)])
    assert len(np.unique(both, axis=0)) == 2**13
    # The words are independent of each other: of the low 12 bits, as many pairs meet as by chance.
    low = both % 2**12
    meet = len(both) - len(np.unique(low[:, 0] * 2**12 + low[:, 1]))
    assert meet < 10  # 2 are expected


def test_no_question_is_the_mark_of_a_free_cell(monkeypatch):
    monkeypatch.setattr(memory, "content_hash", lambda numbers: jnp.uint32(0))
    assert memory.hash_of(jnp.arange(3)).tolist() == [1, 1]


@pytest.mark.parametrize("env", [CUBES, OBJECTS], ids=["cubes", "objects"])
def test_keys_are_of_key_and_question(env):
    params = env.default_params
    hashes = memory.prompt_hash(env, shown(env, params, [1, 2, 1]), params)
    keys = jnp.broadcast_to(jax.random.key(0), 3)
    found = jax.random.key_data(memory.question_keys(keys, hashes))
    np.testing.assert_array_equal(found[0], found[2])
    assert (found[0] != found[1]).any()
    other = memory.question_keys(jnp.broadcast_to(jax.random.key(1), 3), hashes)
    assert (jax.random.key_data(other) != found).any(axis=1).all()
