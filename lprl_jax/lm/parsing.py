"""From generated tokens back to the slots of a template, inside the graph.

A template's segments are read one after the other, each as a walk down the trie of its values'
tokens; what does not fit ends the reading. So a completion that a model writes becomes a pattern,
or nothing.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, Slot, Template

from lprl_jax.lm import token_table

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_NONE = -1


@dataclasses.dataclass(frozen=True)
class Grammar:
    """A template as an automaton over one tokenizer's tokens."""

    symbol: np.ndarray
    """i32[vocab]: class of a token; 0 are all that occur in no value."""
    root: np.ndarray
    """i32[num_segments + 1]: where the reading of a segment begins; the last entry is behind."""
    child: np.ndarray
    """i32[num_nodes, num_classes]: the next node; -1 where a token does not fit."""
    value: np.ndarray
    """i32[num_nodes]: the value that is complete here; -1 at inner nodes."""
    is_slot: np.ndarray
    """bool[num_segments]"""
    num_tokens: int
    """Of the longest text: what a model must be let write."""

    @property
    def ends(self) -> np.ndarray:
        """`bool[vocab]`: tokens behind which nothing is read, wherever they stand.

        Those are the tokens of no value; and the one that a whole text ends in, if it stands
        nowhere else in any.
        """
        of_class = np.zeros(self.child.shape[1], bool)
        of_class[0] = True
        node, last = self.root[-2], 0
        while self.value[node] == _NONE:  # the last segment is a literal: one way leads on
            last = np.flatnonzero(self.child[node] != _NONE)[0]
            node = self.child[node, last]
        stands_once = np.sum(self.child[:, last] != _NONE) == 1
        of_class[last] |= stands_once and np.sum(self.root[:-1] == self.root[-2]) == 1
        return of_class[self.symbol]

    def parse(self, tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Slots `i32[num_slots]` of generated `tokens i32[T]`, and whether they are all there.

        What follows the last segment is not read. Slots that were not read are 0.
        """
        symbol, root, child, value = map(
            jnp.asarray, (self.symbol, self.root, self.child, self.value)
        )
        num_segments = len(self.is_slot)

        def read(
            carry: tuple[jax.Array, jax.Array, jax.Array], token: jax.Array
        ) -> tuple[tuple[jax.Array, jax.Array, jax.Array], None]:
            segment, node, values = carry
            over = (segment == num_segments) | (node == _NONE)
            node = jnp.where(over, node, child[node, symbol[token]])
            found = jnp.where(over | (node == _NONE), _NONE, value[node])
            complete = found != _NONE
            values = values.at[segment].set(
                jnp.where(complete, found, values[segment]), mode="drop"
            )
            segment = segment + complete
            return (segment, jnp.where(complete, root[segment], node), values), None

        start = jnp.int32(0), root[0], jnp.zeros(num_segments, jnp.int32)
        (segment, _, values), _ = jax.lax.scan(read, start, tokens)
        return values[np.flatnonzero(self.is_slot)], segment == num_segments


def compile(template: Template, tokenizer: PreTrainedTokenizerFast) -> Grammar:
    """The automaton of a template's texts.

    Raises:
        InvalidInput: if the tokenizer does not encode the template piece by piece, or one value's
            tokens are the beginning of another's, so that its end cannot be told.
    """
    token_table.compile(template, (), tokenizer)  # proves it
    texts = [
        segment.values if isinstance(segment, Slot) else (segment.text,)
        for segment in template.segments
    ]
    encode = token_table.Encoder(tokenizer)
    encoded = {text: tuple(encode(text)) for values in texts for text in values}
    alphabet = sorted({token for tokens in encoded.values() for token in tokens})
    symbol = np.zeros(len(tokenizer), np.int32)
    symbol[alphabet] = np.arange(1, len(alphabet) + 1)
    nodes: list[dict[int, int]] = []
    value: list[int] = []

    def new_node() -> int:
        nodes.append({})
        value.append(_NONE)
        return len(nodes) - 1

    def trie(values: tuple[str, ...]) -> int:
        top = new_node()
        for number, text in enumerate(values):
            node = top
            for token in encoded[text]:
                node = nodes[node].setdefault(int(symbol[token]), len(nodes))
                if node == len(nodes):
                    new_node()
            value[node] = number
        if any(value[n] != _NONE and nodes[n] for n in range(top, len(nodes))) or "" in values:
            raise InvalidInput(f"of {values} one begins another; an answer's end could not be told")
        return top

    roots = {values: trie(values) for values in dict.fromkeys(texts)}
    child = np.full((len(nodes), len(alphabet) + 1), _NONE, np.int32)
    for node, children in enumerate(nodes):
        child[node, list(children)] = list(children.values())
    return Grammar(
        symbol,
        np.array([*(roots[values] for values in texts), 0], np.int32),
        child,
        np.array(value, np.int32),
        np.array([isinstance(segment, Slot) for segment in template.segments]),
        sum(max(len(encoded[text]) for text in values) for values in texts),
    )
