"""Settings are the same on both sides, field by field, of trainings of any length."""

import importlib
from typing import Any

import pytest

from lprl_jax.experiments import config

rejax: Any = importlib.import_module("peers.rejax_training")
purejaxrl_dqn: Any = importlib.import_module("peers.purejaxrl_dqn")
purejaxrl_ppo: Any = importlib.import_module("peers.purejaxrl_ppo")
jaxnasium: Any = importlib.import_module("peers.jaxnasium_ppo")
REPLAY = {
    "num_envs": "num_envs",
    "num_epochs": "updates_per_rollout",
    "buffer_size": "buffer_size",
    "batch_size": "batch_size",
    "learning_rate": "learning_rate",
    "gamma": "gamma",
    "total_timesteps": "total_steps",
}
OF_REJAX = {
    "dqn": {**REPLAY, "max_grad_norm": "max_grad_norm", "eps_end": "epsilon"},
    "td3": {**REPLAY, "max_grad_norm": "max_grad_norm", "policy_delay": "policy_delay"},
    "sac": REPLAY,
    "ppo": {
        "num_envs": "num_envs",
        "num_steps": "rollout_length",
        "num_epochs": "num_epochs",
        "num_minibatches": "num_minibatches",
        "learning_rate": "learning_rate",
        "max_grad_norm": "max_grad_norm",
        "total_timesteps": "total_steps",
        "gamma": "gamma",
        "gae_lambda": "gae_lambda",
        "clip_eps": "clip_epsilon",
        "ent_coef": "entropy_coef",
        "vf_coef": "value_coef",
    },
}


def ours(name: str, steps: int) -> dict[str, Any]:
    """What our program reads from its own command line."""
    suite: Any = importlib.import_module(f"suites.{name}")
    contest = suite.CONTEST
    command = contest.command_of_ours(1, steps)
    experiment = config.read(contest.config, command[command.index(contest.config) + 1 :])
    return {**vars(experiment.algorithm), **vars(experiment.config)}


def lengths(name: str) -> set[int]:
    suite: Any = importlib.import_module(f"suites.{name}")
    return {suite.CONTEST.steps, *(x.steps for x in suite.CONTEST.trainings)}


@pytest.mark.parametrize("algorithm", OF_REJAX)
def test_those_of_rejax(algorithm: str) -> None:
    for steps in lengths(f"{algorithm}_vs_rejax"):
        theirs, own = rejax.settings_of(algorithm, steps), ours(f"{algorithm}_vs_rejax", steps)
        assert own["env"] == theirs["env"]
        assert own["hidden_sizes"] == theirs.get("hidden_layer_sizes", (64, 64))
        names = OF_REJAX[algorithm]
        assert {x: theirs[x] for x in names} == {x: own[y] for x, y in names.items()}
        assert theirs["eval_freq"] == steps
        assert not theirs["normalize_observations"]


def test_what_rejax_names_otherwise() -> None:
    for steps in lengths("dqn_vs_rejax"):
        theirs, own = rejax.settings_of("dqn", steps), ours("dqn_vs_rejax", steps)
        # Theirs follows once an iteration, ours at each of five gradient steps.
        assert theirs["polyak"] == pytest.approx((1 - own["tau"]) ** theirs["num_epochs"])
        assert own["epsilon_steps"] == theirs["exploration_fraction"] * steps
        assert theirs["agent"] == "QNetwork"
        assert not theirs["ddqn"]
        assert theirs["agent_kwargs"] == {"activation": "relu"}
    for steps in lengths("td3_vs_rejax"):
        theirs, own = rejax.settings_of("td3", steps), ours("td3_vs_rejax", steps)
        assert theirs["polyak"] == pytest.approx(1 - own["tau"])
        assert theirs["fill_buffer"] == own["learning_starts"] - 2
        # Pendulum's box is ±2, and ours measures in halves of it.
        assert theirs["exploration_noise"] == 2 * own["exploration_noise"]
        assert theirs["target_noise"] == 2 * own["target_noise"]
        assert theirs["target_noise_clip"] == 2 * own["noise_clip"]
        assert theirs["actor_kwargs"] == theirs["critic_kwargs"] == {"activation": "relu"}
    for steps in lengths("sac_vs_rejax"):
        theirs, own = rejax.settings_of("sac", steps), ours("sac_vs_rejax", steps)
        assert theirs["polyak"] == pytest.approx(1 - own["tau"])
        assert theirs["fill_buffer"] == own["learning_starts"] - 1
        assert own["temperature"] == 1.0
        assert own["target_entropy"] == -1.0
        assert theirs["agent_kwargs"] == {"activation": "relu"}
    theirs, own = rejax.SETTINGS["ppo"], ours("ppo_vs_rejax", 1_000)
    assert own["value_clip"] == theirs["clip_eps"]
    assert (own["anneal_steps"], own["adam_epsilon"]) == (float("inf"), 1e-8)
    assert theirs["agent_kwargs"] == {"activation": "tanh"}


def test_those_of_purejaxrl_dqn() -> None:
    for steps in lengths("dqn_vs_purejaxrl"):
        theirs, own = purejaxrl_dqn.settings_of(steps), ours("dqn_vs_purejaxrl", steps)
        same = {
            "ENV_NAME": "env",
            "NUM_ENVS": "num_envs",
            "BUFFER_SIZE": "buffer_size",
            "BUFFER_BATCH_SIZE": "batch_size",
            "TOTAL_TIMESTEPS": "total_steps",
            "EPSILON_FINISH": "epsilon",
            "EPSILON_ANNEAL_TIME": "epsilon_steps",
            "LR": "learning_rate",
            "GAMMA": "gamma",
        }
        assert {x: theirs[x] for x in same} == {x: own[y] for x, y in same.items()}
        assert theirs["TRAINING_INTERVAL"] == own["num_envs"] * own["rollout_length"]
        assert theirs["EPSILON_START"] == 1.0
        assert own["updates_per_rollout"] == 1
        assert own["hidden_sizes"] == (120, 84)
        # Copied every 50 gradient steps, theirs is 24.5 behind in the mean; ours (1 - τ) / τ.
        interval = theirs["TARGET_UPDATE_INTERVAL"] / theirs["TRAINING_INTERVAL"]
        assert (1 - own["tau"]) / own["tau"] == pytest.approx((interval - 1) / 2, rel=0.03)


def test_those_of_purejaxrl_ppo() -> None:
    theirs, own = purejaxrl_ppo.SETTINGS, ours("ppo_vs_purejaxrl", 499_712)
    same = {
        "ENV_NAME": "env",
        "LR": "learning_rate",
        "NUM_ENVS": "num_envs",
        "NUM_STEPS": "rollout_length",
        "UPDATE_EPOCHS": "num_epochs",
        "NUM_MINIBATCHES": "num_minibatches",
        "GAMMA": "gamma",
        "GAE_LAMBDA": "gae_lambda",
        "CLIP_EPS": "clip_epsilon",
        "ENT_COEF": "entropy_coef",
        "VF_COEF": "value_coef",
        "MAX_GRAD_NORM": "max_grad_norm",
    }
    assert {x: theirs[x] for x in same} == {x: own[y] for x, y in same.items()}
    assert own["value_clip"] == theirs["CLIP_EPS"]
    assert own["anneal_steps"] == own["total_steps"]


def test_those_of_jaxnasium() -> None:
    theirs, own = jaxnasium.SETTINGS, ours("ppo_vs_jaxnasium", jaxnasium.STEPS)
    same = {
        "learning_rate_start": "learning_rate",
        "ent_coef_start": "entropy_coef",
        "gamma": "gamma",
        "gae_lambda": "gae_lambda",
        "max_grad_norm": "max_grad_norm",
        "clip_coef": "clip_epsilon",
        "clip_coef_vf": "value_clip",
        "num_envs": "num_envs",
        "num_steps": "rollout_length",
        "num_minibatches": "num_minibatches",
        "num_epochs": "num_epochs",
    }
    assert {x: theirs[x] for x in same} == {x: own[y] for x, y in same.items()}
    assert theirs["vf_coef"] == own["value_coef"] / 2  # theirs has no half in its squares
    assert theirs["learning_rate_end"] == 0.0
    assert theirs["ent_coef_end"] is None
    assert own["hidden_sizes"] == jaxnasium.HIDDEN
    assert own["anneal_steps"] == own["total_steps"]
    assert not theirs["normalize_observations"]
    assert not theirs["normalize_rewards"]
