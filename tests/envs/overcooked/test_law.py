"""The law of Overcooked against what its program did, and against a twin in plain Python."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.overcooked.recorded import (
    KITCHENS,
    distances_to_end,
    first_of,
    numbers_of,
    reached_from,
    recorded,
    states_of,
    table_of,
    tables_of,
)
from envs.overcooked.twin import Cook, spot
from lprl_envs import Overcooked
from lprl_envs.overcooked.cells import (
    CELLS,
    PLACES,
    SPOTS,
    access_cell,
    spot_of_place,
    walk_until_seen,
)
from lprl_envs.overcooked.kinds import KINDS
from lprl_envs.overcooked.kitchens import PAPER
from lprl_envs.overcooked.rules import DELIVERED, configurations

# -- what was recorded ---------------------------------------------------------------------------


@pytest.fixture(scope="module", params=KITCHENS)
def kitchen(request):
    return request.param


def test_every_recorded_transition(kitchen):
    data, table, env = recorded(kitchen), table_of(kitchen), Overcooked(kitchen)
    numbers = numbers_of(env, data.states)
    rows = numbers[data.live]
    assert {"tomato": 120, "salad": 9_248}[kitchen] == table.next[rows].size
    np.testing.assert_array_equal(table.next[rows], numbers[data.next[data.live]])
    np.testing.assert_array_equal(table.steps[rows], data.steps[data.live])
    # The nearest f32, and what was recorded is rounded to 1e-9.
    right = data.reward[data.live]
    ulp = np.spacing(np.abs(right).astype(np.float32))
    assert (np.abs(table.reward[rows] - right) <= ulp / 2 + 1e-9).all()
    np.testing.assert_array_equal(table.ended[numbers], ~data.live)


def test_what_can_be_reached_is_what_was_recorded(kitchen):
    data, env = recorded(kitchen), Overcooked(kitchen)
    reached = np.flatnonzero(reached_from(table_of(kitchen), first_of(kitchen)))
    assert len(reached) == {"tomato": 25, "salad": 1_161}[kitchen]
    assert reached.tolist() == sorted(numbers_of(env, data.states).tolist())
    assert (~data.live).sum() == {"tomato": 1, "salad": 5}[kitchen]
    assert first_of(kitchen) == numbers_of(env, data.states)[0]


def test_configurations(kitchen):
    """Those of the data, and delivered dishes that another recipe asks for."""
    kind, data = KINDS[kitchen], recorded(kitchen)
    every = configurations(kind)
    ends = [now for now in every if now.bowl == DELIVERED]
    assert (len(every), len(ends)) == {"tomato": (13, 1), "salad": (398, 43)}[kitchen]
    met = set(
        zip(
            data.states.bowl.tolist(),
            map(tuple, data.states.where.tolist()),
            map(tuple, data.states.chopped.tolist()),
            strict=True,
        )
    )
    assert len(met) == {"tomato": 13, "salad": 360}[kitchen]
    found = {(now.bowl, now.where, now.chopped) for now in every}
    others = {now for now in found - met if now[0] == DELIVERED}
    assert found - met == others
    sizes = sorted(len(now.contents) for now in ends)
    assert sizes == {"tomato": [1], "salad": [1] * 27 + [2] * 15 + [3]}[kitchen]


# -- kitchens at random --------------------------------------------------------------------------

NUM_KITCHENS, NUM_PLAYED = 8, 400


def by_hand(env, bank, row):
    """An instance of a bank, as one writes it."""
    one = jax.tree.map(lambda leaf: np.asarray(leaf[row]), bank)
    foods = env.kind.foods
    return {
        **{thing: PLACES[at] for thing, at in zip((*foods, "bowl"), one.home, strict=True)},
        "boards": [PLACES[at] for at in one.boards],
        "delivery": PLACES[one.delivery],
        "start": CELLS[one.start],
        "recipe": [food for food, is_in in zip(foods, one.recipe, strict=True) if is_in],
    }


@pytest.fixture(scope="module")
def drawn():
    """Random salad kitchens, with every size of dish among them, and their tables."""
    env = Overcooked("salad", reward="refund")
    params = env.sample_params(jax.random.key(3), NUM_KITCHENS)
    assert set(np.asarray(params.bank.recipe).sum(1)) == {1, 2, 3}
    return env, params, tables_of(env, params)


def fields_of(cook):
    """A twin's state, as `states_of` takes it."""
    places = {None: 1, "bowl": 2, "delivered": 5}
    places |= {board: 3 + b for b, board in enumerate(cook.boards)}

    def where(thing):
        return places.get(cook.at[thing], 0)

    foods = [x for food in cook.foods for x in (where(food), cook.is_cut(food))]
    return [5 * (cook.me[0] - 1) + cook.me[1] - 1, *foods, where("bowl")]


def play(cook, table, index, rng, count):
    """Random macros, the twin beside the table; the twin's states, and the numbers met."""
    states, numbers = [], []
    for _ in range(count):
        macro = int(rng.integers(len(cook.macros)))
        reward, steps = cook.do(macro)
        assert steps == table.steps[index, macro]
        assert reward == pytest.approx(table.reward[index, macro], abs=1e-6)
        index = table.next[index, macro]
        states.append(fields_of(cook))
        numbers.append(index)
        assert cook.is_done == table.ended[index]
        if cook.is_done:
            break
    return states, numbers


def starts_of(env, params):
    """`i32[M]`: numbers of the first states."""
    rows = jnp.arange(len(params.bank.start), dtype=jnp.int32)
    start = jax.vmap(lambda row: env.initial_state(jax.random.key(0), row, params))
    return numbers_of(env, start(rows))


def test_random_kitchens_are_the_twins(drawn):
    env, params, tables = drawn
    rng, states, numbers = np.random.default_rng(0), [], []
    first = starts_of(env, params)
    for row in range(NUM_KITCHENS):
        table = jax.tree.map(lambda leaf, row=row: leaf[row], tables)
        left = NUM_PLAYED
        while left > 0:
            cook = Cook(by_hand(env, params.bank, row), refund=True)
            played, met = play(cook, table, first[row], rng, min(left, 120))
            states, numbers, left = states + played, numbers + met, left - len(met)
    found = states_of(np.array(states, np.int32))
    np.testing.assert_array_equal(numbers_of(env, found), numbers)
    assert len(numbers) >= NUM_KITCHENS * NUM_PLAYED


def test_shortest_plans_are_those_of_a_search(drawn):
    env, params, tables = drawn
    lengths = np.asarray(env.plan_lengths(params))
    counts = np.asarray(params.bank.recipe).sum(1)
    number = jnp.arange(env.num_states, dtype=jnp.int32)
    where = np.asarray(jax.vmap(lambda i: env.state_at(0, i, params))(number).where)
    starts = starts_of(env, params)
    assert lengths.tolist() == [(0, 6, 10, 16)[count] for count in counts]
    for row in range(NUM_KITCHENS):
        table = jax.tree.map(lambda leaf, row=row: leaf[row], tables)
        # An end of another dish is none.
        is_dish = (where == 2) == np.asarray(params.bank.recipe[row])
        table = table._replace(ended=table.ended & is_dish.all(1))
        assert distances_to_end(table)[starts[row]] == lengths[row]


def test_published_plans(kitchen):
    env, table = Overcooked(kitchen), table_of(kitchen)
    left = distances_to_end(table)
    assert left[first_of(kitchen)] == {"tomato": 6, "salad": 10}[kitchen]
    assert env.shortest_plans(f"paper-{kitchen}").tolist() == [left[first_of(kitchen)]]
    reached = reached_from(table, first_of(kitchen))
    assert left[reached].max() == {"tomato": 9, "salad": 16}[kitchen]  # no dead end


# -- the floor -----------------------------------------------------------------------------------


def test_places():
    places = jnp.arange(20, dtype=jnp.int32)
    rows, columns = map(np.asarray, spot_of_place(places))
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == list(SPOTS)
    assert [spot(place) for place in PLACES] == [(r + 1, c + 1) for r, c in SPOTS]
    near = [CELLS[cell] for cell in access_cell(places).tolist()]
    assert near == [
        *("a1", "b1", "c1", "d1", "e1"),
        *("e1", "e2", "e3", "e4", "e5"),
        *("a5", "b5", "c5", "d5", "e5"),
        *("a1", "a2", "a3", "a4", "a5"),
    ]


@pytest.mark.parametrize("view", [1, 2, 5])
def test_a_walk_that_ends_where_the_place_is_seen(view):
    pairs = list(itertools.product(itertools.product(range(1, 6), range(1, 6)), PLACES))
    cooks = []
    for me, place in pairs:
        cook = Cook(PAPER["salad"], view=view)
        cook.me, cook.pay = me, []
        cook.walk(spot(place), looks=True)
        cooks.append((len(cook.pay), *(x - 1 for x in cook.me)))
    spots = jnp.asarray([me for me, _ in pairs], jnp.int32).T - 1
    places = jnp.asarray([PLACES.index(place) for _, place in pairs], jnp.int32)
    steps, (row, column) = walk_until_seen((spots[0], spots[1]), spot_of_place(places), view)
    found = zip(steps.tolist(), row.tolist(), column.tolist(), strict=True)
    assert list(found) == cooks


# -- steps ---------------------------------------------------------------------------------------


def test_a_step_is_its_macro_where_legal_and_nothing_elsewhere():
    env = Overcooked("salad", illegal_reward=-0.25)
    params, data, table = env.default_params, recorded("salad"), table_of("salad")
    rows = np.random.default_rng(1).choice(len(data.live), 64, replace=False)
    states = jax.tree.map(lambda leaf: leaf[rows], data.states)
    actions = jnp.arange(env.num_actions, dtype=jnp.int32)

    def step(state, action):
        _, after, reward, ended, _ = env.step_env(jax.random.key(0), state, action, params)
        return env.state_index(after, params), reward, ended, after.time

    over = jax.vmap(jax.vmap(step, (None, 0)), (0, None))
    found, reward, ended, time = jax.device_get(jax.jit(over)(states, actions))
    legal = np.asarray(jax.vmap(env.action_mask, (0, None))(states, params))
    listed, _ = jax.vmap(env.legal_actions, (0, None))(states, params)
    numbers = numbers_of(env, states)
    assert (legal.sum(1) == 8).all()
    assert [np.flatnonzero(row).tolist() for row in legal] == np.asarray(listed).tolist()
    assert (env.macro_of[np.asarray(listed)] == np.arange(8)).all()
    for i, number in enumerate(numbers):
        done = table.next[number][env.macro_of], table.reward[number][env.macro_of]
        np.testing.assert_array_equal(found[i], np.where(legal[i], done[0], number))
        np.testing.assert_array_equal(reward[i], np.where(legal[i], done[1], np.float32(-0.25)))
        np.testing.assert_array_equal(ended[i], table.ended[found[i]])
    assert (time == 1).all()


def test_a_wrong_delivery_is_refunded():
    """By hand: get the tomato, board, chop (+.2), get it, deliver it alone."""
    returns = {}
    for reward in ("paper", "refund"):
        table, index, total = table_of("tomato", reward), first_of("tomato"), 0.0
        for macro in (0, 2, 4, 0, 3):
            total += table.reward[index, macro]
            steps, index = table.steps[index, macro], table.next[index, macro]
        assert table.reward[index, 4] == np.float32(-0.001)
        returns[reward] = total
        assert steps == 3
    assert returns["refund"] == pytest.approx(returns["paper"] - 0.2 * 0.99**2, abs=1e-6)
    chop = 0.2 * 0.99**2 - 0.001 * (1 + 0.99 + 0.99**2)
    assert chop == pytest.approx(0.1930499)
    assert np.isclose(table_of("tomato").reward, chop, atol=1e-7).sum() > 0
