"""rejax's own algorithms: `rejax_training.py ALGORITHM --runs R`.

For an interpreter that has it, and of gymnax what it needs, which is older than ours:

    pip install rejax==0.1.3 jax==0.10.2 flax==0.12.8 optax==0.2.8 distrax==0.1.9 gymnax==0.0.9

Settings are those of its `configs/gymnax/cartpole.yaml` and `pendulum.yaml`, but for what ours does
not have, which the suites name (`suites/*_vs_rejax.py`); and nothing is evaluated within a
training. Many runs are `jax.vmap(train)`, as they propose.

Theirs draws a batch without replacement, by ordering all places of its replay. With
`--with-replacement` it draws as ours does, so that what is left is the same work. It is not rejax
as it is published then.

It takes turns (`turns.serve`), a whole training a turn. With `--episodes 128` every run first plays
so many, of which no other number is offered, by rejax's own evaluation: with a policy's own noise,
or by the largest value but for one action in 200; TD3's policy without noise.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import jax

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools import peer_program, turns

CARTPOLE, PENDULUM = {"env": "CartPole-v1"}, {"env": "Pendulum-v1"}
SETTINGS: dict[str, dict[str, Any]] = {
    "dqn": {
        **CARTPOLE,
        "agent": "QNetwork",
        "agent_kwargs": {"activation": "relu"},
        "num_envs": 10,
        "buffer_size": 50_000,
        "fill_buffer": 100,
        "batch_size": 100,
        "max_grad_norm": 10.0,
        "learning_rate": 0.001,
        "num_epochs": 5,
        "total_timesteps": 100_000,
        "polyak": 0.98,
        "eps_start": 1.0,
        "eps_end": 0.05,
        "exploration_fraction": 0.5,
        "gamma": 0.99,
        "ddqn": False,
        "normalize_observations": False,
    },
    "ppo": {
        **CARTPOLE,
        "agent_kwargs": {"activation": "tanh"},
        "num_envs": 5,
        "num_steps": 100,
        "num_epochs": 5,
        "num_minibatches": 5,
        "learning_rate": 0.00075,
        "max_grad_norm": 0.5,
        "total_timesteps": 100_000,
        "gamma": 0.99,
        "gae_lambda": 0.95,
        "clip_eps": 0.2,
        "ent_coef": 0.01,
        "vf_coef": 0.5,
        "normalize_observations": False,
    },
    "td3": {
        **PENDULUM,
        "actor_kwargs": {"activation": "relu"},
        "critic_kwargs": {"activation": "relu"},
        "num_envs": 1,
        "buffer_size": 10_000,
        "fill_buffer": 1_000,
        "batch_size": 100,
        "learning_rate": 0.001,
        "num_epochs": 1,
        "total_timesteps": 10_000,
        "gamma": 0.99,
        "polyak": 0.95,
        "max_grad_norm": 100.0,
        "exploration_noise": 0.3,
        "target_noise": 0.2,
        "target_noise_clip": 0.5,
        "policy_delay": 2,
        "normalize_observations": False,
    },
    "sac": {
        **PENDULUM,
        "agent_kwargs": {"activation": "relu"},
        "hidden_layer_sizes": (64, 64),
        "num_envs": 1,
        "buffer_size": 10_000,
        "fill_buffer": 256,
        "batch_size": 256,
        "learning_rate": 0.01,
        "num_epochs": 1,
        "total_timesteps": 10_000,
        "gamma": 0.99,
        "polyak": 0.98,
        "target_entropy_ratio": None,
        "normalize_observations": False,
    },
}
"""By algorithm. DQN's and TD3's networks are 64-64 whatever a config says, PPO's by default."""


def main() -> None:
    parser = argparse.ArgumentParser(description="rejax's algorithms, trained again and again.")
    parser.add_argument("algorithm", choices=SETTINGS)
    peer_program.add_options(parser, None)
    parser.add_argument("--with-replacement", action="store_true")
    options = parser.parse_args()
    import rejax  # pyright: ignore[reportMissingImports]
    from rejax import buffers  # pyright: ignore[reportMissingImports]

    if options.with_replacement:
        buffers.ReplayBuffer.sample = drawn_with_replacement
    learner: Any = rejax.get_algo(options.algorithm).create(
        **settings_of(options.algorithm, options.steps)
    )
    evaluation = learner.eval_callback
    learner = learner.replace(eval_callback=lambda algorithm, state, key: ())
    many = options.runs > 1
    keys = jax.random.split(jax.random.PRNGKey(0), options.runs)
    call, compiling = peer_program.compiled(
        jax.vmap(learner.train) if many else learner.train, keys if many else keys[0]
    )
    states, _ = call()

    def play(state: Any) -> Any:
        return evaluation(learner, state, state.rng)[1]

    turns.serve(
        call,
        compile_seconds=compiling,
        steps=options.runs * int(states.global_step.max()),
        versions=peer_program.versions("rejax", "flax", "optax", "distrax", "gymnax"),
        gradient_steps=peer_program.adam_counts(states),
        returns=peer_program.played(play, states, options),
    )


def settings_of(algorithm: str, steps: int | None) -> dict[str, Any]:
    """Of a training of so many steps; of a shorter one the parts are as long."""
    settings = dict(SETTINGS[algorithm])
    full = settings["total_timesteps"]
    steps = steps or full
    if "fill_buffer" in settings:
        settings["fill_buffer"] = settings["fill_buffer"] * min(steps, full) // full
    return settings | {
        "total_timesteps": steps,
        "eval_freq": steps,
        "skip_initial_evaluation": True,
    }


def drawn_with_replacement(replay: Any, num: int, key: jax.Array) -> Any:
    """In place of `ReplayBuffer.sample`: `num` of what is kept."""
    places = jax.random.randint(key, (num,), 0, replay.num_entries)
    return jax.tree.map(lambda x: x[places], replay.data)


if __name__ == "__main__":
    main()
