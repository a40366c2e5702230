"""A judge's verdicts δ in [-1, 1] shift the reward that a learner sees: r' = r + scale · δ(s, a).

Learning alone sees r'; r and δ are kept apart, and what is reported as return speaks of r.

A shift of states and actions changes in general which policy is best. What is known of others:

* `shift_values = "penalty"` with a judge that never calls a best action bad leaves the best policy
  best, at any scale: no policy is worth more than before, and the best one what it was. That is of
  returns alone, without entropy or a divergence beside them.
* `look_ahead`, with Φ(s, a) = scale · δ(s, a): act by Q + Φ and learn Q from
  r + γ [Q + Φ](s', a') - Φ(s, a), with the best a' of Q + Φ. On a table, at a constant scale, that
  is Q-learning which begins at Φ instead of 0, and leaves the optimum.
* `look_back` adds Φ(s_t, a_t) - Φ(s_{t-1}, a_{t-1}) / γ, and at termination only the second part,
  so that a discounted episode that terminates adds up to nothing (where the scale falls: with
  `shift_at = "collect"`, and in PPO). Returns of whole episodes keep the optimum. A bootstrap does
  not: values of s_t do not know a_{t-1}, and average what is taken back over all that leads there,
  so that with one-step targets, or λ < 1, part of the raw shift stays. Nor does an episode that
  runs out of time add up to nothing.

References: LMGT, arXiv 2409.04744; Ng, Harada & Russell 1999, Policy invariance under reward
transformations; Wiewiora, Cottrell & Elkan 2003, Principled methods for advising reinforcement
learning agents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput

from lprl_jax.algorithms import streams
from lprl_jax.algorithms.asking import Asker, Told
from lprl_jax.algorithms.base import Data, Env
from lprl_jax.algorithms.interaction import Step, ask_prior, ask_prior_after, legal_actions
from lprl_jax.algorithms.shift_config import (
    CENTERED,
    COLLECT,
    LOOK_AHEAD,
    LOOK_BACK,
    PENALTY,
    ShiftConfig,
)
from lprl_jax.judges import Judge

METRICS = ("advice", "good", "bad")
"""Of a step, `[R]`: the sum of the verdicts on what was done; how many were above 0, and below."""


class Advised(NamedTuple):
    """What a learner holds of its judge; without one all of it is ()."""

    verdicts: Any
    """f32[R, N, A]: where the environments stand."""
    last: Any
    """f32[R, N]: the verdict on the action before, as it shifts the reward; 0 where an episode
    begins."""
    carry: Any
    """`Counters`: what the judge was asked, by all runs together."""

    def after(self, before: Advised) -> Advised:
        """The same, with what was asked before counted too."""
        if hasattr(self.carry, "plus"):
            return self._replace(carry=before.carry.plus(self.carry))
        return self


class Kept(NamedTuple):
    """What is kept of the verdicts with a transition, `[...]`, before any scale but `collect`'s."""

    now: jax.Array
    """f32[...]: on the action taken; with `look_ahead` f32[..., A], on all actions in s."""
    beside: Any
    """With `look_back` f32[...], on the action before; with `look_ahead` f32[..., A], on all
    actions in s'; otherwise ()."""


class Shift(NamedTuple):
    """How a judge's verdicts come into learning; without a judge everything is () or 0."""

    begin: Callable[[chex.PRNGKey, Any, Data], Advised]
    """`(keys [R], env_state [R, N], data) -> Advised`"""
    follow: Callable[..., tuple[Advised, Any, dict[str, jax.Array]]]
    """`(advised, keys [R], env_state [R, N], action [R, N], step, scale [R], data)` ->
    `(advised, kept [R, N], metrics [R])`: after a step that began in `env_state`."""
    reward: Callable[[jax.Array, Any, Any, Any], jax.Array]
    """`(r [...], kept [...], scale, gamma) -> r' [...]`"""
    ahead: Callable[[Any, Any], tuple[Any, Any]]
    """`(kept [...], scale) -> (Φ(s), Φ(s'))`, `f32[..., A]` or 0: what Q lacks in learning."""
    bonus: Callable[[Any, Any, jax.Array, Data], Any]
    """`(verdicts [R, N, A], env_state [R, N], scale [R], data) -> f32[R, N, A]` or 0: what Q lacks
    when it is acted by."""
    in_play: Callable[[Asker], Asker]
    """Who is asked in evaluation: the judge too, where Q is acted by with it."""
    scale: Callable[[Any, jax.Array], jax.Array]
    """`(hparams, num_steps) -> f32[R]`, or of one run `f32[]`: a verdict's weight in learning."""
    scale_in_collecting: Callable[[Any, jax.Array], jax.Array]
    """The same for what `follow` keeps."""
    nothing: Any
    """A `Kept` of one transition, for an empty replay."""


def scale_at(hparams: Any, num_steps: jax.Array) -> jax.Array:
    """`scale · max(0, 1 - t / T)`, t in environment steps a run."""
    left = jnp.maximum(1.0 - num_steps / hparams.shift_steps, 0.0)
    return hparams.shift_scale * left


def of(judge: Judge | None, config: ShiftConfig, env: Env) -> Shift:
    """The shift that belongs to a judge, or to none, and to a learner's settings."""
    if judge is None:
        return _none()
    looks_ahead, looks_back = config.shift_form == LOOK_AHEAD, config.shift_form == LOOK_BACK
    taken = taken_in_boxes(env) if env.is_continuous else taken_of_actions

    def asker(keys: chex.PRNGKey) -> Asker:
        """Asks the judge about rows of runs with these keys `[R]`."""

        def ask(data: Data, carry: Any, states: Any, needed: jax.Array) -> tuple[Any, Any]:
            rows = len(needed) // len(keys)
            own = jax.vmap(lambda key: jax.random.split(key, rows))(keys).reshape(-1)
            asked = own, states, data.env_params, needed
            return judge.verdicts(data.judge_params, carry, *asked)

        return Asker(judge.init, ask)

    def counted(verdicts: Any, state: Any, data: Data) -> jax.Array:
        """What of the verdicts counts; see `shift_values`."""
        if config.shift_values == PENALTY:
            return jnp.minimum(verdicts, 0.0)
        if config.shift_values == CENTERED:
            legal = legal_actions(env, state, data.env_params)
            mean = jnp.sum(verdicts, -1, where=legal) / jnp.sum(legal, -1)
            return jnp.where(legal, verdicts - mean[..., None], 0.0)
        return verdicts

    def begin(keys: chex.PRNGKey, env_state: Any, data: Data) -> Advised:
        every = jnp.ones(env_state.time.shape, bool)
        own = asker(streams.of(keys, "verdicts"))
        verdicts, carry = ask_prior(own, data, own.init(), env_state, every)
        return Advised(verdicts, jnp.zeros(every.shape, jnp.float32), carry)

    def follow(
        advised: Advised,
        keys: chex.PRNGKey,
        env_state: Any,
        action: jax.Array,
        step: Step,
        scale: jax.Array,
        data: Data,
    ) -> tuple[Advised, Kept, dict[str, jax.Array]]:
        own = asker(streams.of(keys, "verdicts"))
        here = counted(advised.verdicts, env_state, data)
        said = taken(here, action)
        done = step.terminated | step.truncated
        if looks_ahead:
            final, verdicts, carry = ask_prior_after(own, data, advised.carry, step)
            kept = Kept(here, counted(final, step.final_state, data))
        else:
            verdicts, carry = ask_prior(own, data, advised.carry, step.state, jnp.ones_like(done))
            now = jnp.where(step.terminated, 0.0, said) if looks_back else said
            kept = Kept(now, ())
        weigh = jax.vmap(lambda x, by: x * by)
        kept = jax.tree.map(lambda x: weigh(x, scale), kept)
        if looks_back:  # what the last step was shifted by is taken back, whatever the scale is now
            kept = kept._replace(beside=advised.last)
        plain = taken(advised.verdicts, action)
        counts = plain, plain > 0, plain < 0
        metrics = {n: jnp.sum(x, axis=1) for n, x in zip(METRICS, counts, strict=True)}
        last = jnp.where(done, 0.0, weigh(said, scale))
        return Advised(verdicts, last, carry), kept, metrics

    def reward(r: jax.Array, kept: Kept, scale: Any, gamma: Any) -> jax.Array:
        if looks_ahead:
            return r
        shift = kept.now - kept.beside / gamma if looks_back else kept.now
        return r + scale * shift

    def in_play(own: Asker) -> Asker:
        if not looks_ahead:
            return own

        def ask(data: Data, carry: Any, states: Any, needed: jax.Array) -> tuple[Told, Any]:
            told, prior_carry = own.ask(data, carry[0], states, needed)
            # Evaluation gives no key; a row's own changes with the time of its episode.
            own_keys = jax.random.split(jax.random.key(0), len(needed))
            keys = jax.vmap(jax.random.fold_in)(own_keys, states.time)
            asked = keys, states, data.env_params, needed
            verdicts, judge_carry = judge.verdicts(data.judge_params, carry[1], *asked)
            return told._replace(advice=verdicts), (prior_carry, judge_carry)

        def start() -> Any:
            return own.init(), judge.init()

        return Asker(start, ask, own.feature_shape, lambda carry: (carry, judge.init()))

    def bonus(verdicts: jax.Array, env_state: Any, scale: jax.Array, data: Data) -> Any:
        if not looks_ahead:
            return 0.0
        return scale[:, None, None] * counted(verdicts, env_state, data)

    def ahead(kept: Kept, scale: Any) -> tuple[Any, Any]:
        return (scale * kept.now, scale * kept.beside) if looks_ahead else (0.0, 0.0)

    def always(hparams: Any, num_steps: jax.Array) -> jax.Array:
        del num_steps
        return jnp.ones_like(hparams.shift_scale)

    at_once = config.shift_at == COLLECT
    scales = (always, scale_at) if at_once else (scale_at, always)
    one, of_actions = jnp.float32(0.0), jnp.zeros(env.num_actions, jnp.float32)
    nothing = Kept(one, one if looks_back else ())
    nothing = Kept(of_actions, of_actions) if looks_ahead else nothing
    return Shift(begin, follow, reward, ahead, bonus, in_play, *scales, nothing)


def _none() -> Shift:
    """No judge: nothing is asked, kept or shifted."""

    def zero(hparams: Any, num_steps: jax.Array) -> jax.Array:
        del num_steps
        return jnp.zeros_like(hparams.shift_scale)

    return Shift(
        begin=lambda keys, env_state, data: Advised((), (), ()),
        follow=lambda advised, *others: (advised, (), {}),
        reward=lambda r, kept, scale, gamma: r,
        ahead=lambda kept, scale: (0.0, 0.0),
        bonus=lambda verdicts, env_state, scale, data: 0.0,
        in_play=lambda asker: asker,
        scale=zero,
        scale_in_collecting=zero,
        nothing=(),
    )


def taken_of_actions(verdicts: jax.Array, action: jax.Array) -> jax.Array:
    """The verdict `f32[...]` on an action `i32[...]`, of those on all, `f32[..., A]`."""
    return jnp.take_along_axis(verdicts, action[..., None], axis=-1)[..., 0]


def taken_in_boxes(env: Env) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """The verdict on a number `f32[..., 1]`, of those on the words, `f32[..., A]`.

    Between two neighbouring words it is in proportion, beyond the last that of the last.

    Raises:
        InvalidInput: if an action is of several numbers.
    """
    if env.action_words.shape[1] != 1:
        raise InvalidInput(
            f"an action of {env.name} has {env.action_words.shape[1]} numbers; verdicts on words "
            "are carried over to actions of one number alone"
        )
    words = jnp.asarray(env.action_words)[:, 0]

    def taken(verdicts: jax.Array, action: jax.Array) -> jax.Array:
        place = jnp.interp(action[..., 0], words, jnp.arange(len(words), dtype=jnp.float32))
        below = jnp.clip(jnp.floor(place).astype(jnp.int32), 0, len(words) - 2)
        share = place - below
        low, high = (taken_of_actions(verdicts, below + i) for i in range(2))
        return (1 - share) * low + share * high

    return taken
