"""TabularPrior: a prior as a table over all states of a bank, and the table as a file.

`tabulate` asks a prior about every state once. The file (npz with a JSON manifest) can be shared,
and used with no language model at all.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv, TextEnvParams

from lprl_jax.priors.base import Counters, Prior

FORMAT = 1
# What NumPy, zipfile, zlib and json raise on a file that is no table, or a damaged one.
_UNREADABLE = (
    OSError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclasses.dataclass(frozen=True, eq=False)
class TabularPrior:
    """Log-probabilities of every action in every state of every instance, looked up."""

    env: TextEnv[Any, Any]
    """Numbers the states."""
    params: jax.Array
    """f32[M, num_states, A]"""
    name: str
    """Of the prior that was tabulated."""
    evaluations: int
    """States that were run through the model to make the table."""
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Of the prior that was tabulated: model, tokenizer, normalisation."""

    def init(self) -> Counters:
        """Nothing asked; the table's evaluations were made beforehand."""
        return Counters.zero(self.evaluations)

    def log_probs(
        self,
        params: jax.Array,
        carry: Counters,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """See `Prior.log_probs`."""
        index = jax.vmap(self.env.state_index, in_axes=(0, None))(env_state, env_params)
        asked = jnp.sum(needed, dtype=jnp.int32)
        return params[env_state.instance, index], carry._replace(queries=carry.queries + asked)

    def save(self, path: str | Path, env_params: TextEnvParams) -> None:
        """Write the table of this bank.

        Raises:
            InvalidInput: if the file exists, or cannot be written.
        """
        path = Path(path)
        manifest = {
            "format": FORMAT,
            **_identity(self.env),
            "prior": self.name,
            "evaluations": self.evaluations,
            "settings": self.settings,
            "instances": instance_digests(env_params.bank),
        }
        try:
            with path.open("xb") as file:
                np.savez_compressed(
                    file, manifest=np.array(json.dumps(manifest)), log_probs=np.asarray(self.params)
                )
        except FileExistsError:
            raise InvalidInput(f"{path} exists; name another file, or remove it") from None
        except OSError as error:
            raise InvalidInput(f"cannot write {path}: {error.strerror}") from None

    @staticmethod
    def load(path: str | Path, env: TextEnv[Any, Any], env_params: TextEnvParams) -> TabularPrior:
        """Read a table; its rows are put in the order of this bank.

        Raises:
            InvalidInput: if there is no such file, it is not a table, is damaged, belongs to
                another environment, wording or version, or lacks an instance of the bank.
        """
        try:
            with Path(path).open("rb") as stream, np.load(stream) as file:
                manifest, log_probs = dict(json.loads(str(file["manifest"]))), file["log_probs"]
        except FileNotFoundError:
            raise InvalidInput(f"no table at {path}; make one with `lprl prior`") from None
        except _UNREADABLE:
            raise InvalidInput(f"{path} is not a table; make one with `lprl prior`") from None
        for field, right in {"format": FORMAT, **_identity(env)}.items():
            if manifest.get(field) != right:
                raise InvalidInput(
                    f"the table {path} is of {field} {manifest.get(field)!r}, here it is {right!r}"
                )
        try:
            row_of = {digest: row for row, digest in enumerate(manifest["instances"])}
            own = str(manifest["prior"]), int(manifest["evaluations"]), dict(manifest["settings"])
            if log_probs.shape != (
                len(manifest["instances"]),
                env.numbered_states,
                env.num_actions,
            ):
                raise ValueError("not as many rows as the manifest says")
        except _UNREADABLE:
            raise InvalidInput(f"the table {path} is damaged; make one with `lprl prior`") from None
        wanted = instance_digests(env_params.bank)
        missing = [digest for digest in wanted if digest not in row_of]
        if missing:
            raise InvalidInput(
                f"the table {path} lacks {len(missing)} of the {len(wanted)} instances in use; "
                "make one for them with `lprl prior`"
            )
        rows = jnp.asarray(log_probs[[row_of[digest] for digest in wanted]])
        return TabularPrior(env, rows, *own)


def tabulate(
    prior: Prior, env: TextEnv[Any, Any], env_params: TextEnvParams, **settings: Any
) -> TabularPrior:
    """Ask a prior about every state of every instance that is not terminal, once.

    Args:
        prior: Any prior.
        env: The environment, whose state space is finite.
        env_params: The bank.
        settings: Recorded in the table's manifest.

    Raises:
        NotNumbered: if the environment has too many states.
    """

    def ask(*asked: Any) -> tuple[jax.Array, tuple[()], Counters]:
        log_probs, carry = prior.log_probs(*asked)
        return log_probs, (), carry

    log_probs, _, evaluations = ask_everywhere(ask, prior, env, env_params)
    return TabularPrior(env, log_probs, prior.name, evaluations, settings)


def ask_everywhere(
    ask: Callable[..., tuple[jax.Array, Any, Counters]],
    prior: Prior,
    env: TextEnv[Any, Any],
    env_params: TextEnvParams,
) -> tuple[jax.Array, Any, int]:
    """Ask a prior about every state of every instance that is not terminal, once.

    Args:
        ask: `(params, carry, env_state, env_params, needed) -> (log_probs, features, carry)`, as
            `FeaturePrior.log_probs_and_features`; features may be ().
        prior: Whose answers these are.
        env: The environment, whose state space is finite.
        env_params: The bank.

    Returns:
        Log-probabilities `f32[M, num_states, A]`, uniform in terminal states; features
        `f32[M, num_states, ...]`, 0 there; and the number of evaluations.
    """
    num_instances = jax.tree.leaves(env_params.bank)[0].shape[0]
    start = prior.init()

    def row(params: Any, env_params: Any, instance: jax.Array) -> tuple[jax.Array, Any, Counters]:
        states = jax.vmap(lambda i: env.state_at(instance, i, env_params))(
            jnp.arange(env.numbered_states, dtype=jnp.int32)
        )
        ended = jax.vmap(env.is_terminated, in_axes=(0, None))(states, env_params)
        legal = jax.vmap(env.action_mask, in_axes=(0, None))(states, env_params)
        log_probs, features, asked = ask(params, start, states, env_params, ~ended)
        uniform = jax.nn.log_softmax(jnp.where(legal, 0.0, -jnp.inf), axis=-1)
        return jnp.where(ended[:, None], uniform, log_probs), features, asked

    @jax.jit
    def rows(params: Any, env_params: Any) -> tuple[jax.Array, Any, Counters]:
        instances = jnp.arange(num_instances, dtype=jnp.int32)
        return jax.lax.map(lambda i: row(params, env_params, i), instances)

    log_probs, features, asked = rows(prior.params, env_params)
    # What a prior had run beforehand counts once, not once an instance.
    own = jnp.sum(asked.evaluations - start.evaluations)
    return log_probs, features, int(start.evaluations + own)


def instance_digests(bank: Any) -> list[str]:
    """One digest an instance of the bank, by its content."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(bank)]
    return [
        hashlib.sha256(
            b"".join(np.ascontiguousarray(leaf[i]).tobytes() for leaf in leaves)
        ).hexdigest()[:16]
        for i in range(leaves[0].shape[0])
    ]


def _identity(env: TextEnv[Any, Any]) -> dict[str, Any]:
    return {
        "environment": env.name,
        "version": env.version,
        "template": env.template.digest(),
        "actions": list(env.action_texts),
    }
