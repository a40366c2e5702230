"""What a model knows of a task, measured on held-out instances.

Of actions: how often the most likely one is right (top-1), how often five proposals hold a right
one (exactly, from the probabilities), and KL(π* ‖ p) in nats, where π* is uniform over the right
actions. The same with every word of the text exchanged for that of another instance or state:
what is left then is not knowledge of the text. And two distributions that ask nobody: the habit,
which is the best of those that do not look at the state, and the uniform one.

Of completions: how often the task's evaluator accepts what the model writes, by how much of the
pattern it was shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import TextEnv, TextEnvParams

from lprl_jax.lm import generation, parsing
from lprl_jax.lm.checkpoint import LanguageModel
from lprl_jax.pretraining import following, lessons
from lprl_jax.pretraining.following import Followed
from lprl_jax.pretraining.tasks import (
    ActionTask,
    CompletionTask,
    Draw,
    Population,
    can_list_states,
)
from lprl_jax.priors import habit
from lprl_jax.priors.base import normalize
from lprl_jax.priors.judging import (
    Scores,
    judge,
    make_legal_scorer,
    make_scorer,
    most_columns,
    shuffle,
)

INSTANCES = 200
"""Held-out instances of each kind."""
BINS = 5
"""Of the fraction that is revealed."""


class Actions(NamedTuple):
    """A model on held-out instances of one kind, of one task."""

    task: str
    population: str
    """Which instances."""
    model: Scores
    shuffled: Scores
    habit: Scores
    """Of the best answers that do not look at the state, fitted on training instances."""
    uniform: Scores
    success: Followed | None
    """Of episodes; None where states cannot be listed and the task is not followed."""
    ladder: dict[str, float]
    """Top-1 of every version of the model, by name."""


class Completions(NamedTuple):
    """A model on one task's held-out patterns."""

    task: str
    shown: list[int]
    """States whose revealed fraction lies in a bin."""
    accepted: list[float]
    """Share of them whose completion the task's evaluator accepts."""
    malformed: float
    """Share of all completions that are no pattern."""


def measure_actions(
    models: Mapping[str, LanguageModel],
    task: ActionTask,
    population: Population,
    num_instances: int = INSTANCES,
    seed: int = 7,
) -> Actions:
    """Measure a model on held-out instances of a task.

    Args:
        models: Versions of one shape and tokenizer; the last is the one that is measured, of the
            others the top-1 only.
        task: What is asked.
        population: Which instances of it, one of `task.measured`.
        num_instances: M, and as many for training, on which the habit is fitted.
        seed: Of instances, states, shuffling and episodes.
    """
    keys = jax.random.split(jax.random.key(seed), 7)
    model = list(models.values())[-1]
    bank = population.sample(keys[0], num_instances, "held-out")
    draw = _drawing(task.env, task.exam or task.draw, task.states)
    states, right, legal = draw(keys[1], bank)
    slots = jax.vmap(jax.vmap(task.env.slots, (0, None)), (0, None))(states, bank)
    mixed = shuffle(task.env.template, keys[2], slots)
    table = task.compile(model.tokenizer).prompts
    if task.env.max_legal < task.env.num_actions:
        columns = most_columns(table, jnp.concatenate([slots, mixed]))
        score = make_legal_scorer(model.config, table, legal, columns)
    else:
        score = make_scorer(model.config, table)

    def judged(version: LanguageModel, slots: jax.Array) -> Scores:
        return judge(normalize(score(version.params, slots), legal), right)

    scores = {name: judged(version, slots) for name, version in models.items()}
    shuffled = judged(model, mixed)
    # On states drawn as these are, so that no other distribution that does not look does better.
    _, *taught = draw(keys[3], population.sample(keys[4], num_instances, "train"))
    weights = habit.fit(*(np.asarray(x).reshape(-1, task.env.num_actions) for x in taught))
    of_habit = judge(normalize(weights, legal), right)
    uniform = judge(normalize(jnp.zeros(legal.shape), legal), right)
    played = None
    if task.is_followed or can_list_states(task.env):
        own = population.sample(keys[5], min(num_instances, following.PLAYED), "held-out")
        played = following.follow(model, task.env, own, weights, keys[6])
    ladder = {name: found.top1 for name, found in scores.items()}
    final = list(scores.values())[-1]
    return Actions(task.name, population.name, final, shuffled, of_habit, uniform, played, ladder)


def _drawing(
    env: TextEnv[Any, Any], draw: Draw, num_states: int
) -> Callable[[chex.PRNGKey, TextEnvParams], tuple[Any, jax.Array, jax.Array]]:
    """`(key, bank)` to states `[M, S]` of its instances, what is right and what is legal there."""

    def one(
        key: chex.PRNGKey, bank: TextEnvParams, instance: jax.Array
    ) -> tuple[Any, jax.Array, jax.Array]:
        states, right = draw(key, bank, instance, num_states)
        return states, right, jax.vmap(env.action_mask, (0, None))(states, bank)

    @jax.jit
    def each(key: chex.PRNGKey, bank: TextEnvParams) -> tuple[Any, jax.Array, jax.Array]:
        num_instances = bank.instances.shape[0]
        keys = jax.random.split(key, num_instances)
        return jax.vmap(one, (0, None, 0))(keys, bank, jnp.arange(num_instances))

    return each


def measure_completions(
    model: LanguageModel, task: CompletionTask, num_instances: int = INSTANCES, seed: int = 7
) -> Completions:
    """Let a model complete held-out patterns, writing the most likely token each time."""
    key_bank, key_states = jax.random.split(jax.random.key(seed))
    env, course = task.env, task.compile(model.tokenizer)
    bank = task.sample(key_bank, num_instances, "held-out")
    grammar = parsing.compile(env.completion, model.tokenizer)
    states, *_ = _drawing(env, task.draw, task.states)(key_states, bank)

    def complete(states: Any) -> tuple[jax.Array, ...]:
        """Of one instance's states: revealed, accepted, well-formed."""
        (prefix, prefix_valid), (text, text_valid) = lessons.tell(task, course, states, bank)
        rows = text.shape[0]
        tokens = jnp.concatenate([jnp.broadcast_to(prefix, (rows, len(prefix))), text], axis=1)
        valid = jnp.broadcast_to(prefix_valid, (rows, len(prefix)))
        written = generation.generate(
            model.config,
            model.params,
            tokens,
            jnp.concatenate([valid, text_valid], axis=1),
            jax.random.split(key_states, rows),
            grammar.num_tokens,
        )
        patterns, whole = jax.vmap(grammar.parse)(written)
        accepted = jax.vmap(env.accepts, in_axes=(0, 0, None))(patterns, states, bank)
        revealed = jax.vmap(env.revealed, in_axes=(0, None))(states, bank)
        return revealed, accepted & whole, whole

    revealed, accepted, whole = map(np.asarray, jax.jit(lambda s: jax.lax.map(complete, s))(states))
    place = np.minimum((revealed * BINS).astype(int), BINS - 1).ravel()
    count = np.bincount(place, minlength=BINS)
    hits = np.bincount(place, weights=accepted.ravel(), minlength=BINS)
    shares = (hits / np.maximum(count, 1)).tolist()
    return Completions(task.name, count.tolist(), shares, float(1 - whole.mean()))
