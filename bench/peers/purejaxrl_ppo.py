"""purejaxrl's own `ppo.py` on CartPole-v1, run as it is: `purejaxrl_ppo.py CLONE --runs R`.

For an interpreter that has what it needs, of which gymnax is older than ours:

    pip install jax==0.10.2 flax==0.12.8 optax==0.2.8 distrax==0.1.9 gymnax==0.0.9

Its `wrappers.py` also imports brax and navix, for environments that are not CartPole. Where they
are not installed empty modules stand in for them here. Settings are those of its `__main__`,
without the callback that prints. Many runs are `jax.vmap(train)`, as they propose.

It takes turns (`turns.serve`), a whole training a turn. With `--episodes E` every run first plays E
episodes by its policy's own noise, after a training. With `--curves FILE` it trains R runs from
`--seed` and writes, as NumPy's npy, `f32[R, updates]`: the mean over the environments of the last
finished episode's return, `returned_episode_returns`, at the end of each update.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools import peer_program, turns

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


def main() -> None:
    parser = argparse.ArgumentParser(description="purejaxrl's PPO on CartPole-v1.")
    parser.add_argument("clone", type=Path)
    peer_program.add_options(parser, 500_000)
    parser.add_argument("--seed", type=int, default=30)
    parser.add_argument("--curves", type=Path)
    options = parser.parse_args()
    stand_ins = stand_in()
    sys.path.insert(0, str(options.clone / "purejaxrl"))
    import ppo  # pyright: ignore[reportMissingImports]

    settings: dict[str, Any] = {**SETTINGS, "TOTAL_TIMESTEPS": options.steps}
    train: Any = ppo.make_train(settings)
    keys = jax.random.PRNGKey(options.seed)
    many = options.runs > 1
    if many and not options.curves:
        train, keys = jax.vmap(train), jax.random.split(keys, options.runs)
    if options.curves:  # one run after another, which takes less memory
        program = jax.jit(train)
        each = jax.random.split(keys, options.runs)
        np.save(options.curves, np.stack([curve(program(key)["metrics"]) for key in each]))
        return
    call, compiling = peer_program.compiled(train, keys)
    learner = call()["runner_state"][0]
    network = ppo.ActorCritic(2, activation=settings["ACTIVATION"])

    def play(params: Any) -> jax.Array:
        def act(obs: jax.Array, key: jax.Array) -> jax.Array:
            return network.apply(params, obs)[0].sample(seed=key)

        return peer_program.cartpole_returns(act, options.episodes)

    turns.serve(
        call,
        compile_seconds=compiling,
        steps=options.runs * settings["NUM_UPDATES"] * settings["NUM_STEPS"] * settings["NUM_ENVS"],
        versions=peer_program.versions("flax", "optax", "distrax", "gymnax"),
        stand_ins=stand_ins,
        gradient_steps=peer_program.adam_counts(learner.opt_state),
        returns=peer_program.played(play, learner.params, options),
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
