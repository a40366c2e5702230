"""How likely every action's text is behind a state's text, by a decoder whose weights are given.

What a frozen prior and a policy that is fine-tuned share: the texts as tokens, the actions packed
behind them, and from log-likelihoods to log-probabilities. All of it can be differentiated.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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

    def encode(self, weights: Any, tokens: jax.Array, valid: jax.Array) -> KeyValues:
        """Keys and values `[L, M, P, K, H]` of texts `[M, P]`, some of them at a time.

        As `decoder.encode_prefix`; attention scores `[M, heads, P, P]` are of a chunk only.
        """
        return _encode(self.config, min(INSTANCES, len(tokens)), weights, tokens, valid)

    def score(
        self,
        weights: Any,
        prefix: KeyValues,
        prefix_valid: jax.Array,
        rows: jax.Array,
        states: Any,
        env_params: Any,
    ) -> Scores:
        """Log-likelihoods of the actions, and the read-out.

        Args:
            weights: Of the model.
            prefix: `[L, M, P, K, H]`: of the instances' texts.
            prefix_valid: `bool[M, P]`
            rows: `i32[B]`: which of these texts each state stands behind.
            states: B of them.
            env_params: Of the environment.

        Returns:
            `f32[B, A]` and `f32[B, D]`.
        """
        slots = jax.vmap(self.env.slots, in_axes=(0, None))(states, env_params)
        # One text: every state is behind the same prefix. Otherwise each has its own.
        axis = 0 if prefix_valid.shape[0] == 1 else 1

        def arrange(x: jax.Array) -> jax.Array:
            return jnp.expand_dims(x, axis)

        tokens, valid = map(arrange, jax.vmap(self.table.suffix.render)(slots))
        if axis == 1:
            prefix = jax.tree.map(lambda x: x[:, rows], prefix)
            prefix_valid = prefix_valid[rows]
        texts = self.config, weights, prefix, prefix_valid, tokens, valid
        # What all answers are lowered by cancels, unless they are divided by different lengths.
        alike = np.ptp(self.divisor) == 0
        normalizer = scoring.of_later_tokens if alike else scoring.of_all_tokens
        if isinstance(self.answers, Trie):
            found = scoring.score(*texts, self.answers, normalizer)
            return jax.tree.map(lambda x: x.reshape(-1, x.shape[-1]), found)
        legal = self._legal(states, env_params)
        _, chosen = jax.lax.top_k(legal.astype(jnp.int32), self.env.max_legal)
        scores, readout = scoring.score_chosen(*texts, self.answers, arrange(chosen), normalizer)
        own = jnp.arange(len(chosen), dtype=jnp.int32)[:, None]
        scores = (
            jnp.zeros(legal.shape, jnp.float32).at[own, chosen].set(scores.reshape(chosen.shape))
        )
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


@functools.partial(jax.jit, static_argnums=(0, 1))
def _encode(
    config: DecoderConfig, chunk: int, weights: Any, tokens: jax.Array, valid: jax.Array
) -> KeyValues:
    """See `ActionScorer.encode`."""
    count = len(tokens)
    rows = [jnp.pad(x, [(0, -count % chunk), (0, 0)]) for x in (tokens, valid)]
    rows = [x.reshape(-1, chunk, x.shape[1]) for x in rows]
    found = jax.lax.map(lambda x: decoder.encode_prefix(config, weights, *x), rows)

    def join(x: jax.Array) -> jax.Array:
        x = jnp.moveaxis(x, 0, 1)  # layers first
        return x.reshape(x.shape[0], -1, *x.shape[3:])[:, :count]

    return jax.tree.map(join, found)
