"""Transitions of many runs as arrays, and as a file.

The file is NumPy's npz. `manifest` is JSON: format, environment, version, template digest, actions,
a digest of each instance of the bank, and the fields of `Origin`. The arrays lead with runs and a
run's transitions in the order in which they were made, `[R, T, ...]`:

    state.*, next_state.*  the leaves of the environment's states, by their names
    action i32, reward f32, terminated bool, truncated bool
    action_mask bool[R, T, A]  what was legal in `state`
    behaviour i32          which of the manifest's behaviours acted
    log_probs, next_log_probs f32[R, T, A]  the prior in `state` and in `next_state`; both absent
                           where there was no prior

States are kept, not observations, so that features, masks and text can be computed again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv, TextEnvParams

from lprl_jax.datasets import soundness
from lprl_jax.files import archive
from lprl_jax.priors.base import Prior
from lprl_jax.priors.options import is_of_a_model

FORMAT = 1
COMMAND = "lprl collect"
WHAT = "dataset"
SHOWN = 12
"""Digits of a digest in a message."""
NO_PRIOR = "none"


class Dataset(NamedTuple):
    """R runs of T transitions; every leaf leads with `[R, T]`."""

    state: Any
    """s_{t-1}"""
    action: Any
    """i32: a_{t-1}"""
    reward: Any
    """f32: r_t"""
    terminated: Any
    """bool: whether s_t is terminal."""
    truncated: Any
    """bool: whether the time limit ended the episode at s_t."""
    next_state: Any
    """s_t, before any reset."""
    action_mask: Any
    """bool[A]: legal actions in s_{t-1}."""
    behaviour: Any
    """i32: which behaviour acted."""
    log_probs: Any
    """f32[A]: the prior at s_{t-1}; () without one."""
    next_log_probs: Any
    """f32[A]: the prior at s_t, uniform where that is terminal; () without one."""

    @property
    def num_runs(self) -> int:
        """R."""
        return self.action.shape[0]

    @property
    def size(self) -> int:
        """T."""
        return self.action.shape[1]


@dataclasses.dataclass(frozen=True)
class Origin:
    """How a dataset came about: what its manifest says beside the environment."""

    behaviours: tuple[str, ...]
    """What acted: `random`, `prior`, or the directory of a run."""
    shares: tuple[float, ...]
    """In which share of the episodes."""
    epsilon: float
    """Probability of a random action of a run's networks."""
    num_envs: int
    """Environments a run, whose transitions take turns."""
    seed: int
    """Of the experiment."""
    prior: str
    """The name of what `log_probs` are of; `none`."""
    prior_settings: Mapping[str, Any]
    """Model, its digest, its tokenizer's, and how it is asked."""
    queries: int
    """Prompts sent to the model, by all runs together."""
    evaluations: int
    """Prompts run through it, a table's included."""


def save(
    path: str | Path,
    dataset: Dataset,
    origin: Origin,
    env: TextEnv[Any, Any],
    env_params: TextEnvParams,
) -> None:
    """Write a dataset to a new file.

    Raises:
        InvalidInput: if the file exists, or cannot be written.
    """
    archive.write(path, manifest_of(origin, env, env_params), named(dataset))


def load(
    path: str | Path, env: TextEnv[Any, Any], env_params: TextEnvParams
) -> tuple[Dataset, Origin]:
    """Read a dataset; its states' instances are numbered as in this bank.

    Raises:
        InvalidInput: if there is no such file, it is no dataset, holds nothing, belongs to another
            environment, wording or version, has instances that are not in the bank, or says what
            cannot be of this environment: the first place is named.
    """
    return of_arrays(path, *archive.read(path, WHAT, COMMAND, ["action"]), env, env_params)


def manifest_of(
    origin: Origin, env: TextEnv[Any, Any], env_params: TextEnvParams
) -> dict[str, Any]:
    """What a file says of its arrays."""
    return {
        "format": FORMAT,
        **archive.identity(env),
        "instances": archive.instance_digests(env_params.bank),
        **dataclasses.asdict(origin),
    }


def named(dataset: Dataset) -> dict[str, np.ndarray]:
    """The arrays of a file, by their names."""
    return {name: np.asarray(leaf) for name, leaf in _named(dataset).items()}


def of_arrays(
    path: str | Path,
    manifest: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    env: TextEnv[Any, Any],
    env_params: TextEnvParams,
) -> tuple[Dataset, Origin]:
    """A dataset from what a file holds; see `load`."""
    like = _like(env, env_params)
    names = _named(like)
    here = {"format": FORMAT, **archive.identity(env)}
    archive.require_same(path, WHAT, manifest, here)
    lead = arrays["action"].shape
    if len(lead) != 2 or 0 in lead:
        raise InvalidInput(f"the dataset {path} holds no transitions; make one with `{COMMAND}`")
    without = ("log_probs", "next_log_probs") if manifest.get("prior") == NO_PRIOR else ()
    missing = [name for name in names if name not in arrays and name not in without]
    if missing:
        raise InvalidInput(f"the dataset {path} is damaged: it lacks {', '.join(missing)}")
    for name, array in arrays.items():
        right = names.get(name)
        if right is None or (array.shape, array.dtype) != ((*lead, *right.shape), right.dtype):
            raise InvalidInput(
                f"the dataset {path} is damaged: {name} is {array.dtype}{list(array.shape)}"
            )
    leaves = [arrays.get(name) for name in names]
    dataset = jax.tree.unflatten(jax.tree.structure(like), leaves)
    if without:
        dataset = dataset._replace(log_probs=(), next_log_probs=())
    try:
        fields = {field.name: manifest[field.name] for field in dataclasses.fields(Origin)}
        tuples = {name: tuple(fields[name]) for name in ("behaviours", "shares")}
        fields["prior_settings"] = dict(fields["prior_settings"])
        digests = list(manifest["instances"])
    except (KeyError, TypeError, ValueError):
        raise InvalidInput(f"the dataset {path} is damaged: its manifest lacks entries") from None
    dataset = _renumbered(path, dataset, digests, env_params)
    soundness.require(path, dataset, env, env_params, len(tuples["behaviours"]))
    return dataset, Origin(**{**fields, **tuples})


def require_prior(path: str | Path, origin: Origin, prior: Prior) -> None:
    """Raise InvalidInput unless a dataset's log-probabilities are this prior's.

    Models are told apart by their digest, wherever they lie and whatever they are called. A file
    that records none, as those of before did, is refused: its name may be that of another.
    """
    if origin.prior == NO_PRIOR:
        raise InvalidInput(
            f"the dataset {path} has no prior's log-probabilities, and the prior is "
            f"{prior.name!r}; add them with `{COMMAND} --from`"
        )
    there, here = dict(origin.prior_settings), settings_of(prior)
    if not (is_of_a_model(there) and is_of_a_model(here)):
        recorded = {"prior": origin.prior, "prior_settings": there}
        archive.require_same(path, WHAT, recorded, {"prior": prior.name, "prior_settings": here})
        return
    if "digest" not in there:
        raise InvalidInput(
            f"the dataset {path} names its prior's model, {there.get('model')!r}, but not by a "
            f"digest; add the log-probabilities anew with `{COMMAND} --from`"
        )
    if "digest" not in here:
        raise InvalidInput(
            f"the prior {prior.name!r} is a table that names its model, but not by a digest; make "
            "it anew with `lprl prior`"
        )
    if there["digest"] != here["digest"]:
        raise InvalidInput(
            f"the dataset {path} is of the model {there.get('model')!r} with the digest "
            f"{str(there['digest'])[:SHOWN]}, and the prior {prior.name!r} has "
            f"{str(here['digest'])[:SHOWN]}: weights, vocabulary or prior_dtype differ; add its "
            f"own log-probabilities with `{COMMAND} --from`"
        )
    for settings in (there, here):
        settings.pop("wording", None)  # a name, for reports: the prompt's digest counts
        settings.pop("dtype", None)  # rounds in the third digit; files of before do not tell it
    # What was done to it, such as " (ε = 0.5)", stands behind the model's name.
    changes = [
        name.removeprefix(str(settings.pop("model", "")))
        for name, settings in ((origin.prior, there), (prior.name, here))
    ]
    if changes[0] != changes[1]:
        raise InvalidInput(
            f"the dataset {path} is of prior {origin.prior!r}, here it is {prior.name!r}"
        )
    archive.require_same(path, WHAT, {"prior_settings": there}, {"prior_settings": here})


def settings_of(prior: Any) -> dict[str, Any]:
    """Model, digest, tokenizer, wording, as JSON has them; those of the prior underneath."""
    while hasattr(prior, "prior"):
        prior = prior.prior
    return json.loads(json.dumps(getattr(prior, "settings", {})))


def _named(dataset: Dataset) -> dict[str, Any]:
    """Leaves by their names, such as `next_state.time`."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): leaf
        for path, leaf in jax.tree_util.tree_flatten_with_path(dataset)[0]
    }


def _like(env: TextEnv[Any, Any], env_params: TextEnvParams) -> Dataset:
    """Shape and type of one transition."""
    _, state = jax.eval_shape(env.reset, jax.random.key(0), env_params)
    actions = (env.num_actions,)

    def leaf(dtype: Any, shape: tuple[int, ...] = ()) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, dtype)

    return Dataset(
        state=state,
        action=leaf(jnp.int32),
        reward=leaf(jnp.float32),
        terminated=leaf(jnp.bool_),
        truncated=leaf(jnp.bool_),
        next_state=state,
        action_mask=leaf(jnp.bool_, actions),
        behaviour=leaf(jnp.int32),
        log_probs=leaf(jnp.float32, actions),
        next_log_probs=leaf(jnp.float32, actions),
    )


def _renumbered(
    path: str | Path, dataset: Dataset, digests: list[str], env_params: TextEnvParams
) -> Dataset:
    """With the instances' places in this bank."""
    row_of = {digest: row for row, digest in enumerate(archive.instance_digests(env_params.bank))}
    used = np.unique([dataset.state.instance, dataset.next_state.instance])
    unknown = used[(used < 0) | (used >= len(digests))]
    if unknown.size:
        raise InvalidInput(f"the dataset {path} is damaged: it has no instance {unknown[0]}")
    strange = [i for i in used if digests[i] not in row_of]
    if strange:
        raise InvalidInput(
            f"{len(strange)} of the {len(used)} instances in the dataset {path} are not in use "
            f"here; make one of these with `{COMMAND}`"
        )
    rows = np.array([row_of.get(digest, 0) for digest in digests], np.int32)

    def renumber(state: Any) -> Any:
        return dataclasses.replace(state, instance=rows[state.instance])

    return dataset._replace(state=renumber(dataset.state), next_state=renumber(dataset.next_state))
