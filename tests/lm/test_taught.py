"""A prompt far from a model's lessons is told of, one of its own worlds is not."""

import itertools
import subprocess
import sys
import warnings

import lprl_envs
import numpy as np
import pytest
from lprl_envs import InvalidInput, Literal, Scope, Slot, Template
from priors.tiny import tiny_model

from lprl_jax.algorithms.policy_based.language_policy import LanguagePolicy
from lprl_jax.cli.warnings import in_a_line
from lprl_jax.completers import LanguageCompleter
from lprl_jax.judges import words
from lprl_jax.lm import embedded, named, taught, token_table
from lprl_jax.lm.taught import StrangeText
from lprl_jax.priors import wordings
from lprl_jax.priors.action_scores import ActionScorer

WORLDS = (*embedded.TAUGHT, *embedded.JUDGED, *embedded.AT_HOME)


def table_of(model: str, env_id: str, wording: str = "bare"):
    env, _ = lprl_envs.make(env_id)
    tokenizer = named.tokenizer_of(model)
    prompt = wordings.prompt_of(wording, env, tokenizer)
    return token_table.compile(prompt.template, env.action_texts, tokenizer)


def share_of(model: str, env_id: str, wording: str = "bare") -> float:
    pairs = taught.read(embedded.path_of(model))
    assert pairs is not None
    return taught.strange_share(pairs, table_of(model, env_id, wording))


@pytest.mark.parametrize(
    ("model", "env_id"), [(m, w) for m in embedded.MODELS for w in embedded.taught(m)]
)
def test_of_a_model_s_own_worlds_all_words_are_known(model, env_id):
    assert share_of(model, env_id) == 0


@pytest.mark.parametrize(
    ("model", "env_id"),
    [
        (model, world)
        for model in ("embedded", embedded.JUDGE, embedded.HOME)
        for world in WORLDS
        if world not in embedded.taught(model)
        and (model, world) != (embedded.HOME, "CubeStacking-lprl")  # which it cannot read
    ],
)
def test_of_other_worlds_few_words_are_known(model, env_id):
    assert share_of(model, env_id) > 0.7


@pytest.mark.parametrize("env_id", embedded.TAUGHT)
def test_a_wording_that_was_not_taught_is_strange(env_id):
    assert share_of("embedded", env_id, "instruction") > taught.MOST_STRANGE


def test_by_hand():
    model = tiny_model()
    segments = (
        Literal("one two three", Scope.STATIC),
        Slot("place", (" here", " there"), Scope.STATE),
        Literal(" four five", Scope.STATE),
    )
    table = token_table.compile(Template(segments), [" a", " b"], model.tokenizer)
    first, last = (model.tokenizer.encode(text) for text in ("one two three", " four five"))
    asked = [*itertools.pairwise(first), *itertools.pairwise(last)]
    assert len(set(asked)) == len(asked) > 2
    for known in (0, 1, len(asked)):
        pairs = np.array([*asked[:known], (last[-1], first[0])], np.uint16)
        assert taught.strange_share(pairs, table) == 1 - known / len(asked)


def test_a_prior_is_told_of_once_it_is_made():
    model = named.load("embedded")
    lake, rooms = (lprl_envs.make(f"{world}-lprl")[0] for world in ("FrozenLake", "KeyRooms"))
    message = r"embedded is asked about KeyRooms-lprl, wording 'bare': \d\d % of what stands side"
    with pytest.warns(StrangeText, match=message):
        ActionScorer.of(model, rooms, "sum", "\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ActionScorer.of(model, lake, "sum", "\n")
        ActionScorer.of(model._replace(taught=None), rooms, "sum", "\n")  # who knows


def test_so_are_a_judge_and_a_completer():
    rooms, params = lprl_envs.make("KeyRooms-lprl")
    picture, _ = lprl_envs.make("ImageCompletion-lprl")
    with pytest.warns(StrangeText, match="KeyRooms-lprl"):
        words.WordJudge.of_model(named.load("embedded"), rooms, params)
    with pytest.warns(StrangeText, match="patterns of ImageCompletion-lprl"):
        LanguageCompleter.of_model(named.load(embedded.JUDGE), picture)


@pytest.mark.parametrize(
    ("content", "found"),
    [(np.zeros((4, 3), np.uint16), r"uint16\[4, 3\]"), (np.zeros((4, 2)), r"float64\[4, 2\]")],
)
def test_another_file_is_refused(tmp_path, content, found):
    taught.write(tmp_path, content)
    with pytest.raises(InvalidInput, match=rf"taught_pairs.npy: {found}; right: pairs of tokens"):
        taught.read(tmp_path)


def test_a_damaged_file_is_refused(tmp_path):
    assert taught.read(tmp_path) is None
    for damage in (b"", b"no array", b"PK\x03\x04", b"PK\x05\x06"):
        (tmp_path / taught.FILE).write_bytes(damage)
        with pytest.raises(InvalidInput, match=r"taught_pairs.npy: .*; right: pairs of tokens"):
            taught.read(tmp_path)


@pytest.mark.parametrize(("size", "is_told"), [("10x10", False), ("16x16", True)])
def test_a_size_that_the_text_spells_out_is_strange(size, is_told):
    env = lprl_envs.ImageCompletion(size)
    tokenizer = named.tokenizer_of("embedded")
    table = token_table.compile(env.template, env.action_texts, tokenizer)
    pairs = taught.read(embedded.path_of("embedded"))
    assert pairs is not None
    assert (taught.strange_share(pairs, table) > taught.MOST_STRANGE) == is_told


def test_a_policy_that_is_to_be_trained_is_not_told_of():
    rooms, params = lprl_envs.make("KeyRooms-lprl")
    policy = LanguagePolicy.of_model(named.load("embedded"), rooms, params)
    assert policy.model.taught is None


PROGRAM = """
import sys, warnings
from lprl_jax.cli import commands, main
from lprl_jax.lm.taught import StrangeText

def ask(options):
    for _ in range(2):
        warnings.warn("far away", StrangeText, stacklevel=1)

commands.COMMANDS["envs"] = ask
sys.argv = ["lprl", "envs"]
sys.exit(main.main())
"""


def test_the_program_says_it_once():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "lprl: warning: far away\n")


def test_the_command_line_tells_it_in_a_line(capsys, monkeypatch):
    others = []
    monkeypatch.setattr(warnings, "showwarning", lambda *given: others.append(given))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        in_a_line()
        warnings.warn("far away", StrangeText, stacklevel=1)
        warnings.warn("of another kind", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == "lprl: warning: far away\n"
    assert [str(message) for message, *_ in others] == ["of another kind"]
