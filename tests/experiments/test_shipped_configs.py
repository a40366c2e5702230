"""What `configs/` ships can be laid side by side: a world's learners are evaluated alike."""

import pytest

from lprl_jax.experiments import config

ONLINE = ("dqn", "dqn_optimistic", "dqn_prior", "dqn_prior_habit", "ppo", "kl_ppo")
WITHOUT_A_MODEL = ("dqn", "dqn_optimistic", "dqn_count")
AT_HOME = ("dqn", "dqn_prior", "ppo", "kl_ppo")
WORLDS = {
    "blocks_world": ONLINE,
    "cube_stacking": ONLINE,
    "frozen_lake": ONLINE,
    "household": AT_HOME,
    "key_rooms": WITHOUT_A_MODEL,
    "overcooked": AT_HOME,
}


@pytest.mark.parametrize("world", WORLDS)
def test_learners_of_a_world_are_evaluated_at_the_same_steps(world):
    found = {name: config.read(f"{world}_{name}") for name in WORLDS[world]}
    assert len({experiment.config.env for experiment in found.values()}) == 1
    assert len({experiment.bank for experiment in found.values()}) == 1
    assert len({experiment.config.eval_every for experiment in found.values()}) == 1
    assert len({experiment.config.eval_episodes for experiment in found.values()}) == 1
    for name, experiment in found.items():
        updates = experiment.config.eval_every / experiment.algorithm.steps_per_update
        assert updates == int(updates), name
