"""Text cells: the number of what a state reads."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import BlocksWorld, FrozenLake, InvalidInput, Literal, Scope, Slot, Template
from lprl_envs.text_cells import cell_of, num_cells, num_text_cells, text_cell

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
