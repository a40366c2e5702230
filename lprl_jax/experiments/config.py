"""Experiments as flat YAML: read, and checked field by field. `build` turns them into objects.

A config names an environment, an algorithm and a prior, then the algorithm's own fields. Whatever
is wrong is answered in one line that names the field and its valid values.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lprl_envs import InvalidInput, registration, values
from lprl_envs.errors import hint, require_one_of, shown

from lprl_jax.algorithms.registry import ALGORITHMS
from lprl_jax.algorithms.shift_config import ShiftConfig
from lprl_jax.experiments.config_fields import BankConfig, ExperimentConfig
from lprl_jax.experiments.places import placed
from lprl_jax.files import paths, shipped, yaml_values


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A config, read and checked."""

    config: ExperimentConfig
    """What does not belong to the algorithm."""
    algorithm: Any
    """The algorithm's own config."""
    bank: BankConfig
    """The instances."""
    env_arguments: Mapping[str, Any]
    """What the environment is constructed with."""
    sweep: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    """Hyper-parameters with several values: runs of one program; `algorithm` holds the first."""

    @property
    def settings(self) -> list[dict[str, float]]:
        """Every combination of the swept values; one that is empty without a sweep."""
        combinations = itertools.product(*self.sweep.values())
        return [dict(zip(self.sweep, values, strict=True)) for values in combinations]

    @property
    def num_runs(self) -> int:
        """R: the runs of all settings, setting by setting."""
        return self.config.num_runs * math.prod(map(len, self.sweep.values()))

    def as_dict(self) -> dict[str, Any]:
        """Every field, defaults included, as the YAML that makes this experiment again."""
        fields = {f.name: getattr(self.config, f.name) for f in dataclasses.fields(self.config)}
        fields["env_params"] = _plain({**self.env_arguments, **dataclasses.asdict(self.bank)})
        own = {**dataclasses.asdict(self.algorithm), **self.sweep}
        return {**fields, **_plain(own)}


def name_of(setting: Mapping[str, float]) -> str:
    """`alpha 0.1, tau 0.05`; empty without a sweep."""
    return ", ".join(f"{name} {value:g}" for name, value in setting.items())


def read(path: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read a YAML file, or a config that comes with the package by its name, with overrides.

    Args:
        path: File, or name such as `frozen_lake_dqn`.
        overrides: `key=value`, or `env_params.key=value`; the value is YAML.

    Raises:
        InvalidInput: if there is no such file, it is no YAML mapping, or a field is wrong.
    """
    file = paths.given(path)
    if not file.is_file():
        found = shipped.find(str(path))
        if found is None:
            asked = " ".join(str(path).splitlines())
            near = hint(asked, names())
            raise InvalidInput(
                f"no config {asked}; valid: a YAML file, or {', '.join(names())}{near}"
            )
        file = found
    try:
        fields = yaml_values.load(file.read_bytes(), str(path))
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from None
    if fields is not None and not isinstance(fields, dict):
        raise InvalidInput(
            f"{path} holds {type(fields).__name__}; a config is `field: value` lines"
        )
    return parse(override(fields or {}, overrides))


def names() -> list[str]:
    """Configs that come with the package."""
    return shipped.names()


def override(fields: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Fields with `key=value` overrides applied.

    Raises:
        InvalidInput: if one is not so, its value is no YAML, or `env_params` is no mapping.
    """
    fields = {**fields}
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InvalidInput(f"{text!r} is not an override; write key=value")
        parsed = yaml_values.load(value, f"the value of {text!r}")
        if key.startswith("env_params."):
            there = fields.get("env_params")
            inner = {} if there is None else values.mapping("env_params", there)
            fields["env_params"] = {**inner, key.removeprefix("env_params."): parsed}
        else:
            fields[key] = parsed
    return fields


def parse(fields: Mapping[str, Any]) -> Experiment:
    """Check every field and split them by what they belong to; files by paths from anywhere.

    Raises:
        InvalidInput: if there is a field that is not known, or one is out of range.
    """
    fields = placed(fields)
    name = fields.get("algorithm", "dqn")
    require_one_of("algorithm", name, ALGORITHMS)
    if "env" not in fields:
        raise InvalidInput("the config names no env; `lprl envs` lists them")
    common = {f.name: f for f in dataclasses.fields(ExperimentConfig)}
    entry = ALGORITHMS[name]
    own = {f.name: f for f in dataclasses.fields(entry.config)}
    _refuse_unknown(fields, {**common, **own}, "config key")
    experiment = ExperimentConfig(**_typed(fields, ExperimentConfig))
    arguments, bank = parse_env_params(experiment.env, experiment.env_params)
    sweep = _sweep(fields, own, entry.sweepable)
    first = {key: numbers[0] for key, numbers in sweep.items()}
    algorithm = entry.config(**_typed({**fields, **first}, entry.config))
    _require_taker(experiment.judge, name, algorithm)
    for key, numbers in sweep.items():
        for value in numbers:  # each is checked as if it stood alone
            dataclasses.replace(algorithm, **{key: value})
    return Experiment(experiment, algorithm, bank, arguments, sweep)


def _require_taker(judge: str, name: str, algorithm: Any) -> None:
    """Raise InvalidInput if a judge is named whom the algorithm would not listen to."""
    if judge != "none" and not isinstance(algorithm, ShiftConfig):
        takers = (other for other, e in ALGORITHMS.items() if issubclass(e.config, ShiftConfig))
        raise InvalidInput(
            f"judge is {shown(judge)}, and {name} learns from no shifted reward; right: "
            f"judge=none, or one of the algorithms {', '.join(takers)}"
        )


def _sweep(
    fields: Mapping[str, Any],
    valid: Mapping[str, dataclasses.Field[Any]],
    sweepable: Sequence[str],
) -> dict[str, tuple[float, ...]]:
    """Fields that hold several numbers where one belongs: a list, or `.1,.5` on a command line.

    In the order of the algorithm's config, so that a config that was written and read again has its
    settings in the same order.
    """
    sweep = {}
    for name in valid:
        value, default = fields.get(name), valid[name].default
        if isinstance(value, str) and "," in value and not isinstance(default, str):
            parts = value.split(",")  # of none of which YAML would make None
            value = [yaml_values.load(x, f"{x!r} of {name}={value}") if x else x for x in parts]
        if not isinstance(value, list) or isinstance(default, tuple):
            continue
        if name not in sweepable:
            found = shown(fields[name])
            raise InvalidInput(
                f"{name} is {found}: it cannot be swept; valid: {', '.join(sweepable) or 'none'}"
            )
        numbers = tuple(values.number(name, one) for one in value)
        if not numbers or len(set(numbers)) < len(numbers):
            values.refuse(name, fields[name], "a sweep is of different numbers")
        sweep[name] = numbers
    return sweep


def parse_env_params(env: str, fields: Mapping[str, Any]) -> tuple[dict[str, Any], BankConfig]:
    """Arguments of the environment, and its instances.

    Raises:
        InvalidInput: if there is no such environment, or a field is unknown, or of another type.
    """
    defaults = registration.arguments_of(env)
    bank = {f.name: f for f in dataclasses.fields(BankConfig)}
    _refuse_unknown(fields, {**defaults, **bank}, "env_params key")
    arguments = {
        name: values.check_like(default)(f"env_params.{name}", fields[name])
        for name, default in defaults.items()
        if name in fields
    }
    return arguments, BankConfig(**_typed(fields, BankConfig, "env_params."))


def _refuse_unknown(fields: Mapping[str, Any], valid: Mapping[str, Any], what: str) -> None:
    for name in fields:
        if name not in valid:
            near = hint(name, valid)
            raise InvalidInput(f"unknown {what} {shown(name)}; valid: {', '.join(valid)}{near}")


def _typed(fields: Mapping[str, Any], kind: type[Any], prefix: str = "") -> dict[str, Any]:
    """The fields that belong to a dataclass, each of the type that it declares."""
    checks = values.checks_of(kind)
    return {name: checks[name](prefix + name, fields[name]) for name in checks if name in fields}


def _plain(value: Any) -> Any:
    """Tuples as lists, for YAML."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, tuple | list) else value
