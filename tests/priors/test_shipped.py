"""Tables that come with the package: all there, small, sound, and of no other world."""

import sys

import pytest
from lprl_envs import InvalidInput

from lprl_jax.experiments import build, config
from lprl_jax.lm import fetched
from lprl_jax.priors import TabularPrior, shipped


@pytest.mark.parametrize("name", shipped.TABLES)
def test_a_table_is_loaded_without_a_model(name, monkeypatch):
    """It says by which model and in which wording it was made."""
    monkeypatch.setitem(sys.modules, "transformers", None)  # importing it fails
    env_id, env_params = shipped.WORLDS[shipped.TABLES[name]]
    env, params = build.make_env(env_id, *config.parse_env_params(env_id, env_params))
    prior = build.named_prior(name, env, params)
    assert isinstance(prior, TabularPrior)
    assert prior.settings["model"] == shipped.MODEL in fetched.MODELS
    wording = prior.settings.get("wording", "bare")
    assert name == f"{shipped.MODEL}-{shipped.TABLES[name]}-{wording}"


def test_they_are_all_that_lies_there_and_small():
    files = sorted(shipped.FOLDER.iterdir())
    assert files == sorted(shipped.path_of(name) for name in shipped.TABLES)
    assert sum(file.stat().st_size for file in files) < 5e6


def test_a_table_of_another_world_is_refused():
    env, params = build.make_env("FrozenLake-lprl", *config.parse_env_params("FrozenLake-lprl", {}))
    with pytest.raises(InvalidInput, match=r"smollm2-cube_stacking-bare.* is of environment 'Cube"):
        build.named_prior("smollm2-cube_stacking-bare", env, params)
