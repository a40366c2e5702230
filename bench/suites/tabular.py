"""LINVIT's episodes a second over 1,024 runs, ours and vectorised NumPy.

16 states (slippery Frozen Lake 4x4, a map a run), 4 actions, 20 steps, Hoeffding's bonus. An
episode is: plan for all states and steps with both bounds, play, count. Ours goes over all devices,
as `lprl train` does; NumPy runs on one core. From the same counts both sides' bounds agree to 1e-4
before the clock starts; then each goes on learning.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from peers import numpy_linvit
from tools.timing import Contender, Measured, race, ratio, rows

import lprl_jax
from lprl_jax import Data
from lprl_jax.algorithms.tabular import linvit
from lprl_jax.experiments import sharding

RUNS = 1_024
EPISODES = 10
WARM_UP = 30
TOLERANCE = 1e-4


def run(quick: bool) -> Measured:
    """Rows and the ratio."""
    ours, theirs = "tabular/linvit", "tabular/linvit_numpy"
    jax_side, numpy_side = sides(RUNS, EPISODES if quick else 3 * EPISODES)
    contenders: dict[str, Contender] = {ours: jax_side, theirs: numpy_side}
    seconds = race(contenders)
    found = {"tabular/linvit_vs_numpy": ratio(contenders, seconds, ours, theirs)}
    return rows(contenders, seconds), {**found}


def sides(num_runs: int, num_episodes: int) -> tuple[Contender, Contender]:
    """Ours and the NumPy twin, from the same counts."""
    env, _ = lprl_jax.make("FrozenLake-lprl", map_name="4x4")
    params = env.sample_params(jax.random.key(0), num_runs)
    config = linvit.LINVITConfig(episodes_per_update=num_episodes)
    algorithm = linvit.make(config, env)
    data = Data((), params)
    own = jnp.arange(num_runs, dtype=jnp.int32)[:, None]
    keys = jax.random.split(jax.random.key(1), num_runs)
    state = algorithm.init(keys, config.hparams(num_runs), data, own)
    state, _ = algorithm.train(state, data, WARM_UP // num_episodes)
    note = f"R = {num_runs}, S = 16, H = {config.horizon}; {jax.device_count()} devices"
    hp = jax.tree.map(lambda x: x[0], state.hparams)
    twin = numpy_linvit.Runs.of(state.problem, np.asarray(state.counts), hp)
    agree(config, state, twin)

    def play() -> None:
        for _ in range(num_episodes):
            numpy_linvit.episode(twin)

    amount = num_runs * num_episodes
    learn, seconds = learning(algorithm, state, data)
    ours = Contender(learn, amount, "episodes/s", seconds, note)
    return ours, Contender(play, amount, "episodes/s", note=note)


def learning(algorithm: Any, state: Any, data: Data) -> tuple[Callable[[], None], float]:
    """An update at each call, the runs over all devices; and the seconds that compiling took."""
    mesh = sharding.make_mesh(state.problem.start.shape[0])
    data, state = sharding.place(mesh, data), sharding.spread(mesh, state)
    start = time.perf_counter()
    train = sharding.compile_chunk(algorithm, mesh, 1, state, data)
    seconds = time.perf_counter() - start

    def learn() -> None:
        nonlocal state
        state, _ = jax.block_until_ready(train(state, data))

    return learn, seconds


def agree(config: linvit.LINVITConfig, state: linvit.LINVITState, twin: numpy_linvit.Runs) -> None:
    """Stop unless both sides plan alike from the same counts."""
    plan = jax.jit(jax.vmap(lambda p, c, hp: linvit.bounds(config, p, c, hp)))
    known = plan(state.problem, state.counts, state.hparams)
    q_upper, q_lower, _ = numpy_linvit.bounds(twin)
    for one, other in ((known.q_upper, q_upper), (known.q_lower, q_lower)):
        apart = float(np.max(np.abs(np.swapaxes(np.asarray(one), 0, 1) - other)))
        if apart > TOLERANCE:
            raise SystemExit(f"ours and NumPy's bounds differ by {apart:.1e}")
