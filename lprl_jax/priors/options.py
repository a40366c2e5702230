"""How actions end and are weighed, and a bank's texts: what every model's prior shares."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, Template, TextEnv, TextEnvParams, values

from lprl_jax.lm import identity, token_table
from lprl_jax.lm.token_table import TokenTable
from lprl_jax.priors import fingerprint
from lprl_jax.priors.fingerprint import Fingerprint

if TYPE_CHECKING:
    from lprl_jax.lm.checkpoint import LanguageModel
    from lprl_jax.lm.flax_models import FlaxModel

NORMALIZATIONS = ("sum", "token", "word")


def check_options(normalization: str, chunk: int, end_of_action: str) -> None:
    """Raises InvalidInput if one is of another type, or out of range."""
    values.whole("chunk", chunk)
    values.text("end_of_action", end_of_action)
    if normalization not in NORMALIZATIONS:
        raise InvalidInput(
            f"unknown normalization {normalization!r}; valid: {', '.join(NORMALIZATIONS)}"
        )
    if chunk < 1:
        raise InvalidInput(f"chunk is {chunk}; at least 1 state is run at a time")


def divisor_of(normalization: str, env: TextEnv[Any, Any], table: TokenTable) -> np.ndarray:
    """f32[A]: what the log-likelihood of an action's text is divided by."""
    lengths = {
        "sum": [1] * len(table.answers),
        "token": [len(answer) for answer in table.answers],
        "word": [len(text.split()) for text in env.action_texts],
    }
    return np.array(lengths[normalization], np.float32)


class Prompt(NamedTuple):
    """How a world reads in a wording."""

    wording: str
    """Its name, for reports."""
    template: Template
    """The whole text."""

    def is_of(self, env: TextEnv[Any, Any]) -> bool:
        """Whether it is the world's own template, with nothing around it."""
        return self.template == env.template


def settings_of(
    model: LanguageModel | FlaxModel,
    env: TextEnv[Any, Any],
    prompt: Prompt,
    normalization: str,
    end_of_action: str,
) -> dict[str, Any]:
    """What a table records of a model's prior: digests count, names and dtype are for reports.

    Of a bare prompt nothing is recorded: it is the one that files without an entry are of.
    """
    worded = {"wording": prompt.wording, fingerprint.PROMPT: prompt.template.digest()}
    return {
        "model": model.name,
        "digest": identity.of_model(model),
        "dtype": str(jnp.result_type(*jax.tree.leaves(model.params))),
        "tokenizer": vocabulary_of(model),
        "normalization": normalization,
        "end_of_action": end_of_action,
        **({} if prompt.is_of(env) else worded),
    }


def fingerprint_of(
    model: LanguageModel | FlaxModel,
    env: TextEnv[Any, Any],
    env_params: TextEnvParams,
    prompt: Prompt,
) -> Fingerprint:
    """Of a model's parameters: keys and values of one prompt are not those of another."""
    digest, name = identity.of_model(model), model.name
    if not prompt.is_of(env):
        digest = fingerprint.in_words(digest, prompt.template.digest())
        name = f"{name} ({prompt.wording})"
    return fingerprint.of(env, env_params, digest, name)


def vocabulary_of(model: LanguageModel | FlaxModel) -> str:
    """A digest of its tokenizer's vocabulary."""
    vocabulary = sorted(model.tokenizer.get_vocab().items())
    return hashlib.sha256(repr(vocabulary).encode()).hexdigest()[:16]


def is_of_a_model(settings: Mapping[str, Any]) -> bool:
    """Whether what a file records of a prior speaks of a language model."""
    return "digest" in settings or "tokenizer" in settings


def render_bank(
    table: TokenTable, env: TextEnv[Any, Any], env_params: TextEnvParams
) -> tuple[jax.Array, jax.Array]:
    """Tokens and validity of every instance's text, `[M, P]`; P is that of the longest text."""
    num_instances = jax.tree.leaves(env_params.bank)[0].shape[0]

    def render(instance: jax.Array) -> tuple[jax.Array, jax.Array]:
        state = env.initial_state(jax.random.key(0), instance, env_params)
        return table.prefix.render(env.slots(state, env_params))

    tokens, valid = jax.jit(jax.vmap(render))(jnp.arange(num_instances, dtype=jnp.int32))
    width = int(jnp.max(jnp.sum(valid, axis=1)))
    return jax.vmap(token_table.compact, in_axes=(0, 0, None))(tokens, valid, width)
