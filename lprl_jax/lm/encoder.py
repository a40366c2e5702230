"""BertEncoder: a frozen BERT reads a state with an action, for Q-networks on top of it.

What "[CLS] state [SEP] action [SEP]" is at [CLS], as in Efficient Reinforcement Learning with Large
Language Model Priors (arXiv 2410.07927). Both texts are rendered as tokens in the graph.
"""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, Literal, Template, TextEnv
from lprl_envs.short_repr import short_repr

from lprl_jax.lm import flax_models, token_table
from lprl_jax.lm.flax_models import FlaxModel
from lprl_jax.lm.scoring import Answers, every_pair
from lprl_jax.lm.token_table import TokenTable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclasses.dataclass(frozen=True, eq=False)
class BertEncoder:
    """Features of every action in a state; make one with `from_pretrained`."""

    __repr__ = short_repr

    env: TextEnv[Any, Any]
    """Writes the texts."""
    model: FlaxModel
    """Reads them."""
    table: TokenTable
    """The environment's template as word pieces, without special tokens."""
    actions: Answers
    """The action texts, each with its [SEP]."""

    @staticmethod
    def from_pretrained(path: str | Path, env: TextEnv[Any, Any]) -> BertEncoder:
        """An encoder from a Hugging Face directory.

        Raises:
            InvalidInput: if there is no such model, transformers' Flax code would get it wrong, its
                tokenizer does not know a word or cannot render the template piece by piece, or
                texts are longer than its context.
        """
        model = flax_models.load_bert(path)
        tokenizer = model.tokenizer
        _require_known(tokenizer, env)
        # Pieces are encoded, and proven to join, without [CLS] and [SEP].
        bare = copy.deepcopy(tokenizer)
        bare.backend_tokenizer.post_processor = None  # pyright: ignore
        actions = [[*bare.encode(text), tokenizer.sep_token_id] for text in env.action_texts]
        encoder = BertEncoder(
            env=env,
            model=model,
            table=token_table.compile(env.template, [], bare),
            actions=Answers.build(actions),
        )
        encoder._require_right(tokenizer)
        return encoder

    @property
    def params(self) -> Any:
        """What `encode` takes as its first argument: the weights."""
        return self.model.params

    @property
    def num_features(self) -> int:
        """F: size of what `encode` returns for one action."""
        return self.model.width

    def encode(self, params: Any, env_state: Any, env_params: Any) -> jax.Array:
        """Features of every action, legal or not.

        Args:
            params: `self.params`.
            env_state: B states, `[B, ...]` leaves.
            env_params: Of the environment, unbatched.

        Returns:
            `f32[B, A, F]`: the last hidden state at [CLS].
        """
        slots = jax.vmap(self.env.slots, in_axes=(0, None))(env_state, env_params)
        pairs = self._pairs(slots)
        rows = [part.reshape(-1, part.shape[-1]) for part in pairs]
        states = flax_models.hidden(self.model.module, params, *rows)
        return states[:, 0].reshape(*pairs[0].shape[:2], -1)

    def _pairs(self, slots: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Tokens, validity and types of every pair of texts, `[B, A, T]`."""
        first, last = self.model.tokenizer.cls_token_id, self.model.tokenizer.sep_token_id
        text, there = jax.vmap(self.table.render)(slots)
        ends = ((0, 0), (1, 1))
        text = jnp.pad(text, ends, constant_values=((0, 0), (first, last)))
        there = jnp.pad(there, ends, constant_values=True)
        own = self.actions.tokens, self.actions.valid, np.ones_like(self.actions.tokens)
        state = text, there, jnp.zeros_like(text)
        tokens, valid, types = map(every_pair, state, own)
        return tokens, valid, types

    def _require_right(self, tokenizer: PreTrainedTokenizerFast) -> None:
        """Sampled pairs are what the tokenizer makes of them, and fit the model."""
        template = self.env.template
        sizes = np.array([len(slot.values) for slot in template.slots], int)
        rng = np.random.default_rng(0)
        slots = rng.integers(0, sizes, (token_table.SAMPLED_TEXTS, len(sizes)))
        pairs = [np.asarray(part) for part in jax.jit(self._pairs)(jnp.asarray(slots, jnp.int32))]
        parts = pairs[0], self.table.prefix.tokens, self.table.suffix.tokens
        self.model.require_fits(pairs[0].shape[-1], *parts)
        for row, values in enumerate(slots.tolist()):
            text = template.render(values)
            for action, action_text in enumerate(self.env.action_texts):
                tokens, valid, types = (part[row, action] for part in pairs)
                right = tokenizer(text, action_text)
                found = tokens[valid].tolist(), types[valid].tolist()
                if found != (right["input_ids"], right["token_type_ids"]):
                    raise InvalidInput(
                        f"this tokenizer does not write [CLS] {text!r} [SEP] {action_text!r} [SEP] "
                        "piece by piece, with types 0 and 1; a BERT's own does"
                    )


def _require_known(tokenizer: PreTrainedTokenizerFast, env: TextEnv[Any, Any]) -> None:
    """Every text has tokens of its own: unknown words would all read alike."""
    for text in (*_texts(env.template), *env.action_texts):
        if tokenizer.unk_token_id in tokenizer.encode(text, add_special_tokens=False):
            raise InvalidInput(
                f"the tokenizer does not know a word of {text!r} ({tokenizer.unk_token}); "
                "a vocabulary with single letters writes any word"
            )


def _texts(template: Template) -> list[str]:
    """All pieces that its texts are made of."""
    return [
        text
        for segment in template.segments
        for text in ((segment.text,) if isinstance(segment, Literal) else segment.values)
    ]
