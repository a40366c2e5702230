"""How likely every action's text is behind a state's text, by a decoder whose weights are given.

What a frozen prior and a policy that is fine-tuned share: the texts as tokens, the actions packed
behind them, and from log-likelihoods to log-probabilities. All of it can be differentiated.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import TextEnv, TextEnvParams
from lprl_envs.short_repr import short_repr

from lprl_jax.lm import scoring, taught, token_table
from lprl_jax.lm.checkpoint import LanguageModel, require_fits
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.lm.scoring import Answers, Scores, Trie
from lprl_jax.lm.token_table import TokenTable
from lprl_jax.priors import wordings
from lprl_jax.priors.base import evaluate_where_needed, normalize
from lprl_jax.priors.options import Prompt, divisor_of
from lprl_jax.priors.reading import Prefix, Reader, Width
from lprl_jax.priors.sizes import Size, sizes_of
from lprl_jax.priors.wordings import Wording


@dataclasses.dataclass(frozen=True, eq=False)
class ActionScorer:
    """An environment's states and actions as one model reads them."""

    __repr__ = short_repr

    reader: Reader
    """Reads the states."""
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
        of = f"{env.name}, wording {prompt.wording!r}"
        taught.warn_if_strange(model.name, model.taught, table, of)
        divisor = divisor_of(normalization, env, table)
        answers = _pack(table.answers, env.max_legal)
        reader = Reader(env, model.config, prompt, table)
        return ActionScorer(reader, answers, divisor)

    @property
    def env(self) -> TextEnv[Any, Any]:
        """Writes the texts."""
        return self.reader.env

    @property
    def config(self) -> DecoderConfig:
        """Of the model."""
        return self.reader.config

    @property
    def prompt(self) -> Prompt:
        """The environment's template, in a wording."""
        return self.reader.prompt

    @property
    def table(self) -> TokenTable:
        """The prompt's template for the model's tokenizer."""
        return self.reader.table

    def render(self, name: str, env_params: TextEnvParams) -> tuple[jax.Array, jax.Array]:
        """Tokens `i32[M, P]` and validity of every instance's text.

        Raises:
            InvalidInput: if a token is not in the vocabulary of the model of that name, or a
                state's text, with the longest answer behind it, may be longer than what it reads.
        """
        prefix, valid = self.reader.render(env_params)
        answers = self.table.answers
        columns = prefix.shape[1] + len(self.table.suffix.slot) + max(map(len, answers)) - 1
        tokens = self.table.prefix.tokens, self.table.suffix.tokens, np.concatenate(answers)
        c = self.config
        require_fits(name, c.vocab_size, c.max_position_embeddings, columns, *tokens)
        return prefix, valid

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
            width: What `Reader.measure` found for the bank; all columns, where it is not given.

        Returns:
            `f32[B, A]` and `f32[B, D]`. No text is cut: a state that is longer than all that were
            measured, which an environment that numbers its states does not have, gets NaN.
        """
        slots, legal = self.reader.slots_of(states, env_params), self._legal(states, env_params)
        return self.score_slots(weights, prefix, prefix_valid, rows, slots, legal, width)

    def score_slots(
        self,
        weights: Any,
        prefix: Prefix,
        prefix_valid: jax.Array,
        rows: jax.Array,
        slots: jax.Array,
        legal: jax.Array,
        width: Width | None = None,
        nodes: int | None = None,
    ) -> Scores:
        """As `score`, of texts by their slots, whether or not states have them.

        Here `slots` are `i32[B, num_slots]`, of which those of the instance are read in `prefix`;
        and `legal`, `bool[B, A]`, are the actions that count, `env.max_legal` at most. `nodes` are
        tokens of answers in rows, enough for these; by default, for any.
        """
        tokens, valid, fits = self.reader.read_slots(slots, width)
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
        counts, chosen = jax.lax.top_k(legal.astype(jnp.int32), self.env.max_legal)
        some = arrange(counts > 0), self.num_branches if nodes is None else nodes
        scores, readout = scoring.score_chosen(
            *texts, self.answers, arrange(chosen), *behind, *some
        )
        own = jnp.arange(len(chosen), dtype=jnp.int32)[:, None]
        scores = (
            jnp.zeros(legal.shape, jnp.float32).at[own, chosen].set(scores.reshape(chosen.shape))
        )
        scores = jnp.where(fits[:, None], scores, jnp.nan)
        return Scores(scores, readout.reshape(len(chosen), -1))

    def sizes(self, width: Width | None = None) -> tuple[Size, ...]:
        """In which states are read; one where they are numbered, and their width was measured."""
        columns = len(self.table.suffix.slot)
        largest = Size(columns if width is None else width.columns, self.num_branches)
        if self.env.num_states is not None:
            return (largest,)
        return sizes_of(largest, self.reader.shortest, isinstance(self.answers, Answers))

    def place_of(self, slots: jax.Array, legal: jax.Array, sizes: Sequence[Size]) -> jax.Array:
        """`i32[B]`: the smallest of some sizes that each row fits in; the last one fits all."""
        columns = jnp.asarray([size.columns for size in sizes[:-1]], jnp.int32)
        place = jnp.sum(self.reader.lengths_of(slots)[:, None] > columns[None], axis=1)
        if isinstance(self.answers, Answers):
            nodes = jnp.asarray([size.nodes for size in sizes[:-1]], jnp.int32)
            run = jnp.sum(jnp.where(legal, jnp.asarray(self.answers.nodes)[None], 0), axis=1)
            place = jnp.maximum(place, jnp.sum(run[:, None] > nodes[None], axis=1))
        return place.astype(jnp.int32)

    def score_narrow(
        self,
        weights: Any,
        prefix: Prefix,
        prefix_valid: jax.Array,
        rows: jax.Array,
        slots: jax.Array,
        legal: jax.Array,
        width: Width | None = None,
    ) -> Scores:
        """As `score_slots`, in the smallest size that all B rows fit in.

        It is chosen in the graph: a `switch`, which is not to be mapped over (it would run every
        size), and is not worth differentiating.
        """
        asked = weights, prefix, prefix_valid, rows, slots, legal
        sizes = self.sizes(width)
        if len(sizes) == 1:
            return self.score_slots(*asked, width)

        def program(size: Size) -> Callable[..., Scores]:
            return functools.partial(self.score_slots, width=Width(size.columns), nodes=size.nodes)

        place = jnp.max(self.place_of(slots, legal, sizes))
        return jax.lax.switch(place, [program(size) for size in sizes], *asked)

    def evaluate(
        self,
        weights: Any,
        behind: tuple[Prefix, jax.Array],
        states: Any,
        env_params: Any,
        needed: jax.Array,
        chunk: int,
        width: Width | None = None,
        with_readout: bool = False,
    ) -> jax.Array:
        """Log-likelihoods `f32[B, A]` of the needed states, `chunk` at a time.

        Behind them, `[B, A + D]`, the read-out, if asked for. All is 0 where a row is not needed.
        Texts of a size are run together, the widest first.
        """
        slots, legal = self.reader.slots_of(states, env_params), self._legal(states, env_params)
        asked = states.instance, slots, legal
        return self._by_size(weights, behind, asked, needed, chunk, width, with_readout)

    def score_texts(
        self,
        weights: Any,
        behind: tuple[Prefix, jax.Array],
        rows: jax.Array,
        slots: jax.Array,
        needed: jax.Array,
        chunk: int,
        width: Width | None = None,
    ) -> jax.Array:
        """Log-likelihoods `f32[B, N]` of all N answers, `chunk` texts at a time.

        They are 0 where a row is not `needed`, and NaN as in `score`. The other arguments are those
        of `score_slots`; `behind` are the prefix and its validity. Of answers in rows, all must
        count: `env.max_legal` is A.
        """
        every = jnp.ones((len(slots), len(self.divisor)), bool)
        return self._by_size(weights, behind, (rows, slots, every), needed, chunk, width)

    def _by_size(
        self,
        weights: Any,
        behind: tuple[Prefix, jax.Array],
        texts: tuple[jax.Array, jax.Array, jax.Array],
        needed: jax.Array,
        chunk: int,
        width: Width | None,
        with_readout: bool = False,
    ) -> jax.Array:
        """See `evaluate`, of texts by their rows, slots and legal actions."""

        def evaluate(own: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
            found = self.score_narrow(weights, *behind, *own, width)
            return jnp.concatenate(found, axis=1) if with_readout else found.log_likelihoods

        sizes = self.sizes(width)
        rank = None if len(sizes) == 1 else -self.place_of(*texts[1:], sizes)
        columns = len(self.divisor) + with_readout * self.config.hidden_size
        return evaluate_where_needed(evaluate, texts, needed, chunk, columns, rank=rank)

    @property
    def num_branches(self) -> int:
        """Tokens of answers that are run behind a state's text; where they are rows, at most."""
        if isinstance(self.answers, Trie):
            return len(self.answers.tokens)
        return self.answers.most_nodes(self.env.max_legal)

    def normalize(self, scores: jax.Array, states: Any, env_params: Any) -> jax.Array:
        """Log-likelihoods `[B, A]` to log-probabilities of the legal actions."""
        return normalize(scores / self.divisor[None], self._legal(states, env_params))

    def _legal(self, states: Any, env_params: Any) -> jax.Array:
        """`bool[B, A]`"""
        return jax.vmap(self.env.action_mask, in_axes=(0, None))(states, env_params)


def _pack(answers: Sequence[Sequence[int]], max_legal: int) -> Trie | Answers:
    """Whichever costs fewer tokens a text."""
    trie, rows = Trie.build(answers), Answers.build(answers)
    return rows if rows.most_nodes(max_legal) < len(trie.tokens) else trie
