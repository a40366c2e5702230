"""Calibration: its formulas by hand, and a prior's offsets against plain scoring of its texts."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, TabularMDP, tables
from lprl_envs import BlocksWorld, FrozenLake, InvalidInput, Literal, Scope, Slot, Template
from priors.tiny import naive_scores, tiny_model

from lprl_jax.priors import LanguagePrior, calibration, tabulate
from lprl_jax.priors.calibration import Calibration

LAKE = FrozenLake("2x2", is_slippery=False)
LAKE_PARAMS = LAKE.params_of([("SF", "HG"), ("SH", "FG")])
# Four actions of 1 to 4 words, of which some are illegal.
MDP = TabularMDP(4, 4)
LEGAL = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 1], [0, 1, 1, 1]], bool)
MDP_PARAMS = MDP.params_of([tables([[END] * 4] * 4, [[0] * 4] * 4, LEGAL.astype(int).tolist())])
CONTENT_FREE_LAKE = [
    f"Cross the frozen lake to the goal and avoid holes. The ice is firm.\nHoles{nothing}\n"
    f"Goal{nothing}\nAt{nothing} left{nothing} down{nothing} right{nothing} up{nothing}\nMove"
    for nothing in (" N/A", " [MASK]", "")
]


def probs(log_probs):
    return np.exp(np.asarray(log_probs))


@functools.cache
def lake_prior() -> LanguagePrior:
    return LanguagePrior.of_model(tiny_model(), LAKE, LAKE_PARAMS, chunk=8)


@functools.cache
def lake_table() -> np.ndarray:
    """f32[2, 4, 4], of the prior as it is."""
    return np.asarray(tabulate(lake_prior(), LAKE, LAKE_PARAMS).table)


def table_of(prior):
    return np.asarray(tabulate(prior, LAKE, LAKE_PARAMS).table)


def test_pmi_by_hand():
    """.6 : .3 : .1 here and .8 : .1 : .1 behind the cue: 3/4 : 3 : 1."""
    here, cue = jnp.log(jnp.array([[0.6, 0.3, 0.1]])), jnp.log(jnp.array([0.8, 0.1, 0.1]))
    found = Calibration(cue, jnp.float32(1.0)).of_log_probs(here, np.ones(3, np.float32))
    np.testing.assert_allclose(probs(found), [[3 / 19, 12 / 19, 4 / 19]], rtol=1e-5)


@pytest.mark.parametrize(
    ("temperature", "right"), [(1.0, (3 / 4, 1 / 4)), (0.5, (9 / 10, 1 / 10))], ids=["1", "half"]
)
def test_temperature_by_hand_is_of_what_was_divided(temperature, right):
    """3 : 1 once the cue is divided out, of which the square is 9 : 1; nothing illegal comes in."""
    here, cue = jnp.log(jnp.array([[0.5, 0.5, 0.0]])), jnp.log(jnp.array([0.1, 0.3, 0.6]))
    found = Calibration(cue, jnp.float32(temperature)).of_log_probs(here, np.ones(3, np.float32))
    np.testing.assert_allclose(probs(found), [[*right, 0]], rtol=1e-5)


def test_contextual_by_hand():
    """Behind two texts .5 : .5 and .9 : .1, in the mean .7 : .3; whatever else they might say."""
    scores = jnp.log(jnp.array([[0.2, 0.2], [0.009, 0.001]]))
    ones = np.ones(2, np.float32)
    offset = calibration.contextual_offset(scores, ones)
    np.testing.assert_allclose(probs(offset), [0.7, 0.3], rtol=1e-5)
    # What it says of nothing is uniform afterwards.
    found = Calibration(offset, jnp.float32(1.0)).of_log_probs(jnp.log(jnp.array([0.7, 0.3])), ones)
    np.testing.assert_allclose(probs(found), [0.5, 0.5], rtol=1e-5)


def test_contextual_of_answers_of_two_lengths_by_hand():
    """1/16 in two tokens is 1/4 a token, beside 1/4 in one: alike, so that each is a half."""
    scores, divisor = jnp.log(jnp.array([[1 / 16, 1 / 4]])), np.array([2, 1], np.float32)
    offset = calibration.contextual_offset(scores, divisor)
    np.testing.assert_allclose(probs(offset), [1 / 4, 1 / 2], rtol=1e-5)
    found = Calibration(offset, jnp.float32(1.0)).of_scores(scores) / divisor[None]
    np.testing.assert_allclose(probs(found), [[1 / 2, 1 / 2]], rtol=1e-5)


def test_without_calibration_nothing_changes_by_a_bit():
    scores = jax.random.normal(jax.random.key(0), (5, 4)) * 100
    np.testing.assert_array_equal(calibration.none(4).of_scores(scores), scores)


@pytest.mark.parametrize(
    ("last", "cue"),
    [("\nMove", "Move"), (" up\nMy next action is to", "My next action is to"),
     ("\nMove\nuser:\nMove\n", "Move\n"), ("Go\n\n", "Go\n\n"), ("\n", "\n"), (" go", " go")],
    ids=["a word", "a sentence", "ends in a line break", "in two", "nothing on it", "one line"],
)  # fmt: skip
def test_the_cue_is_the_last_line(last, cue):
    slot = Slot("cell", (" a1", " b1"))
    assert calibration.cue_of(Template((Literal("At"), slot, Literal(last, Scope.STATE)))) == cue


def test_slots_side_by_side_hold_nothing_once():
    slots = (Slot(name, ("", f" {name}")) for name in "abc")
    a, b, c = slots
    template = Template((a, b, Literal(" then", Scope.STATE), c, Literal("\nMove", Scope.STATE)))
    assert calibration.neutral_texts("contextual", template) == (
        " N/A then N/A\nMove",
        " [MASK] then [MASK]\nMove",
        " then\nMove",
    )


@pytest.mark.parametrize("method", ["pmi", "contextual"])
def test_offsets_are_those_of_plain_scoring(method):
    texts = ["Move"] if method == "pmi" else CONTENT_FREE_LAKE
    answers = [text + "\n" for text in LAKE.action_texts]
    scores, _ = naive_scores(tiny_model(), texts, answers)
    right = scores[0]
    if method == "contextual":
        right = np.log(np.mean(np.exp(scores) / np.exp(scores).sum(1, keepdims=True), axis=0))
    offset = lake_prior().calibrated(method).params.calibration.offset
    np.testing.assert_allclose(offset, right, rtol=2e-6, atol=2e-5)
    assert np.ptp(right) > 0.1


@pytest.mark.parametrize(
    ("method", "temperature"), [("pmi", 1.0), ("contextual", 2.0)], ids=["pmi", "contextual, 2"]
)
def test_a_calibrated_prior_is_its_table_divided(method, temperature):
    prior = lake_prior().calibrated(method, temperature)
    offset = np.asarray(prior.params.calibration.offset)
    weights = (np.exp(lake_table()) / np.exp(offset)) ** (1 / temperature)
    right = weights / weights.sum(-1, keepdims=True)
    goes_on = np.array([[1, 1, 0, 0], [1, 0, 1, 0]], bool)  # holes and goals end it
    found = table_of(prior)
    np.testing.assert_allclose(np.exp(found)[goes_on], right[goes_on], rtol=1e-4)
    of_table = prior.params.calibration.of_log_probs(lake_table(), prior.scorer.divisor)
    np.testing.assert_allclose(found[goes_on], np.asarray(of_table)[goes_on], atol=2e-5)
    # Another bank keeps it.
    moved = prior.with_bank(LAKE.params_of([("SH", "FG"), ("SF", "HG")]))
    jax.tree.map(np.testing.assert_array_equal, moved.params.calibration, prior.params.calibration)
    settings = {**lake_prior().settings, "calibration": method}
    assert prior.settings == settings | ({"temperature": 2.0} if temperature != 1 else {})
    more = ", temperature 2" if temperature != 1 else ""
    assert prior.name == f"tiny ({method}{more})"
    # And it is taken off again.
    assert prior.calibrated().settings == lake_prior().settings


@pytest.mark.parametrize("normalization", ["sum", "token", "word"])
def test_lengths_divide_both(normalization):
    """(l - o) / d over the legal actions, against plain scoring of states and cue."""
    prior = LanguagePrior.of_model(
        tiny_model(), MDP, MDP_PARAMS, normalization=normalization, calibration="pmi"
    )
    states = jax.vmap(lambda i: MDP.state_at(0, i, MDP_PARAMS))(jnp.arange(4))
    texts = [MDP.describe(jax.tree.map(lambda x, i=i: x[i], states), MDP_PARAMS) for i in range(4)]
    answers = [text + "\n" for text in MDP.action_texts]
    (*scores, cue), lengths = naive_scores(
        tiny_model(), [*texts, calibration.cue_of(MDP.template)], answers
    )
    divisor = {"sum": 1, "token": lengths[0], "word": np.array([1, 2, 3, 4])}[normalization]
    weights = np.exp((np.array(scores) - cue) / divisor) * LEGAL
    needed = jnp.ones(4, bool)
    found, _ = jax.jit(prior.log_probs)(prior.params, prior.init(), states, MDP_PARAMS, needed)
    np.testing.assert_allclose(probs(found), weights / weights.sum(-1, keepdims=True), rtol=1e-4)


def test_many_actions_of_which_few_are_legal_are_calibrated_too():
    prior = LanguagePrior.of_model(tiny_model(), BlocksWorld(3), calibration="pmi")
    offset = np.asarray(prior.params.calibration.offset)
    assert offset.shape == (18,)
    cue, _ = naive_scores(
        tiny_model(),
        ["My next action is to"],
        [text + "\n" for text in prior.env.action_texts],
    )
    np.testing.assert_allclose(offset, cue[0], rtol=2e-6, atol=2e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mean", 1.0), "unknown calibration 'mean'; valid: none, pmi, contextual"),
        (("pmi", 0.0), "temperature is 0.0; it must be above 0"),
        (("pmi", float("nan")), "temperature is nan"),
    ],
    ids=["method", "0", "nan"],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        lake_prior().calibrated(*arguments)


class Joining:
    """Writes a text as one token, but the cue and the answers as the prior's tokenizer does."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def encode(self, text):
        return [1] if " left" in text else self.tokenizer.encode(text)


def test_a_tokenizer_that_joins_a_neutral_text_with_an_answer():
    prior = lake_prior()
    tokenizer: Any = Joining(prior.model.tokenizer)
    model = prior.model._replace(tokenizer=tokenizer)
    joining = dataclasses.replace(prior, model=model)
    with pytest.raises(InvalidInput, match=r"does not split 'Move' before ' left\\n'"):
        joining.calibrated("pmi")


def test_a_neutral_text_that_is_longer_than_the_context():
    model, answers = lake_prior().model, lake_prior().scorer.table.answers
    context = model.config.max_position_embeddings
    actions = [text + "\n" for text in LAKE.action_texts]
    with pytest.raises(InvalidInput, match=f"and tiny reads {context}"):
        calibration.log_likelihoods(model, ["Move" * (context + 1)], actions, answers)
