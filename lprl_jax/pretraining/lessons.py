"""Lessons: states of fresh instances as tokens, with the answers to learn, and the loss on them.

All of it is jittable: instances are drawn, planned and rendered inside the training step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import TextEnvParams

from lprl_jax.lm import decoder, token_table
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.pretraining.tasks import Course, Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


class Lessons(NamedTuple):
    """G instances, S states of each, and what is to be said there."""

    prefix: jax.Array
    """i32[G, P]: the instances' texts, compacted."""
    prefix_valid: jax.Array
    """bool[G, P]"""
    text: jax.Array
    """i32[G, S, T]: the states' texts, compacted, padded on the left."""
    text_valid: jax.Array
    """bool[G, S, T]"""
    answer: jax.Array
    """i32[G, S, W]: padded on the right."""
    answer_valid: jax.Array
    """bool[G, S, W]; nothing where no answer is asked for."""
    targets: jax.Array
    """i32[G, S, W, A]: what may be said in the place of each of its tokens."""
    weights: jax.Array
    """f32[G, S, W, A]: with which probability."""
    branch: jax.Array | None
    """i32[G, S, W]: which of several answers behind the same text; None where there is one."""


class Widths(NamedTuple):
    """Columns that texts are compacted to."""

    prefix: int
    text: int


def make_loss(
    shape: DecoderConfig,
    tasks: Sequence[Task],
    tokenizer: PreTrainedTokenizerFast,
    fitting: float,
) -> Callable[[Any, chex.PRNGKey], jax.Array]:
    """Cross-entropy of the right answers, nats a decision, on fresh instances a call.

    Tasks of one kind are run together. A kind counts by the root of its number of lessons: cheap
    ones have many, and yet the others are to be learnt as well.
    """
    groups = grouped(tasks, tokenizer)
    widths = [[measure_widths(*member, fitting) for member in group] for group in groups]

    def loss(params: Any, key: chex.PRNGKey) -> jax.Array:
        total = weights = jnp.float32(0.0)
        keys = keys_of(groups, key)
        for group, fits, own in zip(groups, widths, keys, strict=True):
            drawn = [draw_lessons(*m, w, k) for m, w, k in zip(group, fits, own, strict=True)]
            lessons = join(drawn)
            asked = jnp.sum(jnp.any(lessons.answer_valid, axis=-1))
            decisions = asked * group[0][1].num_decisions
            nats = jnp.sum(answer_nats(shape, params, lessons)) / jnp.maximum(decisions, 1)
            total += jnp.sqrt(asked) * nats
            weights += jnp.sqrt(asked)
        return total / weights

    return loss


Group = list[tuple[Task, "Course"]]
"""Tasks of one kind."""


def grouped(tasks: Sequence[Task], tokenizer: PreTrainedTokenizerFast) -> list[Group]:
    """Tasks of one kind together, for one tokenizer."""
    groups: dict[Any, Group] = {}
    for task in tasks:
        course = task.compile(tokenizer)
        kind = type(task), type(task.env), course.num_decisions
        groups.setdefault(kind, []).append((task, course))
    return list(groups.values())


def keys_of(groups: Sequence[Group], key: chex.PRNGKey) -> list[chex.PRNGKey]:
    """Of each group, a key a task: what its lessons of a training step are drawn by."""
    return [
        jax.random.split(jax.random.fold_in(key, i), len(group)) for i, group in enumerate(groups)
    ]


def answer_nats(shape: DecoderConfig, params: Any, lessons: Lessons) -> jax.Array:
    """Cross-entropy of what may be said with the model, `f32[G, S]`; 0 where there is no answer.

    Where one answer alone may be given it is `-log P(answer | text)`. Answers behind the same text
    do not see each other, and begin all at the same position.
    """
    width = lessons.text.shape[-1]
    tokens = jnp.concatenate([lessons.text, lessons.answer], axis=-1)
    valid = jnp.concatenate([lessons.text_valid, lessons.answer_valid], axis=-1)
    before = jnp.sum(lessons.prefix_valid, axis=-1)[:, None, None]
    columns = tokens.shape[-1]
    seen = np.tril(np.ones((columns, columns), bool))[None, None] & valid[:, :, None, :]
    after = jnp.cumsum(valid, axis=-1)
    if lessons.branch is not None:
        branch = jnp.pad(lessons.branch + 1, ((0, 0), (0, 0), (width, 0)))  # 0 is the text
        alike = branch[:, :, None, :] == branch[:, :, :, None]
        seen = seen & (alike | (branch == 0)[:, :, None, :])
        after = jnp.sum(seen, axis=-1)
    # A padded column sees itself, so that no row of the softmax is empty.
    mask = seen | np.eye(columns, dtype=bool)[None, None]
    prefix = decoder.encode_prefix(shape, params, lessons.prefix, lessons.prefix_valid)
    hidden, _ = decoder.Decoder(shape).apply(
        {"params": params}, tokens, before + after - 1, mask, prefix, lessons.prefix_valid
    )
    read = hidden[:, :, width - 1 : -1]  # a token is read out at the one before it
    if lessons.branch is not None:  # the first of a branch at the text's last
        begins = jnp.diff(lessons.branch, axis=-1, prepend=-1) != 0
        read = jnp.where(begins[..., None], hidden[:, :, width - 1 : width], read)
    logits = read @ decoder.head(params).T
    log_probs = jnp.take_along_axis(jax.nn.log_softmax(logits), lessons.targets, axis=-1)
    nats = -jnp.sum(lessons.weights * log_probs, axis=-1)
    return jnp.sum(jnp.where(lessons.answer_valid, nats, 0.0), axis=-1)


def draw_lessons(task: Task, course: Course, widths: Widths, key: chex.PRNGKey) -> Lessons:
    """Fresh instances of a task, states of them, and the right answers."""
    bank, keys = draw_instances(task, key)

    def lesson(instance: jax.Array, key: chex.PRNGKey) -> Lessons:
        states, answers = course.lessons(key, bank, instance)
        prefix, text = tell(task, course, states, bank)
        fits = jnp.sum(prefix[1]) <= widths.prefix
        fit = fits & (jnp.sum(text[1], axis=-1) <= widths.text) & answers.asked
        return Lessons(
            *token_table.compact(*prefix, widths.prefix),
            *jax.vmap(lambda t, v: token_table.compact_right(t, v, widths.text))(*text),
            answers.tokens,
            answers.valid & fit[:, None],
            answers.targets,
            answers.weights,
            answers.branch,
        )

    return jax.vmap(lesson)(jnp.arange(task.instances), keys)


def draw_instances(task: Task, key: chex.PRNGKey) -> tuple[TextEnvParams, chex.PRNGKey]:
    """The instances of a step's lessons (train split), and a key each to draw these by."""
    key_bank, key_instances = jax.random.split(key)
    bank = task.sample(key_bank, task.instances, "train")
    return bank, jax.random.split(key_instances, task.instances)


def tell(
    task: Task, course: Course, states: Any, params: TextEnvParams
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    """Tokens and validity of the instance's text `[P]` and of the states' `[S, T]`."""
    slots = jax.vmap(task.env.slots, in_axes=(0, None))(states, params)
    return course.prompts.prefix.render(slots[0]), jax.vmap(course.prompts.suffix.render)(slots)


def measure_widths(task: Task, course: Course, fitting: float, num_instances: int = 256) -> Widths:
    """Columns that this fraction of the instances' and of the states' texts fit."""

    @jax.jit
    def lengths(key: chex.PRNGKey) -> tuple[jax.Array, jax.Array]:
        bank = task.sample(key, num_instances, "train")

        def one(instance: jax.Array, key: chex.PRNGKey) -> tuple[jax.Array, jax.Array]:
            (_, prefix), (_, text) = tell(
                task, course, course.lessons(key, bank, instance)[0], bank
            )
            return jnp.sum(prefix), jnp.sum(text, axis=-1)

        return jax.vmap(one)(jnp.arange(num_instances), jax.random.split(key, num_instances))

    of_prefix, of_text = lengths(jax.random.key(0))
    prefix, text = (int(np.quantile(x, fitting, method="higher")) for x in (of_prefix, of_text))
    return Widths(prefix, text)


def join(drawn: Sequence[Lessons]) -> Lessons:
    """One batch of lessons of several tasks, padded to the widest, and to most states a prefix."""

    def widen(name: str, array: jax.Array, shape: Sequence[int]) -> jax.Array:
        missing = [wide - own for wide, own in zip(shape, array.shape, strict=True)]
        sides = [(0, 0), *((0, m) for m in missing[1:])]
        if name.startswith("text"):  # columns, not states, are padded on the left
            sides[-1] = missing[-1], 0
        return jnp.pad(array, sides)

    parts = {}
    for name, arrays in zip(Lessons._fields, zip(*drawn, strict=True), strict=True):
        if arrays[0] is None:  # of all tasks of a kind
            parts[name] = None
            continue
        shape = np.max([array.shape for array in arrays], axis=0)
        parts[name] = jnp.concatenate([widen(name, array, shape) for array in arrays])
    return Lessons(**parts)
