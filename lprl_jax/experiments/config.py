"""Experiments as flat YAML: read, and checked field by field. `build` turns them into objects.

A config names an environment, an algorithm and a prior, then the algorithm's own fields. Whatever
is wrong is answered in one line that names the field and its valid values.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lprl_envs import InvalidInput, registration, values
from lprl_envs.errors import require_one_of, shown

from lprl_jax.algorithms import base
from lprl_jax.algorithms.registry import ALGORITHMS
from lprl_jax.experiments import prior_kinds
from lprl_jax.experiments.places import placed
from lprl_jax.files import paths, shipped, yaml_values
from lprl_jax.priors import calibration
from lprl_jax.priors.options import NORMALIZATIONS


@dataclasses.dataclass(frozen=True)
class BankConfig:
    """The instances of an experiment: given by hand, or drawn. Part of `env_params`."""

    instances: tuple[Any, ...] = ()
    """Instances by hand, as the environment's `params_of` takes them."""
    suite: str = ""
    """A published set of instances, one of the environment's `suites`."""
    num_instances: int = 0
    """Instances to draw; with none of these three, the environment's preset."""
    families: tuple[str, ...] = ()
    """Of those, the environment's kinds to draw from; none: what belongs to the split."""
    goal: str = ""
    """Where random maps have their start and goal: `corner`, or `anywhere`; empty: `corner`."""
    split_by: str = ""
    """What a split of random goals goes by: `goal`, or `shape`, which is harder; empty: `goal`."""
    split: str = ""
    """`train`, `held-out`, or empty for both."""
    bank_seed: int = 0
    """Of the drawing; an experiment's own seed does not change its instances."""
    instance_per_run: bool = False
    """Whether run r plays instance r alone (modulo their number), or every run all of them."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        values.check_fields(self)
        if self.split not in ("", "train", "held-out"):
            raise InvalidInput(f"unknown split {shown(self.split)}; valid: train, held-out")
        if self.num_instances < 0:
            raise InvalidInput(f"num_instances is {self.num_instances}; it must be 0 or more")


@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
    """What does not belong to the algorithm."""

    env: str
    """A registered id; `lprl envs` lists them."""
    env_params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Arguments of the environment, and the fields of `BankConfig`."""
    algorithm: str = "dqn"
    """One of `algorithms.registry.ALGORITHMS`."""
    dataset: str = ""
    """What an algorithm learns from that does not act: a file of `lprl collect`."""
    prior: str = "none"
    """`none`, `uniform`, `habit`, an embedded model, `smollm2` once it was fetched, a Hugging Face
    directory, a .gguf file, or a .npz table."""
    prior_access: str = "table"
    """`table` asks a model about all states beforehand; `live` asks it at every step."""
    prior_kind: str = prior_kinds.P_DIST
    """`p_dist` scores every action; `p_map` finds an action in what a model writes."""
    samples: int = prior_kinds.DEFAULTS.samples
    """Of `p_map`, as all up to `smoothing`: answers a state; see `FreeForm`."""
    max_tokens: int = prior_kinds.DEFAULTS.max_tokens
    """Of an answer."""
    sample_temperature: float = prior_kinds.DEFAULTS.temperature
    """Of an answer's tokens."""
    top_p: float = prior_kinds.DEFAULTS.top_p
    """Probability of the likeliest tokens, among which they are drawn."""
    smoothing: float = prior_kinds.DEFAULTS.smoothing
    """Weight of the uniform distribution beside the samples."""
    encoder: str = ""
    """Hugging Face directory of a BERT, from which features then come; see `q_input`."""
    prior_dtype: str = "float32"
    """Of a model's weights and matrix products: `float32`, or `bfloat16` on accelerators."""
    model_parallel: int = 1
    """Devices that share one copy of a model's weights; the runs are split over the others."""
    wording: str = "bare"
    """What a model reads around a state: one of `priors.wordings.names()`, or a YAML file."""
    normalization: str = "sum"
    """Of a model's log-likelihood of an action: `sum`, or divided by its `token`s or `word`s."""
    end_of_action: str = "\n"
    """What ends an action's text, for a model."""
    chunk: int = 0
    """States that a model runs at a time; 0: 256, and 16 of a family that is run by Flax code."""
    calibration: str = "none"
    """What a model likes to say anyway, divided out: `none`, `pmi`, `contextual`; see
    `priors.calibration`. The temperature behind it is `prior_temperature`."""
    prior_temperature: float = 1.0
    """Above 1 the prior is flattened; see `degrade`."""
    prior_epsilon: float = 0.0
    """Share of the uniform distribution mixed into the prior; see `degrade`."""
    prior_adversarial: bool = False
    """Whether the prior's preferences are turned round; see `degrade`."""
    num_runs: int = 32
    """Independent runs, in one program; in a sweep, of each setting, with the same seeds."""
    total_steps: int = 20_000
    """Environment steps a run; gradient steps, where an algorithm learns from a dataset. Rounded
    up to whole updates."""
    eval_every: int = 1_000
    """Such steps a run between two evaluations: a chunk of whole updates; the last is shorter."""
    eval_episodes: int = 32
    """Episodes an evaluation, a run."""
    checkpoint_every: int = 20
    """Chunks between two checkpoints; the last state is always kept."""
    seed: int = 0
    """Of the runs."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        require_one_of("algorithm", self.algorithm, ALGORITHMS)
        values.check_fields(self)
        counts = ("num_runs", "total_steps", "eval_every", "eval_episodes", "checkpoint_every")
        for name in (*counts, "model_parallel"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} is {getattr(self, name)}; it must be 1 or more")
        require_one_of("prior_access", self.prior_access, ("table", "live"))
        require_one_of("prior_dtype", self.prior_dtype, ("float32", "bfloat16"))
        require_one_of("normalization", self.normalization, NORMALIZATIONS)
        if self.chunk < 0:
            raise InvalidInput(f"chunk is {self.chunk}; it must be 1 or more, or 0 for the default")
        require_one_of("calibration", self.calibration, calibration.METHODS)
        prior_kinds.free_form(self.prior_kind, vars(self))
        base.require_fraction(self, "prior_epsilon")
        base.require_above_0(self, "prior_temperature")
        base.require_finite(self, "prior_temperature")


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
            raise InvalidInput(f"no config {asked}; valid: a YAML file, or {', '.join(names())}")
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
    for key, numbers in sweep.items():
        for value in numbers:  # each is checked as if it stood alone
            dataclasses.replace(algorithm, **{key: value})
    return Experiment(experiment, algorithm, bank, arguments, sweep)


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
            close = difflib.get_close_matches(str(name), valid, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            found = shown(name)
            raise InvalidInput(f"unknown {what} {found}; {hint}valid: {', '.join(valid)}")


def _typed(fields: Mapping[str, Any], kind: type[Any], prefix: str = "") -> dict[str, Any]:
    """The fields that belong to a dataclass, each of the type that it declares."""
    checks = values.checks_of(kind)
    return {name: checks[name](prefix + name, fields[name]) for name in checks if name in fields}


def _plain(value: Any) -> Any:
    """Tuples as lists, for YAML."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, tuple | list) else value
