"""Tokens in the graph equal the tokenizer's, for pre-tokenizers as they are published."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import FrozenLake, Literal, Scope, Slot, Template

from lprl_jax.lm import token_table
from lprl_jax.pretraining.tasks import END_OF_ACTION

NUM_MAPS = 25  # of each kind of ice
KINDS = ("ours", "gpt-2", "llama-2", "llama-3", "qwen-2", "begins", "doubles")


@functools.cache
def lakes():
    """Both kinds of ice on the same maps, and the slots `[M * S, num_slots]` of every state."""
    rng = np.random.default_rng(3)
    tiles = []
    for holes in np.linspace(0, 0.9, NUM_MAPS):
        grid = rng.choice([1, 2], 64, p=[1 - holes, holes])
        grid[rng.choice(64, 2, replace=False)] = 0, 3
        tiles.append(grid.reshape(8, 8))
    envs = [FrozenLake("8x8", is_slippery=slippery) for slippery in (False, True)]
    params = envs[0].params_of(tiles)
    instance, cell = jnp.divmod(jnp.arange(NUM_MAPS * 64), 64)
    states = jax.vmap(envs[0].state_at, in_axes=(0, 0, None))(instance, cell, params)
    slots = jax.jit(jax.vmap(envs[0].slots, in_axes=(0, None)))(states, params)
    return envs, params, states, np.asarray(slots)


@functools.cache
def texts(slippery):
    envs, _, _, slots = lakes()
    return [envs[slippery].template.render(row) for row in slots]


def compiled(tokenizer, slippery):
    template = lakes()[0][slippery].template
    answers = [text + END_OF_ACTION for text in FrozenLake().action_texts]
    return token_table.compile(template, answers, tokenizer)


# -- the invariant -------------------------------------------------------------------------------


def test_texts_are_what_the_environment_says():
    envs, params, states, _ = lakes()
    for i in range(7, NUM_MAPS * 64, 331):
        state = jax.tree.map(lambda leaf, i=i: leaf[i], states)
        for slippery in (False, True):
            assert texts(slippery)[i] == envs[slippery].describe(state, params)


@pytest.mark.parametrize("slippery", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_tokens_in_the_graph_equal_the_tokenizers_for_every_state(tokenizer, kind, slippery):
    table = compiled(tokenizer(kind), slippery)
    tokens, valid = jax.jit(jax.vmap(table.render))(lakes()[3])
    tokens, valid = np.asarray(tokens), np.asarray(valid)
    assert tokens.dtype == np.int32
    assert valid[:, -1].all()  # where the answer is read out
    expected = tokenizer(kind)(texts(slippery))["input_ids"]
    ours = [row[mask].tolist() for row, mask in zip(tokens, valid, strict=True)]
    assert ours == expected
    text = texts(slippery)[11]
    assert tokenizer(kind).decode(ours[11], skip_special_tokens=True) == text


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_continues_the_text(tokenizer, kind):
    table, text = compiled(tokenizer(kind), True), texts(True)[0]
    for words_, answer in zip(FrozenLake().action_texts, table.answers, strict=True):
        whole = tokenizer(kind).encode(text + words_ + END_OF_ACTION)
        assert whole == tokenizer(kind).encode(text) + list(answer)


def test_the_kinds_differ_in_what_they_merge(tokenizer):
    """A control: were they all alike, the test above would be one test."""
    pieces = {k: tokenizer(k).tokenize("ab 1234.\n\nGo") for k in ("gpt-2", "llama-3", "qwen-2")}
    assert len({tuple(p) for p in pieces.values()}) == 3
    assert tokenizer("begins").encode("go")[0] == 0


# -- columns -------------------------------------------------------------------------------------


def small_template(state_only=False) -> Template:
    segments = (
        Literal("Lake"),
        Slot("holes", ("", " b3", " right of the hands"), Scope.INSTANCE),
        Slot("more", (" c12", "", " d4"), Scope.INSTANCE),
        Literal("\nAt", Scope.STATE),
        Slot("cell", (" a1", " right", "")),
        Literal("\nGo right", Scope.STATE),
    )
    return Template(segments[3:] if state_only else segments)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state_only", [False, True])
def test_columns_agree_with_a_plain_twin(tokenizer, kind, state_only):
    """Prefix and suffix apart, for all values of all slots."""
    template = small_template(state_only)
    table = token_table.compile(template, [" left", "\n"], tokenizer(kind))

    def encode(text, before) -> list[int]:
        """What it adds to the tokens of what stands before it."""
        known = tokenizer(kind).encode(before) if before else []
        tokens = tokenizer(kind).encode(before + text)
        assert tokens[: len(known)] == known
        return tokens[len(known) :]

    for values in itertools.product(*[range(len(slot.values)) for slot in template.slots]):
        given, before = iter(values), ""
        expected: dict[bool, list[int]] = {False: [], True: []}
        for segment in template.segments:
            text = segment.text if isinstance(segment, Literal) else segment.values[next(given)]
            expected[segment.scope is Scope.STATE] += encode(text, before)
            before += text
        for columns, state in ((table.prefix, False), (table.suffix, True)):
            tokens, valid = columns.render(jnp.array(values, jnp.int32))
            assert np.asarray(tokens)[np.asarray(valid)].tolist() == expected[state]
    assert table.suffix.valid[-1].sum() >= 1
    assert table.suffix.slot[-1] == template.num_slots


def test_a_template_of_literals_alone(tokenizer):
    template = Template((Literal("Go right"),))
    table = token_table.compile(template, [" left"], tokenizer("begins"))
    tokens, valid = table.render(jnp.zeros(0, jnp.int32))
    assert np.asarray(tokens)[np.asarray(valid)].tolist() == tokenizer("begins").encode("Go right")
    assert len(table.prefix.slot) == 0


def test_two_slots_alike_are_told_apart(tokenizer):
    side = Slot("side", (" left", " right"))
    template = Template((side, Literal(" then", Scope.STATE), side, Literal(" go", Scope.STATE)))
    table = token_table.compile(template, [" up"], tokenizer("gpt-2"))
    tokens, valid = table.render(jnp.array([0, 1], jnp.int32))
    text = tokenizer("gpt-2").decode(np.asarray(tokens)[np.asarray(valid)])
    assert text == template.render([0, 1]) == " left then right go"


# -- compaction ----------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [3, 5, 9, 12])
def test_compact_keeps_what_is_valid_in_its_order(width):
    tokens = jnp.array([9, 8, 7, 6, 5, 4, 3, 2, 1], jnp.int32)
    valid = jnp.array([0, 1, 0, 0, 1, 0, 0, 0, 1], bool)
    moved, there = token_table.compact(tokens, valid, width)
    assert moved.shape == there.shape == (width,)
    assert moved[:3].tolist() == [8, 5, 1]
    assert there.tolist() == [True] * 3 + [False] * (width - 3)


def test_compact_of_nothing_and_of_everything():
    tokens = jnp.arange(4)
    assert not token_table.compact(tokens, jnp.zeros(4, bool), 2)[1].any()
    moved, there = token_table.compact(tokens, jnp.ones(4, bool), 4)
    assert moved.tolist() == [0, 1, 2, 3]
    assert there.all()
