"""TabularJudge: verdicts as a table over all states of a bank, and the table as a file.

Where states are real numbers and cannot be numbered, their texts are (`lprl_envs.text_cells`): then
a row is a text. `tabulate` asks a judge about every state once. A judge that errs by the step has
no table.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv, TextEnvParams
from lprl_envs.text_cells import cell_slots, num_text_cells, text_cell

from lprl_jax import memory
from lprl_jax.files import archive
from lprl_jax.judges.base import UNSURE, Judge, has_choice, reads_text, require_judge
from lprl_jax.priors import fingerprint
from lprl_jax.priors.base import Counters, require_world
from lprl_jax.priors.fingerprint import Fingerprint, Here

FORMAT = 1
KIND = "table of verdicts"
COMMAND = "lprl_jax.judges.tabulate(judge, env, env_params).save(FILE, env_params)"
ROWS = 4_096
"""States that are asked about at a time."""


class Verdicts(NamedTuple):
    """Arguments of the compiled functions; M instances in the bank."""

    verdicts: jax.Array
    """f32[M, S, A]: S states, or texts; see `num_rows`."""
    fingerprint: Fingerprint
    """What they are of."""


@dataclasses.dataclass(frozen=True, eq=False)
class TabularJudge:
    """Verdicts on every action in every state of every instance, looked up."""

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


def tabulate(judge: Judge, env: TextEnv[Any, Any], env_params: TextEnvParams) -> TabularJudge:
    """Ask a judge about every state of every instance that is not terminal, once.

    Where states are not numbered, about every text, which takes a judge that reads text alone.

    Raises:
        NotNumbered: if the environment has too many states, and too many texts.
        InvalidInput: if the judge errs anew at every step, of which there is no table; if it reads
            more than the text where rows are texts; or if it is of another environment or bank.
    """
    require_judge(judge)
    require_world(env, env_params)
    if _draws(judge):
        raise InvalidInput(
            f"the judge {judge.name!r} errs anew at every step, and a table does not; right: "
            "errors='state', or tabulate the judge underneath"
        )
    require_room(env, env_params)
    here = Here(fingerprint.world_of(env), fingerprint.bank_of(env_params))
    fingerprint.require(judge.params, here, f"the judge {judge.name!r}")
    ask_rows = (
        _of_texts(judge, env, env_params) if env.num_states is None else _of_states(judge, env)
    )
    num, num_instances = num_rows(env), len(jax.tree.leaves(env_params.bank)[0])
    total = num_instances * num

    @jax.jit
    def ask(params: Any, env_params: Any) -> tuple[jax.Array, Any]:
        def step(carry: Any, places: jax.Array) -> Any:
            at = jnp.minimum(places, total - 1)
            asked = params, carry, at // num, at % num, places < total, env_params
            found, carry = ask_rows(*asked)
            return carry, found

        rows = min(ROWS, total)
        count = -(-total // rows)
        places = jnp.arange(count * rows, dtype=jnp.int32).reshape(count, rows)
        carry, found = jax.lax.scan(step, judge.init(), places)
        return found.reshape(count * rows, -1)[:total], carry

    found, carry = ask(judge.params, env_params)
    table = found.reshape(num_instances, num, env.num_actions)
    model = next(iter(fingerprint.models_of(judge.params)), fingerprint.NOTHING)
    return of_table(env, env_params, table, judge.name, int(carry.evaluations), model)


AskRows = Callable[..., tuple[jax.Array, Counters]]
"""`(params, carry, instance [B], row [B], there [B], env_params)` to verdicts `[B, A]`, carry."""


def _of_states(judge: Judge, env: TextEnv[Any, Any]) -> AskRows:
    """Rows are states; of terminal ones nothing is asked."""

    def ask(
        params: Any, carry: Any, instance: jax.Array, row: jax.Array, there: jax.Array, bank: Any
    ) -> tuple[jax.Array, Counters]:
        states = jax.vmap(env.state_at, in_axes=(0, 0, None))(instance, row, bank)
        needed = there & ~jax.vmap(env.is_terminated, (0, None))(states, bank)
        keys = jax.random.split(jax.random.key(0), len(row))
        found, carry = judge.verdicts(params, carry, keys, states, bank, needed)
        return jnp.where(needed[:, None], found, UNSURE), carry

    return ask


def _of_texts(judge: Judge, env: TextEnv[Any, Any], env_params: TextEnvParams) -> AskRows:
    """Rows are texts, behind which every action is legal.

    Raises:
        InvalidInput: if the judge reads more than the text, or an action may be illegal.
    """
    if not reads_text(judge):
        raise InvalidInput(
            f"{env.name} has no numbered states, and the judge {judge.name!r} cannot be asked by "
            "text alone; right: ask it live, or tabulate one that reads text, as a WordJudge, or a "
            "PriorJudge of a LanguagePrior"
        )
    if not _all_legal(env, env_params):
        raise InvalidInput(
            f"{env.name} has no numbered states, and a text does not tell which actions are legal; "
            "right: ask the judge live"
        )

    def ask(
        params: Any, carry: Any, instance: jax.Array, row: jax.Array, there: jax.Array, bank: Any
    ) -> tuple[jax.Array, Counters]:
        of_cell = functools.partial(cell_slots, env)
        slots = jax.vmap(of_cell, in_axes=(0, 0, None))(instance, row, bank)
        return judge.verdicts_of_slots(params, carry, instance, slots, there)

    return ask


def _all_legal(env: TextEnv[Any, Any], env_params: TextEnvParams) -> bool:
    """Whether every action is legal, whatever the state."""
    instances = jnp.arange(len(jax.tree.leaves(env_params.bank)[0]), dtype=jnp.int32)
    first = jax.vmap(env.initial_state, in_axes=(None, 0, None))
    states = first(jax.random.key(0), instances, env_params)
    try:  # to map over states what is not to depend on them
        legal = jax.vmap(env.action_mask, (0, None), out_axes=None)(states, env_params)
    except ValueError:
        return False
    return bool(jnp.all(legal))


def _draws(judge: Any) -> bool:
    """Whether a judge, or one that it makes worse, draws at every step."""
    while judge is not None:
        if getattr(judge, "errors", "state") == "step" and getattr(judge, "accuracy", 1) < 1:
            return True
        judge = getattr(judge, "judge", None)
    return False
