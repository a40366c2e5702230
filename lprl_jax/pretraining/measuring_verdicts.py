"""What a model knows as a judge, measured on held-out instances.

Counted are the decided verdicts: actions that are good or bad, not those on which nothing is to be
said. The same with every word of the text exchanged; for somebody who sees the state but not the
instance, and says what is right there in most training instances; and for the habit, the best
verdicts on the actions that do not look at the state, fitted on training instances. As good and bad
are not as many, each counts for half: who always says the same is at one half.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import TextEnvParams

from lprl_jax.judges.base import BAD, GOOD, UNSURE
from lprl_jax.lm import token_table
from lprl_jax.lm.checkpoint import LanguageModel
from lprl_jax.pretraining.measuring import INSTANCES
from lprl_jax.pretraining.verdicts import WAYS, VerdictTask
from lprl_jax.priors.judging import make_scorer, shuffle

STATES = 16
"""Of an instance, of each of `WAYS`."""
BINS = 10
"""Of confidence."""
OTHERS = 64
"""Training instances in which a state is judged by who does not see its own."""


class Judgement(NamedTuple):
    """How right somebody is about the decided verdicts."""

    right: float
    """Share of them on which it holds the right one of good and bad for likelier."""
    right_of_good: float
    """The same of those that are good."""
    right_of_bad: float
    covered: float
    """Share of them on which it says good or bad, and not that it is unsure."""
    right_where_said: float
    """Share of these that is right."""
    calibration: float
    """Expected error of its confidence, of good against bad, in ten bins."""
    said_of_others: float
    """Share of the other verdicts on which it says good or bad all the same; 0 of none."""


class Verdicts(NamedTuple):
    """A model on held-out instances of one task."""

    task: str
    way: str
    """How the states were drawn."""
    decided: float
    """Share of all verdicts that are good or bad."""
    model: Judgement
    shuffled: Judgement
    blind: Judgement
    """Of who sees the state, but not the instance."""
    habit: Judgement


def judgement(log_probs: np.ndarray, truth: np.ndarray) -> Judgement:
    """Of log-probabilities of good, unsure and bad, `f32[..., A, 3]`, and what is right `[..., A]`.

    Of each share, good and bad verdicts count for half.
    """
    p = np.exp(np.asarray(log_probs, np.float64))
    against_bad = p[..., 0] / np.maximum(p[..., 0] + p[..., 2], 1e-30)
    is_good, is_bad = truth == GOOD, truth == BAD
    says_good = np.where(against_bad == 0.5, 0.5, against_bad > 0.5)
    right = np.where(is_good, says_good, 1.0 - says_good)
    says = np.argmax(p, axis=-1) != 1
    weight = is_good / max(is_good.sum(), 1) / 2 + is_bad / max(is_bad.sum(), 1) / 2

    def share(what: np.ndarray, among: np.ndarray) -> float:
        return float((what * among).sum() / max(among.sum(), 1e-30))

    confidence = np.maximum(against_bad, 1.0 - against_bad)
    place = np.minimum(((confidence - 0.5) * 2 * BINS).astype(int), BINS - 1)
    error = sum(
        abs(((confidence - right) * weight * (place == b)).sum()) for b in range(BINS)
    ) / max(weight.sum(), 1e-30)
    return Judgement(
        share(right, weight),
        share(right, is_good),
        share(right, is_bad),
        share(says, weight),
        share(right, weight * says),
        float(error),
        share(says, ~(is_good | is_bad)),
    )


def measure_verdicts(
    model: LanguageModel, task: VerdictTask, num_instances: int = INSTANCES, seed: int = 7
) -> list[Verdicts]:
    """Measure a model as the judge of a task, for each of `WAYS` to draw states.

    Args:
        model: Which learnt the task.
        task: What is asked.
        num_instances: M held-out ones, and as many for training, on which the habit is fitted.
        seed: Of instances, states and shuffling.
    """
    keys = jax.random.split(jax.random.key(seed), 5)
    env, draw = task.env, drawing(task)
    training = env.sample_params(keys[2], num_instances, "train")
    slots, truth, others = draw(
        keys[1], env.sample_params(keys[0], num_instances, "held-out"), training
    )
    _, taught, _ = draw(keys[3], training, training)
    table = token_table.compile(env.template, task.answers, model.tokenizer)
    score = make_scorer(model.config, table)

    def asked(slots: jax.Array) -> np.ndarray:
        found = score(model.params, slots)
        return np.asarray(jax.nn.log_softmax(found.reshape(*found.shape[:-1], -1, 3), axis=-1))

    own, mixed = asked(slots), asked(shuffle(env.template, keys[4], slots))
    truth, taught, others = map(np.asarray, (truth, taught, others))
    return [
        Verdicts(
            task.name,
            way,
            float((truth[:, part] != 0).mean()),
            judgement(own[:, part], truth[:, part]),
            judgement(mixed[:, part], truth[:, part]),
            judgement(_log(others[:, part]), truth[:, part]),
            judgement(_habit(taught[:, part], truth[:, part].shape), truth[:, part]),
        )
        for i, way in enumerate(WAYS)
        for part in [slice(i * STATES, (i + 1) * STATES)]
    ]


def habit_of(task: VerdictTask, num_instances: int = INSTANCES, seed: int = 7) -> np.ndarray:
    """`f64[A]`: the habit's verdicts, 1 or -1, fitted on training instances and all of `WAYS`."""
    key_bank, key = jax.random.split(jax.random.key(seed))
    bank = task.env.sample_params(key_bank, num_instances, "train")
    _, taught, _ = drawing(task)(key, bank, bank)
    likely = _habit(np.asarray(taught), taught.shape)[0, 0]
    return np.where(likely[:, 0] >= likely[:, 2], GOOD, BAD)


def drawing(
    task: VerdictTask,
) -> Callable[[chex.PRNGKey, TextEnvParams, TextEnvParams], tuple[jax.Array, ...]]:
    """`(key, bank, training)` to slots `[M, 3 STATES, n]`, verdicts `[M, 3 STATES, A]`, and how
    often each of the three is right in the same state of training instances `[M, 3 STATES, A, 3]`.
    """
    env = task.env

    def elsewhere(state: Any, training: TextEnvParams) -> jax.Array:
        def judged(other: jax.Array) -> jax.Array:
            return task.judged(training, other)(dataclasses.replace(state, instance=other))

        found = jax.vmap(judged)(jnp.arange(OTHERS) % training.instances.shape[0])
        return jnp.mean(found[..., None] == jnp.array([GOOD, UNSURE, BAD])[None, None], axis=0)

    def one(
        key: chex.PRNGKey, bank: TextEnvParams, training: TextEnvParams, instance: jax.Array
    ) -> tuple[jax.Array, ...]:
        states, verdicts = task.draw_by(key, bank, instance, (STATES, STATES, STATES))
        over = jax.vmap(env.is_terminated, (0, None))(states, bank)
        slots = jax.vmap(env.slots, (0, None))(states, bank)
        others = jax.vmap(elsewhere, (0, None))(states, training)
        return slots, jnp.where(over[:, None], 0.0, verdicts), others

    @jax.jit
    def draw(
        key: chex.PRNGKey, bank: TextEnvParams, training: TextEnvParams
    ) -> tuple[jax.Array, ...]:
        count = bank.instances.shape[0]
        keys, instances = jax.random.split(key, count), jnp.arange(count)
        return jax.vmap(one, (0, None, None, 0))(keys, bank, training, instances)

    return draw


def _habit(taught: np.ndarray, shape: Any) -> np.ndarray:
    """`f64[M, S, A, 3]`: of each action, how often it is good and bad, each counting for half."""
    good, bad = ((taught == x).sum((0, 1)) for x in (GOOD, BAD))
    good, bad = (0.01 + x / max(x.sum(), 1) for x in (good, bad))
    likely = np.stack([good, np.zeros(len(good)), bad], axis=-1) / (good + bad)[:, None]
    return _log(np.broadcast_to(likely, (*shape, 3)))


def _log(p: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(p, np.float64))
