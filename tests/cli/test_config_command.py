"""`lprl config`: every field with its value and meaning; and other words of first aid."""

import dataclasses
import inspect
import pydoc
import subprocess
import sys

import pytest
from lprl_envs import InvalidInput, make, values

import lprl_jax
from lprl_jax import field_help
from lprl_jax.algorithms.value_based import dqn_config
from lprl_jax.cli.main import main
from lprl_jax.experiments import config, config_help
from lprl_jax.version import __version__


def test_every_field_of_every_config_has_a_meaning() -> None:
    for name in config.names():
        experiment = config.read(name)
        of_gymnax = not experiment.config.env.endswith("-lprl")
        for title, fields in config_help.fields_of(experiment).items():
            if not (of_gymnax and title.startswith("env_params of ")):
                assert not [field.name for field in fields if not field.meaning], (name, title)


def test_it_tells_values_defaults_and_meanings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "frozen_lake_dqn_prior", "k=3", "env_params.map_name=4x4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"k: 3  (default {dqn_config.DQNConfig.k})" in lines
    assert "map_name: 4x4" in lines
    assert "is_slippery: false  (default true)" in lines
    assert "split: held-out  (default '')" in lines
    place = lines.index("split: held-out  (default '')")
    assert lines[place + 1] == "    `train`, `held-out`, or empty for both."
    assert "# algorithm dqn" in lines
    assert all(len(line) <= 100 for line in lines if line.startswith("    "))


def test_it_lists_configs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config"]) == 0
    assert capsys.readouterr().out.split() == config.names()


def test_meanings_are_those_under_the_fields() -> None:
    @dataclasses.dataclass(frozen=True)
    class Config:
        """A config."""

        one: int = 1
        """How many,
        in all."""
        other: int = 2

    assert field_help.meanings(Config) == {"one": "How many, in all."}
    described = field_help.described(Config)
    assert inspect.getdoc(described) == "A config.\n\nAttributes:\n    one: How many, in all."
    assert described(3) == Config(3)


def test_help_tells_fields_of_configs_and_of_what_they_inherit() -> None:
    told = pydoc.plain(pydoc.render_doc(lprl_jax.dqn.DQNConfig))
    assert "k: Proposals drawn from the prior in a state" in told
    assert "shift_scale: How many units of reward" in told
    for name in config.names():
        kind = type(config.read(name).algorithm)
        told = inspect.getdoc(kind) or ""
        assert all(f"\n    {name}: " in told for name in field_help.meanings(kind)), kind
        assert ("Attributes:" in told) == bool(dataclasses.fields(kind)), kind


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: make("frozenlake-lprl"), "; did you mean FrozenLake-lprl?"),
        (lambda: make("CartPole"), "; did you mean CartPole-v1?"),
        (lambda: config.read("frozen_lake_dqn_pror"), "; did you mean frozen_lake_dqn_prior?"),
        (lambda: config.read("frozen_lake_dqn", ["algorithm=DQN"]), "; did you mean dqn?"),
        (
            lambda: config.read("frozen_lake_dqn", ["env_params.mapname=4x4"]),
            "; did you mean map_name?",
        ),
    ],
)
def test_what_was_meant(call: object, words: str) -> None:
    assert callable(call)
    with pytest.raises(InvalidInput) as error:
        call()
    assert words in str(error.value)


def test_a_number_without_a_fraction_is_whole() -> None:
    assert values.whole("steps", 1e4) == 10_000
    assert type(values.whole("steps", 1e4)) is int
    assert config.read("frozen_lake_dqn", ["total_steps=6e4"]).config.total_steps == 60_000
    for wrong in (1.5, float("inf"), float("nan"), 1e12):
        with pytest.raises(InvalidInput):
            values.whole("steps", wrong)


def test_the_library_can_be_looked_through() -> None:
    assert set(lprl_jax.__all__) <= set(dir(lprl_jax))
    env, params = make("FrozenLake-lprl", is_slippery=False)
    assert repr(env).startswith("FrozenLake(map_name='4x4', is_slippery=False")
    prior = lprl_jax.LanguagePrior.from_pretrained("embedded-early-1", env, params)
    algorithm = lprl_jax.dqn.make(lprl_jax.dqn.DQNConfig(k=2), env, prior)
    shown = [repr(x) for x in (prior, lprl_jax.tabulate(prior, env, params), algorithm)]
    assert all(len(text) < 1_000 for text in shown), [len(text) for text in shown]
    assert shown[0].startswith("LanguagePrior(model=LanguageModel of 1,0")
    assert shown[1].startswith("TabularPrior(env=FrozenLake")


def test_the_package_is_a_program() -> None:
    call = [sys.executable, "-m", "lprl_jax", "--version"]
    found = subprocess.run(call, capture_output=True, text=True, check=True)
    assert found.stdout == f"lprl {__version__}\n"
