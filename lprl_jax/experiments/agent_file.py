"""A trained agent in a file: its whole state, and what that belongs to.

    lprl_jax.save("agent.npz", state, data, config)
    state = lprl_jax.load("agent.npz", algorithm.init(keys, config.hparams(R), data), data, config)

A state is loaded into a fresh one of as many runs. With another config, another bank of instances
or another model it would be another agent, and is refused.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput
from lprl_envs.errors import shown

from lprl_jax.algorithms.base import Data
from lprl_jax.files import archive
from lprl_jax.priors import fingerprint
from lprl_jax.version import __version__

KIND, FORMAT = "saved agent", 1
COMMAND = "lprl_jax.save(path, state, data, config)"


def save(path: str | Path, state: Any, data: Data, config: Any) -> None:
    """Write a state to a new file, which appears when it is whole.

    Args:
        path: Of the file, `.npz`.
        state: Of R runs, whatever `init`, `train` or `restart` returned: networks, optimiser,
            replay, random keys. A model that is asked is not written, only which it is.
        data: With which it was trained.
        config: Of the algorithm.

    Raises:
        InvalidInput: if the file exists, cannot be written, or is not called .npz.
    """
    arrays = {name: _plain(leaf) for name, leaf in _leaves(state).items()}
    archive.write(path, {**_belongs_to(data, config), "lprl_jax": __version__}, arrays)


def load(path: str | Path, like: Any, data: Data, config: Any) -> Any:
    """The state that a file holds, on the devices of a fresh one.

    Args:
        path: Of a file that `save` wrote.
        like: A fresh state of as many runs, of the algorithm made with this config.
        data: With which it is to go on or to act.
        config: Of the algorithm.

    Raises:
        InvalidInput: if there is no such file, it is damaged, or it is of another config, bank,
            model or number of runs.
    """
    manifest, arrays = archive.read(path, KIND, COMMAND, ())
    here = _belongs_to(data, config)
    if manifest.get("kind") != KIND or manifest.get("format") != FORMAT:
        raise InvalidInput(f"{path} is not a {KIND} of format {FORMAT}; make one with `{COMMAND}`")
    theirs, own = manifest.pop("config"), here.pop("config")
    if changed := [x for x in {**theirs, **own} if theirs.get(x) != own.get(x)]:
        each = (f"{x} is {theirs.get(x)!r} there, {own.get(x)!r} here" for x in changed)
        raise InvalidInput(f"the {KIND} {path} is of another config: {'; '.join(each)}")
    archive.require_same(path, KIND, manifest, here)
    wanted = _leaves(like)
    if set(wanted) != set(arrays):
        other = min(set(wanted) ^ set(arrays))
        raise InvalidInput(f"the {KIND} {path} is of another algorithm: it differs in {other}")
    for name, leaf in wanted.items():
        right = _plain(leaf)
        if (arrays[name].shape, arrays[name].dtype) != (right.shape, right.dtype):
            found, asked = (f"{x.dtype}{list(x.shape)}" for x in (arrays[name], right))
            raise InvalidInput(
                f"the {KIND} {path} has {name} of {found}, the fresh state has {asked}; right: a "
                "state of as many runs and instances"
            )
    loaded = [_placed(arrays[name], leaf) for name, leaf in wanted.items()]
    return jax.tree.unflatten(jax.tree.structure(like), loaded)


def _belongs_to(data: Data, config: Any) -> dict[str, Any]:
    """What a state is of, as a manifest says it."""
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise InvalidInput(
            f"config is {shown(config)}; right: the algorithm's, such as DQNConfig()"
        )
    asked = data.prior_params, data.completer_params, data.judge_params, data.policy_params
    fields = {name: list(x) if isinstance(x, tuple) else x for name, x in vars(config).items()}
    return {
        "kind": KIND,
        "format": FORMAT,
        "config": {"algorithm's config": type(config).__name__, **fields},
        "bank": fingerprint.bank_of(data.env_params),
        "models": list(fingerprint.models_of(asked)),
    }


def _leaves(state: Any) -> dict[str, Any]:
    """Arrays by where they lie."""
    found, _ = jax.tree_util.tree_flatten_with_path(state)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in found}


def _plain(leaf: Any) -> np.ndarray:
    """As numbers; random keys, too."""
    is_key = jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf)


def _placed(array: np.ndarray, like: Any) -> Any:
    if jnp.issubdtype(jnp.result_type(like), jax.dtypes.prng_key):
        array = jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(like))
    return (
        jax.device_put(array, like.sharding) if isinstance(like, jax.Array) else jnp.asarray(array)
    )
