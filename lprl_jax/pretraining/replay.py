"""Which texts of held-out instances were taught: the lessons of a training are drawn once more.

Lessons follow from the seed, so they need not be recorded: `replay` draws what `pretrain` drew. It
compares texts as tokens, by a hash of 64 bits. Those that were too long to be learnt from count.

Where the text carries the instance no text of a held-out one may be found. Where it hides it
(`held_out_as` "content") no held-out instance may be, and how many texts are equal is measured.
What stands side by side in the texts is kept beside the model (`lm.taught`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import TextEnvParams
from lprl_envs.banks import content_hash

from lprl_jax.lm import token_table
from lprl_jax.pretraining import lessons
from lprl_jax.pretraining.pretrain import PretrainConfig, step_key
from lprl_jax.pretraining.tasks import Course, Task, can_list_states

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

INSTANCES = 200
"""Held-out instances of each task whose texts are looked for."""
COLUMNS = 1_024
"""No text has more tokens."""


class Taught(NamedTuple):
    """What of a task's held-out instances occurs among the lessons; each counts once."""

    task: str
    held_out_as: str
    """What may not occur: `text` or `content`."""
    lesson_texts: int
    """Texts among the task's own lessons."""
    texts: int
    """Texts of held-out instances that were looked for: of all states, where they are numbered and
    not too many, and otherwise of as many as a lesson has."""
    taught_texts: int
    """Of them, those among the lessons of any task."""
    instances: int
    """Held-out instances."""
    taught_instances: int
    """Of them, those among the task's lessons."""

    @property
    def is_kept_apart(self) -> bool:
        """Whether nothing occurs that may not."""
        return (self.taught_texts if self.held_out_as == "text" else self.taught_instances) == 0


class Replayed(NamedTuple):
    """What the lessons of a training were."""

    held_out: list[Taught]
    """A task each."""
    pairs: np.ndarray
    """u16[N, 2]: tokens that stood side by side in a text of any task; each pair once, sorted."""


def replay(
    config: PretrainConfig,
    tasks: Sequence[Task],
    tokenizer: PreTrainedTokenizerFast,
    steps: Sequence[int] | None = None,
    num_instances: int = INSTANCES,
) -> Replayed:
    """Draw the lessons of a training again, and look for texts of held-out instances among them.

    Args:
        config: Of the training.
        tasks: Of the training.
        tokenizer: Of the training.
        steps: Of the training, counted from 1; None for all.
        num_instances: Held-out instances of each task.
    """
    groups = lessons.grouped(tasks, tokenizer)
    members = [member for group in groups for member in group]

    @jax.jit
    def draw(
        key: chex.PRNGKey, seen: jax.Array
    ) -> tuple[list[tuple[jax.Array, jax.Array]], jax.Array]:
        keys = [own for of_group in lessons.keys_of(groups, key) for own in of_group]
        found = []
        for (task, course), own in zip(members, keys, strict=True):
            tokens, valid, contents = _lessons(task, course, own)
            both = valid[..., :-1] & valid[..., 1:]
            seen = seen.at[tokens[..., :-1], tokens[..., 1:]].max(both)
            found.append((_hashed(tokens), contents))
        return found, seen

    every = range(1, config.num_steps + 1) if steps is None else steps
    seen = jnp.zeros((len(tokenizer), len(tokenizer)), bool)
    drawn = []
    for step in every:
        found, seen = draw(step_key(config.seed, step), seen)
        drawn.append(jax.device_get(found))
    texts, contents = (
        [np.concatenate([_words(step[m][part]) for step in drawn]) for m in range(len(members))]
        for part in (0, 1)
    )
    all_texts = np.unique(np.concatenate(texts))
    found = []
    for (task, course), own, taught in zip(members, texts, contents, strict=True):
        asked, instances = _held_out(task, course, num_instances)
        found.append(
            Taught(
                task.name,
                task.env.held_out_as,
                len(np.unique(own)),
                len(asked),
                int(np.isin(asked, all_texts).sum()),
                len(instances),
                int(np.isin(instances, taught).sum()),
            )
        )
    return Replayed(found, np.argwhere(np.asarray(seen)).astype(np.uint16))


def _lessons(
    task: Task, course: Course, key: chex.PRNGKey
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A step's texts `[G, S, COLUMNS]`, their validity, and its instances' hashes `u32[G, 2]`."""
    bank, keys = lessons.draw_instances(task, key)
    states, _ = jax.vmap(course.lessons, (0, None, 0))(keys, bank, jnp.arange(task.instances))
    return *_texts(task, course, states, bank), _contents(task, bank)


def _held_out(task: Task, course: Course, num_instances: int) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of the texts and of the contents of held-out instances, each once."""
    key_bank, key_states = jax.random.split(jax.random.key(7))
    bank = task.sample(key_bank, num_instances, "held-out")

    def one(instance: jax.Array, key: chex.PRNGKey) -> jax.Array:
        if not can_list_states(task.env):
            states = course.lessons(key, bank, instance)[0]
        else:
            numbers = jnp.arange(task.env.num_states)
            states = jax.vmap(lambda i: task.env.state_at(instance, i, bank))(numbers)
        return _hashed(_texts(task, course, jax.tree.map(lambda x: x[None], states), bank)[0])[0]

    keys = jax.random.split(key_states, num_instances)
    each = jax.jit(lambda keys: jax.lax.map(lambda x: one(*x), (jnp.arange(num_instances), keys)))
    contents = jax.jit(lambda bank: _contents(task, bank))(bank)
    return np.unique(_words(each(keys))), np.unique(_words(contents))


def _texts(
    task: Task, course: Course, states: Any, bank: TextEnvParams
) -> tuple[jax.Array, jax.Array]:
    """Tokens `[G, S, COLUMNS]` of each state's text, and their validity."""

    def one(state: Any) -> tuple[jax.Array, jax.Array]:
        return token_table.compact(*course.prompts.render(task.env.slots(state, bank)), COLUMNS)

    return jax.vmap(jax.vmap(one))(states)


def _hashed(texts: jax.Array) -> jax.Array:
    """`u32[G, S, 2]`: two hashes of each of the texts `[G, S, COLUMNS]`."""
    return jax.vmap(jax.vmap(_two_hashes))(texts)


def _contents(task: Task, bank: TextEnvParams) -> jax.Array:
    """`u32[G, 2]`: two hashes of each instance's identity."""
    return jax.vmap(lambda instance: _two_hashes(task.env.identity(instance)))(bank.bank)


def _two_hashes(values: jax.Array) -> jax.Array:
    """`u32[2]`: of the integers, and of the same in other words."""
    values = jnp.ravel(values).astype(jnp.uint32)
    return jnp.stack([content_hash(values), content_hash(~values)])


def _words(hashes: Any) -> np.ndarray:
    """`u64[N]` of hashes `u32[..., 2]`."""
    high, low = np.asarray(hashes).astype(np.uint64).reshape(-1, 2).T
    return (high << np.uint64(32)) | low
