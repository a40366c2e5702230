"""CQL's updates a second, of 32 runs, beside the same in NumPy.

8x8 maps, one a run, data by random actions, a 64-64 network, batches of 64. The two learn the same
from the same batches, which is checked before the clock starts. An update is one of one run.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from peers.numpy_cql import Batch, Learner, Parameters, Settings
from tools.timing import Contender, Measured, Ratio, compiled, race, ratio, rows

import lprl_jax
from lprl_jax import Data, UniformPrior
from lprl_jax.algorithms.base import Algorithm
from lprl_jax.algorithms.value_based import cql, from_data
from lprl_jax.datasets.collect import at_random, collect
from lprl_jax.datasets.dataset import Dataset

RUNS, BATCH, SIZE = 32, 64, 2_000
SETTINGS = Settings()
NAMES = {"Dense_0": ("w1", "b1"), "Dense_1": ("w2", "b2"), "Dense_2": ("w3",)}


def learner(env: Any, prior: Any) -> tuple[Algorithm, cql.CQLConfig]:
    config = cql.CQLConfig(
        k=5,
        hidden_sizes=(64, 64),
        batch_size=BATCH,
        learning_rate=SETTINGS.learning_rate,
        gamma=SETTINGS.gamma,
        tau=SETTINGS.tau,
        beta=SETTINGS.beta,
        max_grad_norm=SETTINGS.max_grad_norm,
    )
    return cql.make(config, env, prior), config


def random_data(env: Any, params: Any, num_runs: int) -> Dataset:
    """Of every run, with the uniform prior's log-probabilities."""
    prior, runs = UniformPrior(env), jnp.arange(num_runs, dtype=jnp.int32)[:, None]
    keys = jax.random.split(jax.random.key(0), num_runs)
    found = collect(env, prior, [at_random()], [1.0], keys, Data((), params), runs, SIZE)
    return found[0]


def to_numpy(params: Any) -> Parameters:
    """Our networks as the peer has them."""
    named = {}
    for layer, names in NAMES.items():
        leaves = params["params"][layer]
        named |= dict(
            zip(names, (leaves[n] for n in ("kernel", "bias") if n in leaves), strict=True)
        )
    return {name: np.array(x) for name, x in named.items()}


def batch_at(dataset: Any, index: np.ndarray) -> Batch:
    """Transitions `index [R, B]` of a dataset of NumPy arrays."""
    leaves = dataset.state.position, dataset.action, dataset.reward, dataset.terminated
    columns = *leaves, dataset.next_state.position
    return Batch(*(np.take_along_axis(column, index, axis=1) for column in columns))


def drawn(state: Any) -> np.ndarray:
    """The transitions `[R, B]` that the next update of a state draws."""

    def of_run(key: Any, own: Any, size: Any) -> jax.Array:
        key_batch = jax.random.split(jax.random.split(key)[1], 3)[0]
        numbers = jnp.broadcast_to(jnp.arange(SIZE), (len(state.own), SIZE))
        return from_data.sample(numbers, own, size, key_batch, BATCH)

    return np.array(jax.vmap(of_run)(state.key, state.own, state.hparams.dataset_size))


def require_equal(algorithm: Algorithm, state: Any, data: Data, updates: int = 20) -> float:
    """Learn the same on both sides; the largest difference between their networks.

    Raises:
        AssertionError: if losses or networks differ by more than rounding explains.
    """
    peer, dataset = Learner(to_numpy(state.params), SETTINGS), jax.device_get(data.dataset)
    update = jax.jit(algorithm.update)
    for _ in range(updates):
        losses = peer.update(batch_at(dataset, drawn(state)))
        state, metrics = update(state, data)
        np.testing.assert_allclose(metrics["loss"], losses, rtol=1e-3, atol=1e-5)
    ours = to_numpy(state.params)
    differences = {name: np.abs(ours[name] - peer.params[name]).max() for name in ours}
    moved = np.abs(ours["w2"] - to_numpy(state.target_params)["w2"]).max()
    assert max(differences.values()) < 1e-3 < moved, (differences, moved)
    return float(max(differences.values()))


def contender(algorithm: Algorithm, state: Any, data: Data, updates: int, note: str) -> Contender:
    # The state is copied, not used up, so that every repeat starts from the same one.
    return compiled(
        lambda state, data: algorithm.train(state, data, updates),
        state, data, amount=updates * RUNS, unit="updates/s", note=note,
    )  # fmt: skip


def in_numpy(state: Any, dataset: Any, updates: int) -> Contender:
    """The peer, drawing its batches with NumPy's generator."""
    peer, rng = Learner(to_numpy(state.params), SETTINGS), np.random.default_rng(0)

    def call() -> None:
        for _ in range(updates):
            peer.update(batch_at(dataset, rng.integers(SIZE, size=(RUNS, BATCH))))

    return Contender(call, updates * RUNS, "updates/s", note=f"R = {RUNS}, vectorised over runs")


def run(quick: bool) -> Measured:
    """Rows and ratios."""
    env, _ = lprl_jax.make(
        "FrozenLake-lprl", map_name="8x8", is_slippery=False, observation="index"
    )
    params = env.sample_params(jax.random.key(0), RUNS)
    dataset = random_data(env, params, RUNS)
    keys = jax.random.split(jax.random.key(1), RUNS)
    plain, config = learner(env, None)
    with_prior, _ = learner(env, UniformPrior(env))
    data = Data((), params, dataset)
    bare = data._replace(dataset=dataset._replace(log_probs=(), next_log_probs=()))
    state = plain.init(keys, config.hparams(RUNS), bare)
    require_equal(plain, state, bare)
    updates = 50 if quick else 200
    contenders = {
        "offline/cql": contender(plain, state, bare, updates, f"R = {RUNS}"),
        "offline/cql_prior": contender(with_prior, state, data, updates, f"R = {RUNS}, k = 5"),
        "offline/numpy_cql": in_numpy(state, jax.device_get(dataset), updates),
    }
    seconds = race(contenders, repeats=15)
    ratios: dict[str, Ratio | None] = {
        "offline/cql_vs_numpy": ratio(contenders, seconds, "offline/cql", "offline/numpy_cql")
    }
    return rows(contenders, seconds), ratios
