"""Every world's texts with real vocabularies: tokens in the graph are those of what a state says.

`make test-vocabularies` makes the vocabularies, which downloads, and runs this; the default
selection leaves it out. What is not there is a failure.
"""

import functools
from typing import Any

import jax
import pytest
from lprl_envs import (
    Blackjack,
    BlocksWorld,
    BlocksWorldSubgoals,
    CartPole,
    CubeStacking,
    FrozenLake,
    Household,
    HouseholdOptions,
    ImageCompletion,
    KeyRooms,
    ObjectArrangement,
    Overcooked,
    Pendulum,
    Template,
    WatchRepair,
)
from lprl_envs.completion import Completable
from lprl_envs.conformance.subject import Subject
from lprl_envs.registration import ENVIRONMENTS
from transformers import PreTrainedTokenizerFast
from vocabularies.make import FOLDER, VOCABULARIES

from lprl_jax.lm import hugging_face, parsing, token_table
from lprl_jax.lm.check import check_texts, texts_of

pytestmark = pytest.mark.vocabularies

WORLDS: tuple[Any, ...] = (
    FrozenLake("4x4"),
    FrozenLake("8x8", is_slippery=False),
    CubeStacking(2),
    CubeStacking(8),
    BlocksWorld(4),
    BlocksWorld(6),
    BlocksWorldSubgoals(3),
    BlocksWorldSubgoals(5),
    ImageCompletion("3x3"),
    ImageCompletion("10x10"),
    ObjectArrangement("3x3"),
    ObjectArrangement("8x3"),
    KeyRooms(2),
    KeyRooms(3),
    CartPole(),
    Pendulum(),
    Blackjack(),
    Blackjack(sab=False, natural=True),
    WatchRepair(),
    Overcooked(),
    Overcooked("tomato", "paper"),
    Overcooked("salad", "paper"),
    Household("bathroom"),
    Household("bedroom", commands="all"),
    HouseholdOptions(),
    HouseholdOptions("bedroom"),
)
LARGEST = (BlocksWorld(12), CubeStacking(12), KeyRooms(6), Household("kitchen"))
"""As large as they come: proven and sampled, without going through states."""


def named(env) -> str:
    return f"{env.name}-{env.template.num_slots}"


@functools.cache
def evidence(env) -> tuple[Subject, list[str]]:
    """States of three random instances, and what they say: worked out once for all vocabularies.

    So the tests of a world come one after the other.
    """
    subject = Subject(env, env.sample_params(jax.random.key(0), 3))
    return subject, texts_of(subject)


@functools.cache
def vocabulary(name: str) -> PreTrainedTokenizerFast:
    return hugging_face.read_tokenizer(FOLDER / name)


def answers_of(env) -> list[str]:
    return [text + "\n" for text in env.action_texts]


def test_every_registered_world_is_here():
    assert {type(env) for env in WORLDS} == set(ENVIRONMENTS.values())


@pytest.mark.parametrize("name", VOCABULARIES)
def test_the_vocabulary_is_the_published_one(name):
    """Its size, and two commas as one token, which our texts never show."""
    sizes = {
        "gpt-2": 50_257,
        "llama-3": 128_002,  # the other 254 special tokens are in no file
        "qwen": 151_646,
        "tekken": 131_072,
        "mistral-v1": 32_000,
        "mistral-v3": 32_768,
        "smollm2": 49_152,
    }
    tokenizer = vocabulary(name)
    assert len(tokenizer) == sizes[name]
    assert ",," in tokenizer.get_vocab()
    begins = {"llama-3", "tekken", "mistral-v1", "mistral-v3"}
    assert len(tokenizer.encode("")) == (name in begins)


@pytest.mark.parametrize("name", VOCABULARIES)
@pytest.mark.parametrize("env", WORLDS, ids=named)
def test_tokens_in_the_graph_are_those_of_what_a_state_says(name, env):
    check_texts(*evidence(env), vocabulary(name), "\n")


@pytest.mark.parametrize("name", VOCABULARIES)
@pytest.mark.parametrize("env", [*WORLDS, *LARGEST], ids=named)
def test_every_template_and_answer_compiles(name, env):
    """Also what is asked for the whole pattern, and the patterns that answer."""
    tokenizer = vocabulary(name)
    text = env.template.render([0] * env.template.num_slots)
    answers = answers_of(env)
    if env in LARGEST:  # the others are compiled by `check_texts`
        token_table.compile(env.template, answers, tokenizer)
    own = token_table.Encoder(tokenizer).behind(answers)
    for answer, tokens in zip(answers, own, strict=True):
        assert tokenizer.encode(text + answer) == tokenizer.encode(text) + tokens
    if isinstance(env, Completable):
        prompt, completion = env.completion_prompt, env.completion
        joined = Template((*prompt.segments, *completion.segments))
        for template in (prompt, joined):
            token_table.compile(template, (), tokenizer)
        parsing.compile(completion, tokenizer)
