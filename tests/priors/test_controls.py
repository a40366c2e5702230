"""The controls, drawing proposals, and the primitive that asks a model only where needed."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, TabularMDP, tables
from lprl_envs import InvalidInput

from lprl_jax.priors import TabularPrior, UniformPrior, degrade, sample_proposals
from lprl_jax.priors.base import evaluate_where_needed

ENV = TabularMDP(2, 4)
PARAMS = ENV.params_of([tables([[END] * 4] * 2, [[0] * 4] * 2, [[1, 1, 1, 0], [0, 0, 1, 0]])])
P = np.array([[0.5, 0.25, 0.25, 0.0], [0.0, 0.0, 1.0, 0.0], [0.25] * 4])
TABLE = jnp.log(jnp.float32(P))[None]
PRIOR = TabularPrior(ENV, TABLE, "table", 9)
# Upper .001 quantiles of chi-square, by degrees of freedom.
CHI_SQUARE = {1: 10.828, 2: 13.816, 3: 16.266}


def ask(prior):
    """Probabilities `[2, A]` of the two places, and the counters; the second is not needed."""
    states = jax.vmap(lambda i: ENV.state_at(0, i, PARAMS))(jnp.arange(2))
    needed = jnp.array([True, False])
    log_probs, carry = prior.log_probs(prior.params, prior.init(), states, PARAMS, needed)
    return np.exp(log_probs), carry


def test_uniform_over_the_legal_actions():
    found, carry = ask(UniformPrior(ENV))
    np.testing.assert_allclose(found, [[1 / 3, 1 / 3, 1 / 3, 0], [0, 0, 1, 0]], rtol=1e-6)
    assert carry == (0, 0)


@pytest.mark.parametrize(
    ("how", "expected", "name"),
    [
        ({}, [1 / 2, 1 / 4, 1 / 4], "unchanged"),
        # p² = 1/4, 1/16, 1/16
        ({"temperature": 0.5}, [2 / 3, 1 / 6, 1 / 6], "temperature 0.5"),
        # √p = 1/√2, 1/2, 1/2, of which the sum is 1/√2 + 1
        ({"temperature": 2}, [0.4142136, 0.2928932, 0.2928932], "temperature 2"),
        # .6 p + .4 / 3
        ({"epsilon": 0.4}, [0.4333333, 0.2833333, 0.2833333], "ε = 0.4"),
        ({"epsilon": 1.0}, [1 / 3, 1 / 3, 1 / 3], "ε = 1"),
        # 1/p = 2, 4, 4
        ({"adversarial": True}, [0.2, 0.4, 0.4], "adversarial"),
        # (1/p)² = 4, 16, 16
        (
            {"adversarial": True, "temperature": 0.5},
            [1 / 9, 4 / 9, 4 / 9],
            "adversarial, temperature 0.5",
        ),
        # Sharpened first, then mixed: ½ · 2/3 + ½ · 1/3, ½ · 1/6 + ½ · 1/3
        (
            {"temperature": 0.5, "epsilon": 0.5},
            [0.5, 0.25, 0.25],
            "temperature 0.5, ε = 0.5",
        ),
        # Turned round first, then mixed: ½ · .2 + ½ · 1/3, ½ · .4 + ½ · 1/3
        (
            {"adversarial": True, "epsilon": 0.5},
            [0.2666667, 0.3666667, 0.3666667],
            "adversarial, ε = 0.5",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_degraded_by_hand(how, expected, name):
    prior = degrade(PRIOR, **how)
    found, carry = ask(prior)
    np.testing.assert_allclose(found, [[*expected, 0], [0, 0, 1, 0]], atol=1e-6)
    assert prior.name == f"table ({name})"
    assert prior.params.log_probs is TABLE
    assert carry == (1, 9)  # of the prior underneath


@pytest.mark.parametrize(
    "how",
    [{"temperature": 0.0}, {"temperature": float("nan")}, {"epsilon": 2.0}, {"epsilon": -0.1}],
)
def test_what_makes_no_distribution_is_refused(how):
    ((name, value),) = how.items()
    with pytest.raises(InvalidInput, match=f"{name} is {value}; it must"):
        degrade(PRIOR, **how)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, [0, 1, 0]),
        ({"temperature": 5.0}, [0, 1, 0]),  # 0^(1/5) is 0
        ({"epsilon": 0.3}, [0.1, 0.8, 0.1]),
        ({"epsilon": 1.0}, [1 / 3, 1 / 3, 1 / 3]),
        ({"adversarial": True}, [1 / 2, 0, 1 / 2]),  # 1/p without bound, for two alike
        ({"adversarial": True, "temperature": 3.0}, [1 / 2, 0, 1 / 2]),
        ({"adversarial": True, "epsilon": 0.3}, [0.45, 0.1, 0.45]),
    ],
)
def test_legal_actions_of_probability_0_count(how, expected):
    # The first place has three legal actions and the prior knows one; the second has one.
    table = TabularPrior(ENV, jnp.log(jnp.float32([[[0, 1, 0, 0], [0, 0, 1, 0], P[2]]])), "t", 0)
    found, _ = ask(degrade(table, **how))
    np.testing.assert_allclose(found, [[*expected, 0], [0, 0, 1, 0]], atol=1e-6)


def test_a_prior_of_one_s_own_names_its_environment_where_it_matters():
    class Mine:
        name, params, init = "mine", PRIOR.params, PRIOR.init
        log_probs = staticmethod(PRIOR.log_probs)

    mine: Any = Mine()
    assert degrade(mine, temperature=2.0).env is None
    hows: list[dict[str, Any]] = [{"epsilon": 0.1}, {"adversarial": True}]
    for how in hows:
        with pytest.raises(InvalidInput, match=r"'mine' does not tell which .*; right: degrade"):
            degrade(mine, **how)
        expected, _ = ask(degrade(PRIOR, **how))
        np.testing.assert_array_equal(ask(degrade(mine, env=ENV, **how))[0], expected)


def test_a_degraded_prior_can_be_degraded():
    once = degrade(PRIOR, temperature=2.0)
    np.testing.assert_array_equal(
        ask(degrade(once, epsilon=0.5))[0], ask(degrade(PRIOR, temperature=2.0, epsilon=0.5))[0]
    )


@pytest.mark.parametrize("shift", [0.0, 90.0, -1000.0])
def test_proposals_have_the_frequencies_of_the_distribution(shift):
    p = np.array([[0.5, 0.2, 0.2, 0.1], [0.0, 0.3, 0.7, 0.0], [0.6, 0.0, 0.0, 0.4], [0, 0, 1, 0]])
    log_probs = jnp.broadcast_to(jnp.log(jnp.float32(p)) + shift, (800, 4, 4))
    draws = np.asarray(jax.jit(sample_proposals, static_argnums=2)(jax.random.key(0), log_probs, 5))
    assert draws.shape == (800, 4, 5)
    for row, right in enumerate(p):
        counts, expected = np.bincount(draws[:, row].ravel(), minlength=4), 4000 * right
        assert (counts[right == 0] == 0).all()
        there = right > 0
        off = np.sum((counts - expected)[there] ** 2 / expected[there])
        assert off < CHI_SQUARE.get(int(there.sum()) - 1, 1e-9)


def test_proposals_are_independent():
    # Of one row, with replacement; and of rows that are alike.
    log_probs = jnp.log(jnp.broadcast_to(jnp.array([0.7, 0.2, 0.1]), (20_000, 3)))
    draws = np.asarray(sample_proposals(jax.random.key(1), log_probs, 2))
    alike = 0.7**2 + 0.2**2 + 0.1**2
    deviation = np.sqrt(alike * (1 - alike) / 20_000)
    assert abs(np.mean(draws[:, 0] == draws[:, 1]) - alike) < 4 * deviation
    assert abs(np.mean(draws[1:, 0] == draws[:-1, 0]) - alike) < 4 * deviation


@pytest.mark.parametrize("num_actions", [3, 8, 200, 1000])
@pytest.mark.parametrize(("uniform", "place"), [(0.0, 0), (1 - 2.0**-24, -1)])
def test_extreme_draws_are_possible_actions(monkeypatch, uniform, place, num_actions):
    monkeypatch.setattr(
        jax.random, "uniform", lambda key, shape, dtype: jnp.full(shape, uniform, dtype)
    )
    rng = np.random.default_rng(num_actions)
    p = rng.exponential(size=(64, num_actions)).astype(np.float32)
    p[:, [0, -1]] = 0
    p[:, num_actions // 3 : num_actions // 2] = 0
    draws = sample_proposals(jax.random.key(0), jnp.log(p), 1)[:, 0]
    expected = [np.flatnonzero(row)[place] for row in p]
    chosen = np.take_along_axis(p, np.asarray(draws)[:, None], axis=1)
    assert (chosen > 0).all()
    if place == 0 or num_actions <= 8:
        np.testing.assert_array_equal(draws, expected)


BATCH = 7
NEEDED = {
    "none": np.zeros(BATCH, bool),
    "all": np.ones(BATCH, bool),
    "some": np.array([0, 1, 1, 0, 1, 0, 0], bool),
    "last": np.arange(BATCH) == BATCH - 1,
}


@pytest.mark.parametrize(("chunk", "few"), [(1, 0), (3, 0), (BATCH, 0), (50, 0), (3, 1), (3, 2)])
def test_evaluate_where_needed(chunk, few):
    rows = {"a": 1.0 + jnp.arange(2 * BATCH, dtype=jnp.float32).reshape(BATCH, 2)}
    rows["b"] = 10 * jnp.arange(BATCH)
    sizes = []

    def evaluate(part):
        sizes.append(part["b"].shape[0])
        return jnp.stack([part["a"][:, 0], part["a"].sum(-1), part["b"] + 0.5], axis=-1)

    compiled = jax.jit(lambda n: evaluate_where_needed(evaluate, rows, n, chunk, 3, few))
    for needed in NEEDED.values():
        expected = np.zeros((BATCH, 3))
        for i in np.flatnonzero(needed):
            a, b = (np.asarray(rows[name])[i] for name in "ab")
            expected[i] = [a[0], a.sum(), b + 0.5]
        np.testing.assert_array_equal(compiled(jnp.asarray(needed)), expected)
        sizes.clear()
        with jax.disable_jit():  # so that the loop is Python's, and calls can be counted
            found = evaluate_where_needed(evaluate, rows, jnp.asarray(needed), chunk, 3, few)
        np.testing.assert_array_equal(found, expected)
        size, left, expected_sizes = min(chunk, BATCH), int(needed.sum()), []
        while left > 0:
            expected_sizes.append(1 if left <= few else size)
            left -= expected_sizes[-1]
        assert sizes == expected_sizes


@pytest.mark.parametrize("needed", NEEDED.values(), ids=NEEDED)
def test_rows_are_run_by_rank(needed):
    """Those of a lower rank first; what fills up the last chunk is of that chunk."""
    rank, chunks = np.array([2, 0, 1, 0, 2, 1, 0]), []

    def evaluate(rows):
        chunks.append(np.asarray(rows).tolist())
        return rows[:, None] + 0.5

    with jax.disable_jit():
        asked = jnp.arange(BATCH, dtype=jnp.float32), jnp.asarray(needed), 3, 1
        found = evaluate_where_needed(evaluate, *asked, rank=jnp.asarray(rank))
    np.testing.assert_array_equal(found[:, 0], np.where(needed, np.arange(BATCH) + 0.5, 0.0))
    order = [i for value in range(3) for i in range(BATCH) if needed[i] and rank[i] == value]
    expected = [order[i : i + 3] for i in range(0, len(order), 3)]
    assert chunks == [[*part, *part[:1] * (3 - len(part))] for part in expected]
