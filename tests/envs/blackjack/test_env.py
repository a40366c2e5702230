"""Blackjack's instances, split, text, observations, pictures and bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import Blackjack, InvalidInput
from lprl_envs.blackjack.dealer import STANDS, TENS

ALL = [{"stands": stands, "tens": tens} for stands in STANDS for tens in TENS]
HELD_OUT = [(15, 4), (15, 8), (16, 1), (18, 1), (18, 8)]


# -- instances -----------------------------------------------------------------------------------


def test_five_of_fifteen_are_held_out():
    # Pinned: which are held out must not change. Every dealer's total and every deck is met in
    # training; what is held out is how they come together.
    env = Blackjack()
    out = np.asarray(jax.vmap(env.held_out)(env.params_of(ALL).bank))
    named = [(rule["stands"], rule["tens"]) for rule in ALL]
    assert [rule for rule, is_out in zip(named, out, strict=True) if is_out] == HELD_OUT
    rest = set(named) - set(HELD_OUT)
    assert {stands for stands, _ in rest} == set(STANDS)
    assert {tens for _, tens in rest} == set(TENS)
    assert (17, 4) in rest


@pytest.mark.parametrize("split", [None, "train", "held-out"])
def test_random_instances(split):
    env = Blackjack()
    bank = env.sample_params(jax.random.key(2), 400, split).bank
    found = {(STANDS[s], TENS[t]) for s, t in zip(bank.stands, bank.tens, strict=True)}
    every = {(rule["stands"], rule["tens"]) for rule in ALL}
    assert found == {None: every, "train": every - set(HELD_OUT), "held-out": set(HELD_OUT)}[split]


def test_identity():
    env = Blackjack()
    bank = env.params_of(ALL).bank
    rows = np.asarray(jax.vmap(env.identity)(bank))
    assert rows.tolist() == [[i, j] for i in range(5) for j in range(3)]
    assert env.identity(rows[4]).tolist() == [1, 1]


def test_batches_of_instances():
    env = Blackjack()
    params = env.params_of([ALL[0], ALL[-1]])
    states = [env.state_at(i, 125, params) for i in range(2)]
    texts = [env.describe(state, params).splitlines()[1] for state in states]
    assert texts == [
        "The dealer stands at 15. The deck has one card each from ace to 9, and 1 worth 10.",
        "The dealer stands at 19. The deck has one card each from ace to 9, and 8 worth 10.",
    ]


# -- text and observation ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "right"),
    [
        (12 * 10 + 9, "You hold 16 hard. Dealer shows 10."),
        (0, "You hold 4 hard. Dealer shows ace."),
        (18 * 10 + 1, "You hold 12 soft. Dealer shows 2."),
        (27 * 10, "You hold 21 soft. Dealer shows ace."),
        (28 * 10, "You hold 21 natural. Dealer shows ace."),
        (290, "You hold a lost hand. Dealer shows nothing."),
        (291, "You hold an even hand. Dealer shows nothing."),
        (292, "You hold a winning hand. Dealer shows nothing."),
    ],
)
def test_text(number, right):
    env = Blackjack()
    params = env.default_params
    lines = env.describe(env.state_at(0, number, params), params).splitlines()
    assert lines[2:] == [right, "Answer"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "beats any other 21."),
        ({"sab": False}, "counts as any 21."),
        ({"sab": False, "natural": True}, "counts as any 21, but pays 1.5 where it wins."),
    ],
)
def test_the_text_says_what_a_natural_is_worth(arguments, words):
    env = Blackjack(**arguments)
    _, state = env.reset(jax.random.key(0))
    first = env.describe(state, env.default_params).splitlines()[0]
    assert first.endswith(f"A natural, 21 by the first two cards, {words}")


def test_features():
    env = Blackjack()
    params = env.params_of(ALL)
    state = env.state_at(13, (18 + 3) * 10 + 6, params)  # soft 15 against 7; 19, four tens
    found = env.features(state, params)
    assert np.flatnonzero(found).tolist() == [15 - 4, 18 + 1, 21 + 6, 31 + 4, 36 + 1]
    assert found.shape == (env.num_features,)
    end = env.features(env.state_at(13, 292, params), params)
    assert np.flatnonzero(end).tolist() == [35, 37]


def test_features_tell_all_states_in_play_apart():
    env = Blackjack()
    params = env.default_params
    states = jax.vmap(lambda i: env.state_at(0, i, params))(jnp.arange(290))
    found = np.asarray(jax.vmap(lambda s: env.features(s, params))(states))
    assert len(np.unique(found, axis=0)) == 290


# -- pictures ------------------------------------------------------------------------------------


def test_pictures_have_one_size_and_differ():
    env = Blackjack()
    params = env.params_of([ALL[4], ALL[8]])
    states = [env.state_at(i, n, params) for i in (0, 1) for n in (0, 129, 275, 285, 290, 291, 292)]
    pictures = [env.render(state, params).rgb for state in states]
    assert len({picture.shape for picture in pictures}) == 1
    assert len({picture.tobytes() for picture in pictures}) == len(states)


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"natural": True}, "natural is True with sab True, where it pays 1; set sab: false"),
        ({"sab": 1}, "sab is 1; it must be true or false"),
        ({"natural": "yes"}, "natural is 'yes'; it must be true or false"),
        ({"observation": "cards"}, "unknown observation 'cards'; valid: index, onehot"),
        ({"observation": 3}, "observation is 3; it must be text"),
    ],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(InvalidInput) as caught:
        Blackjack(**arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("instances", "words"),
    [
        ([], "instances are none; right: one or more such as {'stands': 17, 'tens': 4}"),
        ("17", "instances is '17'; it must be a list"),
        ([17], "an instance is such as {'stands': 17, 'tens': 4}; found 17"),
        ([{"stands": 17}], "an instance is such as"),
        ([{"stands": 14, "tens": 4}], "stands is 14; it must be one of 15, 16, 17, 18, 19"),
        ([{"stands": 17, "tens": 2}], "tens is 2; it must be one of 1, 4, 8"),
        ([{"stands": 17.5, "tens": 4}], "stands is 17.5; it must be a whole number"),
        ([{"stands": True, "tens": 4}], "stands is True; it must be a whole number"),
    ],
)
def test_bad_instances(instances, words):
    with pytest.raises(InvalidInput) as caught:
        Blackjack().params_of(instances)
    assert words in str(caught.value)


def test_no_suites():
    with pytest.raises(InvalidInput, match="unknown suite 'casino'; Blackjack-lprl has none"):
        Blackjack().suite("casino")
