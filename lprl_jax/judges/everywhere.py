"""Ask a judge about every state of a bank that is not terminal, once; or about every text.

A judge that errs anew at every step has no table.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv, TextEnvParams
from lprl_envs.parts.text_cells import cell_slots

from lprl_jax.judges.base import UNSURE, Judge, reads_text, require_judge
from lprl_jax.judges.tabular import TabularJudge, num_rows, of_table, require_room
from lprl_jax.lm import identity
from lprl_jax.priors import fingerprint
from lprl_jax.priors.base import Counters, require_world
from lprl_jax.priors.everywhere import bar_of
from lprl_jax.priors.fingerprint import Here

ROWS = 1_024
"""States that are asked about at a time, more or less; between two such it can be interrupted."""


def tabulate(
    judge: Judge, env: TextEnv[Any, Any], env_params: TextEnvParams, *, progress: bool = False
) -> TabularJudge:
    """Ask a judge about every state of every instance that is not terminal, once.

    Where states are not numbered, about every text, which takes a judge that reads text alone.

    Args:
        judge: Of this environment and bank.
        env: Numbers the states, or their texts.
        env_params: The bank.
        progress: Whether a bar with an estimate is shown, on a terminal, when it takes long.

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
    rows, unit = min(_rows_at_a_time(judge), total), "text" if env.num_states is None else "state"

    @jax.jit
    def ask(params: Any, first: jax.Array, env_params: Any) -> tuple[jax.Array, Any]:
        places, start = first + jnp.arange(rows, dtype=jnp.int32), judge.init()
        at = jnp.minimum(places, total - 1)
        asked = at // num, at % num, places < total, env_params
        told, carry = ask_rows(params, start, *asked)
        return told, carry.minus(start).evaluations

    found = np.zeros((total, env.num_actions), np.float32)
    evaluations = int(judge.init().evaluations)
    with bar_of(total, judge.name, unit, progress) as bar:
        for first in range(0, total, rows):
            told, asked = ask(judge.params, jnp.int32(first), env_params)
            own = min(rows, total - first)
            found[first : first + own] = identity.fetched(told)[:own]
            evaluations += int(asked)
            bar.update(own)
    table = found.reshape(num_instances, num, env.num_actions)
    model = next(iter(fingerprint.models_of(judge.params)), fingerprint.NOTHING)
    return of_table(env, env_params, table, judge.name, evaluations, model)


def _rows_at_a_time(judge: Judge) -> int:
    """About ROWS, in whole chunks where a model is run in chunks."""
    asked: Any = judge
    while asked is not None and not hasattr(asked, "chunk"):
        asked = getattr(asked, "judge", getattr(asked, "prior", None))
    chunk = ROWS if asked is None else int(asked.chunk)
    return chunk * max(1, ROWS // chunk)


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
