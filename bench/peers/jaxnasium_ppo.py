"""jaxnasium's own PPO on its CartPole-v1: `jaxnasium_ppo.py --runs R`.

For an interpreter that has it:

    pip install "jaxnasium[algs]==0.1.1" jax==0.10.2

Settings are those of `configs/cartpole_ppo.yaml`; what differs, the suite says
(`suites/ppo_vs_jaxnasium.py`). Many runs are `jax.vmap(train)`.

It takes turns (`turns.serve`), a whole training a turn. With `--episodes E` every run first plays E
episodes by jaxnasium's own evaluation, by the policy's own noise.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import jax

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools import peer_program, turns

STEPS = 499_712
HIDDEN = (64, 64)
SETTINGS = {
    "learning_rate_start": 2.5e-4,
    "learning_rate_end": 0.0,
    "ent_coef_start": 0.01,
    "ent_coef_end": None,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "max_grad_norm": 0.5,
    "clip_coef": 0.2,
    "clip_coef_vf": 0.2,
    "vf_coef": 0.25,
    "num_envs": 4,
    "num_steps": 128,
    "num_minibatches": 4,
    "num_epochs": 4,
    "warmup_steps": 1,
    "normalize_observations": False,
    "normalize_rewards": False,
    "log_function": None,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="jaxnasium's PPO on CartPole-v1.")
    peer_program.add_options(parser, STEPS)
    options = parser.parse_args()
    import jaxnasium  # pyright: ignore[reportMissingImports]
    from jaxnasium.algorithms import PPO  # pyright: ignore[reportMissingImports]
    from jaxnasium.algorithms.architectures import MLP  # pyright: ignore[reportMissingImports]

    env = jaxnasium.make("CartPole-v1")
    networks = {"body": MLP.with_params(hidden_sizes=HIDDEN, activation=jax.numpy.tanh)}
    learner: Any = PPO(
        **SETTINGS, total_timesteps=options.steps, actor_kwargs=networks, critic_kwargs=networks
    )
    structure: Any = []

    def train(key: jax.Array) -> Any:
        """What was learnt, as arrays alone; the rest is put down beside."""
        agent, metrics = learner.train(key, env)
        leaves, tree = jax.tree.flatten(agent)
        arrays = [x for x in leaves if isinstance(x, jax.Array)]
        structure[:] = [tree, [None if isinstance(x, jax.Array) else x for x in leaves]]
        return arrays, metrics

    def agent_of(arrays: list[jax.Array]) -> Any:
        tree, rest = structure
        found = iter(arrays)
        return jax.tree.unflatten(tree, [next(found) if x is None else x for x in rest])

    many = options.runs > 1
    keys = jax.random.split(jax.random.PRNGKey(0), options.runs)
    call, compiling = peer_program.compiled(
        jax.vmap(train) if many else train, keys if many else keys[0]
    )
    arrays, _ = call()

    def play(arrays: list[jax.Array]) -> Any:
        key = jax.random.PRNGKey(1)
        return learner.evaluate(key, agent_of(arrays), env, options.episodes, False)

    batch = SETTINGS["num_envs"] * SETTINGS["num_steps"]
    turns.serve(
        call,
        compile_seconds=compiling,
        steps=options.runs * (options.steps // batch) * batch,
        versions=peer_program.versions("jaxnasium", "equinox", "optax"),
        gradient_steps=peer_program.adam_counts(agent_of(arrays).optimizer_state),
        returns=peer_program.played(play, arrays, options),
    )


if __name__ == "__main__":
    main()
