"""Banks as configs name them."""

import jax
import numpy as np
import pytest
from lprl_envs import InvalidInput
from lprl_envs.blocks_world.split import has_towers
from lprl_envs.frozen_lake.maps import GOAL, START

from lprl_jax.experiments import build, config
from lprl_jax.experiments.config_fields import BankConfig
from lprl_jax.priors import HabitPrior

FROM = "num_instances=24"


def bank_of(name, *options):
    experiment = config.read(name, [f"env_params.{option}" for option in (FROM, *options)])
    return build.make_env(experiment.config.env, experiment.env_arguments, experiment.bank)


def test_goals_are_in_the_corner_or_anywhere():
    ends = {}
    for goal in ("corner", "anywhere"):
        _, params = bank_of("frozen_lake_dqn", "map_name=4x4", f"goal={goal}")
        tiles = np.asarray(params.bank.tiles)
        pairs = zip(tiles == START, tiles == GOAL, strict=True)
        ends[goal] = {(int(start.argmax()), int(end.argmax())) for start, end in pairs}
    assert ends["corner"] == {(0, 15)}
    assert len(ends["anywhere"]) > 12


def test_blocks_are_split_by_the_shape_of_goals():
    towers = {}
    for split in ("train", "held-out"):
        options = "num_blocks=4", f"split={split}", "split_by=shape"
        _, params = bank_of("blocks_world_dqn", *options)
        towers[split] = set(np.asarray(jax.vmap(has_towers)(params.bank)).tolist())
    assert towers == {"train": {False}, "held-out": {True}}


def test_a_habit_is_of_instances_drawn_alike_and_refuses_what_cannot_be():
    env, params = bank_of("frozen_lake_dqn", "map_name=4x4", "goal=corner")
    found = [
        build.named_prior("habit", env, params, bank=BankConfig(goal=goal))
        for goal in ("corner", "anywhere")
    ]
    corner, anywhere = (np.exp(x.log_weights) for x in found if isinstance(x, HabitPrior))
    assert corner[1] + corner[2] > 0.7  # down and right
    assert np.abs(anywhere - 0.25).max() < 0.1
    with pytest.raises(InvalidInput, match="split_by is 'shape'; FrozenLake-lprl has none"):
        build.named_prior("habit", env, params, bank=BankConfig(split_by="shape"))
