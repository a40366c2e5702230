"""What an embedded model is taught: which states it is asked about, and what would be right.

An `ActionTask` asks for the next action, a `CompletionTask` for the whole pattern of which a state
shows a part; `verdicts` has a third kind. `curriculum` and `curriculum_of_judge` list what the
embedded models learn.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import Template, TextEnv, TextEnvParams

from lprl_jax.algorithms.tabular.optimal_actions import optimal_actions
from lprl_jax.lm import token_table
from lprl_jax.lm.token_table import TokenTable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

END_OF_ACTION = "\n"
MOST_STATES = 4_096
"""Of an instance that are gone through one by one."""

Sample = Callable[[chex.PRNGKey, int, str], TextEnvParams]
"""`(key, num_instances, split)` to a bank of that split."""
Draw = Callable[[chex.PRNGKey, TextEnvParams, jax.Array, int], tuple[Any, jax.Array]]
"""`(key, params, instance, S)` to states `[S]` and the right actions there, `bool[S, A]`; none are
right in a state that is not asked about."""


class Population(NamedTuple):
    """Instances of one kind: what a figure is of."""

    name: str
    """For reports."""
    sample: Sample
    """Draws them."""


class Answers(NamedTuple):
    """What is to be said in S states."""

    tokens: jax.Array
    """i32[S, W], padded on the right."""
    valid: jax.Array
    """bool[S, W]"""
    targets: jax.Array
    """i32[S, W, A]: what may be said in the place of each token, behind those before it."""
    weights: jax.Array
    """f32[S, W, A]: how much each counts; where one answer is given, its probability."""
    asked: jax.Array
    """bool[S]: whether the state is asked about."""
    branch: jax.Array | None = None
    """i32[S, W]: several answers behind one text, each of which sees the text and itself; None for
    one answer."""


class Course(NamedTuple):
    """A task for one tokenizer."""

    prompts: TokenTable
    """How the states read."""
    lessons: Callable[[chex.PRNGKey, TextEnvParams, jax.Array], tuple[Any, Answers]]
    """`(key, params, instance)` to states `[S]` and what is to be said there."""
    num_decisions: int
    """Of an answer: the loss is shared among them."""


class Task(Protocol):
    """Something to be taught."""

    @property
    def name(self) -> str:
        """For reports."""
        ...

    @property
    def env(self) -> Any:
        """Writes the texts: a `TextEnv`."""
        ...

    @property
    def sample(self) -> Sample:
        """Draws instances."""
        ...

    @property
    def instances(self) -> int:
        """A training step."""
        ...

    @property
    def states(self) -> int:
        """S, asked about behind one instance's text."""
        ...

    @property
    def texts(self) -> tuple[Template, ...]:
        """Whose pieces a tokenizer must know."""
        ...

    @property
    def words(self) -> tuple[str, ...]:
        """The answers."""
        ...

    def compile(self, tokenizer: PreTrainedTokenizerFast) -> Course:
        """The task's texts as tokens."""
        ...


def shares(weights: jax.Array) -> jax.Array:
    """Weights over their sum, of booleans the uniform distribution; zero where all are zero."""
    return weights / jnp.maximum(jnp.sum(weights, axis=-1, keepdims=True), 1e-9)


@dataclasses.dataclass(frozen=True)
class ActionTask:
    """To say the demonstrator's next action.

    One is drawn, and each of its tokens is learnt as the distribution of what the demonstrator may
    say there, which teaches more than the one token that was drawn.
    """

    name: str
    """For reports."""
    env: TextEnv[Any, Any]
    """Writes the texts."""
    sample: Sample
    """Draws instances."""
    draw: Draw
    """Draws states of an instance, and knows what is right there."""
    instances: int
    """A training step."""
    states: int
    """S, asked about behind one instance's text."""
    noise: float = 0.3
    """Probability with which the demonstrator acts at random, among the legal actions."""
    exam: Draw | None = None
    """Draws the states that a model is measured by; None for `draw`."""
    populations: tuple[Population, ...] = ()
    """The kinds of instances that a model is measured on, each by itself; none for `sample`'s."""
    is_followed: bool = False
    """Whether a model plays episodes even where it has to be asked at every step, since states
    cannot be listed."""

    @property
    def measured(self) -> tuple[Population, ...]:
        """`populations`, or the one there is."""
        return self.populations or (Population("random", self.sample),)

    @property
    def texts(self) -> tuple[Template, ...]:
        """Whose pieces a tokenizer must know."""
        return (self.env.template,)

    @property
    def words(self) -> tuple[str, ...]:
        """The answers."""
        return tuple(text + END_OF_ACTION for text in self.env.action_texts)

    def compile(self, tokenizer: PreTrainedTokenizerFast) -> Course:
        """The task's texts as tokens."""
        env, table = self.env, token_table.compile(self.env.template, self.words, tokenizer)
        width = max(map(len, table.answers))
        tokens = np.zeros((len(table.answers), width), np.int32)
        valid = np.zeros(tokens.shape, bool)
        for row, answer in enumerate(table.answers):
            tokens[row, : len(answer)], valid[row, : len(answer)] = answer, True

        # begins[a, w, b]: answer b has the first w tokens of answer a.
        equal = tokens[:, :, None] == tokens.T[None]
        begins = np.cumprod(np.roll(equal, 1, axis=1) | (np.arange(width) == 0)[:, None], axis=1)

        def lessons(
            key: chex.PRNGKey, params: TextEnvParams, instance: jax.Array
        ) -> tuple[Any, Answers]:
            key_state, key_action = jax.random.split(key)
            states, right = self.draw(key_state, params, instance, self.states)
            legal = jax.vmap(env.action_mask, in_axes=(0, None))(states, params)
            probs = (1.0 - self.noise) * shares(right) + self.noise * shares(legal)
            action = jax.random.categorical(key_action, jnp.log(probs))
            weights = jnp.asarray(begins, jnp.float32)[action] * probs[:, None, :]
            weights /= jnp.maximum(jnp.sum(weights, axis=-1, keepdims=True), 1e-9)
            said, some = jnp.asarray(tokens)[action], jnp.asarray(valid)[action]
            targets = jnp.broadcast_to(tokens.T, weights.shape)
            return states, Answers(said, some, targets, weights, jnp.any(right, axis=-1))

        return Course(table, lessons, 1)


@dataclasses.dataclass(frozen=True)
class CompletionTask:
    """To say the whole pattern of which a state shows a part."""

    name: str
    """For reports."""
    env: Any
    """A `TextEnv` that is `Completable`."""
    sample: Sample
    """Draws instances."""
    draw: Draw
    """Draws states of an instance; the right actions are not looked at."""
    instances: int
    """A training step."""
    states: int
    """S, asked about behind one instance's text."""

    @property
    def texts(self) -> tuple[Template, ...]:
        """Whose pieces a tokenizer must know."""
        return self.env.completion_prompt, self.env.completion

    @property
    def words(self) -> tuple[str, ...]:
        """The answers' own pieces: those of `texts`."""
        return ()

    def compile(self, tokenizer: PreTrainedTokenizerFast) -> Course:
        """The task's texts as tokens."""
        env = self.env
        first = env.completion.slots[0].values  # what may follow the prompt
        prompts = token_table.compile(env.completion_prompt, first, tokenizer)
        whole = token_table.compile(env.completion, (), tokenizer)

        def lessons(
            key: chex.PRNGKey, params: TextEnvParams, instance: jax.Array
        ) -> tuple[Any, Answers]:
            states, _ = self.draw(key, params, instance, self.states)
            tokens, valid = whole.render(env.target(instance, params))
            repeat = (self.states, len(tokens))
            asked = jnp.ones(self.states, bool)
            answers = jnp.broadcast_to(tokens, repeat), jnp.broadcast_to(valid, repeat)
            targets = answers[0][..., None]
            return states, Answers(*answers, targets, jnp.ones(targets.shape), asked)

        return Course(prompts, lessons, env.completion.num_slots)


def can_list_states(env: TextEnv[Any, Any]) -> bool:
    """Whether states are numbered, and not too many to go through them all."""
    return env.num_states is not None and env.num_states <= MOST_STATES


def planned(
    env: TextEnv[Any, Any], horizon: int, discount: float, fade: float | None = None
) -> Draw:
    """Draws among an environment's numbered states; what is right there is planned exactly.

    Args:
        env: The environment, without chance where `fade` is given.
        horizon: Backups of the planner.
        discount: Below 1, so that shorter is better.
        fade: None to draw uniformly. Otherwise a quarter is drawn so, and the rest by the distance
            from the goal, each step of which makes it `fade` times as likely: most states are far
            away, but every episode that is won passes through the few that are near.
    """

    def draw(
        key: chex.PRNGKey, params: TextEnvParams, instance: jax.Array, num: int
    ) -> tuple[Any, jax.Array]:
        right, value = optimal_actions(env, params, instance, horizon, discount)
        asked = jnp.any(right, axis=-1)
        probs = shares(asked)
        if fade is not None:
            distance = jnp.round(jnp.log(jnp.where(asked, value, 1.0)) / math.log(discount))
            as_far = (distance[None] == distance[:, None]) & asked[None]
            near = shares(asked * fade**distance / jnp.maximum(jnp.sum(as_far, axis=-1), 1))
            probs = 0.25 * probs + 0.75 * near
        # An instance in which nothing can be won has no state to ask about.
        index = jax.random.categorical(key, jnp.log(probs), shape=(num,)).astype(jnp.int32)
        return jax.vmap(lambda i: env.state_at(instance, i, params))(index), right[index]

    return draw
