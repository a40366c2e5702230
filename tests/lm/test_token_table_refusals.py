"""Templates and tokenizers that cannot be rendered piece by piece are refused, naming the pair."""

import jax.numpy as jnp
import pytest
from lprl_envs import InvalidInput, Literal, Scope, Slot, Template
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from lprl_jax.lm import token_table

KINDS = ("ours", "gpt-2", "llama-2", "llama-3", "qwen-2", "begins")


def words(*segments) -> Template:
    """A template: texts are literals, tuples the values of slots."""
    return Template(
        tuple(
            Literal(s, Scope.STATE) if isinstance(s, str) else Slot(f"slot {i}", s)
            for i, s in enumerate(segments)
        )
    )


@pytest.fixture
def refusal(tokenizer):
    """`refusal(template, answers, kind)`: the message."""

    def refuse(template, answers=(" go",), kind="gpt-2") -> str:
        with pytest.raises(InvalidInput) as caught:
            token_table.compile(template, answers, tokenizer(kind))
        message = str(caught.value)
        assert "\n" not in message
        return message

    return refuse


def test_a_value_without_its_space_is_refused(refusal):
    message = refusal(words("The lake", (" is",), " and right ", ("left", "down"), " go"))
    assert "' and right ' + 'left'" in message
    assert "begin the second with a space" in message


@pytest.mark.parametrize("kind", KINDS)
def test_digits_on_both_sides_of_a_join_are_refused(refusal, kind):
    """A pair of them can be innocent where a longer run is not: refused unseen."""
    message = refusal(
        words("At", (" a12", " b3"), ("4", "56"), " go", ("", " up"), " go"), kind=kind
    )
    assert "joins digits" in message
    assert "' a12' + '4'" in message


def test_an_empty_value_exposes_its_neighbours(refusal, tokenizer):
    good = words("the ha", (" left", " right"), " nd is", (" up",), " go")
    token_table.compile(good, [" up"], tokenizer("gpt-2"))
    message = refusal(words("the ha", (" left", ""), "nd is", (" up",), " go"))
    assert "'the ha' + 'nd is'" in message


def test_two_empty_values_in_a_row_expose_their_neighbours(refusal):
    bad = words("the ha", (" left", ""), ("", " right"), "nd is", (" up",), " go")
    assert "'the ha' + 'nd is'" in refusal(bad)


def test_answers_that_merge_with_the_last_literal_are_refused(refusal, tokenizer):
    template = words(("The", "A"), " Go")
    token_table.compile(template, [" up", "\n"], tokenizer("gpt-2"))
    assert "' Go' + 'ing'" in refusal(template, [" up", "ing"])


@pytest.mark.parametrize("kind", ["ends", "both"])
def test_a_tokenizer_that_ends_texts_is_refused(refusal, kind):
    assert "special tokens behind a text" in refusal(words("The", (" lake",), " go"), kind=kind)


def test_a_tokenizer_that_marks_the_beginning_of_a_text():
    """As SentencePiece does: a text reads as if a space came before it, a newline included."""
    pieces = {"<unk>": 0, "▁The": 1, "▁lake": 2, "▁go": 3, "▁\ngo": 4, "▁lake\ngo": 5}
    backend = Tokenizer(models.WordLevel(pieces, "<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    marks = PreTrainedTokenizerFast(tokenizer_object=backend)
    table = token_table.compile(words("The", (" lake",), " go"), [" go"], marks)
    assert table.render(jnp.zeros(1, jnp.int32))[0].tolist() == marks.encode("The lake go")
    with pytest.raises(InvalidInput, match=r"' lake' \+ '.ngo'"):
        token_table.compile(words("The", (" lake",), "\ngo"), [" go"], marks)


@pytest.mark.parametrize(
    ("values", "answers", "pair"),
    [
        ((" lake", " ice"), (" go", " come"), "' go' and ' come'"),
        ((" lake", " ice", " snow"), (" go",), "' ice' and ' snow'"),
    ],
)
def test_texts_that_a_tokenizer_does_not_tell_apart(values, answers, pair):
    """The model would find them equally likely, whatever it was trained to say."""
    backend = Tokenizer(models.WordLevel({"<unk>": 0, "lake": 1}, "<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    knows_little = PreTrainedTokenizerFast(tokenizer_object=backend)
    with pytest.raises(InvalidInput) as caught:
        token_table.compile(words("The", values, " is"), answers, knows_little)
    assert str(caught.value) == (
        f"this tokenizer writes {pair} alike, as ['<unk>']; it does not know their words"
    )
