"""CQL on a process that can be worked out by hand: what it learns, and from which data."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, FAST_TO_COMPILE, TabularMDP, begin, tables, trainer
from datasets.tiny_data import dataset_of

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.value_based import cql
from lprl_jax.priors import TabularPrior

ENV = TabularMDP(2, 3)
# Place 0 leads to place 1, where action 0 pays .5, action 1 costs 1 and action 2 is illegal.
TRAP = tables([[1, 1, 1], [END] * 3], [[0, 0, 0], [0.5, -1, 0]], [[1, 1, 1], [1, 1, 0]])
PARAMS = ENV.params_of([TRAP])
GAMMA, OPTIMISTIC = 0.8, 2.0
# Of what place 1 has to offer the data show action 0 alone.
SEEN = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 0)]
CONFIG = cql.CQLConfig(
    hidden_sizes=(), batch_size=16, learning_rate=0.02, gamma=GAMMA, tau=0.2, beta=0.5, k=2
)
"""Without hidden layers the network is a table."""
INFORMED = np.array([[0.6, 0.3, 0.1], [1.0, 0.0, 0.0], [0.4, 0.3, 0.3]], np.float32)
with np.errstate(divide="ignore"):
    LOG_PROBS = np.log(INFORMED)
PRIOR = TabularPrior(ENV, jnp.asarray(LOG_PROBS)[None], "informed", 0)


def learner(prior: Any = None, runs: Any = (SEEN,), **changes: Any) -> tuple[Any, Any, Any]:
    """An algorithm, its config, and its data."""
    config = dataclasses.replace(CONFIG, **changes)
    found = dataset_of(ENV, [TRAP], runs, () if prior is None else LOG_PROBS)
    data = Data(() if prior is None else prior.params, PARAMS, found)
    return cql.make(config, ENV, prior), config, jax.tree.map(jnp.asarray, data)


def start(algorithm: Any, config: Any, data: Data, num_runs: int = 1, **hparams: Any) -> Any:
    """Fresh runs in which every value is OPTIMISTIC."""
    state = begin(algorithm, config, data, range(num_runs), **hparams)
    params = jax.tree.map(lambda x: jnp.full_like(x, OPTIMISTIC), state.params)
    return state._replace(params=params, target_params=params)


def values(state: Any) -> np.ndarray:
    """`[R, places + 1, A]`."""
    return np.asarray(state.params["params"]["Dense_0"]["kernel"])


def learnt(algorithm: Any, config: Any, data: Data, num_updates: int = 600, **hparams: Any) -> Any:
    num_runs = max([1, *(len(x) for x in hparams.values() if not np.isscalar(x))])
    state = start(algorithm, config, data, num_runs, **hparams)
    return trainer(algorithm, num_updates)(state, data)[0]


def test_dqn_on_data_believes_in_what_it_never_saw_and_cql_does_not():
    # One program: β is 0 in the first run, .5 in the second.
    algorithm, config, data = learner()
    state = learnt(algorithm, config, data, beta=[0.0, 0.5], dataset_size=0.0)
    dqn, conservative = values(state)
    # Nobody has tried action 1 at place 1, so its value is what it was at the start.
    np.testing.assert_allclose(dqn[1], [0.5, OPTIMISTIC, OPTIMISTIC], atol=1e-3)
    np.testing.assert_allclose(dqn[0, :2], GAMMA * OPTIMISTIC, atol=1e-2)  # truly .8 · .5
    assert conservative[1, 0] > conservative[1, 1] + 1
    assert conservative[1, 2] == OPTIMISTIC  # illegal, so it is not in the sum
    assert conservative[0, 0] < 1.5
    success = {
        name: algorithm.evaluate(state, data, 4, name)["return"] for name in algorithm.policies
    }
    np.testing.assert_allclose(success["greedy"], [-1.0, 0.5])


def test_a_prior_keeps_what_nobody_would_do_out_of_the_target():
    # It never proposes action 1 at place 1: with β = 0, and k = 2 draws, or exact.
    for k in (2, "exact"):
        algorithm, config, data = learner(PRIOR, k=k, beta=0.0, alpha=0.05)
        assert algorithm.policies[0] == "greedy"
        state = learnt(algorithm, config, data)
        np.testing.assert_allclose(values(state)[0, 1], [0.5, OPTIMISTIC, OPTIMISTIC], atol=1e-3)
        np.testing.assert_allclose(values(state)[0, 0, :2], GAMMA * 0.5, atol=1e-2)
        np.testing.assert_allclose(algorithm.evaluate(state, data, 4)["return"], 0.5)


def expected_loss(kind: str, q: np.ndarray, alpha: float, beta: float) -> float:
    """Of the one transition (place 0, action 1), by hand, in float64."""
    here, there = q[0].astype(float), q[1].astype(float)
    p_here, p_there = INFORMED[0].astype(float), INFORMED[1].astype(float)
    if kind == "none":
        bootstrap, penalty = max(there[:2]), np.log(np.exp(here).sum()) - here[1]
    else:
        bootstrap = alpha * np.log((p_there * np.exp(there / alpha)).sum())
        penalty = alpha * np.log((p_here * np.exp(here / alpha)).sum()) - here[1]
    return 0.5 * (GAMMA * bootstrap - here[1]) ** 2 + beta * penalty


@pytest.mark.parametrize("kind", ["none", "exact"])
@pytest.mark.parametrize("beta", [0.0, 0.7])
def test_the_loss_of_a_batch_by_hand(kind, beta):
    prior = None if kind == "none" else PRIOR
    algorithm, config, data = learner(prior, runs=[[(0, 0, 1)]], k="exact", beta=beta, alpha=0.4)
    state = begin(algorithm, config, data, [3])
    _, metrics = jax.jit(algorithm.update, compiler_options=FAST_TO_COMPILE)(state, data)
    expected = expected_loss(kind, values(state)[0], 0.4, beta)
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)


def test_the_gradient_step_is_adam_s():
    # Adam's first step is the learning rate, against the sign of the gradient.
    algorithm, config, data = learner(runs=[[(0, 1, 1)]], beta=0.1)
    state = start(algorithm, config, data)
    after, _ = jax.jit(algorithm.update, compiler_options=FAST_TO_COMPILE)(state, data)
    moved = values(after) - values(state)
    # -1 - 2 pulls the data's action down, more than the penalty's β / 2 up; the other falls.
    expected = np.zeros((1, 3, 3))
    expected[0, 1] = [-0.02, -0.02, 0]
    np.testing.assert_allclose(moved, expected, atol=1e-6)
    target = np.asarray(after.target_params["params"]["Dense_0"]["kernel"]) - values(state)
    np.testing.assert_allclose(target, 0.2 * expected, atol=1e-6)
    assert int(after.num_steps) == 1


def test_a_run_learns_from_the_first_of_its_own_transitions():
    # Place 1 alone, actions 0 (.5) and 1 (-1); β = 0 learns the rewards of what a run may see.
    good, bad = (0, 1, 0), (0, 1, 1)
    runs = [[good, good, bad, bad], [bad, bad, good, good]]
    algorithm, config, data = learner(runs=runs, beta=0.0)
    state = learnt(algorithm, config, data, dataset_size=[2.0, 2.0, 3.0, 0.0])
    found = values(state)[:, 1, :2]
    # Runs 2 and 3 learn from the data's runs 0 and 1 again.
    expected = [[0.5, OPTIMISTIC], [OPTIMISTIC, -1.0], [0.5, -1.0], [0.5, -1.0]]
    np.testing.assert_allclose(found, expected, atol=1e-2)


def test_a_run_of_a_sweep_is_what_it_would_be_alone():
    hparams = {
        "beta": [0.0, 1.0, 5.0, 1.0],
        "alpha": [0.1, 0.1, 0.2, 1.0],
        "dataset_size": [0.0, 2.0, 3.0, 0.0],
        "learning_rate": [0.02, 0.01, 0.02, 0.003],
    }
    algorithm, config, data = learner(PRIOR, hidden_sizes=(8,))
    train = trainer(algorithm, 20)
    together, _ = train(begin(algorithm, config, data, [5, 6, 7, 8], **hparams), data)
    own = {name: x[2] for name, x in hparams.items()}
    # Its data are those of run 2, modulo the one run that there is.
    alone, _ = train(begin(algorithm, config, data, [7], **own), data)
    for many, one in zip(
        jax.tree.leaves(together.params), jax.tree.leaves(alone.params), strict=True
    ):
        np.testing.assert_allclose(many[2], one[0], atol=1e-6)


def test_the_prior_is_not_asked_while_learning():
    algorithm, config, data = learner(PRIOR)
    uniform = jnp.full_like(PRIOR.table, -jnp.log(3.0))
    other = data._replace(prior_params=data.prior_params._replace(log_probs=uniform))
    ends = [learnt(algorithm, config, d, 20) for d in (data, other)]
    np.testing.assert_array_equal(values(ends[0]), values(ends[1]))
    assert ends[0].prior_carry == (0, 0)
    bare = data._replace(dataset=())  # and what has been learnt can be played without the data
    played = [algorithm.evaluate(ends[0], d, 4)["return"] for d in (data, bare)]
    np.testing.assert_array_equal(played[0], played[1])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("beta", -0.1),
        ("beta", float("nan")),
        ("dataset_size", -1.0),
        ("dataset_size", 2.5),
        ("k", 0),
        ("alpha", 0.0),
        ("gamma", 1.5),
        ("tau", -0.1),
        ("learning_rate", 0.0),
        ("batch_size", 0),
    ],
)
def test_bad_settings_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=f"^{field} is {value!r}.*(valid|must)"):
        cql.CQLConfig(**{field: value})
