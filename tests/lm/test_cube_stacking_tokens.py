"""Cube stacking's texts and completions, token by token, for tokenizers as they are published."""

import functools
import string

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import CubeStacking, Template
from lprl_envs.cube_stacking.cubes import COLORS

from lprl_jax.lm import parsing, token_table
from lprl_jax.pretraining.tasks import END_OF_ACTION

KINDS = pytest.mark.parametrize(
    "kind", ["ours", "gpt-2", "llama-2", "llama-3", "qwen-2", "begins", "doubles"]
)
SIZES = pytest.mark.parametrize("num_cubes", [2, 8, 12])
NUM_INSTANCES = 12


@functools.cache
def every_state(num_cubes):
    """All states of random instances, and their slots."""
    env = CubeStacking(num_cubes)
    params = env.sample_params(jax.random.key(num_cubes), NUM_INSTANCES)
    instance, height = jnp.divmod(jnp.arange(NUM_INSTANCES * (num_cubes + 1)), num_cubes + 1)
    states = jax.vmap(env.state_at, (0, 0, None))(instance, height, params)
    slots = jax.jit(jax.vmap(env.slots, (0, None)))(states, params)
    return env, params, states, np.asarray(slots)


def twin(color, size, target, height, last="Next") -> str:
    """The text from an instance, in plain Python."""
    letters = string.ascii_lowercase
    cubes = [
        f"{letter} {COLORS[c]} {s}" for letter, c, s in zip(letters, color, size, strict=False)
    ]
    stack = "".join(f" {letters[cube]}" for cube in target[:height])
    return (
        "Stack all the cubes. Their colours and sizes make a hidden pattern.\n"
        f"Cubes {', '.join(cubes)}\n"
        f"The stack from the bottom{stack}\n"
        f"{last}"
    )


@SIZES
def test_text_equals_its_twin(num_cubes):
    env, params, states, slots = every_state(num_cubes)
    color, size, target = (
        np.asarray(x).tolist() for x in (params.bank.color, params.bank.size, params.bank.target)
    )
    for row, i, height in zip(slots, states.instance.tolist(), states.height.tolist(), strict=True):
        arguments = color[i], size[i], target[i], height
        assert env.template.render(row) == twin(*arguments)
        whole = twin(*arguments, last="The whole stack from the bottom")
        assert env.completion_prompt.render(row) == whole


def test_text_of_the_papers_cubes_written_out():
    env = CubeStacking()
    text = env.describe(env.state_at(0, 3, env.default_params), env.default_params)
    assert text == (
        "Stack all the cubes. Their colours and sizes make a hidden pattern.\n"
        "Cubes a red 5, b red 4, c red 3, d red 2, e blue 10, f blue 8, g blue 6, h blue 2\n"
        "The stack from the bottom e f g\n"
        "Next"
    )
    assert env.action_texts[:3] == (" remove the top", " stack a", " stack b")


@KINDS
@SIZES
def test_tokens_in_the_graph_equal_the_tokenizers(tokenizer, kind, num_cubes):
    env, _, _, slots = every_state(num_cubes)
    answers = [text + END_OF_ACTION for text in env.action_texts]
    table = token_table.compile(env.template, answers, tokenizer(kind))
    tokens, valid = map(np.asarray, jax.jit(jax.vmap(table.render))(slots))
    texts = [env.template.render(row) for row in slots]
    expected = tokenizer(kind)(texts)["input_ids"]
    assert [row[mask].tolist() for row, mask in zip(tokens, valid, strict=True)] == expected
    for answer, ids in zip(answers, table.answers, strict=True):
        assert tokenizer(kind).encode(texts[-1] + answer) == expected[-1] + list(ids)


@KINDS
@SIZES
def test_completions_continue_their_prompt_and_are_read_back(tokenizer, kind, num_cubes):
    env, params, states, slots = every_state(num_cubes)
    prompt, completion = env.completion_prompt, env.completion
    token_table.compile(Template((*prompt.segments, *completion.segments)), (), tokenizer(kind))
    table = token_table.compile(prompt, (), tokenizer(kind))
    grammar = parsing.compile(completion, tokenizer(kind))
    targets = np.asarray(params.bank.target)
    for row, i in list(zip(slots, states.instance.tolist(), strict=True))[:: num_cubes + 3]:
        asked, answer = prompt.render(row), completion.render(targets[i].tolist())
        tokens, valid = map(np.asarray, table.render(jnp.asarray(row)))
        whole, known = tokenizer(kind).encode(asked + answer), tokens[valid].tolist()
        assert whole[: len(known)] == known == tokenizer(kind).encode(asked)
        written = whole[len(known) :]
        read, complete = grammar.parse(jnp.array(written, jnp.int32))
        assert bool(complete)
        assert read.tolist() == targets[i].tolist()
