"""TabularJudge: verdicts as a table over all states of a bank, and the table as a file.

Where states are real numbers and cannot be numbered, their texts are
(`lprl_envs.parts.text_cells`): then a row is a text. `tabulate` (see `everywhere`) makes one.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from pathlib import Path
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv, TextEnvParams
from lprl_envs.parts.text_cells import num_text_cells, text_cell
from lprl_envs.short_repr import short_repr

from lprl_jax import memory
from lprl_jax.files import archive
from lprl_jax.judges.base import has_choice
from lprl_jax.priors import fingerprint
from lprl_jax.priors.base import Counters, require_world
from lprl_jax.priors.fingerprint import Fingerprint

FORMAT = 1
KIND = "table of verdicts"
COMMAND = "lprl_jax.judges.tabulate(judge, env, env_params).save(FILE, env_params)"


class Verdicts(NamedTuple):
    """Arguments of the compiled functions; M instances in the bank."""

    verdicts: jax.Array
    """f32[M, S, A]: S states, or texts; see `num_rows`."""
    fingerprint: Fingerprint
    """What they are of."""


@dataclasses.dataclass(frozen=True, eq=False)
class TabularJudge:
    """Verdicts on every action in every state of every instance, looked up."""

    __repr__ = short_repr

    env: TextEnv[Any, Any]
    """Numbers the states, or their texts."""
    params: Verdicts
    """The table, and what it is of."""
    name: str
    """Of the judge that was tabulated."""
    evaluations: int = 0
    """States that were run through a model to make the table."""

    def init(self) -> Counters:
        """Nothing asked; the table's evaluations were made beforehand."""
        return Counters.zero(self.evaluations)

    def verdicts(
        self,
        params: Verdicts,
        carry: Counters,
        keys: chex.PRNGKey,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """See `Judge.verdicts`."""
        del keys
        if self.env.num_states is None:
            index = jax.vmap(functools.partial(text_cell, self.env), in_axes=(0, None))(
                env_state, env_params
            )
        else:
            index = jax.vmap(self.env.state_index, in_axes=(0, None))(env_state, env_params)
        # Live judges are not asked either where there is nothing to choose.
        asked = needed & has_choice(self.env, env_state, env_params)
        return params.verdicts[env_state.instance, index], carry.after_looking_up(asked)

    def save(self, path: str | Path, env_params: TextEnvParams) -> None:
        """Write the table of this bank to a new .npz file.

        Raises:
            InvalidInput: if the file exists, or cannot be written.
        """
        manifest = {
            "format": FORMAT,
            **archive.identity(self.env),
            "judge": self.name,
            "instances": archive.instance_digests(env_params.bank),
            "evaluations": self.evaluations,
            "model": fingerprint.model_of(self.params.fingerprint),
        }
        archive.write(path, manifest, {"verdicts": np.asarray(self.params.verdicts)})

    @staticmethod
    def load(path: str | Path, env: TextEnv[Any, Any], env_params: TextEnvParams) -> TabularJudge:
        """Read a table; its rows are put in the order of this bank.

        Raises:
            InvalidInput: if there is no such file, it is not a table of verdicts, is damaged,
                belongs to another environment, wording or version, or lacks an instance.
        """
        manifest, arrays = archive.read(path, KIND, COMMAND, ["verdicts"])
        here = {"format": FORMAT, **archive.identity(env)}
        archive.require_same(path, KIND, manifest, here)
        try:
            digests, name = list(manifest["instances"]), str(manifest["judge"])
            evaluations, table = int(manifest["evaluations"]), arrays["verdicts"]
            model = str(manifest.get("model", fingerprint.NOTHING))
            if not re.fullmatch("[0-9a-f]{32}", model):
                raise ValueError("no digest")
            if table.shape != (len(digests), num_rows(env), env.num_actions):
                raise ValueError("not as many rows as the manifest says")
            if table.dtype != np.float32 or not (np.abs(table) <= 1).all():
                raise ValueError("no verdicts")
        except archive.UNREADABLE:
            raise InvalidInput(f"the {KIND} {path} is damaged; make one with {COMMAND}") from None
        wanted = archive.instance_digests(env_params.bank)
        found = archive.rows_of(path, KIND, COMMAND, digests, wanted)
        return of_table(env, env_params, table[found], name, evaluations, model)


def num_rows(env: TextEnv[Any, Any]) -> int:
    """S: how many states an instance has; where these are not numbered, how many texts.

    Raises:
        NotNumbered: if there are too many of either.
    """
    if env.num_states is None and (count := num_text_cells(env)) is not None:
        return count
    return env.numbered_states


def require_room(env: TextEnv[Any, Any], env_params: TextEnvParams) -> None:
    """Raise InvalidInput if the verdicts on a bank take more memory than there is."""
    num_instances = len(jax.tree.leaves(env_params.bank)[0])
    shape = {"instances": num_instances, "rows": num_rows(env), "actions": env.num_actions}
    part = memory.Part(tuple(shape), 4 * math.prod(shape.values()))
    memory.require("a table of verdicts", [part], shape)


def of_table(
    env: TextEnv[Any, Any],
    env_params: TextEnvParams,
    verdicts: Any,
    name: str,
    evaluations: int = 0,
    model: str = fingerprint.NOTHING,
) -> TabularJudge:
    """A judge by its verdicts `[M, S, A]` on a bank; see `num_rows`.

    Args:
        env: Numbers the states, or their texts.
        env_params: The bank.
        verdicts: In [-1, 1].
        name: For reports.
        evaluations: States that were run through a model.
        model: Its digest in hex; by default, of none.

    Raises:
        InvalidInput: if they are not as many, or not in [-1, 1].
    """
    require_world(env, env_params)
    table = jnp.asarray(verdicts, jnp.float32)
    num_instances = len(jax.tree.leaves(env_params.bank)[0])
    right = num_instances, num_rows(env), env.num_actions
    if table.shape != right:
        raise InvalidInput(
            f"the verdicts are {list(table.shape)}; right: {list(right)}, instances, states (or "
            "texts) and actions"
        )
    if not bool(jnp.all(jnp.abs(table) <= 1)):
        raise InvalidInput("a verdict is outside of [-1, 1]")
    made_for = fingerprint.of(env, env_params, model, name)
    return TabularJudge(env, Verdicts(table, made_for), name, evaluations)
