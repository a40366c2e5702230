"""To judge: behind one state's text stands every action, and behind each a verdict on it.

    ... Cart middle, speed none; pole lean little left, turning slow right
    Press left: good
         right: bad

A `VerdictTask` teaches both ways of asking a model with one text: to say the action that is good,
as an `ActionTask` does, and to say of every action if it is good. The actions are branches that do
not see each other, so that a state is read once.

Reference: Language Model Guided Trade-offs (LMGT), arXiv 2409.04744.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import Template, TextEnv, TextEnvParams

from lprl_jax.judges.base import BAD, GOOD, UNSURE
from lprl_jax.judges.words import SEPARATOR, WORDS
from lprl_jax.lm import token_table
from lprl_jax.pretraining.tasks import END_OF_ACTION, ActionTask, Answers, Course, Sample, shares

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Judged = Callable[[TextEnvParams, jax.Array], Callable[[Any], jax.Array]]
"""`(params, instance)` to a function from its states to the right verdicts on all actions, f32[A]:
1, 0 or -1, and 0 of illegal ones."""
Anyhow = Callable[[chex.PRNGKey, TextEnvParams, jax.Array, int], Any]
"""`(key, params, instance, S)` to states `[S]` from all over the world, whether or not one comes
there."""

EXPLORING = 0.3
"""Share of random actions of the demonstrator whose states are judged."""
RAREST = 0.1
"""Share below which a verdict does not count any more for being rarer."""
COUNTED = 2_048
"""States by which it is measured how often each verdict is right."""


class Branches(NamedTuple):
    """What stands behind a text, for one tokenizer, branch by branch: W columns."""

    tokens: np.ndarray
    """i32[W]: an action, the separator, and the place of the verdict."""
    branch: np.ndarray
    """i32[W]: which action."""
    action_targets: np.ndarray
    """i32[W, A]: what the text of each action has in the column's place."""
    action_shares: np.ndarray
    """f32[W, A]: how much the column counts if that action is said. Columns that several branches
    share, as "hard" of hard left and hard right, share it."""
    is_verdict: np.ndarray
    """bool[W]"""
    words: np.ndarray
    """i32[3]: good, unsure, bad."""


@dataclasses.dataclass(frozen=True)
class VerdictTask:
    """To say of every action whether it is good, bad or neither; and to say one that is good.

    The three verdicts are weighted so that each counts for a third, unless it is very rare. States
    are met by a demonstrator that explores, or by random play, or drawn anyhow.
    """

    name: str
    """For reports."""
    env: TextEnv[Any, Any]
    """Writes the texts."""
    sample: Sample
    """Draws instances."""
    judged: Judged
    """What is right."""
    anyhow: Anyhow
    """Draws states from all over."""
    horizon: int
    """Steps from the start of an episode within which states are met."""
    instances: int
    """A training step."""
    states: int
    """S, asked about behind one instance's text."""
    ways: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)
    """Share of the states that is drawn in each of `WAYS`."""
    noise: float = 0.1
    """Probability of a random legal action in the place of a good one, where one is to be said."""

    @property
    def texts(self) -> tuple[Template, ...]:
        """Whose pieces a tokenizer must know."""
        return (self.env.template,)

    @property
    def words(self) -> tuple[str, ...]:
        """The answers."""
        texts = self.env.action_texts
        ends = (END_OF_ACTION, *(SEPARATOR + word for word in WORDS))
        return tuple(text + end for text in texts for end in ends)

    @property
    def answers(self) -> tuple[str, ...]:
        """What a judge is asked to choose from, three an action: see `judges.words`."""
        return tuple(text + SEPARATOR + word for text in self.env.action_texts for word in WORDS)

    def as_actions(self) -> ActionTask:
        """What a prior is asked: what is good, in such states of the world's own instances."""

        def draw(
            key: chex.PRNGKey, params: TextEnvParams, instance: jax.Array, num: int
        ) -> tuple[Any, jax.Array]:
            states, verdicts = self.draw(key, params, instance, num)
            return states, verdicts == GOOD

        sample = self.env.sample_params
        return ActionTask(self.name, self.env, sample, draw, self.instances, self.states)

    def draw(
        self, key: chex.PRNGKey, params: TextEnvParams, instance: jax.Array, num: int
    ) -> tuple[Any, jax.Array]:
        """States `[S]` of an instance, and the right verdicts there `f32[S, A]`."""
        by_demonstrator, by_chance = (round(share * num) for share in self.ways[:2])
        counts = by_demonstrator, by_chance, num - by_demonstrator - by_chance
        return self.draw_by(key, params, instance, counts)

    def draw_by(
        self,
        key: chex.PRNGKey,
        params: TextEnvParams,
        instance: jax.Array,
        counts: tuple[int, int, int],
    ) -> tuple[Any, jax.Array]:
        """As `draw`, of so many states of each of `WAYS`."""
        says = self.judged(params, instance)
        key_met, key_any = jax.random.split(key)
        by_demonstrator, by_chance, anyhow = counts
        random = jnp.array([EXPLORING] * by_demonstrator + [1.0] * by_chance, jnp.float32)
        parts = []
        if len(random):
            keys = jax.random.split(key_met, len(random))
            met = functools.partial(_met, self.env, says, self.horizon, params, instance)
            parts.append(jax.vmap(met)(keys, random))
        if anyhow:
            parts.append(self.anyhow(key_any, params, instance, anyhow))
        states = jax.tree.map(lambda *x: jnp.concatenate(x), *parts)
        return states, jax.vmap(says)(states)

    def compile(self, tokenizer: PreTrainedTokenizerFast) -> Course:
        """The task's texts as tokens."""
        env = self.env
        columns, table = self._columns(tokenizer)
        width, num_actions = columns.action_targets.shape
        most = max(num_actions, len(WORDS))
        targets = np.zeros((width, most), np.int32)
        targets[:, :num_actions] = columns.action_targets
        targets[columns.is_verdict, : len(WORDS)] = columns.words
        counts = self._counts()

        def lessons(
            key: chex.PRNGKey, params: TextEnvParams, instance: jax.Array
        ) -> tuple[Any, Answers]:
            states, verdicts = self.draw(key, params, instance, self.states)
            legal = jax.vmap(env.action_mask, in_axes=(0, None))(states, params)
            over = jax.vmap(env.is_terminated, in_axes=(0, None))(states, params)
            good = verdicts == GOOD
            probs = (1.0 - self.noise) * shares(good) + self.noise * shares(legal)
            probs = jnp.where(jnp.any(good, axis=-1, keepdims=True), probs, 0.0)
            of_action = probs[:, None, :] * jnp.asarray(columns.action_shares)[None]
            is_said = verdicts[:, :, None] == jnp.array([GOOD, UNSURE, BAD])[None, None]
            counted = jnp.where(is_said & legal[:, :, None], counts[None, None], 0.0)
            of_verdict = jnp.where(
                columns.is_verdict[None, :, None], counted[:, columns.branch], 0.0
            )
            of_action, of_verdict = (
                jnp.pad(x, ((0, 0), (0, 0), (0, most - x.shape[-1])))
                for x in (of_action, of_verdict)
            )
            weights = of_action + of_verdict
            num = over.shape[0]
            same = [
                jnp.broadcast_to(jnp.asarray(x), (num, *x.shape))
                for x in (columns.tokens, np.ones(width, bool), targets, columns.branch)
            ]
            tokens, valid, all_targets, branch = same
            return states, Answers(tokens, valid, all_targets, weights, ~over, branch)

        return Course(table, lessons, 1 + num_actions)

    def _columns(
        self, tokenizer: PreTrainedTokenizerFast
    ) -> tuple[Branches, token_table.TokenTable]:
        """The branches, and how the states read."""
        texts = self.env.action_texts
        table = token_table.compile(self.env.template, self.answers, tokenizer)
        plain = token_table.compile(
            self.env.template, [text + END_OF_ACTION for text in texts], tokenizer
        ).answers
        words = np.array([answer[-1] for answer in table.answers[:3]], np.int32)
        tokens, branch, targets, parts, is_verdict = [], [], [], [], []
        for a, own in enumerate(plain):
            asked = table.answers[3 * a]
            assert asked[: len(own) - 1] == own[:-1], "an action reads alike before both ends"
            assert all(x[:-1] == asked[:-1] for x in table.answers[3 * a : 3 * a + 3])
            for w, token in enumerate(asked):
                tokens.append(token)
                branch.append(a)
                is_verdict.append(w == len(asked) - 1)
                # The first tokens of own are what all branches here begin with.
                alike = [other[:w] == own[:w] and w < len(other) for other in plain]
                is_of_action = w < len(own)
                targets.append([other[min(w, len(other) - 1)] for other in plain])
                parts.append([is_of_action * x / max(sum(alike), 1) for x in alike])
        columns = Branches(
            np.array(tokens, np.int32),
            np.array(branch, np.int32),
            np.array(targets, np.int32),
            np.array(parts, np.float32),
            np.array(is_verdict),
            words,
        )
        return columns, table

    def _counts(self) -> jax.Array:
        """`f32[3]`: what a verdict counts: a third over its share of all."""

        @jax.jit
        def share(key: chex.PRNGKey) -> jax.Array:
            bank = self.sample(key, COUNTED // self.states, "train")
            keys = jax.random.split(key, COUNTED // self.states)

            def one(key: chex.PRNGKey, instance: jax.Array) -> tuple[jax.Array, jax.Array]:
                states, verdicts = self.draw(key, bank, instance, self.states)
                return verdicts, jax.vmap(self.env.action_mask, (0, None))(states, bank)

            verdicts, legal = jax.lax.map(lambda x: one(*x), (keys, jnp.arange(len(keys))))
            said = verdicts[..., None] == jnp.array([GOOD, UNSURE, BAD])[None, None, None]
            return jnp.sum(said & legal[..., None], axis=(0, 1, 2)) / jnp.sum(legal)

        found = share(jax.random.key(0))
        return jnp.where(found > 0, 1 / (3 * jnp.maximum(found, RAREST)), 0.0)


WAYS = ("met by a demonstrator", "met by random play", "anyhow")
"""How states are drawn."""


def _met(
    env: TextEnv[Any, Any],
    says: Callable[[Any], jax.Array],
    horizon: int,
    params: TextEnvParams,
    instance: jax.Array,
    key: chex.PRNGKey,
    random: jax.Array,
) -> Any:
    """One of the states of an episode, each as likely, of somebody who does what is judged best.

    Args:
        env: The world.
        says: The verdicts on a state's actions.
        horizon: Steps after which the episode is left.
        params: The bank.
        instance: `i32[]`
        key: Random key.
        random: `f32[]`: share of random legal actions.
    """
    key_start, key_chance, key_acts, key_steps = jax.random.split(key, 4)
    start = env.initial_state(key_start, instance, params)
    words = jnp.asarray(env.action_words) if env.is_continuous else None
    chances = jax.random.uniform(key_chance, (horizon, 2))
    noise = jax.random.gumbel(key_acts, (horizon, env.num_actions))

    def step(carry: tuple[Any, Any, jax.Array], x: Any) -> tuple[Any, None]:
        state, kept, over = carry
        i, (keeping, mixing), own, key = x
        # Of the i + 1 states so far, each is kept with the same probability.
        keep = ~over & (keeping * (i + 1) < 1)
        kept = jax.tree.map(lambda new, old: jnp.where(keep, new, old), state, kept)
        legal, found = env.action_mask(state, params), says(state)
        best = legal & (found == jnp.max(jnp.where(legal, found, -jnp.inf)))
        among = jnp.where(mixing < random, legal, best)
        index = jnp.argmax(jnp.where(among, own, -jnp.inf))
        _, after, _, ended, _ = env.step_env(
            key, state, index if words is None else words[index], params
        )
        state = jax.tree.map(lambda new, old: jnp.where(over | ended, old, new), after, state)
        return (state, kept, over | ended), None

    steps = jnp.arange(horizon), chances, noise, jax.random.split(key_steps, horizon)
    (_, kept, _), _ = jax.lax.scan(step, (start, start, jnp.bool_(False)), steps)
    return dataclasses.replace(kept, time=jnp.zeros_like(kept.time))
