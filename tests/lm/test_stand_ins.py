"""Every world's templates, completions and answers, for every layout of tokenizer there is."""

import numpy as np
import pytest
from lm.stand_ins import BYTE_LEVEL, KINDS, METASPACE, WORLDS, stand_in
from lprl_envs import Template
from lprl_envs.completion import Completable

from lprl_jax.lm import parsing, token_table
from lprl_jax.pretraining.tasks import END_OF_ACTION

NUM_TEXTS = 24
every_kind = pytest.mark.parametrize("kind", KINDS)


def rendered(table, slots) -> list[int]:
    """Columns of a table, looked up in plain Python."""
    found = []
    for columns in (table.prefix, table.suffix):
        for tokens, valid, slot in zip(columns.tokens, columns.valid, columns.slot, strict=True):
            value = [*slots, 0][slot]
            found += [int(tokens[value])] if valid[value] else []
    return found


def templates(env) -> list[tuple[Template, list[str]]]:
    """All that is asked of a world, and what may answer."""
    actions = [text + END_OF_ACTION for text in env.action_texts]
    found = [(env.template, actions)]
    if isinstance(env, Completable):
        prompt, completion = env.completion_prompt, env.completion
        joined = Template((*prompt.segments, *completion.segments))
        found += [(prompt, []), (completion, []), (joined, [])]
    return found


@every_kind
@pytest.mark.parametrize("env", WORLDS, ids=lambda env: f"{env.name}-{env.template.num_slots}")
def test_every_text_is_rendered_as_the_tokenizer_writes_it(kind, env):
    tokenizer, rng = stand_in(kind), np.random.default_rng(1)
    for template, answers in templates(env):
        table = token_table.compile(template, answers, tokenizer)
        sizes = [len(slot.values) for slot in template.slots]
        for _ in range(NUM_TEXTS):
            slots = rng.integers(0, sizes).tolist()
            assert rendered(table, slots) == tokenizer.encode(template.render(slots))
        first = [0] * len(sizes)
        text, before = template.render(first), rendered(table, first)
        for answer, tokens in zip(answers, table.answers, strict=True):
            assert tokenizer.encode(text + answer) == [*before, *tokens]
    if isinstance(env, Completable):
        parsing.compile(env.completion, tokenizer)


# -- that they are what they stand for -----------------------------------------------------------


@every_kind
def test_they_have_a_token_of_two_commas(kind):
    """As every real vocabulary has, and no text of ours."""
    assert ",," in stand_in(kind).get_vocab()
    assert not any(
        ",," in template.render([1] * template.num_slots) for template in all_templates()
    )


def all_templates():
    return [template for env in WORLDS for template, _ in templates(env)]


@pytest.mark.parametrize("kind", ["llama-bpe", "qwen2", "tekken"])
def test_they_join_a_stop_with_the_line_break_behind_it(kind):
    assert ".Ċ" in stand_in(kind).tokenize("The ice is firm.\nHoles")


def test_they_split_texts_in_as_many_ways():
    """The pre-tokenizers alone, whatever was learnt behind them."""
    text = "1234 isn't.\n\nGo NoW/\n  on"
    pieces = {
        kind: stand_in(kind).backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)
        for kind in BYTE_LEVEL
    }
    assert len({str(found) for found in pieces.values()}) == len(BYTE_LEVEL)


def test_metaspaces_differ_in_what_comes_before_a_text():
    first = {scheme: stand_in(f"metaspace-{scheme}").tokenize("go") for scheme in METASPACE}
    assert first["never"][0][0] == "g"
    assert all(first[scheme][0][0] == "▁" for scheme in ("always", "first", "prepend"))
    spaced = {scheme: stand_in(f"metaspace-{scheme}").tokenize(" go") for scheme in METASPACE}
    assert spaced["prepend"] != spaced["always"] == spaced["first"] == spaced["never"]


@pytest.mark.parametrize("scheme", ["always", "first", "never", "prepend"])
def test_a_pieces_own_tokens_are_those_behind_another_text(scheme):
    """Not the first one's, before which these put a space unless it begins with one."""
    tokenizer = stand_in(f"metaspace-{scheme}")
    encode = token_table.Encoder(tokenizer)
    assert encode.start == [tokenizer.convert_tokens_to_ids("<s>")]
    for text in ("\nAt a1", " left", ".\nMy", ", the red block", "Move", "\n\nMove"):
        joint = tokenizer.encode(f"x y\n{text}" if text[0] == "M" else f"x y{text}")
        before = tokenizer.encode("x y\n" if text[0] == "M" else "x y")
        assert before + encode(text) == joint
        assert encode.first(text) == tokenizer.encode(text)
