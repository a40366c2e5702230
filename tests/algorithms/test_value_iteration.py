"""Exact planning on a process small enough to plan by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, TabularMDP, tables

from lprl_jax.algorithms.value_iteration import Law, law_of, plan

ENV = TabularMDP(2, 2)
# From the first place: stay for 1, or walk to the second for nothing. There: back for 2, or end
# with 6. In the second instance, ending is illegal.
REWARD = [[1, 0], [2, 6]]
NEXT = [[0, 1], [0, END]]
PARAMS = ENV.params_of([tables(NEXT, REWARD), tables(NEXT, REWARD, [[1, 1], [1, 0]])])
NONE = -np.inf


@pytest.mark.parametrize(
    ("horizon", "discount", "expected"),
    [
        (1, 0.5, [[1, 0], [2, 6], [0, 0]]),
        # V = (1, 6): 1 + ½·1, 0 + ½·6; 2 + ½·1, 6.
        (2, 0.5, [[1.5, 3], [2.5, 6], [0, 0]]),
        # V = (3, 6): 1 + ½·3, ½·6; 2 + ½·3, 6; and so it stays.
        (3, 0.5, [[2.5, 3], [3.5, 6], [0, 0]]),
        (50, 0.5, [[2.5, 3], [3.5, 6], [0, 0]]),
        # Undiscounted: V = (1, 6), then q = 2, 6; 3, 6 and V = (6, 6), then 1 + 6, 6; 2 + 6, 6.
        (3, 1.0, [[7, 6], [8, 6], [0, 0]]),
    ],
)
def test_by_hand(horizon, discount, expected):
    q = plan(law_of(ENV, PARAMS, jnp.int32(0)), horizon, discount)
    np.testing.assert_allclose(q, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("horizon", "expected"),
    [
        (1, [[1, 0], [2, NONE], [0, 0]]),
        # V = (1, 2): 1 + ½·1, ½·2; 2 + ½·1. Never 6.
        (2, [[1.5, 1], [2.5, NONE], [0, 0]]),
        # Staying for ever is worth 2: V = (2, 3); ½·3, 2 + ½·2.
        (60, [[2, 1.5], [3, NONE], [0, 0]]),
    ],
)
def test_illegal_actions_are_never_planned(horizon, expected):
    q = plan(law_of(ENV, PARAMS, jnp.int32(1)), horizon, 0.5)
    np.testing.assert_allclose(q, expected, rtol=1e-6)


def test_chance_is_averaged():
    # One place, one action: with ¼ it ends with 8, with ¾ it goes on for 0.
    law = Law(
        prob=jnp.array([[[0.25, 0.75]]]),
        next_state=jnp.zeros((1, 1, 2), jnp.int32),
        reward=jnp.array([[[8.0, 0.0]]]),
        discount=jnp.array([[[0.0, 1.0]]]),
        legal=jnp.ones((1, 1), bool),
    )
    # q = 2, then 2 + ¾·½·2 = 2.75, in the end 2 / (1 - 3/8) = 3.2.
    np.testing.assert_allclose(plan(law, 1, 0.5), [[2.0]])
    np.testing.assert_allclose(plan(law, 2, 0.5), [[2.75]])
    np.testing.assert_allclose(plan(law, 100, 0.5), [[3.2]], rtol=1e-6)


def test_the_law_is_that_of_the_environment():
    law = law_of(ENV, PARAMS, jnp.int32(1))
    assert law.next_state[..., 0].tolist() == [[0, 1], [0, 2], [2, 2]]
    assert law.reward[..., 0].tolist() == [[1, 0], [2, 6], [0, 0]]
    assert law.discount[..., 0].tolist() == [[1, 1], [1, 0], [0, 0]]
    assert law.legal.tolist() == [[True, True], [True, False], [True, True]]
