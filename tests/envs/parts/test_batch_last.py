"""`batch_last`: where vmap puts its axis."""

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs.parts.batch_last import batch_last

SEEN = []


@batch_last
def weigh(rows, weights):
    """`(f32[...], f32[2, ...])` of `rows [3, ...]` and `weights [3, ...]`."""
    SEEN.append((rows.shape, weights.shape))
    return sum(x * y for x, y in zip(rows, weights, strict=True)), jnp.stack([rows[0], rows[2]])


def test_the_axis_comes_last_and_results_are_as_ever():
    rows, weights = np.arange(12.0).reshape(4, 3), np.arange(3.0)
    SEEN.clear()
    total, ends = jax.vmap(weigh, in_axes=(0, None))(rows, weights)
    assert SEEN[-1] == ((3, 4), (3, 1))
    np.testing.assert_array_equal(total, rows @ weights)
    np.testing.assert_array_equal(ends, rows[:, [0, 2]])


def test_nested_in_any_order():
    rows = np.arange(24.0).reshape(3, 2, 4)  # 2 by 4 of three numbers each
    weights = np.arange(6.0).reshape(3, 2)
    SEEN.clear()
    inner = jax.vmap(weigh, in_axes=(-1, None), out_axes=-1)
    total, ends = jax.vmap(inner, in_axes=(1, 1), out_axes=-1)(rows, weights)
    assert SEEN[-1] == ((3, 4, 2), (3, 1, 2))
    np.testing.assert_array_equal(total, np.einsum("aij,ai->ji", rows, weights))
    np.testing.assert_array_equal(ends, np.moveaxis(rows[[0, 2]], 1, -1))


def test_what_does_not_depend_on_the_mapped_argument_is_repeated():
    rows, weights = np.arange(3.0), np.arange(6.0).reshape(2, 3)
    total, ends = jax.vmap(weigh, in_axes=(None, 0))(rows, weights)
    np.testing.assert_array_equal(total, weights @ rows)
    np.testing.assert_array_equal(ends, [[0, 2], [0, 2]])


def test_alone_it_is_the_function():
    total, ends = weigh(jnp.arange(3.0), jnp.ones(3))
    assert (total, ends.tolist()) == (3, [0, 2])
