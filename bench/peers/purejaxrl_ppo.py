"""purejaxrl's own `ppo.py` on CartPole-v1, run as it is: `purejaxrl_ppo.py CLONE --runs R`.

For an interpreter that has what it needs, of which gymnax is older than ours:

    pip install jax==0.10.2 flax==0.12.8 optax==0.2.8 distrax==0.1.9 gymnax==0.0.9

Its `wrappers.py` also imports brax and navix, for environments that are not CartPole. Where they
are not installed empty modules stand in for them here. Settings are those of its `__main__`,
without the callback that prints. Many runs are `jax.vmap(train)`, as they propose.

It takes turns (`turns.serve`), a whole training a turn; with `--curves FILE` it trains R runs from
`--seed` and writes, as NumPy's npy, `f32[R, updates]`: the mean over the environments of the last
finished episode's return, `returned_episode_returns`, at the end of each update.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import platform
import sys
import time
import types
from pathlib import Path
from typing import Any

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools import turns

SETTINGS = {
    "LR": 2.5e-4,
    "NUM_ENVS": 4,
    "NUM_STEPS": 128,
    "TOTAL_TIMESTEPS": 5e5,
    "UPDATE_EPOCHS": 4,
    "NUM_MINIBATCHES": 4,
    "GAMMA": 0.99,
    "GAE_LAMBDA": 0.95,
    "CLIP_EPS": 0.2,
    "ENT_COEF": 0.01,
    "VF_COEF": 0.5,
    "MAX_GRAD_NORM": 0.5,
    "ACTIVATION": "tanh",
    "ENV_NAME": "CartPole-v1",
    "ANNEAL_LR": True,
    "DEBUG": False,
}
STAND_INS = {
    "brax": ("envs",),
    "brax.envs.wrappers.training": ("EpisodeWrapper", "AutoResetWrapper"),
    "navix": (),
}
"""What is imported but not used on CartPole, with the names that are taken from it."""
VERSIONS = ("jax", "jaxlib", "flax", "optax", "distrax", "gymnax")


def main() -> None:
    parser = argparse.ArgumentParser(description="purejaxrl's PPO on CartPole-v1.")
    parser.add_argument("clone", type=Path)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=30)
    parser.add_argument("--curves", type=Path)
    options = parser.parse_args()
    stand_ins = stand_in()
    sys.path.insert(0, str(options.clone / "purejaxrl"))
    import ppo  # pyright: ignore[reportMissingImports]

    settings = dict(SETTINGS)
    train: Any = ppo.make_train(settings)
    keys = jax.random.PRNGKey(options.seed)
    if options.runs > 1 and not options.curves:
        train, keys = jax.vmap(train), jax.random.split(keys, options.runs)
    start = time.perf_counter()
    program = jax.jit(train).lower(keys).compile()
    compiling = time.perf_counter() - start
    if options.curves:  # one run after another, which takes less memory
        each = jax.random.split(keys, options.runs)
        np.save(options.curves, np.stack([curve(program(key)["metrics"]) for key in each]))
        return
    turns.serve(
        lambda: jax.block_until_ready(program(keys)),
        compile_seconds=compiling,
        steps=options.runs * settings["NUM_UPDATES"] * settings["NUM_STEPS"] * settings["NUM_ENVS"],
        versions={name: importlib.metadata.version(name) for name in VERSIONS},
        python=platform.python_version(),
        stand_ins=stand_ins,
    )


def curve(metrics: Any) -> np.ndarray:
    """`f32[updates]` from `[updates, T, N]`."""
    return np.asarray(metrics["returned_episode_returns"][:, -1].mean(-1))


def stand_in() -> list[str]:
    """Put empty modules where unneeded ones are not installed; returns their names."""
    missing = [name for name in ("brax", "navix") if importlib.util.find_spec(name) is None]
    for path, names in STAND_INS.items():
        if path.partition(".")[0] not in missing:
            continue
        parts = path.split(".")
        for i in range(len(parts)):
            module = ".".join(parts[: i + 1])
            sys.modules.setdefault(module, types.ModuleType(module))
        for name in names:
            found = sys.modules.get(f"{path}.{name}", None)
            setattr(sys.modules[path], name, found)
    return missing


if __name__ == "__main__":
    main()
