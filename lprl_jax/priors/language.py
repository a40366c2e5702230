"""LanguagePrior: a language model scores every action's text, exactly, inside the graph.

The prior of an action is the likelihood of its text behind the state's text ("p_dist" of Efficient
Reinforcement Learning with Large Language Model Priors, arXiv 2410.07927), normalised over the
legal actions. The text is rendered as tokens in the graph; what the states of an instance share is
run through the model once and kept as keys and values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from lprl_envs import TextEnv, TextEnvParams

from lprl_jax.lm import decoder, embedded, scoring, token_table
from lprl_jax.lm.checkpoint import LanguageModel, load, require_fits
from lprl_jax.lm.decoder import DecoderConfig, KeyValues
from lprl_jax.lm.scoring import Answers, Scores, Trie
from lprl_jax.lm.token_table import TokenTable
from lprl_jax.priors.base import Counters, evaluate_where_needed, normalize
from lprl_jax.priors.wording import check_options, divisor_of, render_bank, settings_of

INSTANCES = 16
"""Texts that are run at a time when a bank is encoded."""


class LanguagePriorParams(NamedTuple):
    """Arguments of the compiled functions; M instances in the bank."""

    weights: Any
    """Of the model."""
    prefix: KeyValues
    """`[L, M, P, K, H]`: keys and values of each instance's text."""
    prefix_valid: jax.Array
    """bool[M, P]"""


@dataclasses.dataclass(frozen=True, eq=False)
class LanguagePrior:
    """A frozen language model as a prior; make one with `from_pretrained`."""

    env: TextEnv[Any, Any]
    """Writes the texts."""
    model: LanguageModel
    """Scores them."""
    table: TokenTable
    """The environment's template for the model's tokenizer."""
    answers: Trie | Answers
    """The action texts, each with its end: as a trie, or where few actions are legal, as rows."""
    divisor: np.ndarray
    """f32[A]: what a log-likelihood is divided by."""
    normalization: str
    """`"sum"`, `"token"` or `"word"`."""
    end_of_action: str
    """What ends an action's text."""
    chunk: int
    """States that are run at a time."""
    params: LanguagePriorParams
    """Weights, and the prefixes of a bank."""

    @staticmethod
    def from_pretrained(
        name: str | Path,
        env: TextEnv[Any, Any],
        env_params: TextEnvParams | None = None,
        *,
        normalization: str = "sum",
        end_of_action: str = "\n",
        chunk: int = 256,
        dtype: Any = jnp.float32,
        mesh: Mesh | None = None,
    ) -> LanguagePrior:
        """A prior from a model's name or directory.

        Args:
            name: `"embedded"`, one of its early versions, or a Hugging Face directory.
            env: The environment.
            env_params: Its bank of instances; default, the environment's own.
            normalization: Of an action's log-likelihood: its `"sum"` over tokens, or that divided
                by its number of tokens (`"token"`) or words (`"word"`).
            end_of_action: What ends an action's text. With it, "go" and "go left" are alternatives;
                without (`""`), every answer that starts with "go" counts for "go".
            chunk: States that are run through the model at a time.
            dtype: Of the weights and of the matrix products.
            mesh: Over whose axis `model` the weights are split; see `checkpoint.load`.

        Raises:
            InvalidInput: if there is no such model, its tokenizer cannot render the template piece
                by piece, or an argument is out of range.
        """
        model = load(embedded.path_of(str(name)), dtype, mesh)
        return LanguagePrior.of_model(
            model._replace(name=str(name)) if name in embedded.MODELS else model,
            env,
            env_params,
            normalization=normalization,
            end_of_action=end_of_action,
            chunk=chunk,
        )

    @staticmethod
    def of_model(
        model: LanguageModel,
        env: TextEnv[Any, Any],
        env_params: TextEnvParams | None = None,
        *,
        normalization: str = "sum",
        end_of_action: str = "\n",
        chunk: int = 256,
    ) -> LanguagePrior:
        """As `from_pretrained`, of a model at hand."""
        check_options(normalization, chunk)
        answers = [text + end_of_action for text in env.action_texts]
        table = token_table.compile(env.template, answers, model.tokenizer)
        bank = env.default_params if env_params is None else env_params
        return LanguagePrior(
            env=env,
            model=model,
            table=table,
            answers=_pack(table.answers, env.max_legal),
            divisor=divisor_of(normalization, env, table),
            normalization=normalization,
            end_of_action=end_of_action,
            chunk=chunk,
            params=encode_bank(model, table, env, bank),
        )

    def with_bank(self, env_params: TextEnvParams) -> LanguagePrior:
        """The same prior for another bank of instances."""
        model = self.model._replace(params=self.params.weights)
        return dataclasses.replace(
            self, params=encode_bank(model, self.table, self.env, env_params)
        )

    @property
    def name(self) -> str:
        """The embedded model's, or that of the model's directory."""
        return self.model.name

    @property
    def settings(self) -> dict[str, str]:
        """What a table of this prior records of it."""
        return settings_of(self.model, self.normalization, self.end_of_action)

    @property
    def feature_shape(self) -> tuple[int]:
        """Size of the model's hidden states."""
        return (self.model.config.hidden_size,)

    def init(self) -> Counters:
        """Nothing asked yet."""
        return Counters.zero()

    def log_probs(
        self,
        params: LanguagePriorParams,
        carry: Counters,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """See `Prior.log_probs`. Every needed row is run: nothing is remembered."""

        def evaluate(states: Any) -> jax.Array:
            return self._scores(params, states, env_params).log_likelihoods

        width = self.env.num_actions
        scores = evaluate_where_needed(evaluate, env_state, needed, self.chunk, width)
        return self._normalize(scores, env_state, env_params), carry.after_running(needed)

    def log_probs_and_features(
        self,
        params: LanguagePriorParams,
        carry: Counters,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, jax.Array, Counters]:
        """See `FeaturePrior`: the hidden state, behind the last norm, at the text's last token.

        It is the one that an action's first token is predicted from: no further run of the model.
        """

        def evaluate(states: Any) -> jax.Array:
            return jnp.concatenate(self._scores(params, states, env_params), axis=1)

        num_actions = self.env.num_actions
        width = num_actions + self.model.config.hidden_size
        rows = evaluate_where_needed(evaluate, env_state, needed, self.chunk, width)
        log_probs = self._normalize(rows[:, :num_actions], env_state, env_params)
        return log_probs, rows[:, num_actions:], carry.after_running(needed)

    def _normalize(self, scores: jax.Array, env_state: Any, env_params: Any) -> jax.Array:
        """Log-likelihoods `[B, A]` to log-probabilities of the legal actions."""
        legal = jax.vmap(self.env.action_mask, in_axes=(0, None))(env_state, env_params)
        return normalize(scores / self.divisor[None], legal)

    def _scores(self, params: LanguagePriorParams, states: Any, env_params: Any) -> Scores:
        """Log-likelihoods `f32[B, A]` of the actions of B states, and the read-out `f32[B, D]`."""
        env, prefix, prefix_valid = self.env, params.prefix, params.prefix_valid
        slots = jax.vmap(env.slots, in_axes=(0, None))(states, env_params)
        # One instance: every state is behind the same prefix. Otherwise each has its own.
        axis = 0 if prefix_valid.shape[0] == 1 else 1

        def arrange(rows: jax.Array) -> jax.Array:
            return jnp.expand_dims(rows, axis)

        tokens, valid = map(arrange, jax.vmap(self.table.suffix.render)(slots))
        if axis == 1:
            prefix = jax.tree.map(lambda x: x[:, states.instance], prefix)
            prefix_valid = prefix_valid[states.instance]
        texts = self.model.config, params.weights, prefix, prefix_valid, tokens, valid
        # What all answers are lowered by cancels, unless they are divided by different lengths.
        alike = np.ptp(self.divisor) == 0
        normalizer = scoring.of_later_tokens if alike else scoring.of_all_tokens
        if isinstance(self.answers, Trie):
            found = scoring.score(*texts, self.answers, normalizer)
            return jax.tree.map(lambda x: x.reshape(-1, x.shape[-1]), found)
        legal = jax.vmap(env.action_mask, in_axes=(0, None))(states, env_params)
        _, chosen = jax.lax.top_k(legal.astype(jnp.int32), env.max_legal)
        scores, readout = scoring.score_chosen(*texts, self.answers, arrange(chosen), normalizer)
        rows = jnp.arange(len(chosen))[:, None]
        scores = jnp.zeros(legal.shape).at[rows, chosen].set(scores.reshape(chosen.shape))
        return Scores(scores, readout.reshape(len(chosen), -1))


def _pack(answers: Sequence[Sequence[int]], max_legal: int) -> Trie | Answers:
    """Whichever costs fewer tokens a text."""
    trie, rows = Trie.build(answers), Answers.build(answers)
    own = max_legal * (rows.tokens.shape[1] - 1)
    return rows if own < len(trie.tokens) else trie


def encode_bank(
    model: LanguageModel, table: TokenTable, env: TextEnv[Any, Any], env_params: TextEnvParams
) -> LanguagePriorParams:
    """Run every instance's text through the model.

    Raises:
        InvalidInput: if a token is not in its vocabulary, or a state's text, with the longest
            answer behind it, may be longer than what it reads.
    """
    prefix, valid = render_bank(table, env, env_params)
    columns = prefix.shape[1] + len(table.suffix.slot) + max(map(len, table.answers)) - 1
    tokens = table.prefix.tokens, table.suffix.tokens, np.concatenate(table.answers)
    c = model.config
    require_fits(model.name, c.vocab_size, c.max_position_embeddings, columns, *tokens)
    encode, chunk = jax.jit(_encode_in_chunks, static_argnums=(0, 1)), min(INSTANCES, len(prefix))
    return LanguagePriorParams(model.params, encode(c, chunk, model.params, prefix, valid), valid)


def _encode_in_chunks(
    config: DecoderConfig, chunk: int, params: Any, tokens: jax.Array, valid: jax.Array
) -> KeyValues:
    """As `decoder.encode_prefix`; attention scores `[M, heads, P, P]` are of a chunk at a time."""
    count = len(tokens)
    rows = [jnp.pad(x, [(0, -count % chunk), (0, 0)]) for x in (tokens, valid)]
    rows = [x.reshape(-1, chunk, x.shape[1]) for x in rows]
    found = jax.lax.map(lambda x: decoder.encode_prefix(config, params, *x), rows)

    def join(x: jax.Array) -> jax.Array:
        x = jnp.moveaxis(x, 0, 1)  # layers first
        return x.reshape(x.shape[0], -1, *x.shape[3:])[:, :count]

    return jax.tree.map(join, found)
