"""rejax's own SAC on Pendulum-v1: `rejax_sac.py --runs R`.

For an interpreter that has it, and of gymnax what it needs, which is older than ours:

    pip install rejax==0.1.3 jax==0.10.2 flax==0.12.8 optax==0.2.8 distrax==0.1.9 gymnax==0.0.9

Settings are those of its `configs/gymnax/pendulum.yaml`, but for two that ours does not have:
hidden units are relu, not swish, and observations are not normalised; and nothing is evaluated
within a training. Many runs are `jax.vmap(train)`, as they propose.

Theirs draws a batch without replacement, by ordering all places of its replay. With
`--with-replacement` it draws as ours does, so that what is left is the same work. It is not rejax
as it is published then.

It takes turns (`turns.serve`), a whole training a turn. At the end every run plays 128 episodes by
rejax's own evaluation, which acts as in training, with noise.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools import turns

SETTINGS = {
    "env": "Pendulum-v1",
    "agent_kwargs": {"activation": "relu"},
    "hidden_layer_sizes": (64, 64),
    "num_envs": 1,
    "buffer_size": 10_000,
    "fill_buffer": 256,
    "batch_size": 256,
    "learning_rate": 0.01,
    "num_epochs": 1,
    "total_timesteps": 10_000,
    "eval_freq": 10_000,
    "skip_initial_evaluation": True,
    "gamma": 0.99,
    "polyak": 0.98,
    "target_entropy_ratio": None,
    "normalize_observations": False,
}
VERSIONS = ("rejax", "jax", "jaxlib", "flax", "optax", "distrax", "gymnax")


def main() -> None:
    parser = argparse.ArgumentParser(description="rejax's SAC on Pendulum-v1.")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--with-replacement", action="store_true")
    options = parser.parse_args()
    import rejax  # pyright: ignore[reportMissingImports]
    from rejax import buffers  # pyright: ignore[reportMissingImports]

    if options.with_replacement:
        buffers.ReplayBuffer.sample = drawn_with_replacement
    sac: Any = rejax.get_algo("sac").create(**SETTINGS)
    evaluation = sac.eval_callback
    sac = sac.replace(eval_callback=lambda algorithm, state, key: ())
    keys = jax.random.split(jax.random.PRNGKey(0), options.runs)
    train: Any = jax.vmap(sac.train) if options.runs > 1 else sac.train
    keys = keys if options.runs > 1 else keys[0]
    start = time.perf_counter()
    program = jax.jit(train).lower(keys).compile()
    compiling = time.perf_counter() - start

    def call() -> Any:
        return jax.block_until_ready(program(keys))

    def play(state: Any) -> Any:
        return evaluation(sac, state, state.rng)

    states, _ = call()
    _, returns = jax.jit(jax.vmap(play) if options.runs > 1 else play)(states)
    turns.serve(
        call,
        compile_seconds=compiling,
        steps=options.runs * SETTINGS["total_timesteps"],
        versions={name: importlib.metadata.version(name) for name in VERSIONS},
        python=platform.python_version(),
        returns=np.asarray(returns).reshape(options.runs, -1).mean(-1).tolist(),
    )


def drawn_with_replacement(replay: Any, num: int, key: jax.Array) -> Any:
    """In place of `ReplayBuffer.sample`: `num` of what is kept."""
    places = jax.random.randint(key, (num,), 0, replay.num_entries)
    return jax.tree.map(lambda x: x[places], replay.data)


if __name__ == "__main__":
    main()
