"""Runs that are trained in blocks end as runs that are trained all at once."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, TabularMDP, begin, tables

from lprl_jax import judges
from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.value_based import dqn
from lprl_jax.experiments import blocks, carries
from lprl_jax.priors import TabularPrior

ENV = TabularMDP(3, 3)
BANK = [tables([[0, 1, END], [1, 2, END], [0, END, 1]], np.eye(3).tolist())]
PARAMS = ENV.params_of(BANK, max_steps=3)
TABLE = jax.nn.log_softmax(jax.random.normal(jax.random.key(2), (1, 4, 3)))
PRIOR = TabularPrior(ENV, TABLE, "table", 5)
VERDICTS = jax.random.choice(jax.random.key(1), jnp.array([-1.0, 0.0, 1.0]), (1, 4, 3))
JUDGE = judges.of_table(ENV, PARAMS, VERDICTS, "drawn")
CONFIG = dqn.DQNConfig(rollout_length=4, k=2, hidden_sizes=(4,), buffer_size=16, batch_size=4)
ALGORITHM = dqn.make(CONFIG, ENV, PRIOR, JUDGE)
DATA = Data(PRIOR.params, PARAMS, judge_params=JUDGE.params)
EPISODES = 3


def train(state: Any, data: Data) -> Any:
    state, metrics = ALGORITHM.train(state, data, 5)
    return state, {name: jnp.sum(x, axis=0) for name, x in metrics.items()}


def play(state: Any, data: Data) -> dict[str, jax.Array]:
    return ALGORITHM.evaluate(state, data, EPISODES)


def equal(one: Any, other: Any) -> None:
    """All numbers, and keys by their words."""

    def same(x: jax.Array, y: jax.Array) -> None:
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = jax.random.key_data(x), jax.random.key_data(y)
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)

    jax.tree.map(same, one, other)


@pytest.fixture(scope="module")
def state() -> Any:
    """Of 40 runs, which are two blocks."""
    return begin(ALGORITHM, CONFIG, DATA, range(40))


def test_trained_in_blocks_runs_are_as_trained_at_once(state: Any) -> None:
    """Weights, replay, metrics, the number of steps, and what prior and judge were asked."""
    in_blocks, at_once = (jax.jit(f)(state, DATA) for f in (blocks.train(train), train))
    equal(in_blocks, at_once)
    assert int(in_blocks[0].num_steps) == 20
    before, after = carries.of(state), carries.of(in_blocks[0])
    assert len(before) == 2
    assert all(b > a for a, b in zip(_asked(before), _asked(after), strict=True))


def _asked(shared: tuple[Any, ...]) -> list[int]:
    """The number of questions to the prior and to the judge."""
    return [int(carry.queries) for carry in shared]


def test_played_in_blocks_runs_are_as_played_at_once(state: Any) -> None:
    in_blocks, at_once = (jax.jit(f)(state, DATA) for f in (blocks.play(play), play))
    equal(in_blocks, at_once)


def test_blocks_are_as_large_as_divides_the_runs(state: Any) -> None:
    seen = []

    def look(state: Any, data: Data) -> Any:
        seen.append(len(state.key))
        return state, {"return": state.hparams.alpha}

    def first(count: int, **changes: Any) -> Any:
        part = jax.tree.map(lambda x: x[:count] if jnp.ndim(x) else x, state)
        return part._replace(**changes)

    def sizes(state: Any) -> set[int]:
        seen.clear()
        blocks.train(look)(state, DATA)
        return set(seen)

    assert sizes(state) == {20}
    assert sizes(first(32)) == {32}
    assert sizes(first(37)) == {37}, "a prime number has no blocks"
    remembered = state.prior_carry._replace(queries=jnp.zeros(5, jnp.int32))
    assert sizes(first(40, prior_carry=remembered)) == {40}, "runs share more than counts"
