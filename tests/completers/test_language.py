"""A language model completes patterns: against plain runs of whole texts, and by the model card."""

import dataclasses
import functools
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from completers.worlds import accepted, ask, keys_of, refusal, shown
from lprl_envs import (
    CubeStacking,
    FrozenLake,
    InvalidInput,
    Literal,
    ObjectArrangement,
    Scope,
    Slot,
    Template,
)
from priors.tiny import _logits, tiny_model

from lprl_jax.completers import LanguageCompleter
from lprl_jax.lm import embedded, generation
from lprl_jax.lm.checkpoint import load
from lprl_jax.pretraining import measuring
from lprl_jax.pretraining.tasks import CompletionTask
from lprl_jax.priors import LanguagePrior, fingerprint
from lprl_jax.priors.fingerprint import Here

CUBES, OBJECTS = CubeStacking(4), ObjectArrangement("5x5")
EIGHT = CubeStacking(8)
COUNTS = (0, 2, 3, 5, 6, 8)


@functools.cache
def embedded_model():
    return load(embedded.path_of("embedded"))


@functools.cache
def objects():
    """Two patterns, states of both, and the embedded model, which was taught such patterns."""
    params = OBJECTS.sample_params(jax.random.key(5), 2, "train")
    parts = [shown(OBJECTS, params, COUNTS[i::2], i, place=11) for i in range(2)]
    states = jax.tree.map(lambda *x: jnp.concatenate(x), *parts)
    return params, states, LanguageCompleter.of_model(embedded_model(), OBJECTS, params, chunk=4)


def cubes(model, num=3, env=CUBES, **options):
    """Every height of some instances, and a completer of them."""
    params, heights = env.sample_params(jax.random.key(2), num), env.num_states
    numbers = jnp.arange(heights * num)
    states = jax.vmap(lambda i: env.state_at(i // heights, i % heights, params))(numbers)
    return params, states, LanguageCompleter.of_model(model, env, params, **options)


def plain(model, env, params, states):
    """What follows each prompt as one sequence, the likeliest token each time: the texts."""
    prompts = []
    for i in range(len(states.time)):
        state = env.question(jax.tree.map(lambda x, i=i: x[i], states), params)
        text = env.completion_prompt.render(env.slots(state, params).tolist())
        prompts.append(model.tokenizer.encode(text))
    ends = np.array([len(prompt) for prompt in prompts])
    more = 2 * env.completion.num_slots + 1
    tokens = np.zeros((len(prompts), ends.max() + more), np.int32)
    for row, prompt in zip(tokens, prompts, strict=True):
        row[: len(prompt)] = prompt
    rows = np.arange(len(tokens))
    for i in range(more):
        logits = np.asarray(_logits(model.config, model.params, tokens))
        tokens[rows, ends + i] = logits[rows, ends + i - 1].argmax(axis=-1)
    return [
        model.tokenizer.decode(row[end : end + more], clean_up_tokenization_spaces=False)
        for row, end in zip(tokens, ends, strict=True)
    ]


def read(env, text):
    """The slots of a text by a regular expression, or None."""
    pieces = [
        re.escape(segment.text)
        if isinstance(segment, Literal)
        else f"({'|'.join(map(re.escape, segment.values))})"
        for segment in env.completion.segments
    ]
    found = re.match("".join(pieces), text)
    slots = env.completion.slots
    return found and [s.values.index(v) for s, v in zip(slots, found.groups(), strict=True)]


def same_as_plain(env, params, states, completer):
    """How many of the answers could be read."""
    answers, _ = ask(completer, params, states, keys_of(len(states.time)))
    texts = plain(completer.model, env, params, states)
    for text, completion, readable in zip(texts, *answers, strict=True):
        right = read(env, text)
        assert bool(readable) == (right is not None), text
        if right is not None:
            assert completion.tolist() == right
    return int(answers.readable.sum())


def test_it_writes_what_whole_texts_would_be_continued_with():
    params, states, completer = objects()
    assert same_as_plain(OBJECTS, params, states, completer) == len(COUNTS)
    answers, counters = ask(completer, params, states, keys_of(len(COUNTS)))
    assert accepted(OBJECTS, params, states, answers).any()  # it was taught such patterns
    assert (int(counters.queries), int(counters.evaluations)) == (len(COUNTS),) * 2
    assert answers.completion.dtype == jnp.int32


def test_of_cubes_too():
    params, states, completer = cubes(embedded_model(), 2, EIGHT)
    assert same_as_plain(EIGHT, params, states, completer) == 18


def test_an_answer_does_not_depend_on_who_is_asked_beside():
    params, states, completer = objects()
    keys = keys_of(len(COUNTS))
    together, _ = ask(completer, params, states, keys)
    run = jax.jit(completer.complete)
    for i in (1, 4):
        one = jax.tree.map(lambda x, i=i: x[i : i + 1], states)
        there = completer.params, completer.init(), keys[i : i + 1], one, params
        alone, _ = run(*there, jnp.ones(1, bool))
        np.testing.assert_array_equal(alone.completion[0], together.completion[i])
        assert bool(alone.readable[0]) == bool(together.readable[i])


def test_rows_that_are_not_needed_are_not_run(monkeypatch):
    runs, sample = [], generation.sample

    def counted(*args):
        jax.debug.callback(lambda: runs.append(1))
        return sample(*args)

    monkeypatch.setattr(generation, "sample", counted)
    params, states, _ = objects()
    completer = LanguageCompleter.of_model(embedded_model(), OBJECTS, params, chunk=2)
    whole, _ = ask(objects()[2], params, states, keys_of(6))
    run = jax.jit(completer.complete)
    for needed in ([True, False, True, False, False, True], [False] * 6):
        runs.clear()
        given = completer.params, completer.init(), keys_of(6), states, params
        answers, counters = jax.block_until_ready(run(*given, jnp.array(needed)))
        jax.effects_barrier()
        assert len(runs) == -(-sum(needed) // 2)
        assert (int(counters.queries), int(counters.evaluations)) == (sum(needed),) * 2
        assert answers.readable.tolist() == needed
        np.testing.assert_array_equal(
            np.asarray(answers.completion)[needed], np.asarray(whole.completion)[needed]
        )


@pytest.mark.parametrize("env", [EIGHT, OBJECTS], ids=["cubes", "objects"])
def test_the_model_card_says_the_same(env):
    """`measure_completions` runs whole texts, without prefixes, and where everything is asked."""

    def draw(key, params, instance, num):
        counts = jax.random.randint(key, (num,), 1, 7)
        right = jnp.ones((num, env.num_actions), bool)
        if env is EIGHT:
            return jax.vmap(lambda i: env.state_at(instance, i, params))(counts), right
        pattern = params.bank.cells[instance]
        cells = pattern[None] & (jnp.cumsum(pattern)[None] <= counts[:, None])
        rows = jnp.full(num, instance), cells, jnp.zeros(num, jnp.int32)
        return jax.vmap(env.state_of)(*rows), right

    given: Any = (env, env.sample_params, draw, 1, 3)
    task, model, num = CompletionTask("whole", *given), embedded_model(), 4
    right = measuring.measure_completions(model, task, num, seed=3)
    key_bank, key_states = jax.random.split(jax.random.key(3))
    bank = task.sample(key_bank, num, "held-out")
    states, *_ = measuring._drawing(env, task.draw, task.states)(key_states, bank)
    states = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), states)
    completer = LanguageCompleter.of_model(model, env, bank)
    answers, _ = ask(completer, bank, states, keys_of(3 * num))
    passes = accepted(env, bank, states, answers)
    revealed = np.asarray(jax.vmap(env.revealed, (0, None))(states, bank))
    place = np.minimum((revealed * measuring.BINS).astype(int), measuring.BINS - 1)
    for i, (count, share) in enumerate(zip(right.shown, right.accepted, strict=True)):
        assert (place == i).sum() == count
        assert passes[place == i].sum() == pytest.approx(count * share)
    assert 1 - np.asarray(answers.readable).mean() == pytest.approx(right.malformed)


def test_a_model_that_cannot_be_read_is_no_crash():
    params, states, completer = cubes(tiny_model())
    assert same_as_plain(CUBES, params, states, completer) < 8
    answers, _ = ask(completer, params, states, keys_of(15))
    assert not accepted(CUBES, params, states, answers).any()


def test_weights_for_tokens_that_no_tokenizer_knows_write_nothing_readable():
    """Of a model whose head has more rows than its tokenizer has tokens, and likes those best."""
    model = tiny_model()
    config = dataclasses.replace(model.config, vocab_size=model.config.vocab_size + 7)
    rows = jnp.pad(model.params["embedding"], [(0, 7), (0, 0)])
    head = jnp.pad(model.params["head"], [(0, 7), (0, 0)])
    # Whatever the hidden state is, one of two opposite rows is far above all others.
    head = head.at[-2:].set(1e3 * jnp.stack([jnp.ones(head.shape[1]), -jnp.ones(head.shape[1])]))
    weights = {**model.params, "embedding": rows, "head": head}
    params, states, completer = cubes(model._replace(config=config, params=weights), 1)
    answers, _ = ask(completer, params, states, keys_of(5))
    assert not answers.readable.any()


def test_what_is_sampled_is_frozen():
    """By the key and the question: the offer, the row and the time change nothing."""
    params, states, _ = objects()
    completer = LanguageCompleter.of_model(
        embedded_model(), OBJECTS, params, temperature=3.0, chunk=4
    )
    keys = jnp.broadcast_to(keys_of(1)[0], len(COUNTS))
    run = jax.jit(completer.complete)

    def asked(keys, states):
        given = completer.params, completer.init(), keys, states, params
        return run(*given, jnp.ones(len(COUNTS), bool))[0]

    first = asked(keys, states)
    turned = jax.tree.map(lambda x: x[::-1], states)
    turned = turned.replace(time=turned.time + 3, offered=turned.offered + 1)
    np.testing.assert_array_equal(asked(keys, turned).completion[::-1], first.completion)
    other = asked(jnp.broadcast_to(keys_of(2)[1], len(COUNTS)), states)
    assert (other.completion != first.completion).any()
    greedy, _ = ask(objects()[2], params, states, keys)
    assert (greedy.completion != first.completion).any()
    assert completer.name == f"{embedded_model().name} (temperature 3)"


def test_another_bank_is_as_if_made_for_it():
    params, states, completer = objects()
    other = OBJECTS.sample_params(jax.random.key(6), 2)
    moved = completer.with_bank(other)
    right = LanguageCompleter.of_model(embedded_model(), OBJECTS, other, chunk=4)
    jax.tree.map(np.testing.assert_array_equal, moved.params, right.params)
    here = Here(fingerprint.world_of(OBJECTS), fingerprint.bank_of(other))
    fingerprint.require(moved.params, here, "the completer")
    with pytest.raises(InvalidInput, match="the completer was made for a bank of 2 instances"):
        fingerprint.require(completer.params, here, "the completer")
    # A model that is asked for an action has read another text.
    prior = LanguagePrior.of_model(embedded_model(), OBJECTS, params)
    models = [fingerprint.models_of(asked.params) for asked in (completer, prior)]
    assert models[0] != models[1]


@pytest.mark.parametrize("env", [CUBES, OBJECTS], ids=["cubes", "objects"])
def test_the_target_stands_in_no_prompt(env):
    """Another target that shows the same so far: the same tokens."""
    if env is CUBES:
        bank = CUBES.sample_params(jax.random.key(2), 1)
        two = jax.tree.map(lambda x: jnp.repeat(x, 2, axis=0), bank.bank)
        swapped = two.target.at[1, 2:].set(two.target[0, :1:-1])
        place = jnp.argsort(swapped, axis=1).astype(two.place.dtype)
        params = bank.replace(  # pyright: ignore[reportAttributeAccessIssue]
            bank=dataclasses.replace(two, target=swapped, place=place), instances=jnp.arange(2)
        )
        states = jax.vmap(lambda i: CUBES.state_at(i, 2, params))(jnp.arange(2))
    else:
        params = OBJECTS.params_of([["#####", "##...", *["....."] * 3], ["###..", *["#...."] * 4]])
        cells = jnp.broadcast_to(jnp.arange(25)[None] < 3, (2, 25))
        states = jax.vmap(OBJECTS.state_of)(jnp.arange(2), cells, jnp.zeros(2, jnp.int32))
    targets = jax.vmap(env.target, (0, None))(states.instance, params)
    assert (targets[0] != targets[1]).any()
    reader = LanguageCompleter.of_model(tiny_model(), env, params).reader
    for tokens in (*reader.render(params), *reader.read_states(states, params)[:2]):
        np.testing.assert_array_equal(tokens[0], tokens[1])


class Ambiguous(CubeStacking):
    @property
    def completion(self):
        slots = (Slot(f"place {i}", (" a", " a b")) for i in range(4))
        return Template((*slots, Literal("\n", Scope.STATE)))


def of_context(columns):
    config = dataclasses.replace(tiny_model().config, max_position_embeddings=columns)
    return LanguageCompleter.of_model(tiny_model()._replace(config=config), CUBES)


def test_prompt_and_pattern_must_fit_the_context():
    """The longest prompt, of the whole stack, and every token of an answer but the last."""
    params = CUBES.default_params
    text = CUBES.completion_prompt.render(
        CUBES.slots(CUBES.state_at(0, 4, params), params).tolist()
    )
    answer = CUBES.completion.render([0, 1, 2, 3])
    columns = sum(len(tiny_model().tokenizer.encode(part)) for part in (text, answer)) - 1
    of_context(columns)
    with pytest.raises(InvalidInput) as error:
        of_context(columns - 1)
    assert refusal(error) == (
        f"a prompt with a whole pattern, every part at its longest, takes {columns} tokens, and "
        f"tiny reads {columns - 1}; a smaller environment, or a model with a longer context, fits"
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cubes(tiny_model(), temperature=-1), "temperature is -1; it must be 0 or above"),
        (lambda: cubes(tiny_model(), chunk=0), "chunk is 0; at least 1 state is asked about"),
        (lambda: LanguageCompleter.of_model(tiny_model(), FrozenLake()), "FrozenLake-lprl has no"),
        (
            lambda: LanguageCompleter.of_model(tiny_model(), Ambiguous(4)),
            "of (' a', ' a b') one begins another; an answer's end could not be told",
        ),
    ],
    ids=range(4),
)
def test_it_is_refused_in_one_line(call, words):
    with pytest.raises(InvalidInput) as error:
        call()
    assert refusal(error).startswith(words)
