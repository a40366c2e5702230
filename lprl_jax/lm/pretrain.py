"""Train the embedded model from scratch on text that the environments' templates write.

A demonstrator acts in random instances: the optimal action (any of them, where several are), or
with probability `noise` a random one. The model reads the state's text and learns to continue it
with the demonstrator's action; the loss is on the action's tokens only. Held-out instances are
never drawn.

All of a step is in one compiled program: instances are drawn, planned, rendered, and learnt from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from lprl_jax.lm import decoder, token_table
from lprl_jax.lm.checkpoint import LanguageModel
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.lm.tasks import TASKS, Task, askable, demonstrator
from lprl_jax.lm.token_table import TokenTable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

END_OF_ACTION = "\n"


@dataclasses.dataclass(frozen=True)
class PretrainConfig:
    """How the embedded model is made."""

    seed: int = 0
    """Of weights, instances and states."""
    num_steps: int = 1_200
    """Optimiser steps; a step sees `Task.instances` instances of every task."""
    states: int = 16
    """States asked about behind one instance's prefix."""
    noise: float = 0.3
    """Probability with which the demonstrator acts at random."""
    learning_rate: float = 2e-3
    """Peak, of AdamW."""
    weight_decay: float = 0.01
    """Of AdamW."""
    warmup: float = 0.03
    """Fraction of the steps over which the learning rate rises from 0."""
    decay: float = 0.4
    """Fraction of the steps, at the end, over which it falls to 0."""
    hidden_size: int = 128
    """Width."""
    intermediate_size: int = 384
    """Width of the feed-forward layers."""
    num_layers: int = 4
    """Layers."""
    num_heads: int = 4
    """Attention heads."""
    max_prefix: int = 48
    """Columns that an instance's text is compacted to; instances with longer texts are skipped."""
    early: tuple[float, ...] = (0.02, 0.08, 0.25)
    """Fractions of the steps after which an early, worse model is kept."""


class Progress(NamedTuple):
    """Where training stands; yielded every `report_every` steps and whenever a model is kept."""

    step: int
    loss: float
    keep: str | None
    """`"early-1"` ..., `"final"`, or None."""
    model: LanguageModel


def pretrain(
    config: PretrainConfig, tasks: Sequence[Task] = TASKS, report_every: int = 25
) -> Iterator[Progress]:
    """Train; the last item yielded has `keep == "final"`."""
    tokenizer = train_tokenizer(tasks)
    shape = DecoderConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.num_layers,
        num_attention_heads=config.num_heads,
        num_key_value_heads=config.num_heads,
        head_dim=config.hidden_size // config.num_heads,
    )
    loss_of = make_loss(config, shape, tasks, [compile_task(t, tokenizer) for t in tasks])
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(_schedule(config), weight_decay=config.weight_decay),
    )

    @jax.jit
    def step(params: Any, opt_state: Any, key: chex.PRNGKey) -> tuple[Any, Any, jax.Array]:
        loss, gradient = jax.value_and_grad(loss_of)(params, key)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss

    key = jax.random.key(config.seed)
    init = jax.jit(decoder.init, static_argnums=1)
    params = init(jax.random.fold_in(key, config.num_steps), shape)
    opt_state = optimizer.init(params)
    keep_at = {round(f * config.num_steps): f"early-{i + 1}" for i, f in enumerate(config.early)}
    keep_at[config.num_steps] = "final"
    for i in range(1, config.num_steps + 1):
        params, opt_state, loss = step(params, opt_state, jax.random.fold_in(key, i))
        if i in keep_at or i % report_every == 0:
            model = LanguageModel(shape, params, tokenizer, "embedded")
            yield Progress(i, float(loss), keep_at.get(i), model)


class Lessons(NamedTuple):
    """G instances, and S states of each with what the demonstrator does there."""

    prefix: jax.Array
    """i32[G, P]: the instances' texts, compacted."""
    prefix_valid: jax.Array
    """bool[G, P]"""
    text: jax.Array
    """i32[G, S, T]: the states' texts, padded on the left."""
    text_valid: jax.Array
    """bool[G, S, T]"""
    answer: jax.Array
    """i32[G, S, W]: the action's text, padded on the right."""
    answer_valid: jax.Array
    """bool[G, S, W]"""


def make_loss(
    config: PretrainConfig,
    shape: DecoderConfig,
    tasks: Sequence[Task],
    tables: Sequence[TokenTable],
) -> Callable[[Any, chex.PRNGKey], jax.Array]:
    """Cross-entropy of the demonstrator's actions, nats an action, on fresh instances a call."""
    widths = (
        config.max_prefix,
        max(len(table.suffix.slot) for table in tables),
        max(len(answer) for table in tables for answer in table.answers),
    )

    def loss(params: Any, key: chex.PRNGKey) -> jax.Array:
        keys = jax.random.split(key, len(tasks))
        drawn = [
            draw_lessons(config, task, table, widths, k)
            for task, table, k in zip(tasks, tables, keys, strict=True)
        ]
        lessons: Lessons = jax.tree.map(lambda *x: jnp.concatenate(x), *drawn)
        nats = answer_nats(shape, params, lessons)
        asked = jnp.any(lessons.answer_valid, axis=-1)
        return jnp.sum(nats) / jnp.sum(asked)

    return loss


def answer_nats(shape: DecoderConfig, params: Any, lessons: Lessons) -> jax.Array:
    """`-log P(answer | text)`, `f32[G, S]`; 0 where there is no answer."""
    width = lessons.text.shape[-1]
    tokens = jnp.concatenate([lessons.text, lessons.answer], axis=-1)
    valid = jnp.concatenate([lessons.text_valid, lessons.answer_valid], axis=-1)
    before = jnp.sum(lessons.prefix_valid, axis=-1)[:, None, None]
    positions = before + jnp.cumsum(valid, axis=-1) - 1
    # A padded column sees itself, so that no row of the softmax is empty.
    causal = np.tril(np.ones((tokens.shape[-1],) * 2, bool))[None, None]
    mask = (causal & valid[:, :, None, :]) | np.eye(tokens.shape[-1], dtype=bool)[None, None]
    prefix = decoder.encode_prefix(shape, params, lessons.prefix, lessons.prefix_valid)
    hidden, _ = decoder.Decoder(shape).apply(
        {"params": params}, tokens, positions, mask, prefix, lessons.prefix_valid
    )
    logits = hidden[:, :, width - 1 : -1] @ decoder.head(params).T
    nats = optax.softmax_cross_entropy_with_integer_labels(logits, lessons.answer)
    return jnp.sum(jnp.where(lessons.answer_valid, nats, 0.0), axis=-1)


def draw_lessons(
    config: PretrainConfig,
    task: Task,
    table: TokenTable,
    widths: tuple[int, int, int],
    key: chex.PRNGKey,
) -> Lessons:
    """Fresh instances of a task (train split), states that can still succeed, and what is done."""
    env, (prefix_width, text_width, answer_width) = task.env, widths
    answers = np.zeros((len(table.answers), answer_width), np.int32)
    answers_valid = np.zeros(answers.shape, bool)
    for row, answer in enumerate(table.answers):
        answers[row, : len(answer)], answers_valid[row, : len(answer)] = answer, True
    key_bank, key_instances = jax.random.split(key)
    bank = task.sample(key_bank, task.instances, "train")

    def lesson(instance: jax.Array, key: chex.PRNGKey) -> Lessons:
        key_state, key_noise, key_action = jax.random.split(key, 3)
        optimal = demonstrator(task, bank, instance)
        fit = askable(task, bank, instance) & jnp.any(optimal, axis=-1)
        shape = (config.states,)
        index = jax.random.categorical(key_state, jnp.where(fit, 0.0, -jnp.inf), shape=shape)
        noisy = jax.random.bernoulli(key_noise, config.noise, shape)[:, None]
        acts = jax.random.categorical(key_action, jnp.where(noisy | optimal[index], 0.0, -jnp.inf))

        def tell(i: jax.Array) -> tuple[tuple[jax.Array, jax.Array], ...]:
            slots = env.slots(env.state_at(instance, i, bank), bank)
            return table.prefix.render(slots), table.suffix.render(slots)

        (prefix, prefix_valid), (text, text_valid) = jax.vmap(tell)(index)
        fits = jnp.sum(prefix_valid[0]) <= prefix_width
        left = ((0, 0), (text_width - text.shape[-1], 0))
        return Lessons(
            *token_table.compact(prefix[0], prefix_valid[0], prefix_width),
            jnp.pad(text, left),
            jnp.pad(text_valid, left),
            jnp.asarray(answers)[acts],
            jnp.asarray(answers_valid)[acts] & fits,
        )

    return jax.vmap(lesson)(
        jnp.arange(task.instances), jax.random.split(key_instances, task.instances)
    )


def compile_task(task: Task, tokenizer: PreTrainedTokenizerFast) -> TokenTable:
    """The task's template and answers for this tokenizer."""
    answers = [text + END_OF_ACTION for text in task.env.action_texts]
    return token_table.compile(task.env.template, answers, tokenizer)


def train_tokenizer(tasks: Sequence[Task]) -> PreTrainedTokenizerFast:
    """A byte-level BPE, trained on every text that the tasks' templates are made of.

    Words take the space or newline before them along, and letters with digits are one word.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    words = Regex(r"\s?\w+|[^\s\w]+|\s+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(words, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    pieces = [
        piece
        for task in tasks
        for segment in task.env.template.segments
        for piece in (getattr(segment, "values", None) or (getattr(segment, "text", ""),))
    ]
    pieces += [text + END_OF_ACTION for task in tasks for text in task.env.action_texts]
    trainer = trainers.BpeTrainer(
        vocab_size=4096,
        min_frequency=1,
        special_tokens=["<|end|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(pieces, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")


def _schedule(config: PretrainConfig) -> optax.Schedule:
    """Up, level, down to 0."""
    up, down = round(config.warmup * config.num_steps), round(config.decay * config.num_steps)
    return optax.join_schedules(
        [
            optax.linear_schedule(0.0, config.learning_rate, up),
            optax.constant_schedule(config.learning_rate),
            optax.linear_schedule(config.learning_rate, 0.0, down),
        ],
        [up, config.num_steps - down],
    )
