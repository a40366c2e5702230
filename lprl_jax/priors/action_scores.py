"""How likely every action's text is behind a state's text, by a decoder whose weights are given.

What a frozen prior and a policy that is fine-tuned share: the texts as tokens, the actions packed
behind them, and from log-likelihoods to log-probabilities. All of it can be differentiated.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import TextEnv, TextEnvParams

from lprl_jax.lm import decoder, scoring, token_table
from lprl_jax.lm.checkpoint import LanguageModel, require_fits
from lprl_jax.lm.decoder import DecoderConfig, KeyValues
from lprl_jax.lm.scoring import Answers, Scores, Trie
from lprl_jax.lm.token_table import TokenTable
from lprl_jax.priors import wordings
from lprl_jax.priors.base import normalize
from lprl_jax.priors.options import Prompt, divisor_of, render_bank
from lprl_jax.priors.wordings import Wording

INSTANCES = 16
"""Texts that are run at a time when those of many instances are encoded."""
STATES = 4_096
"""States that are rendered at a time when the longest is looked for."""


class Prefix(NamedTuple):
    """Keys and values of the texts of M instances, which begin alike."""

    shared: KeyValues
    """`[L, C, K, H]`: of what they begin with; a long wording is there once."""
    own: KeyValues
    """`[L, M, P - C, K, H]`: of the rest of each."""


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Width:
    """Columns that a bank's states are read in; part of a program's shape, as an array's is."""

    columns: int
    """Enough for the longest text of a state."""


@dataclasses.dataclass(frozen=True, eq=False)
class ActionScorer:
    """An environment's states and actions as one model reads them."""

    env: TextEnv[Any, Any]
    """Writes the texts."""
    config: DecoderConfig
    """Of the model."""
    prompt: Prompt
    """The environment's template, in a wording."""
    table: TokenTable
    """The prompt's template for the model's tokenizer."""
    answers: Trie | Answers
    """The action texts, each with its end: as a trie, or where few actions are legal, as rows."""
    divisor: np.ndarray
    """f32[A]: what a log-likelihood is divided by."""

    @staticmethod
    def of(
        model: LanguageModel,
        env: TextEnv[Any, Any],
        normalization: str,
        end_of_action: str,
        wording: Wording | str | Path = "bare",
    ) -> ActionScorer:
        """For a model; the options are those of `LanguagePrior.from_pretrained`."""
        prompt = wordings.prompt_of(wording, env, model.tokenizer)
        texts = [text + end_of_action for text in env.action_texts]
        table = token_table.compile(prompt.template, texts, model.tokenizer)
        divisor = divisor_of(normalization, env, table)
        answers = _pack(table.answers, env.max_legal)
        return ActionScorer(env, model.config, prompt, table, answers, divisor)

    def render(self, name: str, env_params: TextEnvParams) -> tuple[jax.Array, jax.Array]:
        """Tokens `i32[M, P]` and validity of every instance's text.

        Raises:
            InvalidInput: if a token is not in the vocabulary of the model of that name, or a
                state's text, with the longest answer behind it, may be longer than what it reads.
        """
        prefix, valid = render_bank(self.table, self.env, env_params)
        answers = self.table.answers
        columns = prefix.shape[1] + len(self.table.suffix.slot) + max(map(len, answers)) - 1
        tokens = self.table.prefix.tokens, self.table.suffix.tokens, np.concatenate(answers)
        c = self.config
        require_fits(name, c.vocab_size, c.max_position_embeddings, columns, *tokens)
        return prefix, valid

    @property
    def begins_with(self) -> int:
        """C: tokens that all texts of all instances begin with, whatever their slots hold."""
        literal = self.table.suffix.slot[-1]  # the last segment is one
        return int(np.cumprod(self.table.prefix.slot == literal).sum())

    def measure(self, env_params: TextEnvParams) -> Width:
        """The width of a bank's states, each of which is looked at.

        A template has a column for every token that a slot may have, and few states have them all.
        Where states are not numbered, and where none is shorter, all columns are kept.
        """
        suffix, env = self.table.suffix, self.env
        sizes = [*(len(slot.values) for slot in self.prompt.template.slots), 1]
        columns = zip(suffix.valid, suffix.slot, strict=True)
        if env.num_states is None or all(row[: sizes[slot]].all() for row, slot in columns):
            return Width(len(suffix.slot))
        num_instances = jax.tree.leaves(env_params.bank)[0].shape[0]
        longest = _longest(self, env.num_states, num_instances, env_params)
        return Width(int(longest))

    def encode(self, weights: Any, tokens: jax.Array, valid: jax.Array) -> Prefix:
        """Keys and values of texts `[M, P]`, some of them at a time.

        As `decoder.encode_prefix`; attention scores `[M, heads, P, P]` are of a chunk only.
        """
        common = self.begins_with
        return _encode(self.config, min(INSTANCES, len(tokens)), common, weights, tokens, valid)

    def read_states(
        self, states: Any, env_params: Any, width: Width | None = None
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """What B states read behind their instance's text, in so many columns.

        Args:
            states: B of them.
            env_params: Of the environment.
            width: What `measure` found for the bank; all columns, where it is not given.

        Returns:
            Tokens `i32[B, T]` and validity `bool[B, T]`, the last column valid; and `bool[B]`,
            whether a text is not cut, as it is if it is longer than all that were measured.
        """
        slots = jax.vmap(self.env.slots, in_axes=(0, None))(states, env_params)
        tokens, valid = jax.vmap(self.table.suffix.render)(slots)
        if width is None or width.columns >= tokens.shape[1]:
            return tokens, valid, jnp.ones(len(tokens), bool)
        compact = functools.partial(token_table.compact_right, width=width.columns)
        return *jax.vmap(compact)(tokens, valid), jnp.sum(valid, axis=1) <= width.columns

    def score(
        self,
        weights: Any,
        prefix: Prefix,
        prefix_valid: jax.Array,
        rows: jax.Array,
        states: Any,
        env_params: Any,
        width: Width | None = None,
    ) -> Scores:
        """Log-likelihoods of the actions, and the read-out.

        Args:
            weights: Of the model.
            prefix: Of the instances' texts.
            prefix_valid: `bool[M, P]`
            rows: `i32[B]`: which of these texts each state stands behind.
            states: B of them.
            env_params: Of the environment.
            width: What `measure` found for the bank; all columns, where it is not given.

        Returns:
            `f32[B, A]` and `f32[B, D]`. No text is cut: a state that is longer than all that were
            measured, which an environment that numbers its states does not have, gets NaN.
        """
        tokens, valid, fits = self.read_states(states, env_params, width)
        # One text: every state is behind the same prefix. Otherwise each has its own.
        alone = prefix_valid.shape[0] == 1
        axis = 0 if alone else 1

        def arrange(x: jax.Array) -> jax.Array:
            return jnp.expand_dims(x, axis)

        tokens, valid = arrange(tokens), arrange(valid)
        prefix_valid = prefix_valid[:, prefix.shared.keys.shape[1] :]
        texts = self.config, weights, prefix.own, prefix_valid, tokens, valid
        # What all answers are lowered by cancels, unless they are divided by different lengths.
        alike = np.ptp(self.divisor) == 0
        normalizer = scoring.of_later_tokens if alike else scoring.of_all_tokens
        behind = normalizer, None if alone else rows, prefix.shared
        if isinstance(self.answers, Trie):
            found = scoring.score(*texts, self.answers, *behind)
            scores, readout = (x.reshape(-1, x.shape[-1]) for x in found)
            return Scores(jnp.where(fits[:, None], scores, jnp.nan), readout)
        legal = self._legal(states, env_params)
        _, chosen = jax.lax.top_k(legal.astype(jnp.int32), self.env.max_legal)
        scores, readout = scoring.score_chosen(*texts, self.answers, arrange(chosen), *behind)
        own = jnp.arange(len(chosen), dtype=jnp.int32)[:, None]
        scores = (
            jnp.zeros(legal.shape, jnp.float32).at[own, chosen].set(scores.reshape(chosen.shape))
        )
        scores = jnp.where(fits[:, None], scores, jnp.nan)
        return Scores(scores, readout.reshape(len(chosen), -1))

    @property
    def num_branches(self) -> int:
        """Tokens of answers that are run behind a state's text."""
        if isinstance(self.answers, Trie):
            return len(self.answers.tokens)
        return self.env.max_legal * (self.answers.tokens.shape[1] - 1)

    def normalize(self, scores: jax.Array, states: Any, env_params: Any) -> jax.Array:
        """Log-likelihoods `[B, A]` to log-probabilities of the legal actions."""
        return normalize(scores / self.divisor[None], self._legal(states, env_params))

    def _legal(self, states: Any, env_params: Any) -> jax.Array:
        """`bool[B, A]`"""
        return jax.vmap(self.env.action_mask, in_axes=(0, None))(states, env_params)


def _pack(answers: Sequence[Sequence[int]], max_legal: int) -> Trie | Answers:
    """Whichever costs fewer tokens a text."""
    trie, rows = Trie.build(answers), Answers.build(answers)
    own = max_legal * (rows.tokens.shape[1] - 1)
    return rows if own < len(trie.tokens) else trie


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _longest(
    scorer: ActionScorer, num_states: int, num_instances: int, env_params: Any
) -> jax.Array:
    """Of all states of a bank, the largest number of tokens."""

    def length(place: jax.Array) -> jax.Array:
        state = scorer.env.state_at(place // num_states, place % num_states, env_params)
        return jnp.sum(scorer.table.suffix.render(scorer.env.slots(state, env_params))[1])

    places = jnp.arange(num_instances * num_states, dtype=jnp.int32)
    return jnp.max(jax.lax.map(length, places, batch_size=min(STATES, len(places))))


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _encode(
    config: DecoderConfig,
    chunk: int,
    common: int,
    weights: Any,
    tokens: jax.Array,
    valid: jax.Array,
) -> Prefix:
    """See `ActionScorer.encode`; the first `common` tokens are those of all."""
    count = len(tokens)
    begin = decoder.encode_prefix(config, weights, tokens[:1, :common], valid[:1, :common])
    shared = jax.tree.map(lambda x: x[:, 0], begin)
    rows = [jnp.pad(x[:, common:], [(0, -count % chunk), (0, 0)]) for x in (tokens, valid)]
    rows = [x.reshape(len(x) // chunk, chunk, x.shape[1]) for x in rows]
    encode = functools.partial(decoder.encode_prefix, config, weights)
    found = jax.lax.map(lambda x: encode(x[0], x[1], shared), rows)

    def join(x: jax.Array) -> jax.Array:
        x = jnp.moveaxis(x, 0, 1)  # layers first
        return x.reshape(x.shape[0], len(x[0]) * chunk, *x.shape[3:])[:, :count]

    return Prefix(shared, jax.tree.map(join, found))
