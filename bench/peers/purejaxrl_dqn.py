"""purejaxrl's own `dqn.py` on CartPole-v1, run as it is: `purejaxrl_dqn.py CLONE --runs R`.

For an interpreter that has what it needs, of which gymnax is older than ours:

    pip install jax==0.10.2 flax==0.12.8 optax==0.2.8 gymnax==0.0.9 flashbax

It also imports wandb, which its settings leave disabled: where that is not installed an empty
module stands in for it. And it calls `jax.tree_map`, which JAX has since renamed `jax.tree.map`,
once, on the first weights: the old name is given back to it here. Settings are those of its `main`.
Many runs are `jax.vmap(train)`, as they propose.

It takes turns (`turns.serve`), a whole training a turn. With `--episodes E` every run first plays E
episodes by the largest value, after a training.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools import peer_program, turns

SETTINGS = {
    "NUM_ENVS": 10,
    "BUFFER_SIZE": 10000,
    "BUFFER_BATCH_SIZE": 128,
    "TOTAL_TIMESTEPS": 5e5,
    "EPSILON_START": 1.0,
    "EPSILON_FINISH": 0.05,
    "EPSILON_ANNEAL_TIME": 25e4,
    "TARGET_UPDATE_INTERVAL": 500,
    "LR": 2.5e-4,
    "LEARNING_STARTS": 10000,
    "TRAINING_INTERVAL": 10,
    "LR_LINEAR_DECAY": False,
    "GAMMA": 0.99,
    "TAU": 1.0,
    "ENV_NAME": "CartPole-v1",
    "WANDB_MODE": "disabled",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="purejaxrl's DQN on CartPole-v1.")
    parser.add_argument("clone", type=Path)
    peer_program.add_options(parser, 500_000)
    options = parser.parse_args()
    stand_ins = stand_in()
    sys.path.insert(0, str(options.clone / "purejaxrl"))
    import dqn  # pyright: ignore[reportMissingImports]

    settings = settings_of(options.steps)
    many = options.runs > 1
    train: Any = dqn.make_train(settings)
    keys = jax.random.split(jax.random.PRNGKey(0), options.runs)
    call, compiling = peer_program.compiled(
        jax.vmap(train) if many else train, keys if many else keys[0]
    )
    learner = call()["runner_state"][0]

    network = dqn.QNetwork(action_dim=2)

    def play(params: Any) -> jax.Array:
        def act(obs: jax.Array, key: jax.Array) -> jax.Array:
            return jnp.argmax(network.apply(params, obs))

        return peer_program.cartpole_returns(act, options.episodes)

    turns.serve(
        call,
        compile_seconds=compiling,
        steps=options.runs * int(settings["NUM_UPDATES"]) * settings["NUM_ENVS"],
        versions=peer_program.versions("flax", "optax", "gymnax", "flashbax"),
        stand_ins=stand_ins,
        gradient_steps=peer_program.adam_counts(learner.opt_state),
        returns=peer_program.played(play, learner.params, options),
    )


def settings_of(steps: int) -> dict[str, Any]:
    """Of a training of so many steps; of a shorter one the parts are as long."""
    share = steps / SETTINGS["TOTAL_TIMESTEPS"]
    shares = {name: share * SETTINGS[name] for name in ("LEARNING_STARTS", "EPSILON_ANNEAL_TIME")}
    return {**SETTINGS, **shares, "TOTAL_TIMESTEPS": steps}


def stand_in() -> list[str]:
    """Give what is missing; returns the names of modules that are empty."""
    if not hasattr(jax, "tree_map"):
        setattr(jax, "tree_map", jax.tree.map)  # noqa: B010  (JAX's module refuses to be typed so)
    if importlib.util.find_spec("wandb"):
        return []
    sys.modules["wandb"] = types.ModuleType("wandb")
    return ["wandb"]


if __name__ == "__main__":
    main()
