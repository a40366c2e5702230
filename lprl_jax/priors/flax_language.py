"""FlaxLanguagePrior: a Flax model of transformers scores every action's text.

The slow path, for the families that `LanguagePrior`'s decoder does not run: every state with every
action is a sequence of its own, since transformers' modules share no prefix and take no tree mask.
The numbers mean the same.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import TextEnv, TextEnvParams
from lprl_envs.short_repr import short_repr

from lprl_jax.lm import flax_models, token_table
from lprl_jax.lm.flax_models import FlaxModel
from lprl_jax.lm.scoring import Answers, every_pair
from lprl_jax.lm.token_table import TokenTable
from lprl_jax.priors import wordings
from lprl_jax.priors.base import Counters, evaluate_where_needed, normalize, require_world
from lprl_jax.priors.fingerprint import Fingerprint
from lprl_jax.priors.options import (
    Prompt,
    check_options,
    divisor_of,
    fingerprint_of,
    render_bank,
    settings_of,
)
from lprl_jax.priors.wordings import Wording


class FlaxLanguagePriorParams(NamedTuple):
    """Arguments of the compiled functions; M instances in the bank."""

    weights: Any
    """Of the model."""
    prefix: jax.Array
    """i32[M, P]: tokens of each instance's text."""
    prefix_valid: jax.Array
    """bool[M, P]"""
    fingerprint: Fingerprint
    """What they are of."""


@dataclasses.dataclass(frozen=True, eq=False)
class FlaxLanguagePrior:
    """A frozen Flax model of transformers as a prior; make one with `from_pretrained`."""

    __repr__ = short_repr

    env: TextEnv[Any, Any]
    """Writes the texts."""
    model: FlaxModel
    """Scores them."""
    prompt: Prompt
    """The environment's template, in a wording."""
    table: TokenTable
    """The prompt's template for the model's tokenizer."""
    answers: Answers
    """The action texts, each with its end."""
    divisor: np.ndarray
    """f32[A]: what a log-likelihood is divided by."""
    normalization: str
    """`"sum"`, `"token"` or `"word"`."""
    end_of_action: str
    """What ends an action's text."""
    chunk: int
    """States that are run at a time, each with every action."""
    params: FlaxLanguagePriorParams
    """Weights, and the texts of a bank."""

    @staticmethod
    def from_pretrained(
        path: str | Path,
        env: TextEnv[Any, Any],
        env_params: TextEnvParams | None = None,
        *,
        wording: Wording | str | Path = "bare",
        normalization: str = "sum",
        end_of_action: str = "\n",
        chunk: int = 16,
    ) -> FlaxLanguagePrior:
        """A prior from a Hugging Face directory.

        Args:
            path: The directory.
            env: The environment.
            env_params: Its bank of instances; default, the environment's own.
            wording: As for `LanguagePrior`.
            normalization: As for `LanguagePrior`.
            end_of_action: As for `LanguagePrior`.
            chunk: States that are run through the model at a time, each action as a sequence.

        Raises:
            InvalidInput: if there is no such model, transformers' Flax code would get it wrong, its
                tokenizer cannot render the template piece by piece, texts are longer than its
                context, or an argument is out of range.
        """
        check_options(normalization, chunk, end_of_action)
        require_world(env, env_params)
        model = flax_models.load_decoder(path)
        texts = [text + end_of_action for text in env.action_texts]
        prompt = wordings.prompt_of(wording, env, model.tokenizer)
        table = token_table.compile(prompt.template, texts, model.tokenizer)
        answers = Answers.build(table.answers)
        bank = env.default_params if env_params is None else env_params
        return FlaxLanguagePrior(
            env=env,
            model=model,
            prompt=prompt,
            table=table,
            answers=answers,
            divisor=divisor_of(normalization, env, table),
            normalization=normalization,
            end_of_action=end_of_action,
            chunk=chunk,
            params=_with_texts(model, model.params, prompt, table, answers, env, bank),
        )

    def with_bank(self, env_params: TextEnvParams) -> FlaxLanguagePrior:
        """The same prior for another bank of instances."""
        require_world(self.env, env_params)
        texts = self.prompt, self.table, self.answers, self.env, env_params
        params = _with_texts(self.model, self.params.weights, *texts)
        return dataclasses.replace(self, params=params)

    @property
    def name(self) -> str:
        """That of the model's directory."""
        return self.model.name

    @property
    def settings(self) -> dict[str, Any]:
        """What a table of this prior records of it."""
        asked = self.prompt, self.normalization, self.end_of_action
        return settings_of(self.model, self.env, *asked)

    def init(self) -> Counters:
        """Nothing asked yet."""
        return Counters.zero()

    def log_probs(
        self,
        params: FlaxLanguagePriorParams,
        carry: Counters,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """See `Prior.log_probs`. Every needed row is run: nothing is remembered."""
        legal = jax.vmap(self.env.action_mask, in_axes=(0, None))(env_state, env_params)

        def evaluate(states: Any) -> jax.Array:
            return self._scores(params, states, env_params)

        scores = evaluate_where_needed(
            evaluate, env_state, needed, self.chunk, self.env.num_actions
        )
        return normalize(scores / self.divisor[None], legal), carry.after_running(needed)

    def _scores(self, params: FlaxLanguagePriorParams, states: Any, env_params: Any) -> jax.Array:
        """Log-likelihoods `f32[B, A]` of the actions of B states."""
        slots = jax.vmap(self.env.slots, in_axes=(0, None))(states, env_params)
        suffix, suffix_valid = jax.vmap(self.table.suffix.render)(slots)
        tokens = jnp.concatenate([params.prefix[states.instance], suffix], axis=1)
        valid = jnp.concatenate([params.prefix_valid[states.instance], suffix_valid], axis=1)
        # Some models measure distances in columns, so a text has no holes; it ends where an
        # answer begins.
        tokens, valid = jax.vmap(token_table.compact_right, in_axes=(0, 0, None))(
            tokens, valid, tokens.shape[1]
        )
        pairs = (
            every_pair(tokens, self.answers.tokens[:, :-1]),
            every_pair(valid, self.answers.valid[:, :-1]),
        )
        nats = flax_models.logits(
            self.model.module,
            params.weights,
            *(part.reshape(-1, part.shape[-1]) for part in pairs),
            columns=self.answers.tokens.shape[1],
        )
        nats = jax.nn.log_softmax(nats).reshape(len(tokens), *self.answers.tokens.shape, -1)
        target = jnp.asarray(self.answers.tokens)[None, ..., None]
        chosen = jnp.take_along_axis(nats, target, axis=-1)[..., 0]
        return jnp.sum(chosen, axis=-1, where=self.answers.valid[None])


def _with_texts(
    model: FlaxModel,
    weights: Any,
    prompt: Prompt,
    table: TokenTable,
    answers: Answers,
    env: TextEnv[Any, Any],
    env_params: TextEnvParams,
) -> FlaxLanguagePriorParams:
    """Weights and the bank's texts, which fit the model."""
    prefix, prefix_valid = render_bank(table, env, env_params)
    columns = prefix.shape[1] + len(table.suffix.slot) + answers.tokens.shape[1] - 1
    model.require_fits(columns, table.prefix.tokens, table.suffix.tokens, answers.tokens)
    made_for = fingerprint_of(model, env, env_params, prompt)
    return FlaxLanguagePriorParams(weights, prefix, prefix_valid, made_for)
