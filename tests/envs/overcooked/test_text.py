"""What a kitchen and its actions say, in both wordings."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.overcooked.recorded import KITCHENS, recorded, states_of
from lprl_envs import Overcooked
from lprl_envs.overcooked.kitchens import PAPER

# -- which states read alike ---------------------------------------------------------------------


def read(env, states):
    """Slots `[S, num_slots]` and masks `[S, A]`."""
    look = jax.vmap(lambda s, p: (env.slots(s, p), env.action_mask(s, p)), (0, None))
    return map(np.asarray, jax.jit(look)(states, env.default_params))


@pytest.mark.parametrize(("kitchen", "classes"), [("tomato", 21), ("salad", 787)])
def test_states_read_alike_as_in_the_papers_wording_and_no_others(kitchen, classes):
    data, env = recorded(kitchen), Overcooked(kitchen, "paper")
    slots, masks = read(env, data.states)
    texts = [env.template.render(row) for row in slots.tolist()]
    told = list(zip(texts, map(tuple, masks.tolist()), strict=True))
    assert len(set(told)) == len(set(data.text_class)) == classes
    assert len(set(zip(told, data.text_class.tolist(), strict=True))) == classes
    assert env.texts_alias


@pytest.mark.parametrize("kitchen", KITCHENS)
def test_every_state_reads_otherwise_in_full(kitchen):
    env = Overcooked(kitchen)
    number = jnp.arange(env.num_states, dtype=jnp.int32)
    states = jax.vmap(lambda i: env.state_at(0, i, env.default_params))(number)
    slots, _ = read(env, states)
    assert len(set(map(env.template.render, slots.tolist()))) == env.num_states
    assert not env.texts_alias


# -- words ---------------------------------------------------------------------------------------

STATIC = {
    "tomato": "There is a fixed cutting board in the room.",
    "salad": "There are two fixed cutting boards in the room.",
}
HOMES = {
    "tomato": " Tomato n5, bowl s5, board w1, delivery w3.",
    "salad": " Tomato n5, lettuce e1, onion e2, bowl s5, boards w1 and w2, delivery w3.",
}
DISH = {"tomato": "tomato", "salad": "tomato and lettuce"}
PLATE = " You notice a bowl on the table."
# Cell, then where each food is and whether it is chopped, then the bowl; what is told of them.
TOLD = [
    (
        ("salad", "d1", 0, 0, 0, 0, 0, 0, 0),
        " You notice a tomato, a lettuce and an onion on the different tables. "
        "Currently you don't have anything in hand.",
        " You notice a tomato, a lettuce, an onion and a bowl on the different tables. "
        "Currently you don't have anything in hand.",
    ),
    (
        ("salad", "a1", 1, 0, 3, 1, 4, 0, 0),
        " A chopped lettuce is on the first cutting board. "
        "An unchopped onion is on the second cutting board. Currently you are standing in front "
        "of the first cutting board, carrying an unchopped tomato in hand.",
        PLATE + " A chopped lettuce is on the first cutting board. "
        "An unchopped onion is on the second cutting board. Currently you are standing in front "
        "of the first cutting board, carrying an unchopped tomato in hand.",
    ),
    (
        ("salad", "b3", 2, 1, 2, 1, 2, 1, 4),
        " A bowl containing chopped tomato, lettuce and onion is on the second cutting board. "
        "Currently you don't have anything in hand.",
        " A bowl containing chopped tomato, lettuce and onion is on the second cutting board. "
        "Currently you don't have anything in hand.",
    ),
    (
        ("salad", "e5", 2, 1, 2, 1, 3, 1, 1),
        " Currently you are carrying a bowl containing chopped tomato and lettuce.",
        " A chopped onion is on the first cutting board. "
        "Currently you are carrying a bowl containing chopped tomato and lettuce.",
    ),
    (
        ("salad", "a2", 0, 0, 2, 1, 0, 0, 1),
        " Currently you are standing in front of the second cutting board, carrying a bowl "
        "containing chopped lettuce in hand.",
        " You notice a tomato and an onion on the different tables. Currently you are standing in "
        "front of the second cutting board, carrying a bowl containing chopped lettuce in hand.",
    ),
    (
        ("tomato", "a1", 2, 1, 3),
        " A bowl containing a chopped tomato is on the cutting board. "
        "Currently you are standing in front of the cutting board without anything in hand.",
        " A bowl containing a chopped tomato is on the cutting board. "
        "Currently you are standing in front of the cutting board without anything in hand.",
    ),
    (
        ("tomato", "e5", 1, 1, 0),
        PLATE + " Currently you are carrying a chopped tomato in hand.",
        PLATE + " Currently you are carrying a chopped tomato in hand.",
    ),
    (
        ("tomato", "a3", 2, 1, 5),
        " Currently you don't have anything in hand.",
        " Currently you don't have anything in hand.",
    ),
]


def state_of(cell, *rest):
    agent = 5 * (int(cell[1]) - 1) + "abcde".index(cell[0])
    states = states_of(np.array([[agent, *rest]], np.int32))
    return jax.tree.map(lambda leaf: leaf[0], states)


@pytest.mark.parametrize(("where", "seen", "whole"), TOLD, ids=[str(told[0]) for told in TOLD])
def test_texts(where, seen, whole):
    kitchen, cell, *rest = where
    state = state_of(cell, *rest)
    paper, full = (Overcooked(kitchen, wording) for wording in ("paper", "full"))
    assert paper.describe(state, paper.default_params) == (
        f"{STATIC[kitchen]}{seen} To serve the dish of a bowl only containing chopped "
        f"{DISH[kitchen]}, you should first"
    )
    assert full.describe(state, full.default_params) == (
        f"{STATIC[kitchen]}{HOMES[kitchen]} The dish is a bowl only containing chopped "
        f"{DISH[kitchen]}.{whole} You are at {cell}. To serve the dish, you should first"
    )


def test_a_wider_view_tells_more():
    env = Overcooked("salad", "paper", view=5)
    text = env.describe(state_of(*TOLD[0][0][1:]), env.default_params)
    assert TOLD[0][2] in text


def test_the_dish_of_each_recipe():
    env, foods = Overcooked(), ("tomato", "lettuce", "onion")
    dishes = [x for size in (1, 2, 3) for x in itertools.combinations(foods, size)]
    params = env.params_of([{**PAPER["salad"], "recipe": list(dish)} for dish in dishes])
    said = [
        *("tomato", "lettuce", "onion"),
        *("tomato and lettuce", "tomato and onion", "lettuce and onion"),
        "tomato, lettuce and onion",
    ]
    for i, words in enumerate(said):
        text = env.describe(env.initial_state(jax.random.key(0), jnp.int32(i), params), params)
        assert f"The dish is a bowl only containing chopped {words}. You notice" in text


# -- actions -------------------------------------------------------------------------------------


def test_action_texts():
    assert Overcooked("tomato").action_texts == (
        " put the tomato in the bowl",
        " pick up the tomato",
        " take the bowl",
        " put the bowl on the cutting board",
        " put the tomato on the cutting board",
        " walk to the cutting board",
        " serve the dish",
        " serve nothing",
        " chop the tomato",
        " chop nothing",
    )
    texts = Overcooked("salad").action_texts
    assert len(texts) == len(set(texts)) == 24
    assert texts[6:13] == (
        " take the bowl",
        " take the empty bowl",
        " put the bowl on the first cutting board",
        " put the tomato on the first cutting board",
        " put the lettuce on the first cutting board",
        " put the onion on the first cutting board",
        " walk to the first cutting board",
    )
    assert texts[17] == " walk to the second cutting board"
    assert Overcooked().macro_of.tolist() == [
        *(0, 0, 1, 1, 2, 2, 3, 3),
        *(4, 4, 4, 4, 4, 5, 5, 5, 5, 5),
        *(6, 6, 7, 7, 7, 7),
    ]


LEGAL = [
    # Nothing in hand, before the board with a bowl of food: the bowl is not chopped.
    (
        ("a1", 2, 1, 0, 0, 0, 0, 3),
        {" take the bowl", " walk to the first cutting board", " serve nothing", " chop nothing"},
    ),
    # Chopped food in hand is not put, but walked; what lies there may be chopped already.
    (
        ("a1", 1, 1, 3, 1, 0, 0, 0),
        {" pick up the onion", " walk to the first cutting board", " chop the lettuce"},
    ),
    (
        ("a2", 3, 0, 4, 0, 1, 0, 0),
        {" put the onion on the second cutting board", " serve the dish"},
    ),
    (("a2", 3, 0, 4, 0, 1, 0, 0), {" chop the lettuce", " take the empty bowl"}),
    # The bowl in hand, empty and full.
    (("e5", 3, 1, 0, 0, 0, 0, 1), {" put the tomato in the bowl", " take the empty bowl"}),
    (("e5", 2, 1, 0, 0, 0, 0, 1), {" put the bowl on the second cutting board", " take the bowl"}),
]


@pytest.mark.parametrize("wording", ["paper", "full"])
@pytest.mark.parametrize(("where", "words"), LEGAL)
def test_legal_wordings(where, words, wording):
    env = Overcooked("salad", wording)
    mask = np.asarray(env.action_mask(state_of(*where), env.default_params))
    legal = {text for text, is_legal in zip(env.action_texts, mask, strict=True) if is_legal}
    assert len(legal) == 8
    assert words <= legal


def test_a_full_bowl_out_of_view_is_called_empty_by_who_does_not_see_it():
    state = state_of("e5", 2, 1, 0, 0, 0, 0, 3)
    for wording, view, text in (
        ("paper", 2, " take the empty bowl"),
        ("paper", 5, " take the bowl"),
        ("full", 2, " take the bowl"),
    ):
        env = Overcooked("salad", wording, view=view)
        mask = env.action_mask(state, env.default_params)
        assert bool(mask[env.action_texts.index(text)])
