"""Who learns in which world, by whose judgement: the rows of `lmgt_worlds`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lprl_jax.algorithms.shift_config import ShiftConfig
from lprl_jax.experiments import config
from lprl_jax.experiments.config import Experiment

MODEL = "embedded-judge"
RUNS = 32
HABIT = "HABIT"
"""In the place of a file: the habit's verdicts."""
HALF = "HALF"
"""In the place of half of a world's scale."""
IN_WORDS = [f"judge={MODEL}", "judge_says=words"]
NO_JUDGE, MODELS_ROW, PERFECT = "no judge", "embedded judge", "perfect"
JUDGES: dict[str, Sequence[str]] = {
    NO_JUDGE: ["judge=none"],
    MODELS_ROW: IN_WORDS,
    PERFECT: ["judge=perfect"],
    "habit": [f"judge={HABIT}"],
    "always good": ["judge=always-good"],
    "always bad, half the scale": ["judge=always-good", f"shift_scale=-{HALF}"],
    "embedded judge, adversarial": [*IN_WORDS, "judge_adversarial=true"],
    "perfect, 70 % right by step": ["judge=perfect", "judge_accuracy=0.7"],
    "perfect, 70 % right by state": ["judge=perfect", "judge_accuracy=0.7", "judge_errors=state"],
}
PPO = {
    "algorithm": "ppo",
    "num_envs": 8,
    "rollout_length": 32,
    "num_epochs": 10,
    "num_minibatches": 4,
    "learning_rate": 1e-3,
    "gamma": 0.98,
    "gae_lambda": 0.8,
    "entropy_coef": 0.0,
}
A2C = {
    **PPO,
    "rollout_length": 8,
    "num_epochs": 1,
    "num_minibatches": 1,
    "normalize_advantages": False,
    "learning_rate": 3e-3,
}
DQN = {
    "algorithm": "dqn",
    "learning_rate": 1e-3,
    "gamma": 0.98,
    "tau": 0.05,
    "epsilon": 0.05,
    "epsilon_steps": 2_000,
    "hidden_sizes": [64, 64],
}
REPLAYED = {
    "num_envs": 1,
    "rollout_length": 1,
    "updates_per_rollout": 1,
    "learning_starts": 500,
    "hidden_sizes": [64, 64],
    "buffer_size": 20_000,
    "batch_size": 128,
    "learning_rate": 1e-3,
}
ON_PENDULUM = {**REPLAYED, "gamma": 0.99, "tau": 0.005}


class World(NamedTuple):
    """A world, what it is measured by, and who learns in it."""

    title: str
    """As pages call it."""
    fields: Mapping[str, Any]
    """Of configs."""
    of_returns: bool
    """Whether the return is measured, or the share of episodes that are solved."""
    threshold: float
    """To be reached."""
    learners: Mapping[str, Mapping[str, Any]]
    """By name, further fields."""
    task: str
    """What `embedded-judge` was taught of it."""


_HELD_OUT = {"num_instances": RUNS, "split": "held-out", "instance_per_run": True}
WORLDS = {
    "cartpole": World(
        "cart pole",
        {"env": "CartPole-lprl", "eval_every": 512, "eval_episodes": 16, "total_steps": 10_240},
        True,
        450,
        {
            "PPO": PPO,
            "A2C": {**A2C, "total_steps": 20_480},
            "DQN": {**DQN, "eval_every": 500, "total_steps": 10_000},
        },
        "CartPole",
    ),
    "pendulum": World(
        "pendulum",
        {"env": "Pendulum-lprl", "eval_every": 500, "eval_episodes": 20},
        True,
        -200,
        {
            "SAC": {**ON_PENDULUM, "algorithm": "sac", "total_steps": 4_000},
            "TD3": {**ON_PENDULUM, "algorithm": "td3", "total_steps": 6_000},
        },
        "Pendulum",
    ),
    "blackjack": World(
        "Blackjack",
        {
            "env": "Blackjack-lprl",
            "env_params": _HELD_OUT,
            "eval_every": 512,
            "eval_episodes": 1_024,
        },
        True,
        -0.1,
        {
            "PPO": {**PPO, "gamma": 1.0, "total_steps": 10_240},
            "A2C": {**A2C, "gamma": 1.0, "total_steps": 10_240},
            "DQN": {**DQN, "gamma": 1.0, "eval_every": 500, "total_steps": 10_000},
        },
        "Blackjack",
    ),
    "watch": World(
        "watch repair",
        {
            "env": "WatchRepair-lprl",
            "env_params": _HELD_OUT,
            "eval_every": 2_560,
            "eval_episodes": 32,
            "total_steps": 25_600,
            "shift_scale": 5.0,
        },
        False,
        0.8,
        {
            "PPO": {**PPO, "rollout_length": 64, "gamma": 1.0, "gae_lambda": 1.0},
            "A2C": {**A2C, "rollout_length": 64, "gamma": 1.0, "gae_lambda": 1.0},
            "DQN": {**DQN, "gamma": 1.0, "eval_every": 2_500, "total_steps": 25_000},
        },
        "WatchRepair",
    ),
    "rooms": World(
        "KeyRooms",
        {
            "env": "KeyRooms-lprl",
            "env_params": {**_HELD_OUT, "rooms": 2, "observation": "index"},
            "eval_every": 2_560,
            "eval_episodes": 16,
            "total_steps": 51_200,
            "shift_scale": 0.01,
        },
        False,
        0.8,
        {"PPO": PPO, "A2C": A2C},
        "KeyRooms 2",
    ),
}
"""Settings are like those of the package's configs, though not always the same; none was tuned,
with a judge or without."""

SCALES = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Rewards that a verdict is worth, in the part that compares them."""
ALPHAS = (0.01, 0.1, 1.0, 10.0)
"""How much what is learnt counts against a prior, or a prior against what is learnt."""
AS_PRIORS = {"DQN": "DQN-Prior", "PPO": "KL-PPO"}
"""What a learner becomes with a prior."""
PRIORS = (MODEL, "habit", "uniform")
ON_CART = ("prior_access=live",)
HAVE_A_PRIOR = {
    "cartpole": (("PPO",), (MODEL, "uniform"), ON_CART),
    "blackjack": (tuple(AS_PRIORS), PRIORS, ()),
    "rooms": (("PPO",), PRIORS, ()),
}
"""Worlds whose learners get a prior in the judge's place: the learners, the priors, and how these
are asked. Priors have tables of numbered states, and cart pole has none: there the model is asked
live, which takes too long where it is asked in every evaluation, too; and a habit, which is of
numbered states, could but toss a coin, for its two actions are right equally often. Watch repair is
not among them: a prior is asked all the way, on which there is nothing to choose."""


def scale_of(world: World) -> float:
    """Rewards that a verdict is worth."""
    return world.fields.get("shift_scale", ShiftConfig.shift_scale)


def digits_of(world: World) -> int:
    """Decimals of what a world is measured by."""
    return 1 if world.of_returns and abs(world.threshold) > 1 else 3


def experiment_of(world: World, texts: Sequence[str] = ()) -> Experiment:
    """Its runs, `texts` being `field=value`."""
    return config.parse(config.override({**world.fields, "num_runs": RUNS}, texts))
