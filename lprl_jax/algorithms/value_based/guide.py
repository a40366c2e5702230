"""LaGR's guide: asks for the whole pattern, keeps an accepted completion, and follows it.

One step of it, before R runs with N environments each act:

1. Where no accepted completion is held and the prompt is eligible, the schedule decides.
2. A question that was asked before is answered from the run's memory, any other by the completer.
3. What the task's evaluator accepts is held, for the episode or for the trial.
4. Where a completion is held, its next action takes the place of the learner's.

Reference: LaGR-SEQ, arXiv 2308.13542.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from lprl_jax.algorithms.base import Data, Env
from lprl_jax.algorithms.interaction import flatten, unflatten
from lprl_jax.algorithms.schedules import Asked, Schedule, Seen
from lprl_jax.algorithms.schedules.base import queried
from lprl_jax.completers import Answers, Completer, memory, require_completable
from lprl_jax.completers.memory import Memory
from lprl_jax.priors.base import Counters

EPISODE, TRIAL = KEEP = ("episode", "trial")
ANY, CHANGED, GROWN = ELIGIBLE = ("any", "changed", "grown")


class Guide(NamedTuple):
    """What LaGR holds of R runs with N environments each."""

    holds: jax.Array
    """bool[R, N]: whether there is an accepted completion."""
    plan: jax.Array
    """i32[R, N, S]: it."""
    has_asked: jax.Array
    """bool[R, N]: whether `last` is of a prompt."""
    last: jax.Array
    """u32[R, N, 2]: the prompt that was asked last, by its hash."""
    shown: jax.Array
    """f32[R, N]: what it revealed; 0 where nothing was asked in this episode."""
    memory: Memory
    """The run's answers."""
    schedule: Any
    """The schedule's carry."""
    keys: chex.PRNGKey
    """[R]: of the trial, by which answers are frozen."""
    first: jax.Array
    """i32[R]: when an answer was first accepted in this trial, in steps of every environment since
    the learner began; -1 before."""


class Decision(NamedTuple):
    """What the guide did before a step, `[R, N]`."""

    asked: jax.Array
    """bool: a query was made."""
    evaluated: jax.Array
    """bool: and the completer was run for it."""
    accepted: jax.Array
    """bool"""
    unreadable: jax.Array
    """bool: a query was made, and the answer was no pattern."""
    follows: jax.Array
    """bool: whether the action is that of a completion."""
    action: jax.Array
    """i32: of the completion, where one is followed."""


class Guiding:
    """The functions of a guide: of an environment, a completer, a schedule, and how it keeps."""

    def __init__(
        self,
        env: Env,
        completer: Completer,
        schedule: Schedule,
        keep: str,
        eligible: str,
        memory_size: int,
    ):
        self.env, self.task = env, require_completable(env)
        self.completer, self.schedule = completer, schedule
        self.keep, self.eligible, self.memory_size = keep, eligible, memory_size

    def init(self, keys: chex.PRNGKey, seen: Seen) -> Guide:
        """Nothing held and nothing asked; `keys [R]`, of `seen` the shapes count."""
        runs, envs = seen.revealed.shape
        slots = self.task.completion.num_slots
        keys_schedule, keys_trial = jnp.moveaxis(jax.vmap(jax.random.split)(keys), 1, 0)
        no = jnp.zeros((runs, envs), bool)
        return Guide(
            holds=no,
            plan=jnp.zeros((runs, envs, slots), jnp.int32),
            has_asked=no,
            last=jnp.zeros((runs, envs, 2), jnp.uint32),
            shown=jnp.zeros((runs, envs), jnp.float32),
            memory=memory.empty(runs, self.memory_size, slots),
            schedule=self.schedule.init(keys_schedule, seen),
            keys=keys_trial,
            first=jnp.full(runs, -1, jnp.int32),
        )

    def decide(
        self,
        guide: Guide,
        counters: Counters,
        keys: chex.PRNGKey,
        env_state: Any,
        data: Data,
        seen: Seen,
    ) -> tuple[Decision, Guide, Counters]:
        """Ask, or do not; accept, or do not; and say what is followed.

        Args:
            guide: Of the step before.
            counters: What the completer has been asked.
            keys: `[R]`
            env_state: `[R, N]`
            data: Of the completer and the environment.
            seen: What the schedule sees; its fields `revealed`, `changed`, `known` and `can_ask`
                are set here.
        """
        prompts = memory.prompt_hash(self.env, env_state, data.env_params)
        revealed = self._each(self.task.revealed, data, env_state)
        known, remembered = memory.look_up(guide.memory, prompts)
        changed = ~guide.has_asked | jnp.any(prompts != guide.last, axis=-1)
        may = {ANY: jnp.ones_like(changed), CHANGED: changed, GROWN: revealed > guide.shown}
        can_ask = ~guide.holds & may[self.eligible]
        seen = seen._replace(revealed=revealed, changed=changed, known=known, can_ask=can_ask)
        wanted, schedule = self.schedule.ask(guide.schedule, keys, seen)
        asked = wanted & can_ask
        is_new = asked & ~known
        # Of environments of a run that ask the same in one step, the first puts the question.
        alike = jnp.all(prompts[:, :, None] == prompts[:, None], axis=-1) & is_new[:, None]
        first = jnp.argmax(alike, axis=-1)
        needed = is_new & (first == jnp.arange(first.shape[1], dtype=first.dtype)[None])
        trial = jnp.repeat(guide.keys, asked.shape[1], axis=0)
        written, counters = self.completer.complete(
            data.completer_params, counters, trial, flatten(env_state), data.env_params,
            needed.reshape(-1),
        )  # fmt: skip
        rows_of = jax.vmap(lambda rows, i: jax.tree.map(lambda x: x[i], rows))
        written = rows_of(unflatten(written, len(asked)), first)
        queries = queried(self.schedule, seen, asked)
        counters = counters.after_looking_up(queries & ~needed)
        answers = Answers(
            jnp.where(known[..., None], remembered.completion, written.completion),
            jnp.where(known, remembered.readable, written.readable),
        )
        accepted = self._each(self.task.accepts, data, answers.completion, env_state)
        accepted &= asked & answers.readable
        schedule = self.schedule.learn(schedule, seen, Asked(wanted, asked, accepted))
        guide = guide._replace(
            has_asked=guide.has_asked | asked,
            last=jnp.where(asked[..., None], prompts, guide.last),
            shown=jnp.where(asked, revealed, guide.shown),
            memory=memory.store(guide.memory, prompts, written, needed),
            schedule=schedule,
            first=jnp.where((guide.first < 0) & jnp.any(accepted, axis=1), seen.time, guide.first),
        )
        guide = self._held(guide, accepted, answers.completion)
        action = self._each(self.task.follow, data, guide.plan, env_state)
        unreadable = queries & ~answers.readable
        decision = Decision(queries, needed, accepted, unreadable, guide.holds, action)
        return decision, guide, counters

    def after(self, guide: Guide, reward: jax.Array, done: jax.Array) -> Guide:
        """Once the environments have made their step, `reward f32[R, N]`.

        Where an episode ended, `done bool[R, N]`, what was held for it is let go.
        """
        schedule = self.schedule.after(guide.schedule, reward, done)
        guide = guide._replace(schedule=schedule, shown=jnp.where(done, 0.0, guide.shown))
        if self.keep == TRIAL:
            return guide
        # An answer that was let go may be asked for again, also by the same question.
        ended = done & guide.holds
        return guide._replace(holds=guide.holds & ~done, has_asked=guide.has_asked & ~ended)

    def restart(self, guide: Guide, fresh: Guide) -> Guide:
        """A new trial, of a schedule that has learnt; its episodes end where they stand."""
        ended = jnp.ones(guide.holds.shape, bool)
        schedule = self.schedule.after(guide.schedule, jnp.zeros(ended.shape, jnp.float32), ended)
        return fresh._replace(schedule=schedule)

    def trial_action(self, guide: Guide, env_state: Any, data: Data) -> tuple[jax.Array, jax.Array]:
        """Whether a trial's completion is held, `bool[R, 1]`, and its actions `i32[R, N]`."""
        plan = guide.plan[:, :1]
        plans = jnp.broadcast_to(plan, (*env_state.time.shape, plan.shape[-1]))
        return guide.holds[:, :1], self._each(self.task.follow, data, plans, env_state)

    def _held(self, guide: Guide, accepted: jax.Array, completion: jax.Array) -> Guide:
        """With what was accepted just now; all environments of a trial follow the first of it."""
        if self.keep == TRIAL:
            first = jnp.argmax(accepted, axis=1)
            completion = jax.vmap(lambda plans, i: plans[i])(completion, first)[:, None]
            accepted = jnp.broadcast_to(jnp.any(accepted, axis=1, keepdims=True), accepted.shape)
        plan = jnp.where(accepted[..., None], completion, guide.plan)
        return guide._replace(holds=guide.holds | accepted, plan=plan)

    def _each(self, function: Any, data: Data, *given: Any) -> jax.Array:
        """Of every environment `[R, N]`: of what is given of it, and the bank."""
        axes = (*[0] * len(given), None)
        return jax.vmap(jax.vmap(function, axes), axes)(*given, data.env_params)
