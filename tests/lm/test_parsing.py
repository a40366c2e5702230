"""Reading a completion: every text of a template comes back as its slots, everything else not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import InvalidInput, Literal, Scope, Slot, Template

from lprl_jax.lm import parsing, token_table

CELLS = (" o", " x", " big red cube")
PICTURE = Template(
    (
        Slot("a", CELLS),
        Slot("b", CELLS),
        Literal(" and", Scope.STATE),
        Slot("c", ("\no", "\nx")),
        Slot("d", CELLS),
        Literal("\nend\n", Scope.STATE),
    )
)
VALUES = [[0, 0, 0, 0], [2, 1, 1, 2], [1, 2, 0, 1]]
KINDS = pytest.mark.parametrize("kind", ["ours", "gpt-2", "llama-3", "begins"])


def read(tokenizer, texts, width=40):
    """Slots `[texts, 4]` and whether they are all there."""
    grammar = parsing.compile(PICTURE, tokenizer)
    rows = np.full((len(texts), width), tokenizer.encode(" o", add_special_tokens=False)[0])
    for row, text in zip(rows, texts, strict=True):
        tokens = tokenizer.encode(text, add_special_tokens=False)
        row[: len(tokens)] = tokens
    return jax.jit(jax.vmap(grammar.parse))(jnp.asarray(rows, jnp.int32))


@KINDS
def test_texts_come_back_as_slots(tokenizer, kind):
    slots, complete = read(tokenizer(kind), [PICTURE.render(values) for values in VALUES])
    assert slots.tolist() == VALUES
    assert slots.dtype == jnp.int32
    assert complete.tolist() == [True] * len(VALUES)


@KINDS
def test_what_does_not_fit_is_no_pattern(tokenizer, kind):
    right = PICTURE.render(VALUES[1])
    wrong = [
        right.replace("\nx", "\n", 1),  # an element is missing
        right.replace(" and", "", 1),
        right.replace(" big red", " big blue", 1),
        right.replace("\nend\n", "\nand", 1),  # the end is another
        "",
    ]
    assert not read(tokenizer(kind), wrong)[1].any()


def test_a_text_that_is_cut_off_is_no_pattern(tokenizer):
    right, grammar = PICTURE.render(VALUES[0]), parsing.compile(PICTURE, tokenizer("ours"))
    tokens = jnp.asarray(tokenizer("ours").encode(right), jnp.int32)
    assert bool(grammar.parse(tokens)[1])
    assert not any(bool(grammar.parse(tokens[:n])[1]) for n in range(len(tokens)))


def test_longest_text(tokenizer):
    grammar = parsing.compile(PICTURE, tokenizer("gpt-2"))
    texts = [PICTURE.render(values) for values in np.ndindex(3, 3, 2, 3)]
    assert grammar.num_tokens == max(len(tokenizer("gpt-2").encode(text)) for text in texts)


def test_values_whose_end_cannot_be_told_are_refused(tokenizer):
    template = Template((Slot("a", (" red", " red cube")), Literal("\n", Scope.STATE)))
    with pytest.raises(InvalidInput, match="one begins another"):
        parsing.compile(template, tokenizer("ours"))
    with pytest.raises(InvalidInput, match="one begins another"):
        parsing.compile(
            Template((Slot("a", ("", " red")), Literal("\n", Scope.STATE))), tokenizer("ours")
        )


@KINDS
def test_the_end_and_what_is_in_no_value_end_an_answer(tokenizer, kind):
    """Nothing that is read stands behind them, wherever they stand."""
    tokenizer = tokenizer(kind)
    cubes = Template((Slot("a", CELLS), Slot("b", CELLS), Literal("\n", Scope.STATE)))
    grammar = parsing.compile(cubes, tokenizer)
    encode = token_table.Encoder(tokenizer)
    inside = {token for value in CELLS for token in encode(value)}
    expected = np.array([token not in inside for token in range(len(tokenizer))])
    np.testing.assert_array_equal(grammar.ends, expected)


def test_an_end_that_also_stands_inside_ends_nothing(tokenizer):
    tokenizer = tokenizer("ours")
    lines = ("\n o", "\n x")
    rows = Template((Slot("a", lines), Slot("b", lines), Literal("\n", Scope.STATE)))
    twice = Template(
        (Slot("a", CELLS), Literal(" and", Scope.STATE), Slot("b", CELLS), PICTURE.segments[2])
    )
    for template in (rows, twice):
        grammar = parsing.compile(template, tokenizer)
        encode = token_table.Encoder(tokenizer)
        texts = [
            text
            for segment in template.segments
            for text in (segment.values if isinstance(segment, Slot) else (segment.text,))
        ]
        used = sorted({token for text in texts for token in encode(text)})
        assert not grammar.ends[used].any()
        assert grammar.ends.sum() == len(tokenizer) - len(used)
