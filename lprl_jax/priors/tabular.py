"""TabularPrior: a prior as a table over all states of a bank, and the table as a file.

`tabulate` asks a prior about every state once. The file (npz with a JSON manifest) can be shared,
and used with no language model at all.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv, TextEnvParams
from lprl_envs.errors import require_one_of
from lprl_envs.short_repr import short_repr

from lprl_jax.files import archive
from lprl_jax.priors import distributions, fingerprint
from lprl_jax.priors.base import Counters, Prior
from lprl_jax.priors.drafts import Draft
from lprl_jax.priors.everywhere import ask_everywhere
from lprl_jax.priors.fingerprint import Fingerprint, Here

FORMAT = 1
COMMAND = "lprl prior"
PRECISIONS = ("float32", "float16")
"""Of a file; half of it rounds a log-probability by a two-thousandth of itself."""
ROUNDED = 1e-2
"""By which log-sums may miss 0 through that rounding; what misses it by more is damaged."""


class Table(NamedTuple):
    """Arguments of the compiled functions; M instances in the bank."""

    log_probs: jax.Array
    """f32[M, num_states, A]"""
    fingerprint: Fingerprint
    """What they are of."""


@dataclasses.dataclass(frozen=True, eq=False)
class TabularPrior:
    """Log-probabilities of every action in every state of every instance, looked up."""

    __repr__ = short_repr

    env: TextEnv[Any, Any]
    """Numbers the states."""
    table: jax.Array
    """f32[M, num_states, A]: log-probabilities."""
    name: str
    """Of the prior that was tabulated."""
    evaluations: int
    """States that were run through the model to make the table."""
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Of the prior that was tabulated: model, tokenizer, normalisation."""
    fingerprint: Fingerprint | None = None
    """What the table is of; a table that was made by hand is of the environment, and any bank."""
    figures: dict[str, float] = dataclasses.field(default_factory=dict)
    """What was found while it was made, by name; for reports."""

    @property
    def params(self) -> Table:
        """The table, and what it is of."""
        return Table(self.table, self.fingerprint or fingerprint.of(self.env))

    def init(self) -> Counters:
        """Nothing asked; the table's evaluations were made beforehand."""
        return Counters.zero(self.evaluations)

    def log_probs(
        self,
        params: Table,
        carry: Counters,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """See `Prior.log_probs`."""
        index = jax.vmap(self.env.state_index, in_axes=(0, None))(env_state, env_params)
        log_probs = params.log_probs[env_state.instance, index]
        return log_probs, carry.after_looking_up(needed)

    def save(self, path: str | Path, env_params: TextEnvParams, precision: str = "float32") -> None:
        """Write the table of this bank.

        Args:
            path: A new .npz file.
            env_params: The bank.
            precision: One of PRECISIONS. Illegal actions are all alike, and packed away.

        Raises:
            InvalidInput: if the table is not of this bank, the file exists, or cannot be written,
                or there is no such precision.
        """
        require_one_of("precision", precision, PRECISIONS)
        require_of(self.params, self.env, env_params, f"the table {self.name!r}")
        manifest = {
            **_manifest(self.env, env_params, self.name, self.settings),
            "evaluations": self.evaluations,
            **({"figures": self.figures} if self.figures else {}),
        }
        archive.write(path, manifest, {"log_probs": np.asarray(self.table).astype(precision)})

    @staticmethod
    def load(path: str | Path, env: TextEnv[Any, Any], env_params: TextEnvParams) -> TabularPrior:
        """Read a table; its rows are put in the order of this bank.

        Raises:
            InvalidInput: if there is no such file, it is not a table, is damaged, belongs to
                another environment, wording or version, lacks an instance of the bank, or holds
                anything but a distribution over the legal actions.
        """
        manifest, arrays = archive.read(path, "table", COMMAND, ["log_probs"])
        here = {"format": FORMAT, **archive.identity(env)}
        archive.require_same(path, "table", manifest, here)
        log_probs = _widened(arrays["log_probs"])
        try:
            digests = list(manifest["instances"])
            own = str(manifest["prior"]), int(manifest["evaluations"]), dict(manifest["settings"])
            figures = dict(manifest.get("figures", {}))
            figures = {str(name): float(x) for name, x in figures.items()}
            if log_probs.shape != (len(digests), env.numbered_states, env.num_actions):
                raise ValueError("not as many rows as the manifest says")
            if not 0 <= own[1] < 1 << 63:
                raise ValueError("a number of evaluations that cannot be")
        except archive.UNREADABLE:
            raise InvalidInput(f"the table {path} is damaged; make one with `{COMMAND}`") from None
        wanted = archive.instance_digests(env_params.bank)
        found = archive.rows_of(path, "table", COMMAND, digests, wanted)
        _require_sound(path, log_probs[found], env, env_params)
        model, name = fingerprint.model_in(own[2]), str(own[2].get("model", ""))
        made_for = fingerprint.of(env, env_params, model, name)
        return TabularPrior(env, jnp.asarray(log_probs[found]), *own, made_for, figures)


def _manifest(
    env: TextEnv[Any, Any], env_params: TextEnvParams, name: str, settings: dict[str, Any]
) -> dict[str, Any]:
    """What a table says of itself, but for its evaluations."""
    return {
        "format": FORMAT,
        **archive.identity(env),
        "prior": name,
        "settings": settings,
        "instances": archive.instance_digests(env_params.bank),
    }


def _widened(log_probs: np.ndarray) -> np.ndarray:
    """Log-probabilities as f32; rounded ones add up to 1 again."""
    if log_probs.dtype != np.float16:
        return log_probs
    wide = log_probs.astype(np.float32)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        total = np.log(np.exp(wide).sum(axis=-1, keepdims=True))
        return np.where(np.abs(total) < ROUNDED, wide - total, wide)


def _require_sound(
    path: str | Path, log_probs: np.ndarray, env: TextEnv[Any, Any], env_params: TextEnvParams
) -> None:
    """Raise InvalidInput unless every row is a distribution over the legal actions."""
    if log_probs.dtype != np.float32:
        raise InvalidInput(f"the table {path} is damaged: log_probs is {log_probs.dtype}")

    def masks(instance: jax.Array, env_params: Any) -> jax.Array:
        def mask(index: jax.Array) -> jax.Array:
            return env.action_mask(env.state_at(instance, index, env_params), env_params)

        return jax.vmap(mask)(jnp.arange(env.numbered_states, dtype=jnp.int32))

    instances = jnp.arange(len(log_probs), dtype=jnp.int32)
    legal = np.asarray(jax.jit(jax.vmap(masks, (0, None)))(instances, env_params))
    wrong = distributions.wrong(log_probs, legal)
    if wrong.any():
        instance, state = at = tuple(np.argwhere(wrong)[0])
        raise InvalidInput(
            f"the table {path} is damaged: log_probs is not normalised over the legal actions in "
            f"state {state} of instance {instance}: "
            f"{distributions.describe(log_probs[at], legal[at])}"
        )


def tabulate(
    prior: Prior,
    env: TextEnv[Any, Any],
    env_params: TextEnvParams,
    *,
    progress: bool = False,
    resume: str | Path | None = None,
    **settings: Any,
) -> TabularPrior:
    """Ask a prior about every state of every instance that is not terminal, once.

    Args:
        prior: Any prior.
        env: The environment, whose state space is finite.
        env_params: The bank.
        progress: Whether a bar with an estimate is shown, on a terminal, when it takes long.
        resume: Where the table will be saved. Answers are kept beside it as they come in, in
            FILE.part, and what an earlier call has left there is not asked again; whoever has saved
            the table calls `drafts.remove`.
        settings: Recorded in the table's manifest.

    Raises:
        NotNumbered: if the environment has too many states.
        InvalidInput: if the prior is of another environment or bank, or what was left is damaged or
            of another table.
    """
    require_of(prior.params, env, env_params, f"the prior {prior.name!r}")
    made_for, draft = fingerprint_of(prior, env, env_params), None
    if resume is not None:
        manifest = _manifest(env, env_params, prior.name, settings)
        asked = {"model": fingerprint.model_of(made_for), "asked": getattr(prior, "settings", {})}
        draft = Draft(resume, {**manifest, **asked})
    found = ask_everywhere(prior, env, env_params, progress=progress, draft=draft)
    table = jnp.asarray(found.log_probs)
    return TabularPrior(env, table, prior.name, found.evaluations, settings, made_for)


def fingerprint_of(prior: Prior, env: TextEnv[Any, Any], env_params: TextEnvParams) -> Fingerprint:
    """Of a prior's table: of its model, this environment and this bank."""
    own = fingerprint.models_of(prior.params)
    return fingerprint.of(env, env_params, own[0] if own else fingerprint.NOTHING)


def require_of(params: Any, env: TextEnv[Any, Any], env_params: TextEnvParams, what: str) -> None:
    """Check that parameters belong to an environment and a bank, and that tables fit them.

    Args:
        params: Of a prior.
        env: The environment.
        env_params: The bank.
        what: They are of, for the message.

    Raises:
        InvalidInput: if they are of another, or a table has another shape.
    """
    here = Here(fingerprint.world_of(env), fingerprint.bank_of(env_params))
    fingerprint.require(params, here, what)
    require_shape(params, env, env_params, what)


def require_shape(
    params: Any, env: TextEnv[Any, Any], env_params: TextEnvParams, what: str
) -> None:
    """Raise InvalidInput unless the tables among parameters have a row an instance and state."""
    for leaf in jax.tree.leaves(params, is_leaf=lambda node: isinstance(node, Table)):
        if not isinstance(leaf, Table):
            continue
        num_instances = jax.tree.leaves(env_params.bank)[0].shape[0]
        right = num_instances, env.numbered_states, env.num_actions
        if jnp.shape(leaf.log_probs) != right:
            found = ", ".join(map(str, jnp.shape(leaf.log_probs)))
            raise InvalidInput(
                f"the table of {what} is [{found}], and the bank of {env.name} has "
                f"{num_instances} instances; right: [{', '.join(map(str, right))}], instances, "
                "states and actions"
            )
