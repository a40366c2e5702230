"""From free text to an action, inside the graph: the projection of p_map.

The rule is that of Efficient Reinforcement Learning with Large Language Model Priors (arXiv
2410.07927): an action whose text is the answer; else the one with the longest text that the answer
contains as whole words; else none, in whose place any legal action may be drawn. Only legal actions
count. Of texts of one length the earlier in the answer is taken.

The answer is what stands before the first special token and before the first end of an action.
Answer and action texts are compared as words: capital letters of ASCII are made small; white space,
ASCII's punctuation and control characters, and Unicode's from U+00A0 to U+00BF, U+2000 to U+207F
and U+3000 to U+303F become single spaces, and none at the ends. All other bytes are letters, and
are left as they are.

All action texts are looked for at once, with the automaton of Aho and Corasick (1975), a byte a
step: its cost does not depend on their number, but for a row of A numbers.
"""

from __future__ import annotations

import dataclasses
import re
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput

from lprl_jax.lm.byte_table import ByteTable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

EXACT, CONTAINED, NONE = range(3)
"""How an answer led to its action."""

_OTHER, _SPACE = 0, 1
"""Symbols: a letter of no action's text, and what stands between words."""
_BLANK = re.compile(
    rb"[\x00-/:-@\[-`{-\x7f]|\xc2[\xa0-\xbf]|\xe2[\x80\x81][\x80-\xbf]|\xe3\x80[\x80-\xbf]"
)


class Projected(NamedTuple):
    """What an answer is read as."""

    action: jax.Array
    """i32[]: -1 for none."""
    how: jax.Array
    """i32[]: EXACT, CONTAINED or NONE."""


def normal_form(text: str) -> bytes:
    """A text's words, as they are compared."""
    return b" ".join(_BLANK.sub(b" ", text.encode()).lower().split())


@dataclasses.dataclass(frozen=True)
class Projection:
    """The rule for one environment's actions and one tokenizer."""

    table: ByteTable
    """Bytes of the tokens."""
    end: bytes
    """What ends an answer; empty: only a special token does."""
    ends: np.ndarray
    """bool[vocab]: tokens behind which nothing is read, for who writes."""
    symbol: np.ndarray
    """i32[256]: of a byte."""
    step: np.ndarray
    """i32[nodes, symbols]: where a symbol leads; node 0 is the start."""
    found: np.ndarray
    """bool[nodes, A]: the action texts, with a space on either side, that end here."""
    size: np.ndarray
    """i32[A]: of a text's words, in bytes."""

    @staticmethod
    def of(
        texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, vocab_size: int, end: str
    ) -> Projection:
        """Of action texts.

        Args:
            texts: One an action.
            tokenizer: Of the model that writes.
            vocab_size: The model's.
            end: Of an action's text.

        Raises:
            InvalidInput: if a text has no words, two have the same, one has the end in it, or the
                tokenizer's tokens cannot be read.
        """
        words = [_SPACED % normal_form(text) for text in texts]
        for i, (text, own) in enumerate(zip(texts, words, strict=True)):
            if own == _SPACED % b"":
                raise InvalidInput(f"the action {text!r} has no words; free text cannot name it")
            if own in words[:i]:
                other = texts[words.index(own)]
                raise InvalidInput(
                    f"the actions {other!r} and {text!r} are the same words, "
                    f"{own.strip().decode(errors='replace')!r}; free text cannot tell them apart"
                )
            if end and end in text:
                raise InvalidInput(
                    f"the action {text!r} has {end!r} in it, which ends an action's text"
                )
        table = ByteTable.of(tokenizer, vocab_size)
        last = end.encode()
        has_end = [bool(last) and last in table.text([token]) for token in range(vocab_size)]
        letters = sorted(set(b"".join(words)) - {ord(" ")})
        symbol = np.full(256, _OTHER, np.int32)
        for number, letter in enumerate(letters, start=2):
            symbol[[letter, *bytes([letter]).upper()]] = number
        symbol[[byte for byte in range(128) if _BLANK.match(bytes([byte]))]] = _SPACE
        step, found = _automaton([symbol[list(own)].tolist() for own in words])
        size = np.array([len(own) - 2 for own in words], np.int32)
        return Projection(table, last, table.special | np.array(has_end), symbol, step, found, size)

    def project(self, tokens: jax.Array, legal: jax.Array) -> Projected:
        """The action that generated `tokens i32[T]` name, of those that are `legal bool[A]`."""
        symbols, total = self._symbols(tokens)
        step, found = jnp.asarray(self.step), jnp.asarray(self.found)
        never = jnp.int32(len(symbols))

        def read(
            place: jax.Array, carry: tuple[jax.Array, jax.Array, jax.Array, jax.Array]
        ) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
            node, count, was_space, first = carry
            symbol = symbols[place]
            skipped = (symbol == _SPACE) & was_space
            node = jnp.where(skipped, node, step[node, symbol])
            is_new = found[node] & (first == never) & ~skipped
            first = jnp.where(is_new, place, first)
            return node, count + ~skipped, symbol == _SPACE, first

        begin = jnp.int32(self.step[0, _SPACE]), jnp.int32(1), jnp.bool_(True)
        first = jnp.full(len(self.size), never)
        # Behind the last byte stands a space.
        node, count, _, first = jax.lax.fori_loop(0, total + 1, read, (*begin, first))
        # A text that ends another is found there too, and is not all that was read.
        is_it = found[node] & (jnp.asarray(self.size) + 2 == count) & legal
        is_there = (first < never) & legal
        # Longest first, then the earlier.
        rank = jnp.where(is_there, jnp.asarray(self.size) * (never + 1) - first, -1)
        exact, contained = jnp.any(is_it), jnp.any(is_there)
        action = jnp.where(exact, jnp.argmax(is_it), jnp.argmax(rank))
        action = jnp.where(exact | contained, action, -1).astype(jnp.int32)
        return Projected(action, jnp.where(exact, EXACT, jnp.where(contained, CONTAINED, NONE)))

    def num_read(self, tokens: jax.Array | np.ndarray) -> jax.Array:
        """How many of `tokens i32[..., T]` had to be written, the one that ends them included."""
        over = jnp.asarray(self.ends)[tokens]
        before = jnp.cumsum(over, axis=-1, dtype=jnp.int32) - over
        return jnp.sum(before == 0, axis=-1, dtype=jnp.int32)

    def _symbols(self, tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Symbols `i32[N + 1]` of the answer's bytes, spaces behind them; and their number."""
        table = self.table
        parts = table.data, table.start, table.length, table.special
        data, start, length, special = map(jnp.asarray, parts)
        num_bytes = int(table.length.max(initial=1)) * len(tokens)
        own = jnp.where(jnp.cumsum(special[tokens]) > 0, 0, length[tokens])
        stop = jnp.cumsum(own, dtype=jnp.int32)
        place = jnp.arange(num_bytes, dtype=jnp.int32)
        token = jnp.searchsorted(stop, place, side="right", method="compare_all")
        token = jnp.minimum(token, len(tokens) - 1)
        byte = data.at[start[tokens[token]] + place - (stop - own)[token]].get(mode="clip")
        byte = jnp.where(place < stop[-1], byte, 0)
        total = jnp.minimum(stop[-1], self._end(byte, stop[-1]))
        byte = jnp.where(place < total, byte, 0)
        second, third = _shifted(byte, 1), _shifted(byte, 2)
        of_two = (byte == 0xC2) & (second >= 0xA0) & (second <= 0xBF)
        general = (byte == 0xE2) & ((second == 0x80) | (second == 0x81))
        of_three = general | ((byte == 0xE3) & (second == 0x80))
        of_three &= (third >= 0x80) & (third <= 0xBF)
        is_blank = of_two | of_three
        is_blank |= _shifted(of_two | of_three, -1) | _shifted(of_three, -2)
        symbols = jnp.where(is_blank, _SPACE, jnp.asarray(self.symbol)[byte])
        symbols = jnp.where(place < total, symbols, _SPACE)
        return jnp.pad(symbols, (0, 1), constant_values=_SPACE), total

    def _end(self, data: jax.Array, total: jax.Array) -> jax.Array:
        """Where the end of an action begins in `data u8[N]`; `total`, where it does not occur."""
        if not self.end:
            return total
        fits = [_shifted(data, i) == byte for i, byte in enumerate(self.end)]
        place = jnp.arange(len(data), dtype=jnp.int32)
        here = jnp.all(jnp.stack(fits), axis=0) & (place + len(self.end) <= total)
        return jnp.min(jnp.where(here, place, total))


_SPACED = b" %b "


def _shifted(row: jax.Array, by: int) -> jax.Array:
    """`row[i + by]`, 0 outside."""
    if abs(by) >= len(row):
        return jnp.zeros_like(row)
    if by < 0:
        return jnp.pad(row[:by], (-by, 0))
    return jnp.pad(row[by:], (0, by))


def _automaton(patterns: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Of Aho and Corasick: `step [nodes, symbols]` and `found [nodes, A]`."""
    num_symbols = 2 + max((max(own) for own in patterns), default=0)
    children: list[dict[int, int]] = [{}]
    ends = []
    for own in patterns:
        node = 0
        for symbol in own:
            if symbol not in children[node]:
                children[node][symbol] = len(children)
                children.append({})
            node = children[node][symbol]
        ends.append(node)
    step = np.zeros((len(children), num_symbols), np.int32)
    found = np.zeros((len(children), len(patterns)), bool)
    found[ends, np.arange(len(patterns))] = True
    # By depth: where a symbol does not fit, it leads where it leads from the longest proper end of
    # what was read that begins a text.
    failure = np.zeros(len(children), np.int32)
    waiting = deque([0])
    while waiting:
        node = waiting.popleft()
        other = failure[node]
        found[node] |= found[other]
        step[node] = step[other]
        for symbol, child in children[node].items():
            failure[child] = step[other, symbol] if node else 0
            step[node, symbol] = child
            waiting.append(child)
    return step, found
