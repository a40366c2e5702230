"""What a prior's parameters belong to: a fingerprint of environment, template, bank and model.

A table of one bank is an array like that of another, so parameters say themselves whose they are.
They are arguments of compiled functions, and another bank compiles nothing: so a fingerprint is
arrays among them, and it is read where they are concrete, on the host, before anything is compiled.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv, TextEnvParams

from lprl_jax.files import archive
from lprl_jax.lm import identity

NOTHING = "0" * 32
"""Digest of what is not known, or does not matter: it goes with anything."""
PROMPT = "prompt"
"""Under which a prior's settings have the digest of its prompt, if that is not the world's own."""
SHOWN = 8
"""Digits of a digest in a message."""

_words: dict[str, str] = {}
"""Digest to what it was taken of: how a message names it. Of others it shows the digest."""
_settings: dict[str, dict[str, Any]] = {}
"""Digest of a world to the arguments that made the environment."""


class Fingerprint(NamedTuple):
    """Digests, `u32[4]` each; 0 goes with anything."""

    world: jax.Array
    """Of environment, its version, the texts of states and actions."""
    bank: jax.Array
    """Of all instances, in their order."""
    model: jax.Array
    """Of weights and vocabulary, and of the prompt, if that is not the world's own."""


class Here(NamedTuple):
    """What parameters are to belong to, as digests in hex."""

    world: str
    """Of the environment."""
    bank: str = NOTHING
    """Of its instances."""
    models: tuple[str, ...] = ()
    """Of those that the algorithm was made with, in the order in which parameters hold theirs."""


def of(
    env: TextEnv[Any, Any],
    env_params: TextEnvParams | None = None,
    model: str = NOTHING,
    name: str = "",
) -> Fingerprint:
    """Of what parameters are made for.

    Args:
        env: The environment.
        env_params: Its bank; None where the parameters do not depend on it.
        model: A digest in hex, as `lm.identity.of_model` makes it; by default, of no model.
        name: The model's, for messages.
    """
    if name and model != NOTHING:
        _words[model[:32]] = f"the model {name!r}"
    bank = NOTHING if env_params is None else bank_of(env_params)
    return Fingerprint(*(jnp.asarray(_pack(x)) for x in (world_of(env), bank, model)))


def world_of(env: TextEnv[Any, Any]) -> str:
    """Digest of an environment, as tables and datasets are told apart by."""
    digest = _world_of(env)
    _words[digest], _settings[digest] = env.name, _arguments(env)
    return digest


@functools.lru_cache(maxsize=256)
def _world_of(env: TextEnv[Any, Any]) -> str:
    text = json.dumps(archive.identity(env), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def bank_of(env_params: TextEnvParams) -> str:
    """Digest of a bank, whichever of its instances are played."""
    digest = identity.of_arrays(env_params.bank)[:32]
    _words[digest] = f"a bank of {len(jax.tree.leaves(env_params.bank)[0])} instances"
    return digest


def model_in(settings: Mapping[str, Any]) -> str:
    """The digest of the model that a table's settings name; of tables that name none, NOTHING."""
    digest = str(settings.get("digest", ""))
    if not re.fullmatch("[0-9a-f]{64}", digest):
        return NOTHING
    return in_words(digest, str(settings[PROMPT])) if PROMPT in settings else digest


def in_words(model: str, prompt: str) -> str:
    """Digest of a model that is asked by a prompt other than the world's own."""
    return hashlib.sha256(f"{model} {prompt}".encode()).hexdigest()


def all_of(params: Any) -> list[Fingerprint]:
    """Those among parameters, whatever wraps them; none, where there are none."""
    leaves = jax.tree.leaves(params, is_leaf=_is_one)
    return [leaf for leaf in leaves if _is_one(leaf)]


def models_of(params: Any) -> tuple[str, ...]:
    """The digests of the models that parameters are of, in hex: a prior's, then its encoder's."""
    return tuple(_hex(found.model) for found in all_of(params))


def model_of(found: Fingerprint) -> str:
    """The digest of the model, in hex."""
    return _hex(found.model)


def without(params: Any) -> Any:
    """The same parameters, but for their fingerprints."""
    return jax.tree.map(lambda leaf: () if _is_one(leaf) else leaf, params, is_leaf=_is_one)


def require(params: Any, here: Here, what: str) -> None:
    """Check that parameters belong to environment, bank and model.

    Args:
        params: Concrete, of a prior or of a policy.
        here: What they are to belong to.
        what: They are of, for the message: `"the prior 'embedded'"`.

    Raises:
        InvalidInput: if they are of another; the message names both.
    """
    for found in all_of(params):
        require_same_world(_hex(found.world), here.world, what)
        bank = _hex(found.bank)
        if _differ(bank, here.bank):
            raise InvalidInput(
                f"{what} was made for {_named(bank, 'bank')}, and here is "
                f"{_named(here.bank, 'bank')}; make it for this one: with_bank(env_params), or "
                "tabulate, or load the table again"
            )
    for theirs, own in zip(models_of(params), here.models, strict=False):
        if _differ(theirs, own):
            raise InvalidInput(
                f"the parameters of {what} are of {_named(theirs, 'model')}, and the algorithm was "
                f"made with {_named(own, 'model')}; make it with the prior whose parameters it gets"
            )


def require_same_world(theirs: str, here: str, what: str) -> None:
    """Raise InvalidInput unless both are of one environment; the message names both."""
    if not _differ(theirs, here):
        return
    both = [_settings.get(digest, {}) for digest in (theirs, here)]
    names = [_words.get(digest, "another environment") for digest in (theirs, here)]
    other = [name for name in both[0] if name in both[1] and both[0][name] != both[1][name]]
    if names[0] == names[1] and other:
        shown = [", ".join(f"{name}={own[name]!r}" for name in other) for own in both]
    else:
        shown = [f"texts {digest[:SHOWN]}" for digest in (theirs, here)]
    first, second = (f"{name} ({own})" for name, own in zip(names, shown, strict=True))
    raise InvalidInput(
        f"{what} was made for {first}, and here is {second}; make it for this environment"
    )


def _named(digest: str, kind: str) -> str:
    """How a message names a bank or a model."""
    return f"{_words.get(digest, f'a {kind}')} ({digest[:SHOWN]})"


def _arguments(env: TextEnv[Any, Any]) -> dict[str, Any]:
    """What an environment was made with, by name, where its `config` is that in its order."""
    names = list(inspect.signature(type(env)).parameters)
    return dict(zip(names, env.config, strict=True)) if len(names) == len(env.config) else {}


def _is_one(node: Any) -> bool:
    return isinstance(node, Fingerprint)


def _differ(one: str, other: str) -> bool:
    return NOTHING not in (one, other) and one != other


def _pack(digest: str) -> np.ndarray:
    """`u32[4]`: the first half of a SHA-256."""
    return np.frombuffer(bytes.fromhex(digest[:32]), ">u4").astype(np.uint32)


def _hex(packed: Any) -> str:
    """The digest that was packed."""
    return np.asarray(packed, np.uint32).astype(">u4").tobytes().hex()
