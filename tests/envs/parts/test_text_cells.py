"""Text cells: the number of what a state reads."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import (
    Blackjack,
    BlocksWorld,
    CartPole,
    FrozenLake,
    InvalidInput,
    Literal,
    Pendulum,
    Scope,
    Slot,
    Template,
)
from lprl_envs.parts.text_cells import (
    cell_of,
    cell_slots,
    num_cells,
    num_text_cells,
    slots_of,
    text_cell,
)

TEMPLATE = Template(
    (
        Literal("Map"),
        Slot("map", (" one", " two"), Scope.INSTANCE),
        Literal(" at", Scope.STATE),
        Slot("row", (" a", " b", " c")),
        Slot("column", (" x", " y", " z", " w")),
        Literal(" go", Scope.STATE),
    )
)


def test_cells_count_through_the_state_slots_the_last_fastest():
    assert num_cells(TEMPLATE) == 12
    for instance in range(2):
        rows = itertools.product([instance], range(3), range(4))
        cells = [int(cell_of(TEMPLATE, jnp.array(row, jnp.int32))) for row in rows]
        assert cells == list(range(12))


def test_states_have_one_cell_exactly_where_they_read_alike():
    env = FrozenLake("4x4")
    params = env.sample_params(jax.random.key(0), 4)
    assert num_text_cells(env) == 16 * 4**4
    for instance in range(4):
        states = jax.vmap(lambda i, m=instance: env.state_at(m, i, params))(jnp.arange(16))
        cells = jax.vmap(lambda s: text_cell(env, s, params))(states)
        assert cells.dtype == jnp.int32
        texts = [env.describe(jax.tree.map(lambda x, i=i: x[i], states), params) for i in range(16)]
        alike = np.array(texts)[:, None] == np.array(texts)
        np.testing.assert_array_equal(alike, np.asarray(cells)[:, None] == np.asarray(cells))


def test_too_many_texts_are_not_numbered():
    env = BlocksWorld(6)
    _, state = env.reset(jax.random.key(0))
    assert num_text_cells(env) is None
    with pytest.raises(InvalidInput, match="BlocksWorld-lprl has too many texts an instance"):
        text_cell(env, state, env.default_params)
    with pytest.raises(InvalidInput, match="BlocksWorld-lprl has too many texts an instance"):
        cell_slots(env, state.instance, jnp.int32(0), env.default_params)


def test_a_cells_slots_are_its_digits():
    sizes = [len(slot.values) for slot in TEMPLATE.slots[1:]]
    for cell in range(12):
        row = [0, *np.unravel_index(cell, sizes)]
        np.testing.assert_array_equal(slots_of(TEMPLATE, jnp.int32(cell)), row)
        assert int(cell_of(TEMPLATE, jnp.array(row))) == cell


def played(env, params, steps):
    """States of random play in every instance of a bank."""

    def step(state, key):
        action = env.action_space(params).sample(key)
        _, after, *_ = env.step(key, state, action, params)
        return after, after

    def play(instance):
        state = env.initial_state(jax.random.key(1), instance, params)
        return jax.lax.scan(step, state, jax.random.split(jax.random.key(2), steps))[1]

    found = jax.vmap(play)(jnp.arange(len(params.instances)))
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), found)


@pytest.mark.parametrize("env", [CartPole(), Pendulum(), Blackjack()], ids=lambda env: env.name)
def test_a_states_cell_tells_all_its_slots(env):
    params = env.sample_params(jax.random.key(0), 5)
    states = played(env, params, 60)

    @jax.vmap
    def there_and_back(state):
        cell = text_cell(env, state, params)
        return cell, env.slots(state, params), cell_slots(env, state.instance, cell, params)

    cells, right, found = there_and_back(states)
    np.testing.assert_array_equal(found, right)
    assert found.dtype == jnp.int32
    assert len(np.unique(cells)) > 5
    assert len(np.unique(states.instance)) > 1
