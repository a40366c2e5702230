"""Wordings: the four that ship in every world, token by token, and one in every way by hand."""

import copy
import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import (
    BlocksWorld,
    BlocksWorldSubgoals,
    CubeStacking,
    FrozenLake,
    ImageCompletion,
    InvalidInput,
    KeyRooms,
    ObjectArrangement,
)
from priors.tiny import naive_scores, tiny_model
from tokenizers import processors

from lprl_jax import worked
from lprl_jax.lm import decoder, token_table
from lprl_jax.lm.checkpoint import LanguageModel
from lprl_jax.lm.token_table import Encoder
from lprl_jax.priors import Example, LanguagePrior, TabularPrior, Wording, fingerprint, tabulate
from lprl_jax.priors import wordings as own

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
NAMES = ("bare", "chat", "few-shot-2", "instruction")
WORLDS = {
    "lake": FrozenLake("4x4", is_slippery=False),
    "cubes": CubeStacking(),
    "blocks": BlocksWorld(3),
    "subgoals": BlocksWorldSubgoals(3),
    "picture": ImageCompletion(),
    "objects": ObjectArrangement(),
    "rooms": KeyRooms(2),
}
LAKE = WORLDS["lake"]
MAP = ["SFFF", "FHFH", "FFFH", "HFFG"]
STATE = (
    "Cross the frozen lake to the goal and avoid holes. The ice is firm.\nHoles b2 d2 d3 a4\n"
    "Goal d4\nAt a1 left edge down ice right ice up edge"
)
"""The first state of the map, up to its last line."""
ENDS = Example(STATE.replace("At a1 left edge", "At c4 left ice") + "\nMove", " right")


@functools.cache
def chatting(template: str = CHATML, bos: bool = False) -> LanguageModel:
    """The tiny model, whose tokenizer has two special tokens more, and a chat template."""
    model = tiny_model()
    tokenizer = copy.deepcopy(model.tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = template
    if bos:
        tokenizer.add_special_tokens({"bos_token": "<|bos|>"})
        own = [("<|bos|>", tokenizer.bos_token_id)]
        behind = processors.TemplateProcessing(single="<|bos|> $A", special_tokens=own)
        tokenizer.backend_tokenizer.post_processor = behind  # pyright: ignore
    config = dataclasses.replace(model.config, vocab_size=len(tokenizer))
    params = decoder.init(jax.random.key(3), config)
    params = {**params, "head": 2.5 * params["head"]}
    return LanguageModel(config, params, tokenizer, "chatting")


def some_states(env: Any) -> tuple[Any, Any]:
    """Some states of the world's own instance, and their slots `[B, num_slots]`."""
    params = env.default_params
    if env.num_states is None:
        states = env.initial_state(jax.random.key(0), jnp.int32(0), params)
        states = jax.tree.map(lambda x: x[None], states)
    else:
        index = jnp.linspace(0, env.num_states - 1, 8).astype(jnp.int32)
        states = jax.vmap(lambda i: env.state_at(0, i, params))(index)
    return states, jax.jit(jax.vmap(env.slots, (0, None)))(states, params)


@functools.cache
def compiled(world: str, name: str) -> tuple[Any, Any]:
    """A shipped wording in a world: its template, and its table."""
    env = WORLDS[world]
    tokenizer = chatting().tokenizer
    template = worked(name, env).template_of(env, tokenizer)
    answers = [text + "\n" for text in env.action_texts]
    return template, token_table.compile(template, answers, tokenizer)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("world", WORLDS)
def test_what_ships_is_read_token_by_token_as_it_is_written(world: str, name: str) -> None:
    env, (template, table) = WORLDS[world], compiled(world, name)
    _, slots = some_states(env)
    tokens, valid = jax.jit(jax.vmap(table.render))(slots)
    encode = chatting().tokenizer.encode
    for row, ids, there in zip(slots.tolist(), np.asarray(tokens), np.asarray(valid), strict=True):
        text, bare = template.render(row), env.template.render(row)
        assert ids[there].tolist() == encode(text)
        assert bare in text if name != "chat" else bare[: bare.rindex("\n")] in text
        for answer, right in zip(table.answers, env.action_texts, strict=True):
            assert encode(text + right + "\n") == [*encode(text), *answer]


@pytest.mark.parametrize("world", WORLDS)
def test_a_state_costs_no_more_behind_examples_or_an_instruction(world: str) -> None:
    widths = {name: len(compiled(world, name)[1].suffix.slot) for name in NAMES}
    assert widths["few-shot-2"] == widths["instruction"] == widths["bare"] < widths["chat"]
    before = {name: len(compiled(world, name)[1].prefix.slot) for name in NAMES}
    assert before["bare"] < min(before[name] for name in NAMES if name != "bare")


@pytest.mark.parametrize("world", WORLDS)
def test_bare_is_the_worlds_own_template(world: str) -> None:
    env, (template, table) = WORLDS[world], compiled(world, "bare")
    assert (template, template.digest()) == (env.template, env.template.digest())
    texts = [text + "\n" for text in env.action_texts]
    right = token_table.compile(env.template, texts, chatting().tokenizer)
    jax.tree.map(np.testing.assert_array_equal, vars(table.suffix), vars(right.suffix))
    jax.tree.map(np.testing.assert_array_equal, vars(table.prefix), vars(right.prefix))


def test_what_ships_is_what_is_listed() -> None:
    assert own.names() == list(NAMES)
    for name in NAMES:
        assert Wording.read(name).name == name
    assert Wording.read("bare") == Wording("bare")


# -- texts worked by hand ------------------------------------------------------------------------


def text_of(wording: Wording, model: LanguageModel | None = None) -> str:
    """The whole prompt in the first state of the map."""
    tokenizer = (model or chatting()).tokenizer
    template = wording.template_of(LAKE, tokenizer)
    params = LAKE.params_of([MAP])
    state = LAKE.initial_state(jax.random.key(0), jnp.int32(0), params)
    return template.render(np.asarray(LAKE.slots(state, params)).tolist())


def test_the_parts_stand_in_their_order() -> None:
    wording = Wording("mine", "Be brief.", "In {name}, {{say}} one of {actions}.\n", (ENDS,))
    shown = ENDS.state + " right\n\n"
    lead = "Be brief.\n\nIn FrozenLake-lprl, {say} one of left, down, right, up.\n\n"
    assert text_of(wording) == f"{lead}{shown}{STATE}\nMove"
    other = dataclasses.replace(wording, answer="The best move is")
    shown = ENDS.state.replace("\nMove", "\nThe best move is right\n\n")
    assert text_of(other) == f"{lead}{shown}{STATE}\nThe best move is"


def test_only_the_last_line_leads_to_the_action() -> None:
    """In Blocks World the full stop before it is the state's."""
    env = WORLDS["blocks"]
    template = Wording("mine", answer="So I").template_of(env, chatting().tokenizer)
    *head, last = env.template.segments
    assert getattr(last, "text", "") == ".\nMy next action is to"
    assert template.segments[:-1] == tuple(head)
    assert getattr(template.segments[-1], "text", "") == ".\nSo I"


def test_a_chat_in_its_turns() -> None:
    wording = Wording("mine", "Be brief.", "Where to?", (ENDS,), chat=True)
    example = ENDS.state.removesuffix("\nMove")
    assert text_of(wording) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        f"<|im_start|>user\nWhere to?\n\n{example}<|im_end|>\n"
        "<|im_start|>assistant\nMove right<|im_end|>\n"
        f"<|im_start|>user\n{STATE}<|im_end|>\n"
        "<|im_start|>assistant\nMove"
    )


def test_a_space_that_a_template_puts_before_answers_stands_before_this_one() -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
        "{% else %} {{ m.content }} {% endif %}{% endfor %}"
    )
    text = text_of(Wording("mine", chat=True), chatting(template))
    assert text == f"[INST] {STATE} [/INST] Move"


def test_special_tokens_of_a_chat_are_single_tokens() -> None:
    model = chatting()
    text = text_of(Wording("mine", chat=True))
    vocabulary = model.tokenizer.get_vocab()
    marks = [vocabulary[x] for x in ("<|im_start|>", "<|im_end|>")]
    for ids in (model.tokenizer.encode(text), Encoder(model.tokenizer).batch([text])[0]):
        assert [int(np.sum(np.array(ids) == mark)) for mark in marks] == [2, 1]


def test_what_a_text_begins_with_stands_once() -> None:
    model = chatting("{{ bos_token }}" + CHATML, bos=True)
    ids = model.tokenizer.encode(text_of(Wording("mine", chat=True), model))
    assert ids[0] == model.tokenizer.bos_token_id
    assert ids.count(ids[0]) == 1


def test_of_many_actions_some_are_listed() -> None:
    few, many = ([f" go {n}" for n in range(count)] for count in (9, 11))
    assert own.listed_actions(few) == ", ".join(f"go {n}" for n in range(9))
    assert own.listed_actions(many) == (
        "go 0, go 2, go 4, go 6, go 8, go 10, and others like these"
    )


# -- numbers -------------------------------------------------------------------------------------

ASKED = {
    "words": Wording("words", "Be brief.", "One of {actions}.", (ENDS,), "The best move is"),
    "chat": Wording("chat", "", "Where to?", (ENDS,), chat=True),
}


@functools.cache
def prior_of(name: str) -> tuple[LanguagePrior, Any]:
    wording = ASKED.get(name, name)
    params = LAKE.params_of([MAP, ["FFFS", "FFHF", "FGFF", "FFFF"]])
    return LanguagePrior.of_model(chatting(), LAKE, params, wording=wording, chunk=16), params


@pytest.mark.parametrize("name", ASKED)
def test_answers_equal_scoring_whole_texts(name: str) -> None:
    prior, params = prior_of(name)
    places = jnp.array([0, 2, 4, 8, 9, 0, 5])
    instance = jnp.array([0, 0, 0, 0, 0, 1, 1])
    states = jax.vmap(lambda m, i: LAKE.state_at(m, i, params))(instance, places)
    slots = jax.vmap(LAKE.slots, (0, None))(states, params)
    texts = [prior.scorer.prompt.template.render(row) for row in slots.tolist()]
    scores, _ = naive_scores(chatting(), texts, [text + "\n" for text in LAKE.action_texts])
    needed = jnp.ones(len(texts), bool)
    found, _ = prior.log_probs(prior.params, prior.init(), states, params, needed)
    right = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    np.testing.assert_allclose(found, right, atol=3e-5)
    assert np.asarray(found).std() > 0.3


def test_parameters_and_tables_say_in_which_words(tmp_path: Any) -> None:
    bare, worded = prior_of("bare"), prior_of("words")
    plain = LanguagePrior.of_model(chatting(), LAKE, bare[1])
    jax.tree.map(np.testing.assert_array_equal, bare[0].params, plain.params)
    assert bare[0].settings == plain.settings
    assert "wording" not in bare[0].settings  # as files were written before
    assert worded[0].settings["wording"] == "words"
    digests = [fingerprint.models_of(prior.params) for prior, _ in (bare, worded)]
    assert digests[0] != digests[1]
    there, here = (fingerprint.Here(fingerprint.world_of(LAKE), models=x) for x in digests)
    with pytest.raises(InvalidInput, match=r"are of the model 'chatting \(words\)' .* was made"):
        fingerprint.require(worded[0].params, there, "it")
    prior, params = worded
    table = tabulate(prior, LAKE, params, **prior.settings)
    table.save(tmp_path / "t.npz", params)
    loaded = TabularPrior.load(tmp_path / "t.npz", LAKE, params)
    assert loaded.settings == prior.settings
    fingerprint.require(loaded.params, here, "it")


def test_more_prompt_than_context() -> None:
    model = chatting()
    config = dataclasses.replace(model.config, max_position_embeddings=60)
    LanguagePrior.of_model(model._replace(config=config), LAKE)
    with pytest.raises(InvalidInput, match=r"takes \d+ tokens, and chatting reads 60"):
        LanguagePrior.of_model(model._replace(config=config), LAKE, wording=ASKED["words"])


# -- what is refused -----------------------------------------------------------------------------

WRONG = {
    "unknown slot": ("instruction: At {cell}.", r"instruction has a slot 'cell' .* \{actions\}, "),
    "slot of an answer": ("answer: '{x}'", r"answer has a slot 'x' that is unknown"),
    "format": ("system: '{name:>9}'", r"system has a slot 'name' that is unknown"),
    "lone brace": ("instruction: 'a } b'", r"instruction is 'a } b'; .*doubled"),
    "unknown field": ("prompt: x", r"unknown field 'prompt'; valid: system, instruction, "),
    "name": ("name: x", r"unknown field 'name'"),
    "no mapping": ("- x", r"it holds list; right: `field: value` lines"),
    "no YAML": ("a: [", r"not readable as YAML"),
    "type": ("system: 3", r"system is 3; it must be text"),
    "chat": ("chat: 1", r"chat is 1; it must be true or false"),
    "answer": ("answer: 'Move '", r"answer is 'Move '; .* ends in none"),
    "examples": ("examples: 2", r"examples is 2; it must be a list"),
    "below 0": ("examples: [-1]", r"examples\[0\] is -1; it must be 0 or more"),
    "text": ("examples: [x]", r"examples\[0\] is 'x'; it must be a whole number"),
    "no instance": ("examples: [{state: 1}]", r"examples\[0\] names no instance; valid: instance"),
    "unknown key": ("examples: [{instance: 1, at: 2}]", r"examples\[0\] has 'at'; valid: "),
    "state": ("examples: [{instance: 1, state: a}]", r"state is 'a'; it must be a whole number"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_is_wrong_is_refused(name: str, tmp_path: Any) -> None:
    text, message = WRONG[name]
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=message) as caught:
        Wording.read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Any) -> None:
    for path in (tmp_path, tmp_path / "none.yaml", "nowhere"):
        with pytest.raises(InvalidInput, match=r"no wording .*valid: a YAML file, or bare, chat"):
            Wording.read(path)
    for wrong in (3, None):
        with pytest.raises(InvalidInput, match=r"wording is .*; right: a Wording, its name, or"):
            own.of(wrong)  # pyright: ignore[reportArgumentType]


BROKEN = {
    "none": (None, "has no chat template; a wording without chat"),
    "fails": ("{{ raise_exception('No system here.') }}", "fails on .*: No system here."),
    "not Jinja": ("{% for %}", "fails on the wording 'mine'"),
    "other letters": ("{% for m in messages %}{{ m.content | upper }}{% endfor %}", "once, as it"),
    "twice": ("{% for m in messages %}{{ m.content + m.content }}{% endfor %}", "once, as it"),
    "left out": ("<|im_start|>", r"does not say a message .* once, as it is"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_chat_template_that_does_not_serve_is_refused(name: str) -> None:
    template, message = BROKEN[name]
    tokenizer = copy.deepcopy(chatting().tokenizer)
    tokenizer.chat_template = template  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(InvalidInput, match=message) as caught:
        Wording("mine", instruction="Where to?", chat=True).template_of(LAKE, tokenizer)
    assert "\n" not in str(caught.value)


def test_examples_are_worked_out_first() -> None:
    with pytest.raises(InvalidInput, match=r"not worked out yet; right: lprl_jax.worked\('few-"):
        LanguagePrior.of_model(chatting(), LAKE, wording="few-shot-2")
    strange = Wording("mine", examples=(Example(STATE, " jump"),))
    with pytest.raises(InvalidInput, match=r"action is ' jump'; valid: left, down, right, up"):
        LanguagePrior.of_model(chatting(), LAKE, wording=strange)
