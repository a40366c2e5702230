"""What an embedded model knows, measured on held-out instances, and written as its model card.

For every task: how often the most likely action is optimal (top-1), how often five proposals hold
an optimal action (exactly, from the probabilities), KL(π* ‖ p) in nats, where π* is uniform over
the optimal actions, and how often episodes succeed that follow the model. The same with every word
of the text exchanged for that of another instance or state: what is left then is not knowledge of
the text. And the uniform distribution.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs import Scope, TextEnvParams

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.interaction import play_episodes
from lprl_jax.lm import decoder, scoring
from lprl_jax.lm.checkpoint import LanguageModel
from lprl_jax.lm.pretrain import PretrainConfig, compile_task
from lprl_jax.lm.tasks import Task, askable, demonstrator
from lprl_jax.priors.base import sample_proposals
from lprl_jax.priors.tabular import TabularPrior

PROPOSALS = 5


class Scores(NamedTuple):
    """Means over the states that can still succeed."""

    top1: float
    """Most likely action is optimal; ties share."""
    covered: float
    """Five proposals hold an optimal action."""
    kl: float
    """KL(π* ‖ p), nats."""


class Measured(NamedTuple):
    """A model on one task's held-out instances."""

    task: str
    model: Scores
    shuffled: Scores
    uniform: Scores
    sampled_success: float
    """Of episodes that draw actions from the model."""
    greedy_success: float
    """Of episodes that take its most likely action."""
    uniform_success: float
    """Of episodes at random."""


def measure(model: LanguageModel, task: Task, num_instances: int = 200, seed: int = 7) -> Measured:
    """Measure a model on held-out instances of a task."""
    key_bank, key_shuffle, key_play = jax.random.split(jax.random.key(seed), 3)
    bank = task.sample(key_bank, num_instances, "held-out")
    instances = jnp.arange(num_instances)
    optimal = jax.vmap(lambda i: demonstrator(task, bank, i))(instances)
    asked = jax.vmap(lambda i: askable(task, bank, i))(instances) & jnp.any(optimal, axis=-1)
    slots = all_slots(task, bank)
    log_probs = score_slots(model, task, slots)
    shuffled = score_slots(model, task, shuffle(task, key_shuffle, slots))
    uniform = jnp.full_like(log_probs, -jnp.log(log_probs.shape[-1]))
    return Measured(
        task.name,
        judge(log_probs, optimal, asked),
        judge(shuffled, optimal, asked),
        judge(uniform, optimal, asked),
        success(task, bank, log_probs, key_play),
        success(task, bank, 1e3 * log_probs, key_play),
        success(task, bank, uniform, key_play),
    )


def all_slots(task: Task, bank: TextEnvParams) -> jax.Array:
    """`i32[M, S, num_slots]` of every state of every instance."""
    env, num_instances = task.env, jax.tree.leaves(bank.bank)[0].shape[0]

    def one(instance: jax.Array, index: jax.Array) -> jax.Array:
        return env.slots(env.state_at(instance, index, bank), bank)

    over_states = jax.vmap(one, in_axes=(None, 0))
    states = jnp.arange(env.numbered_states)
    return jax.vmap(over_states, in_axes=(0, None))(jnp.arange(num_instances), states)


def shuffle(task: Task, key: chex.PRNGKey, slots: jax.Array) -> jax.Array:
    """Every slot's values exchanged: an instance's among instances, a state's among all states."""
    columns = []
    for i, slot in enumerate(task.env.template.slots):
        column, key_slot = slots[..., i], jax.random.fold_in(key, i)
        if slot.scope is Scope.INSTANCE:
            columns.append(jax.random.permutation(key_slot, column, axis=0))
        else:
            mixed = jax.random.permutation(key_slot, column.reshape(-1))
            columns.append(mixed.reshape(column.shape))
    return jnp.stack(columns, axis=-1)


def score_slots(model: LanguageModel, task: Task, slots: jax.Array) -> jax.Array:
    """Log-probs `f32[M, S, A]` of the actions behind texts with these slots `[M, S, num_slots]`."""
    table = compile_task(task, model.tokenizer)
    trie = scoring.Trie.build(table.answers)

    def one(slots: jax.Array) -> jax.Array:
        tokens, valid = table.prefix.render(slots[0])
        prefix = decoder.encode_prefix(model.config, model.params, tokens[None], valid[None])
        suffix, suffix_valid = jax.vmap(table.suffix.render)(slots)
        return scoring.score(
            model.config, model.params, prefix, valid[None], suffix[None], suffix_valid[None], trie
        )[0]

    scores = jax.jit(lambda s: jax.lax.map(one, s))(slots)
    return jax.nn.log_softmax(scores, axis=-1)


def judge(log_probs: jax.Array, optimal: jax.Array, asked: jax.Array) -> Scores:
    """Scores over the states `asked [M, S]`."""
    best = log_probs >= jnp.max(log_probs, axis=-1, keepdims=True)
    top1 = jnp.sum(best & optimal, axis=-1) / jnp.sum(best, axis=-1)
    mass = jnp.sum(jnp.where(optimal, jnp.exp(log_probs), 0.0), axis=-1)
    covered = 1.0 - (1.0 - jnp.minimum(mass, 1.0)) ** PROPOSALS
    share = 1.0 / jnp.maximum(jnp.sum(optimal, axis=-1), 1)
    kl = jnp.sum(jnp.where(optimal, jnp.log(share)[..., None] - log_probs, 0.0), axis=-1) * share
    means = [float(jnp.sum(jnp.where(asked, x, 0.0)) / jnp.sum(asked)) for x in (top1, covered, kl)]
    return Scores(*means)


def success(
    task: Task, bank: TextEnvParams, log_probs: jax.Array, key: chex.PRNGKey, episodes: int = 8
) -> float:
    """Success rate of episodes whose actions are drawn from `log_probs [M, S, A]`."""
    prior = TabularPrior(task.env, log_probs, "measured", 0)
    num_instances = log_probs.shape[0]

    def policy(keys: chex.PRNGKey, state: Any, log_probs: Any) -> jax.Array:
        return jax.vmap(lambda k, p: sample_proposals(k, p, 1)[:, 0])(keys, log_probs)

    @jax.jit
    def play(table: jax.Array, bank: TextEnvParams) -> jax.Array:
        keys, own = jax.random.split(key, num_instances), jnp.arange(num_instances)[:, None]
        data = Data(table, bank)
        return play_episodes(task.env, prior, policy, keys, data, own, episodes)["success"]

    return float(jnp.mean(play(log_probs, bank)))


def render(
    config: PretrainConfig, models: Mapping[str, LanguageModel], tasks: Sequence[Task], command: str
) -> str:
    """MODEL_CARD.md; the last of `models` is the final one, the others its early versions."""
    final = list(models.values())[-1]
    num_params = sum(leaf.size for leaf in jax.tree.leaves(final.params))
    measured = [measure(final, task) for task in tasks]
    ladder = {name: measure(model, tasks[0]) for name, model in models.items()}
    settings = [f"{f.name} = {getattr(config, f.name)}" for f in dataclasses.fields(config)]
    lines = [
        "# Model card: the embedded language model",
        "",
        f"A Llama-architecture decoder of {num_params:,} parameters with its own byte-level BPE of",
        f"{len(final.tokenizer)} tokens, trained from scratch on text written by the environments'",
        "templates. It reads tokens and nothing else. This page is generated by",
        "",
        f"    {command}",
        "",
        "## What it knows",
        "",
        "200 held-out instances a task, half with start and goal in the corners and half with both",
        "anywhere; every state from which the goal can be reached. Top-1: the most likely action",
        f"is optimal. Covered: {PROPOSALS} proposals hold an optimal action. KL(π* ‖ p) in nats.",
        "",
        "| task | | top-1 | covered | KL |",
        "|---|---|---|---|---|",
    ]
    for m in measured:
        for name, s in (("model", m.model), ("words shuffled", m.shuffled), ("uniform", m.uniform)):
            lines.append(f"| {m.task} | {name} | {s.top1:.3f} | {s.covered:.3f} | {s.kl:.3f} |")
    lines += [
        "",
        "In the shuffled rows holes, goal, cell and neighbours are those of other maps and",
        "states: what the model then still gets right it gets from habit, not from the text.",
        "",
        "## Followed by itself",
        "",
        "Success rate of episodes on the same maps, 8 a map.",
        "",
        "| task | actions drawn from it | its most likely action | uniform |",
        "|---|---|---|---|",
        *(
            f"| {m.task} | {m.sampled_success:.3f} | {m.greedy_success:.3f} "
            f"| {m.uniform_success:.3f} |"
            for m in measured
        ),
        "",
        "A greedy follower can walk in circles; a drawn action now and then breaks them.",
        "",
        "## Early versions",
        "",
        f"The same training stopped sooner; {tasks[0].name}.",
        "",
        "| version | top-1 | covered | KL |",
        "|---|---|---|---|",
        *(
            f"| {name} | {m.model.top1:.3f} | {m.model.covered:.3f} | {m.model.kl:.3f} |"
            for name, m in ladder.items()
        ),
        "",
        "## How it was made",
        "",
        "Random solvable instances, of which a hash of the content holds one in five out for ever.",
        "A demonstrator plans exactly and acts at random with probability "
        f"{config.noise:g}; the model learns",
        "to continue the state's text with the demonstrator's action. Settings: "
        + "; ".join(settings)
        + ".",
        "",
        "## What it is not",
        "",
        "It knows no world but these texts and cannot hold a conversation. It has seen maps of the",
        "sizes above with four cells in five frozen; other sizes, densities and wordings are",
        "outside what was measured. It imitates a noisy demonstrator, so its probabilities are",
        "flatter than an expert's on purpose.",
        "",
    ]
    return "\n".join(lines)
