"""An agent in a file: it goes on as if it had never been away, and as no other."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import FrozenLake, InvalidInput

import lprl_jax
from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.value_based import dqn
from lprl_jax.priors import TabularPrior, fingerprint

LAKE = FrozenLake("3x3", is_slippery=False)
BANK = LAKE.params_of([["SFF", "HFF", "FFG"], ["SHF", "FFF", "FHG"]])
CONFIG = dqn.DQNConfig(buffer_size=64, batch_size=4, hidden_sizes=(8,), k=2)
ROWS = jax.nn.log_softmax(jax.random.normal(jax.random.key(1), (2, 9, 4)))


def prior(model: str = "a") -> TabularPrior:
    return TabularPrior(LAKE, ROWS, "rows", 0, {}, fingerprint.of(LAKE, BANK, model * 64))


def fresh(num_runs: int = 3, seed: int = 5) -> tuple[Any, Any, Data]:
    asked = prior()
    algorithm, data = dqn.make(CONFIG, LAKE, asked), Data(asked.params, BANK)
    keys = jax.random.split(jax.random.key(seed), num_runs)
    return algorithm, algorithm.init(keys, CONFIG.hparams(num_runs), data), data


def plain(state: Any) -> list[np.ndarray]:
    keyed = state._replace(key=jax.random.key_data(state.key))
    return [np.asarray(leaf) for leaf in jax.tree.leaves(keyed)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    algorithm, state, data = fresh()
    state, _ = algorithm.train(state, data, 3)
    path = tmp_path_factory.mktemp("agents") / "agent.npz"
    lprl_jax.save(path, state, data, CONFIG)
    return path, algorithm.train(state, data, 3)[0]


def test_it_goes_on_bit_for_bit(saved: tuple[Path, Any]) -> None:
    path, right = saved
    algorithm, other, data = fresh(seed=6)
    state = lprl_jax.load(path, other, data, CONFIG)
    assert type(state) is type(other)
    state, _ = algorithm.train(state, data, 3)
    for x, y in zip(plain(state), plain(right), strict=True):
        np.testing.assert_array_equal(x, y)


def test_what_is_another_agent(saved: tuple[Path, Any], tmp_path: Path) -> None:
    path, _ = saved
    _, state, data = fresh()

    def refused(words: str, like: Any = state, data: Data = data, config: Any = CONFIG) -> None:
        with pytest.raises(InvalidInput, match=words) as error:
            lprl_jax.load(path, like, data, config)
        assert "\n" not in str(error.value)

    refused(
        "of another config: k is 2 there, 3 here; gamma is",
        config=dataclasses.replace(CONFIG, k=3, gamma=0.5),
    )
    refused("is of another config: algorithm's config is", config=lprl_jax.ppo.PPOConfig())
    refused(r"config is .*; right: the algorithm's, such as DQNConfig\(\)", config={"k": 2})
    refused("has .* of .*; right: a state of as many runs", fresh(num_runs=2)[1])
    other = data._replace(prior_params=prior("b").params)
    refused(r"is of models \['a+'\], here it is \['b+'\]", data=other)
    turned = LAKE.params_of([["SHF", "FFF", "FHG"], ["SFF", "HFF", "FFG"]])
    refused("is of bank ", data=data._replace(env_params=turned))
    refused("of another algorithm: it differs in", state.params)


def test_what_is_no_agent(tmp_path: Path, saved: tuple[Path, Any]) -> None:
    _, state, data = fresh()
    with pytest.raises(InvalidInput, match=r"no saved agent at .*; make one with `lprl_jax.save"):
        lprl_jax.load(tmp_path / "none.npz", state, data, CONFIG)
    (tmp_path / "half.npz").write_bytes(saved[0].read_bytes()[:1000])
    with pytest.raises(InvalidInput, match="is not a saved agent"):
        lprl_jax.load(tmp_path / "half.npz", state, data, CONFIG)
    prior().save(tmp_path / "table.npz", BANK)
    with pytest.raises(InvalidInput, match="is not a saved agent of format 1"):
        lprl_jax.load(tmp_path / "table.npz", state, data, CONFIG)
    with pytest.raises(InvalidInput, match="exists"):
        lprl_jax.save(saved[0], state, data, CONFIG)
    with pytest.raises(InvalidInput, match=r"\.npz"):
        lprl_jax.save(tmp_path / "agent.pkl", state, data, CONFIG)
    assert jnp.isfinite(ROWS).all()
