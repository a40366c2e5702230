"""What the fields of a config are, in words: `lprl config NAME`.

The words are those that stand under each field where it is declared.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Mapping
from typing import Any

from lprl_envs import registration

from lprl_jax.experiments.config import Experiment
from lprl_jax.field_help import meanings

WIDTH = 100
"""Columns of a line."""


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a config."""

    name: str
    """As it is written."""
    value: str
    """In this config."""
    default: str
    """Where it is not written; empty where it must be."""
    meaning: str
    """In a few words."""


def fields_of(experiment: Experiment) -> dict[str, list[Field]]:
    """All fields, by what they belong to: the experiment, its instances, the algorithm."""
    algorithm = {**vars(experiment.algorithm), **experiment.sweep}
    name = experiment.config.algorithm
    return {
        "experiment": _fields(type(experiment.config), vars(experiment.config)),
        f"env_params of {experiment.config.env}": _arguments(experiment),
        "env_params, the instances": _fields(type(experiment.bank), vars(experiment.bank)),
        f"algorithm {name}": _fields(type(experiment.algorithm), algorithm),
    }


def text(experiment: Experiment) -> str:
    """`fields_of`, to be read: what differs from its default has that behind it."""
    lines = []
    for title, fields in fields_of(experiment).items():
        lines += ["", f"# {title}"] if fields else []
        for field in fields:
            is_set = field.default not in ("", field.value)
            lines.append(f"{field.name}: {field.value}" + f"  (default {field.default})" * is_set)
            lines += [f"    {line}" for line in textwrap.wrap(field.meaning, WIDTH - 4)]
    return "\n".join(lines[1:])


def _arguments(experiment: Experiment) -> list[Field]:
    """Of the environment's constructor."""
    env = experiment.config.env
    words = of_arguments(registration.class_of(env))
    given = experiment.env_arguments
    return [
        Field(name, _shown(given.get(name, default)), _shown(default), words.get(name, ""))
        for name, default in registration.arguments_of(env).items()
    ]


def of_arguments(kind: type[Any] | None) -> dict[str, str]:
    """What stands under `Args:` in a class's docstring, by name; gymnax's own say nothing."""
    _, _, below = (inspect.getdoc(kind) or "" if kind else "").partition("Args:\n")
    found: dict[str, str] = {}
    name = ""
    for line in below.splitlines():
        if not line.startswith("    "):
            break
        if begun := re.match(r" {4}(\w+): (.*)", line):
            name = begun[1]
            found[name] = begun[2]
        elif name:
            found[name] += f" {line.strip()}"
    return found


def _fields(kind: type[Any], values: Mapping[str, Any]) -> list[Field]:
    words = meanings(kind)
    return [
        Field(field.name, _shown(values[field.name]), _default(field), words.get(field.name, ""))
        for field in dataclasses.fields(kind)
        if field.name != "env_params"
    ]


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return _shown(field.default)
    if field.default_factory is not dataclasses.MISSING:
        return _shown(field.default_factory())
    return ""


def _shown(value: Any) -> str:
    """As one writes it in YAML."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_shown, value))}]"
    return str(value) if str(value).strip() else repr(value)
