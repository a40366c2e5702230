"""Any value in any field: what it should be, or one line. In YAML and in Python alike."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lprl_envs
import numpy as np
import pytest
import yaml
from experiments.odd_values import ODD, VALUES, outcome
from hypothesis import given, settings
from hypothesis import strategies as st
from lprl_envs import InvalidInput, TextEnvParams, registration
from small_experiment import fields

from lprl_jax.algorithms.registry import ALGORITHMS
from lprl_jax.experiments import build, config
from lprl_jax.files import shipped, yaml_values
from lprl_jax.pretraining.pretrain import PretrainConfig

CONFIGS = {
    name: yaml_values.load((shipped.REPOSITORY_CONFIGS / f"{name}.yaml").read_bytes(), name)
    for name in config.names()
}
COMMON = [field.name for field in dataclasses.fields(config.ExperimentConfig)]
BANK = [field.name for field in dataclasses.fields(config.BankConfig)]
GYMNAX = ("Catch-bsuite", "DeepSea-bsuite", "FrozenLake-misc")
KINDS: dict[str, type[Any]] = {name: entry.config for name, entry in ALGORITHMS.items()}
WORLDS = [
    lprl_envs.FrozenLake(),
    lprl_envs.CubeStacking(2),
    lprl_envs.BlocksWorld(),
    lprl_envs.ImageCompletion("2x2"),
    lprl_envs.KeyRooms(2),
    lprl_envs.CartPole(),
    lprl_envs.Pendulum(),
    lprl_envs.make("CartPole-v1")[0],
    lprl_envs.make("Pendulum-v1")[0],
]
quickly = settings(max_examples=400, deadline=None, derandomize=True, database=None)


@functools.cache
def fields_of(name: str) -> list[str]:
    """The fields of a config, those of `env_params` with a dot."""
    own = [field.name for field in dataclasses.fields(KINDS[CONFIGS[name]["algorithm"]])]
    inner = [*registration.arguments_of(CONFIGS[name]["env"]), *BANK]
    return [*COMMON, *own, *(f"env_params.{field}" for field in inner)]


def with_value(name: str, field: str, value: Any) -> dict[str, Any]:
    if not field.startswith("env_params."):
        return {**CONFIGS[name], field: value}
    inner = {**CONFIGS[name].get("env_params", {}), field.removeprefix("env_params."): value}
    return {**CONFIGS[name], "env_params": inner}


def built(given: dict[str, Any]) -> Any:
    """Everything that an experiment names and that nothing must be compiled for."""
    experiment = config.parse(given)
    again = config.parse(yaml.safe_load(yaml.safe_dump(experiment.as_dict())))
    assert again.as_dict() == experiment.as_dict()
    env, params = lprl_envs.make(experiment.config.env, **experiment.env_arguments)
    hash(env)
    if experiment.bank.instances:
        env.params_of(experiment.bank.instances)
    elif experiment.bank.suite:
        env.suite(experiment.bank.suite)
    prior = experiment.config.prior
    if prior not in ("embedded", "uniform"):
        build.named_prior(prior, env, params, experiment.config.prior_dtype)
    policy = build.policy_name(experiment)
    if policy not in ("embedded", "network"):
        build.make_policy(experiment, env, params)
    return experiment


@pytest.mark.parametrize("name", [x for x in CONFIGS if not x.startswith(("cartpole", "pendulum"))])
def test_any_odd_value_in_any_field_of_a_config(name: str) -> None:
    for field in fields_of(name):
        for value in ODD:
            found = outcome(config.parse, with_value(name, field, value))
            assert isinstance(found, config.Experiment | InvalidInput)


@given(st.data())
@quickly
def test_any_value_in_any_field_is_built_or_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(CONFIGS)))
    field = data.draw(st.sampled_from(fields_of(name)))
    value = data.draw(VALUES)
    outcome(built, with_value(name, field, value))
    written = yaml.safe_dump(value, default_flow_style=True, width=10**6)
    text = f"{field}={written.removesuffix(chr(10)).removesuffix(chr(10) + '...')}"
    assert isinstance(outcome(config.override, CONFIGS[name], [text]), dict | InvalidInput)


@given(VALUES)
@quickly
def test_any_value_as_a_config(value: Any) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    found = outcome(yaml_values.load, text, "it")
    if isinstance(found, dict):
        for fields in (found, {"env": "FrozenLake-lprl", "env_params": found}):
            read = outcome(config.parse, fields)
            assert isinstance(read, config.Experiment | InvalidInput)


@given(st.text(max_size=20) | st.binary(max_size=20))
@quickly
def test_any_text_as_yaml(text: str | bytes) -> None:
    found = outcome(yaml_values.load, text, "it")
    if not isinstance(found, InvalidInput):  # what was read can be written
        assert yaml.safe_dump(found)


@pytest.mark.parametrize("env", [*lprl_envs.ENVIRONMENTS, *GYMNAX])
def test_any_odd_value_in_any_argument_of_an_environment(env: str) -> None:
    for name in registration.arguments_of(env):
        for value in ODD:
            made = outcome(lprl_envs.make, env, **{name: value})
            if env in GYMNAX:
                continue  # whose ranges gymnax knows
            of_yaml = outcome(_made_of_yaml, env, {name: value})
            assert isinstance(of_yaml, Exception) == isinstance(made, Exception)
            if isinstance(made, Exception):
                assert str(made) == str(of_yaml).removeprefix("env_params.")
            else:
                assert of_yaml.config == made[0].config


def _made_of_yaml(env: str, inner: dict[str, Any]) -> Any:
    arguments, _ = config.parse_env_params(env, inner)
    return lprl_envs.make(env, **arguments)[0]


@pytest.mark.parametrize("algorithm", KINDS)
def test_a_constructor_says_what_yaml_says(algorithm: str) -> None:
    kind, sweepable = KINDS[algorithm], ALGORITHMS[algorithm].sweepable
    whole = fields(algorithm=algorithm, prior="none")
    whole = {name: x for name, x in whole.items() if name in COMMON}
    for field in dataclasses.fields(kind):
        for value in ODD:
            swept = isinstance(value, list) or (isinstance(value, str) and "," in value)
            if swept and (field.name in sweepable or not isinstance(field.default, tuple)):
                outcome(kind, **{field.name: value})
                continue
            in_python = outcome(kind, **{field.name: value})
            in_yaml = outcome(config.parse, {**whole, field.name: value})
            if isinstance(in_python, Exception):
                assert str(in_yaml) == str(in_python), (field.name, value)
            else:
                assert in_yaml.algorithm == in_python
                outcome(in_python.hparams, 2)


def test_the_constructors_of_an_experiment_say_what_yaml_says() -> None:
    for field in COMMON:
        for value in ODD:
            given = {"env": "FrozenLake-lprl", field: value}
            in_python = outcome(config.ExperimentConfig, **given)
            in_yaml = outcome(config.parse, given)
            if isinstance(in_python, Exception):
                assert str(in_yaml) == str(in_python)
    for field in BANK:
        for value in ODD:
            in_python = outcome(config.BankConfig, **{field: value})
            in_yaml = outcome(config.parse_env_params, "FrozenLake-lprl", {field: value})
            if isinstance(in_python, Exception):
                assert str(in_yaml).removeprefix("env_params.") == str(in_python)
            else:
                assert in_yaml == ({}, in_python)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_any_odd_value_as_an_instance(world: Any) -> None:
    for value in ODD:
        for one in (
            *(value, [value], [value, value], {"x": value}),
            *({"init": value, "goal": ["ab"]}, {"init": ["ab"], "goal": value}),
            *({"cubes": value, "target": "ab"}, {"cubes": [value, value], "target": "ab"}),
            *({"cubes": ["red 5", "red 4"], "target": value}, {"init": [value], "goal": [value]}),
            *({"gravity": value}, {"max_steps_in_episode": value}),
            *({"swapped": value}, {"g": value}, {value: 1.0} if isinstance(value, str) else {}),
        ):
            for instances in (one, [one]):
                found = outcome(world.params_of, instances)
                assert isinstance(found, TextEnvParams | InvalidInput)


def test_the_pretraining_s_constructor_refuses_odd_values() -> None:
    for field in dataclasses.fields(PretrainConfig):
        for value in ODD:
            found = outcome(PretrainConfig, **{field.name: value})
            assert isinstance(found, PretrainConfig | InvalidInput)


REFUSED = [
    ("dqn", {"alpha": "0.1"}, "alpha is '0.1'; it must be a number"),
    ("dqn", {"alpha": 1e-50}, "alpha is 1e-50; it must be above 0 in float32 too, 1.2e-38 or more"),
    ("cql", {"alpha": 1e-50}, "alpha is 1e-50; it must be above 0 in float32 too, 1.2e-38 or more"),
    ("linvit", {"temperature": 1e-50}, "temperature is 1e-50; it must be above 0 in float32 too"),
    ("linvit", {"delta": 1e-50}, "delta is 1e-50; it must be above 0 in float32 too"),
    ("dqn", {"epsilon_steps": 1e-46}, "epsilon_steps is 1e-46; it must be above 0 in float32 too"),
    ("dqn", {"alpha": float("inf")}, "alpha is inf; it must be a finite number"),
    ("ppo", {"alpha": 1e39}, "alpha is 1e+39; it must be a number that float32 holds"),
    ("dqn", {"optimism": float("nan")}, "optimism is nan; it must be a finite number"),
    ("linvit", {"bonus_scale": float("nan")}, "bonus_scale is nan; it must be 0 or more"),
    ("dqn", {"hidden_sizes": 64}, "hidden_sizes is 64; it must be a list"),
    ("dqn", {"hidden_sizes": (64, None)}, "hidden_sizes[1] is None; it must be a whole number"),
    ("ppo", {"hidden_sizes": (64, 0)}, "hidden_sizes[1] is 0; it must be above 0"),
    ("dqn", {"num_envs": True}, "num_envs is True; it must be a whole number"),
    (
        "dqn",
        {"batch_size": 2**31},
        "batch_size is 2147483648; it must be a whole number of 32 bits",
    ),
    ("dqn", {"k": True}, "k is True; valid: a whole number from 1"),
    ("dqn", {"q_input": ["features"]}, "q_input is ['features']; it must be text"),
    ("slinvit", {"budget": [3]}, "budget is [3]; valid: optimal+1, time_limit, or a whole number"),
    (
        "bc",
        {"dataset_size": 16_777_217},
        "dataset_size is 16777217; it must be a whole number that",
    ),
]


@pytest.mark.parametrize(("algorithm", "settings", "message"), REFUSED)
def test_refused_by_the_constructor(algorithm: str, settings: dict[str, Any], message: str) -> None:
    assert message in str(outcome(KINDS[algorithm], **settings))


def test_numpy_s_numbers_and_lists_pass() -> None:
    made = KINDS["dqn"](
        hidden_sizes=[np.int64(8)], alpha=np.float32(0.5), num_envs=np.int32(2), gamma=1
    )
    assert made == KINDS["dqn"](hidden_sizes=(8,), alpha=0.5, num_envs=2, gamma=1.0)
    assert (type(made.gamma), type(made.num_envs)) == (float, int)
    numpy_s: Any = np.bool_(False)
    assert lprl_envs.FrozenLake(is_slippery=numpy_s).is_slippery is False


DOUBLINGS = "[&a0 [1], " + ", ".join(f"&a{i + 1} [*a{i}, *a{i}]" for i in range(40)) + "]"
"""A line of 2^40 parts."""
TRAPS: list[tuple[str, Callable[[config.Experiment], Any], Any]] = [
    ("num_runs: 1_000", lambda x: x.config.num_runs, 1000),
    ("num_runs: 0x10", lambda x: x.config.num_runs, 16),
    ("learning_rate: 1e-3", lambda x: x.algorithm.learning_rate, 1e-3),
    ("learning_rate: 2.E-3", lambda x: x.algorithm.learning_rate, 2e-3),
    ("epsilon_steps: .inf", lambda x: x.algorithm.epsilon_steps, float("inf")),
    ("prior: 2026-01-02", lambda x: x.config.prior, "2026-01-02"),
    ("prior: 010", lambda x: x.config.prior, "010"),
    ("num_runs: 010", str, "num_runs is '010'; it must be a whole number"),
    ("num_runs: 0o10", str, "num_runs is '0o10'; it must be a whole number"),
    ("num_runs: 1:30", str, "num_runs is '1:30'; it must be a whole number"),
    ("learning_rate: 1:30.5", str, "learning_rate is '1:30.5'; it must be a number"),
    ("num_runs: 2026-01-02", str, "num_runs is '2026-01-02'; it must be a whole number"),
    ("num_runs: true", str, "num_runs is True; it must be a whole number"),
    ("alpha: yes", str, "alpha is True; it must be a number"),
    ("alpha: .nan", str, "alpha is nan; it must be above 0"),
    ("alpha:", str, "alpha is None; it must be a number"),
    ("env_params: [1]", str, "env_params is [1]; it must be a mapping"),
    ("algorithm: [dqn, ppo]", str, "unknown algorithm ['dqn', 'ppo']; valid: dqn"),
    ("algorithm: {dqn: 1}", str, "unknown algorithm {'dqn': 1}; valid: dqn"),
    ("alpha: .1\nalpha: .2", str, "line 3: 'alpha' stands twice"),
    ("env_params: {split: a, split: b}", str, "line 2: 'split' stands twice"),
    ("hidden_sizes: &a [1, *a]", str, "nested too deeply, or lies in itself"),
    ("hidden_sizes: " + 5000 * "[", str, "nested too deeply"),
    ("hidden_sizes: " + DOUBLINGS, str, "nested too deeply"),
    ("num_runs: " + 5000 * "9", str, "is not readable as YAML"),
    ("num_runs: 0x" + 9000 * "f", str, "num_runs is a int of too many digits; it must be a whole"),
    ('num_runs: !!int ""', str, "is not readable as YAML"),
    ('num_runs: !!bool "2"', str, "is not readable as YAML"),
    ('num_runs: !!timestamp "2"', str, "is not readable as YAML"),
    ("num_runs: !!python/name:os.system", str, "is not readable as YAML"),
    ("? [a, b]\n: 3", str, "is not readable as YAML"),
    ("<<: [1]", str, "is not readable as YAML"),
    ("--- \na: 1\n---", str, "is not readable as YAML"),
]


@pytest.mark.parametrize(
    ("text", "told", "right"), TRAPS, ids=[repr(text)[:40] for text, _, _ in TRAPS]
)
def test_traps_of_yaml(text: str, told: Callable[[Any], Any], right: Any, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"env: FrozenLake-lprl\n{text}\n")
    found = outcome(config.read, str(file))
    if told is str:
        assert isinstance(found, InvalidInput)
        assert right in str(found)
    else:
        assert told(found) == right


def test_merged_mappings_and_aliases_are_read(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "env: FrozenLake-lprl\nhidden_sizes: &x [8, 8]\n"
        "env_params: {<<: {split: train, num_instances: 3}, split: held-out}\n"
    )
    found = config.read(str(file))
    assert found.algorithm.hidden_sizes == (8, 8)
    assert (found.bank.split, found.bank.num_instances) == ("held-out", 3)


def test_a_sweep_of_numbers_as_yaml_writes_them() -> None:
    found = config.parse(config.override(fields(), ["alpha=1e-1,.5,1_0"]))
    assert found.sweep == {"alpha": (0.1, 0.5, 10.0)}
    refused = outcome(config.parse, config.override(fields(), ["alpha=[.1,null]"]))
    assert str(refused) == "alpha is None; it must be a number"


@pytest.mark.parametrize("path", ["a\0b", "a\nb", "x" * 1000, "", "nowhere"])
def test_a_path_that_is_none_names_no_config(path: str) -> None:
    refused = outcome(config.read, path)
    assert isinstance(refused, InvalidInput)
