"""Rounding of weights: by a NumPy twin, and what it leaves alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import InvalidInput
from priors.tiny import tiny_model

from lprl_jax.lm.quantised import quantised, round_to


@pytest.mark.parametrize("bits", range(2, 9))
def test_weights_lie_on_the_levels_that_are_nearest(bits: int) -> None:
    weights = np.random.default_rng(bits).normal(size=(5, 7)).astype(np.float32)
    weights[:, 3] = 0
    found = np.asarray(round_to(jnp.asarray(weights), bits, axis=0))
    for j in range(7):
        column, levels = weights[:, j], 2 ** (bits - 1) - 1
        grid = np.abs(column).max() / levels * np.arange(-levels, levels + 1)
        right = [grid[np.argmin(np.abs(grid - w))] for w in column]
        np.testing.assert_allclose(found[:, j], right, atol=1e-6)


def test_matrices_are_rounded_by_their_outputs_and_norms_are_not() -> None:
    model = tiny_model()
    rounded = quantised(model, 3)
    assert rounded.name == "tiny (3 bits)"

    def look(path, before, after) -> None:
        name = jax.tree_util.keystr(path)
        before, after = np.asarray(before), np.asarray(after)
        if "norm" in name:
            np.testing.assert_array_equal(before, after)
            return
        inputs = -1 if "kernel" not in name else -2
        highest = np.abs(before).max(axis=inputs, keepdims=True)
        whole = after / (highest / 3)
        np.testing.assert_allclose(whole, np.round(whole), atol=1e-4)
        assert np.abs(after - before).max() <= highest.max() / 6 + 1e-6

    jax.tree_util.tree_map_with_path(look, model.params, rounded.params)


def test_eight_bits_are_nearly_the_model() -> None:
    model = tiny_model()

    def far(bits: int) -> float:
        pairs = zip(
            *map(jax.tree.leaves, (model.params, quantised(model, bits).params)), strict=True
        )
        return max(float(np.abs(np.asarray(x) - np.asarray(y)).max()) for x, y in pairs)

    found = [far(bits) for bits in (8, 6, 4, 2)]
    assert found == sorted(found)
    assert found[0] < found[-1] / 30


@pytest.mark.parametrize("bits", [1, 9, 2.5])
def test_refusals(bits: float) -> None:
    with pytest.raises(InvalidInput, match=f"bits is {bits}"):
        quantised(tiny_model(), bits)  # pyright: ignore[reportArgumentType]
