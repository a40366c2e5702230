"""Free text to actions, against a plain-Python twin that reads the text itself."""

import functools
import re
import string

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import ENVIRONMENTS, InvalidInput

from lprl_jax.lm.byte_table import ByteTable
from lprl_jax.lm.projection import CONTAINED, EXACT, NONE, Projection

ACTIONS = (
    " go left",
    " go left now",
    " Take cabinet 1",
    " take cabinet 10",
    " take cabinet 11",
    " open",
    " shut",
    " look, then take",
    " heb’ das Öl",
)
WIDTH = 48
KINDS = pytest.mark.parametrize("kind", ["ours", "llama-2", "qwen-2", "doubles"])


@functools.cache
def compiled(tokenizer, texts=ACTIONS, end="\n"):
    """The projection, and the same for rows of tokens."""
    projection = Projection.of(texts, tokenizer, len(tokenizer), end)
    return projection, jax.jit(jax.vmap(projection.project))


def words_of(text):
    """What is compared, character by character."""
    out = []
    for character in text:
        code = ord(character)
        blank = code < 128 and character not in string.ascii_letters + string.digits
        blank |= 0xA0 <= code <= 0xBF or 0x2000 <= code <= 0x207F or 0x3000 <= code <= 0x303F
        folded = character.lower() if code < 128 else character
        out.append(" " if blank else folded)
    return "".join(out).split()


def twin(text, legal, texts=ACTIONS, end="\n"):
    """`(action, how)`."""
    answer = words_of(text.split(end)[0] if end else text)
    options = [(number, words_of(own)) for number, own in enumerate(texts) if legal[number]]
    for number, own in options:
        if own == answer:
            return number, EXACT
    best = None
    for number, own in options:
        for place in range(len(answer) - len(own) + 1):
            if answer[place : place + len(own)] == own:
                rank = len(" ".join(own).encode()), -place
                if best is None or rank > best[0]:
                    best = rank, number
    return (best[1], CONTAINED) if best else (-1, NONE)


def random_texts(rng, count):
    """Mixtures of action texts, their beginnings, words, noise of case and marks, and Unicode."""
    marks = [" ", "  ", ".", ", ", "-", "\t", "!", "…", "—", "\u3000", "\u00a0", "“", "/"]
    noise = ["cabinet", "1", "10", "é", "Ö", "go", "left", "right", "日本", "x", "not", "", "\n"]
    texts = []
    for _ in range(count):
        pieces = []
        for _ in range(rng.integers(0, 4)):
            text = ACTIONS[rng.integers(len(ACTIONS))]
            kind = rng.integers(5)
            if kind == 0:
                text = text[: rng.integers(len(text) + 1)]
            elif kind == 1:
                text = "".join(c.upper() if rng.random() < 0.5 else c for c in text)
            elif kind == 2:
                text = re.sub(" ", marks[rng.integers(len(marks))], text)
            elif kind == 3:
                text = noise[rng.integers(len(noise))]
            pieces += [text, marks[rng.integers(len(marks))] if rng.random() < 0.7 else ""]
        texts.append("".join(pieces))
    return texts


def rows_of(tokenizer, texts):
    """Tokens `i32[N, WIDTH]`, a special token behind; and the texts that fit."""
    encoded = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    kept = [(text, row) for text, row in zip(texts, encoded, strict=True) if len(row) < WIDTH]
    projection, _ = compiled(tokenizer)
    over = int(np.flatnonzero(projection.table.special)[0]) if projection.table.special.any() else 0
    rows = np.full((len(kept), WIDTH), over, np.int32)
    for row, (_, tokens) in zip(rows, kept, strict=True):
        row[: len(tokens)] = tokens
    return rows, [text for text, _ in kept]


def test_equals_the_twin_on_ten_thousand_texts(tokenizer):
    rng, own = np.random.default_rng(0), tokenizer("ours")
    rows, texts = rows_of(own, random_texts(rng, 11_000))
    assert len(texts) >= 10_000
    legal = rng.random((len(rows), len(ACTIONS))) < 0.7
    rows, texts, legal = rows[:10_000], texts[:10_000], legal[:10_000]
    found = np.concatenate(
        [
            np.stack(compiled(own)[1](rows[i : i + 1_000], legal[i : i + 1_000]), axis=1)
            for i in range(0, 10_000, 1_000)
        ]
    )
    right = [twin(text, mask) for text, mask in zip(texts, legal, strict=True)]
    np.testing.assert_array_equal(found, right)
    counts = np.bincount(found[:, 1], minlength=3) / len(texts)
    assert (counts > 0.1).all()  # something of every kind


@pytest.mark.parametrize("kind", ["llama-2", "qwen-2"])
def test_equals_the_twin_with_other_tokenizers(tokenizer, kind):
    rng, own = np.random.default_rng(1), tokenizer(kind)
    rows, texts = rows_of(own, random_texts(rng, 1_000))
    legal = rng.random((len(rows), len(ACTIONS))) < 0.7
    found = compiled(own)[1](rows, legal)
    right = [twin(text, mask) for text, mask in zip(texts, legal, strict=True)]
    np.testing.assert_array_equal(np.stack([found.action, found.how], axis=1), right)


@pytest.mark.parametrize(
    ("text", "illegal", "right"),
    [
        (" go left\n", (), (0, EXACT)),
        ("Go LEFT.", (), (0, EXACT)),
        ("“go—left”", (), (0, EXACT)),
        ("I go left now, I think", (), (1, CONTAINED)),
        ("I go left now, I think", (1,), (0, CONTAINED)),
        ("go left now", (1,), (0, CONTAINED)),
        ("I take cabinet 10", (), (3, CONTAINED)),
        ("I take cabinet 10", (3,), (-1, NONE)),
        ("take cabinet 1, then 10", (), (2, CONTAINED)),
        ("shut, then open", (), (6, CONTAINED)),
        ("open, then shut", (), (5, CONTAINED)),
        ("reopen opens openly", (), (-1, NONE)),
        ("open\nshut", (), (5, EXACT)),
        ("\nopen", (), (-1, NONE)),
        ("heb das Öl", (), (8, EXACT)),
        ("heb das Ol", (), (-1, NONE)),
        ("Heb’ das  Öl!", (), (8, EXACT)),
        ("HEB’ DAS ÖL", (), (8, EXACT)),
        ("HEB’ DAS öL", (), (-1, NONE)),
        ("", (), (-1, NONE)),
        (" .\t!", (), (-1, NONE)),
    ],
)
def test_worked_by_hand(tokenizer, text, illegal, right):
    legal = np.ones(len(ACTIONS), bool)
    legal[list(illegal)] = False
    rows, _ = rows_of(tokenizer("ours"), [text])
    found = compiled(tokenizer("ours"))[1](rows, legal[None])
    assert (int(found.action[0]), int(found.how[0])) == right == twin(text, legal)


@pytest.mark.parametrize("texts", [(" take a", " a"), (" a", " take a")], ids=["first", "last"])
def test_a_text_that_another_ends_with(tokenizer, texts):
    """The whole answer counts; and where it is illegal, what it contains."""
    own, whole = tokenizer("ours"), texts.index(" take a")
    _, project = compiled(own, texts)
    rows, _ = rows_of(own, [" take a"] * 2)
    legal = np.ones((2, 2), bool)
    legal[1, whole] = False
    found = project(rows, legal)
    assert found.action.tolist() == [whole, 1 - whole]
    assert found.how.tolist() == [EXACT, CONTAINED]


def test_a_special_token_ends_the_text(tokenizer):
    own = tokenizer("ours")
    row = [*own.encode(" open"), own.eos_token_id, *own.encode(" shut")]
    rows = np.array([row + [own.eos_token_id] * (WIDTH - len(row))], np.int32)
    projection, project = compiled(own)
    assert int(project(rows, np.ones((1, len(ACTIONS)), bool)).action[0]) == 5
    assert int(projection.num_read(jnp.asarray(rows))[0]) == len(own.encode(" open")) + 1


@pytest.mark.parametrize("end", ["", "<end>"])
def test_other_ends(tokenizer, end):
    own, texts = tokenizer("ours"), ["open\nshut", "open<end>shut", "open <en", "x<end>open<end>"]
    rows, _ = rows_of(own, texts)
    legal = np.ones((len(rows), len(ACTIONS)), bool)
    found = compiled(own, end=end)[1](rows, legal)
    right = [twin(text, legal[0], end=end) for text in texts]
    assert list(zip(found.action.tolist(), found.how.tolist(), strict=True)) == right


@KINDS
def test_bytes_are_those_of_the_text(tokenizer, kind):
    own = tokenizer(kind)
    table = ByteTable.of(own, len(own) + 3)
    for text in (" go left\n", "Öl, “quoted”\t日本 <0x0A>", " a  b   c"):
        found = table.text(own.encode(text)).decode()
        assert found.removeprefix(" " if kind == "llama-2" else "") == text
    assert table.special[len(own) :].all()
    assert (table.length[table.special] == 0).all()


@pytest.mark.parametrize("env_id", list(ENVIRONMENTS))
def test_every_action_of_every_world_names_itself(tokenizer, env_id):
    own, texts = tokenizer("ours"), ENVIRONMENTS[env_id]().action_texts
    projection = Projection.of(texts, own, len(own), "\n")
    encoded = [own.encode(text + "\n") for text in texts]
    rows = np.zeros((len(texts), max(map(len, encoded))), np.int32)
    for row, tokens in zip(rows, encoded, strict=True):
        row[: len(tokens)] = tokens
    legal = np.ones((len(texts),) * 2, bool)
    found = jax.jit(jax.vmap(projection.project))(rows, legal)
    assert found.action.tolist() == list(range(len(texts)))
    assert (np.asarray(found.how) == EXACT).all()


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (("go left", " Go, left!"), "are the same words, 'go left'"),
        (("go", " ... "), "has no words"),
        (("go\nleft",), "which ends an action's text"),
    ],
)
def test_actions_that_cannot_be_told_are_refused(tokenizer, texts, said):
    with pytest.raises(InvalidInput, match=re.escape(said)):
        Projection.of(texts, tokenizer("ours"), 800, "\n")


def test_a_tokenizer_that_cannot_be_read_is_refused(tiny):
    own = tiny("plain")[0].tokenizer
    with pytest.raises(InvalidInput, match="decodes by no rule"):
        ByteTable.of(own, len(own))


def test_tokens_that_are_other_text_are_refused(tokenizer):
    own = tokenizer("ours")
    table = ByteTable.of(own, len(own))
    table.prove([" open"], [own.encode(" open")])
    with pytest.raises(InvalidInput, match="' shut' are read back as ' open'"):
        table.prove([" shut"], [own.encode(" open")])
