"""Recorded: right with a probability by how much of the pattern is shown, otherwise wrong.

The probabilities are shares of answers that others recorded of a language model: `recorded.json`
has those of GPT-4 by the authors of LaGR-SEQ (arXiv 2308.13542), with where each is from. No model
is needed to ask it.

An answer is frozen: by the asking run's key and the question alone a coin is drawn, so that asking
again changes nothing, and other runs are other trials.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv, values
from lprl_envs.completion import Completable
from lprl_envs.short_repr import short_repr

from lprl_jax.completers.base import Answers, require_completable
from lprl_jax.completers.memory import prompt_hash, question_keys
from lprl_jax.priors import fingerprint
from lprl_jax.priors.base import Counters
from lprl_jax.priors.fingerprint import Fingerprint

FILE = Path(__file__).parent / "recorded.json"


class Table(NamedTuple):
    """What was recorded in one world of one size."""

    name: str
    env: str
    """The world's registered id."""
    slots: int
    """Of a completion, at the size that was recorded."""
    probabilities: tuple[Fraction, ...]
    """Of a right answer, by elements shown: 0 to K."""
    source: str
    """Whose answers, how many, and what is not known of them."""


class RecordedParams(NamedTuple):
    """Arguments of the compiled functions."""

    probability: jax.Array
    """f32[K + 1]: of a right answer, by elements shown."""
    fingerprint: Fingerprint
    """Of the environment; a bank does not matter."""


@dataclasses.dataclass(frozen=True, eq=False)
class Recorded:
    """A completer that is as often right as somebody was; `of` takes what is recorded of a world.

    Of a pattern of another size than the recorded one, that number of shown elements counts which
    is nearest to the same fraction of it, and the larger of two.

    A wrong answer has another value than the pattern in every slot: it can be read, and is never
    accepted.
    """

    __repr__ = short_repr

    env: TextEnv[Any, Any]
    """Has the patterns."""
    probabilities: tuple[float, ...]
    """Of a right answer, where 0, 1, ... K elements are shown; one alone is for all."""
    name: str = "recorded"
    """For reports."""

    def __post_init__(self) -> None:
        """Raises InvalidInput if the environment has no pattern, or a number is no probability."""
        require_wrong_values(self.env)
        found = values.sequence("probabilities", self.probabilities, values.number)
        if not found:
            raise InvalidInput(
                "probabilities is empty; right: one for each count of elements shown"
            )
        if bad := [p for p in found if not 0 <= p <= 1]:
            raise InvalidInput(f"probabilities has {bad[0]:g}; each must lie in [0, 1]")
        object.__setattr__(self, "probabilities", found)

    @staticmethod
    def of(env: TextEnv[Any, Any]) -> Recorded:
        """As often right as the authors' GPT-4 was in this world, at the nearest size.

        Raises:
            InvalidInput: if the environment has no pattern, or nothing is recorded of it.
        """
        size = require_completable(env).completion.num_slots
        known = [table for table in tables() if table.env == env.name]
        if not known:
            names = ", ".join(dict.fromkeys(table.env for table in tables()))
            raise InvalidInput(
                f"no answers are recorded in {env.name}; valid: {names}, or "
                "Recorded(env, probabilities) with numbers of your own"
            )
        nearest = min(known, key=lambda table: abs(table.slots - size))
        return Recorded(env, tuple(float(p) for p in nearest.probabilities))

    @functools.cached_property
    def params(self) -> RecordedParams:
        """The probabilities."""
        with jax.ensure_compile_time_eval():  # whoever asks first may be tracing
            probability = jnp.asarray(self.probabilities, jnp.float32)
            return RecordedParams(probability, fingerprint.of(self.env))

    def init(self) -> Counters:
        """Nothing asked yet."""
        return Counters.zero()

    def complete(
        self,
        params: RecordedParams,
        carry: Counters,
        keys: chex.PRNGKey,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[Answers, Counters]:
        """See `Completer.complete`."""
        task = require_completable(self.env)
        own = question_keys(keys, prompt_hash(self.env, env_state, env_params))
        most = params.probability.shape[0] - 1

        def one(key: chex.PRNGKey, state: Any) -> jax.Array:
            revealed = task.revealed(task.question(state, env_params), env_params)
            # A half is rounded up, though f32 may have it a little below.
            shown = jnp.floor(revealed * most + 0.501).astype(jnp.int32)
            is_right = jax.random.uniform(key) < params.probability[shown]
            right = task.target(state.instance, env_params)
            return jnp.where(is_right, right, wrong_of(task, right))

        return Answers(jax.vmap(one)(own, env_state), needed), carry.after_running(needed)


def wrong_of(task: Completable, completion: jax.Array) -> jax.Array:
    """`i32[S]`: another value in every slot of a completion `i32[S]`, the next one."""
    return (completion + 1) % num_values(task)


def num_values(task: Completable) -> np.ndarray:
    """`i32[S]`: of each slot."""
    return np.array([len(slot.values) for slot in task.completion.slots], np.int32)


def require_wrong_values(env: TextEnv[Any, Any]) -> Completable:
    """The environment, if its patterns can be completed, also wrongly.

    Raises:
        InvalidInput: if it has none, or a slot has one value only, which is always right.
    """
    task = require_completable(env)
    alone = [slot.name for slot in task.completion.slots if len(slot.values) == 1]
    if alone:
        raise InvalidInput(
            f"the slot {alone[0]!r} of the completion of {env.name} has one value, so that no "
            "answer is wrong there; right: a literal in its place, or two values or more"
        )
    return task


@functools.cache
def tables() -> tuple[Table, ...]:
    """What is recorded, as it comes with the package."""
    return tuple(
        Table(name, env, slots, tuple(map(Fraction, row.pop("probabilities"))), **row)
        for name, row in json.loads(FILE.read_text())["tables"].items()
        for env, slots in [(row.pop("env"), row.pop("slots"))]
    )
