"""TabularPrior: a prior as a table over all states of a bank, and the table as a file.

`tabulate` asks a prior about every state once. The file (npz with a JSON manifest) can be shared,
and used with no language model at all.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv, TextEnvParams

from lprl_jax import archive, memory
from lprl_jax.priors.base import Counters, Prior

FORMAT = 1
COMMAND = "lprl prior"


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
        manifest = {
            "format": FORMAT,
            **archive.identity(self.env),
            "prior": self.name,
            "evaluations": self.evaluations,
            "settings": self.settings,
            "instances": archive.instance_digests(env_params.bank),
        }
        archive.write(path, manifest, {"log_probs": np.asarray(self.params)})

    @staticmethod
    def load(path: str | Path, env: TextEnv[Any, Any], env_params: TextEnvParams) -> TabularPrior:
        """Read a table; its rows are put in the order of this bank.

        Raises:
            InvalidInput: if there is no such file, it is not a table, is damaged, belongs to
                another environment, wording or version, or lacks an instance of the bank.
        """
        manifest, arrays = archive.read(path, "table", COMMAND, ["log_probs"])
        here = {"format": FORMAT, **archive.identity(env)}
        archive.require_same(path, "table", manifest, here)
        log_probs = arrays["log_probs"]
        try:
            digests = list(manifest["instances"])
            own = str(manifest["prior"]), int(manifest["evaluations"]), dict(manifest["settings"])
            if log_probs.shape != (len(digests), env.numbered_states, env.num_actions):
                raise ValueError("not as many rows as the manifest says")
        except archive.UNREADABLE:
            raise InvalidInput(f"the table {path} is damaged; make one with `{COMMAND}`") from None
        wanted = archive.instance_digests(env_params.bank)
        found = archive.rows_of(path, "table", COMMAND, digests, wanted)
        return TabularPrior(env, jnp.asarray(log_probs[found]), *own)


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
    shape = {"instances": num_instances, "states": env.numbered_states, "actions": env.num_actions}
    memory.require(
        "a table's rows", [memory.Part(tuple(shape), 4 * math.prod(shape.values()))], shape
    )

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
