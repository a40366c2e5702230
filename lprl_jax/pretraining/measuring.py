"""What a model knows of a task, measured on held-out instances.

Of actions: how often the most likely one is right (top-1), how often five proposals hold a right
one (exactly, from the probabilities), and KL(π* ‖ p) in nats, where π* is uniform over the right
actions. The same with every word of the text exchanged for that of another instance or state:
what is left then is not knowledge of the text. And the uniform distribution.

Of completions: how often the task's evaluator accepts what the model writes, by how much of the
pattern it was shown.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import Scope, TextEnv, TextEnvParams

from lprl_jax.algorithms import asking
from lprl_jax.algorithms.asking import Told
from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.interaction import play_episodes
from lprl_jax.lm import decoder, generation, parsing, scoring
from lprl_jax.lm.checkpoint import LanguageModel
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.pretraining import lessons
from lprl_jax.pretraining.tasks import ActionTask, CompletionTask, Course, Draw
from lprl_jax.priors.base import normalize, sample_proposals
from lprl_jax.priors.language import LanguagePrior
from lprl_jax.priors.tabular import Table, TabularPrior, tabulate

PROPOSALS = 5
INSTANCES = 200
"""Held-out instances a task."""
PLAYED = 50
"""Of them, those in which episodes are played."""
EPISODES = 8
"""Played an instance."""
BINS = 5
"""Of the fraction that is revealed."""


class Scores(NamedTuple):
    """Means over the states that are asked about."""

    top1: float
    """Most likely action is right; ties share."""
    covered: float
    """Five proposals hold a right action."""
    kl: float
    """KL(π* ‖ p), nats."""


class Actions(NamedTuple):
    """A model on one task's held-out instances."""

    task: str
    model: Scores
    shuffled: Scores
    uniform: Scores
    success: tuple[float, float, float] | None
    """Of episodes that draw actions from the model, that take its most likely action, and that act
    at random; None where states are not numbered."""
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
    num_instances: int = INSTANCES,
    seed: int = 7,
) -> Actions:
    """Measure a model on held-out instances of a task.

    Args:
        models: Versions of one shape and tokenizer; the last is the one that is measured, of the
            others the top-1 only.
        task: What is asked.
        num_instances: M.
        seed: Of instances, states, shuffling and episodes.
    """
    key_bank, key_states, key_shuffle, key_play = jax.random.split(jax.random.key(seed), 4)
    model = list(models.values())[-1]
    bank, course = task.sample(key_bank, num_instances, "held-out"), task.compile(model.tokenizer)
    states, right = _draw(task.exam or task.draw, task.states, key_states, bank)
    slots, legal = (
        jax.vmap(jax.vmap(f, (0, None)), (0, None))(states, bank)
        for f in (task.env.slots, task.env.action_mask)
    )
    score = make_scorer(model.config, course)

    def judged(version: LanguageModel, slots: jax.Array) -> Scores:
        return judge(normalize(score(version.params, slots), legal), right)

    scores = {name: judged(version, slots) for name, version in models.items()}
    shuffled = judged(model, shuffle(task.env, key_shuffle, slots))
    uniform = judge(normalize(jnp.zeros(legal.shape), legal), right)
    played = None
    if task.env.num_states is not None:
        played = _success(model, task, key_play, min(num_instances, PLAYED))
    ladder = {name: found.top1 for name, found in scores.items()}
    return Actions(task.name, list(scores.values())[-1], shuffled, uniform, played, ladder)


def _draw(
    draw: Draw, num_states: int, key: chex.PRNGKey, bank: TextEnvParams
) -> tuple[Any, jax.Array]:
    """States `[M, S]` of the bank's instances and the right actions there."""
    num_instances = bank.instances.shape[0]
    draws = jax.jit(jax.vmap(lambda k, i: draw(k, bank, i, num_states)))
    return draws(jax.random.split(key, num_instances), jnp.arange(num_instances))


def shuffle(env: TextEnv[Any, Any], key: chex.PRNGKey, slots: jax.Array) -> jax.Array:
    """Every slot's values exchanged: an instance's among instances, a state's among all states."""
    columns = []
    for i, slot in enumerate(env.template.slots):
        column, key_slot = slots[..., i], jax.random.fold_in(key, i)
        if slot.scope is Scope.INSTANCE:
            columns.append(jax.random.permutation(key_slot, column, axis=0))
        else:
            mixed = jax.random.permutation(key_slot, column.reshape(-1))
            columns.append(mixed.reshape(column.shape))
    return jnp.stack(columns, axis=-1)


def make_scorer(config: DecoderConfig, course: Course) -> Callable[[Any, jax.Array], jax.Array]:
    """`(params, slots [M, S, num_slots]) -> f32[M, S, A]`: log-likelihoods of the actions.

    Compiled once for all models of that shape.
    """
    table, trie = course.prompts, scoring.Trie.build(course.prompts.answers)

    def one(params: Any, slots: jax.Array) -> jax.Array:
        tokens, valid = table.prefix.render(slots[0])
        prefix = decoder.encode_prefix(config, params, tokens[None], valid[None])
        text, text_valid = jax.vmap(table.suffix.render)(slots)
        return scoring.score(
            config, params, prefix, valid[None], text[None], text_valid[None], trie
        ).log_likelihoods[0]

    return jax.jit(lambda params, slots: jax.lax.map(functools.partial(one, params), slots))


def judge(log_probs: jax.Array, right: jax.Array) -> Scores:
    """Scores over the states in which something is right; both `[M, S, A]`."""
    asked = jnp.any(right, axis=-1)
    best = log_probs >= jnp.max(log_probs, axis=-1, keepdims=True)
    top1 = jnp.sum(best & right, axis=-1) / jnp.sum(best, axis=-1)
    mass = jnp.sum(jnp.where(right, jnp.exp(log_probs), 0.0), axis=-1)
    covered = 1.0 - (1.0 - jnp.minimum(mass, 1.0)) ** PROPOSALS
    share = 1.0 / jnp.maximum(jnp.sum(right, axis=-1), 1)
    kl = jnp.sum(jnp.where(right, jnp.log(share)[..., None] - log_probs, 0.0), axis=-1) * share
    means = [float(jnp.sum(jnp.where(asked, x, 0.0)) / jnp.sum(asked)) for x in (top1, covered, kl)]
    return Scores(*means)


def _success(
    model: LanguageModel, task: ActionTask, key: chex.PRNGKey, num_instances: int
) -> tuple[float, float, float]:
    """Success rates of episodes: drawn from the model, its most likely action, at random."""
    key_bank, key_play = jax.random.split(key)
    bank = task.sample(key_bank, num_instances, "held-out")
    table = tabulate(LanguagePrior.of_model(model, task.env, bank), task.env, bank).table
    legal = jnp.isfinite(table)
    greedy = normalize(1e3 * jnp.where(legal, table, 0.0), legal)
    uniform = normalize(jnp.zeros(legal.shape), legal)
    rates = [success(task.env, bank, t, key_play) for t in (table, greedy, uniform)]
    return rates[0], rates[1], rates[2]


def success(
    env: TextEnv[Any, Any], bank: TextEnvParams, table: jax.Array, key: chex.PRNGKey
) -> float:
    """Success rate of episodes whose actions are drawn from `table f32[M, num_states, A]`."""
    prior, num_instances = TabularPrior(env, table, "measured", 0), table.shape[0]
    asker = asking.of(prior)

    def policy(keys: chex.PRNGKey, state: Any, told: Told) -> jax.Array:
        return jax.vmap(lambda k, p: sample_proposals(k, p, 1)[:, 0])(keys, told.log_probs)

    @jax.jit
    def play(table: Table, bank: TextEnvParams) -> jax.Array:
        keys, own = jax.random.split(key, num_instances), jnp.arange(num_instances)[:, None]
        data = Data(table, bank)
        return play_episodes(env, asker, policy, keys, data, own, EPISODES)["success"]

    return float(jnp.mean(play(prior.params, bank)))


def measure_completions(
    model: LanguageModel, task: CompletionTask, num_instances: int = INSTANCES, seed: int = 7
) -> Completions:
    """Let a model complete held-out patterns, writing the most likely token each time."""
    key_bank, key_states = jax.random.split(jax.random.key(seed))
    env, course = task.env, task.compile(model.tokenizer)
    bank = task.sample(key_bank, num_instances, "held-out")
    grammar = parsing.compile(env.completion, model.tokenizer)
    states, _ = _draw(task.draw, task.states, key_states, bank)

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
