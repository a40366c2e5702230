"""Acting in states that somebody else steps: the same as what `evaluate` plays, and its shapes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import FrozenLake, InvalidInput

from lprl_jax.algorithms import prior_only
from lprl_jax.algorithms.base import Algorithm, Data
from lprl_jax.algorithms.tabular import linvit
from lprl_jax.algorithms.value_based import dqn
from lprl_jax.priors import TabularPrior, fingerprint

LAKE = FrozenLake("3x3", is_slippery=False)
MAPS = [["SFF", "HFF", "FFG"], ["SHF", "FFF", "FHG"]]
BANK = LAKE.params_of(MAPS)
KEYS = jax.random.split(jax.random.key(0), 2)
OWN = jnp.arange(2)[:, None]
ROWS = jax.nn.log_softmax(4 * jax.random.normal(jax.random.key(1), (2, 9, 4)))


def table() -> TabularPrior:
    return TabularPrior(LAKE, ROWS, "rows", 0, {}, fingerprint.of(LAKE, BANK, "a" * 64))


def states(cells: list[int]) -> Any:
    """A state a run, each in its own map."""
    return jax.vmap(LAKE.state_at, (0, 0, None))(jnp.arange(2), jnp.array(cells), BANK)


def test_a_prior_acts_by_its_rows() -> None:
    prior, config = table(), prior_only.PriorOnlyConfig()
    algorithm, data = prior_only.make(config, LAKE, prior), Data(prior.params, BANK)
    state = algorithm.init(KEYS, config.hparams(2), data, OWN)
    likeliest = np.argmax(np.asarray(ROWS), axis=-1)
    for cells in ([0, 0], [4, 7], [8, 3]):
        found = algorithm.act(state, data, states(cells), jax.random.key(0), "greedy")
        assert found.tolist() == [likeliest[0, cells[0]], likeliest[1, cells[1]]]
    many = jax.tree.map(lambda x: jnp.broadcast_to(x[:, None], (2, 4_000)), states([4, 7]))
    drawn = algorithm.act(state, data, many, jax.random.key(1), "sample")
    share = np.array([np.bincount(row, minlength=4) / 4_000 for row in np.asarray(drawn)])
    right = np.exp(np.asarray(ROWS)[[0, 1], [4, 7]])
    np.testing.assert_allclose(share, right, atol=4 * 0.5 / np.sqrt(4_000))


def played(algorithm: Any, state: Any, data: Data, policy: str) -> list[float]:
    """Whether each run's episode ends on the goal, stepped by hand."""
    now, solved = states([0, 0]), np.zeros(2, bool)
    playing = np.ones(2, bool)
    for t in range(100):
        keys = jax.random.split(jax.random.key(t), 2)
        action = algorithm.act(state, data, now, keys, policy)
        _, now, _, ended, _ = jax.vmap(LAKE.step_env, (0, 0, 0, None))(keys, now, action, BANK)
        solved |= playing & np.asarray(jax.vmap(LAKE.is_solved, (0, None))(now, BANK))
        playing &= ~np.asarray(ended)
    return solved.astype(float).tolist()


def test_a_learner_acts_as_it_is_evaluated() -> None:
    config = dqn.DQNConfig(learning_rate=0.005, epsilon_steps=1_000, buffer_size=2_000)
    algorithm, data = dqn.make(config, LAKE), Data((), BANK)
    state = algorithm.init(KEYS, config.hparams(2), data, OWN)
    seen = []
    for _ in range(4):
        found = played(algorithm, state, data, "greedy")
        assert found == algorithm.evaluate(state, data, 1, "greedy")["success"].tolist()
        seen.append(sum(found))
        state, _ = algorithm.train(state, data, 150)
    assert seen[-1] > seen[0]


def test_a_tabular_learner_acts_in_states_that_are_over_too() -> None:
    config = linvit.LINVITConfig(horizon=6)
    prior = table()
    algorithm, data = linvit.make(config, LAKE, prior), Data(prior.params, BANK)
    state = algorithm.init(KEYS, config.hparams(2), data, OWN)
    found = algorithm.act(state, data, states([8, 1]), jax.random.key(0))
    assert found.shape == (2,)
    assert ((found >= 0) & (found < 4)).all()


def test_an_algorithm_of_somebody_elses_may_lack_it() -> None:
    def nothing(*arguments: Any) -> Any:
        return ()

    algorithm = Algorithm(nothing, nothing, nothing, nothing, policies=("own",))
    with pytest.raises(InvalidInput, match="made without `act`"):
        algorithm.act((), (), (), ())


@pytest.fixture(scope="module")
def alone() -> tuple[Any, Any, Data]:
    """One run on the first map."""
    config = prior_only.PriorOnlyConfig()
    prior = table()
    algorithm, data = prior_only.make(config, LAKE, prior), Data(prior.params, BANK)
    return algorithm, algorithm.init(KEYS[:1], config.hparams(1), data), data


def test_one_run_acts_in_one_state(alone: Any) -> None:
    algorithm, state, data = alone
    one = LAKE.state_at(0, 4, BANK)
    found = algorithm.act(state, data, one, jax.random.key(0), "greedy")
    assert found.shape == ()
    assert int(found) == int(jnp.argmax(ROWS[0, 4]))


@pytest.mark.parametrize(
    ("lead", "key", "policy", "words"),
    [
        ((2,), KEYS[0], "greedy", r"states of the environment are \(2,\); right: \(1,\) or"),
        ((1, 2, 3), KEYS[0], "greedy", r"are \(1, 2, 3\); right: \(1,\) or \(1, N\), or one"),
        ((1,), KEYS, "greedy", r"keys are .*; right: one key, or 1, a run each"),
        ((1,), jax.random.PRNGKey(0), "greedy", "right: a key a run"),
        ((1,), KEYS[0], "bold", "unknown policy 'bold'; valid: sample, greedy"),
    ],
)
def test_what_cannot_be_acted_in(
    alone: Any, lead: tuple[int, ...], key: Any, policy: str, words: str
) -> None:
    algorithm, state, data = alone
    one = LAKE.state_at(0, 4, BANK)
    many = jax.tree.map(lambda x: jnp.broadcast_to(x, lead), one)
    with pytest.raises(InvalidInput, match=words):
        algorithm.act(state, data, many, key, policy)
