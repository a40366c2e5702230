"""What a published model is asked, as tokens in a file: for peers that know nothing of ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Work(NamedTuple):
    """All answers behind all states; a state's text is its instance's and its own. Padded rows."""

    prefixes: np.ndarray
    """i32[M, P]: what the states of an instance begin with."""
    prefixes_valid: np.ndarray
    """bool[M, P]"""
    suffixes: np.ndarray
    """i32[B, T]"""
    suffixes_valid: np.ndarray
    """bool[B, T]"""
    instances: np.ndarray
    """i32[B]: ascending, of each equally many."""
    answers: np.ndarray
    """i32[A, W]: padded on the right."""
    answers_valid: np.ndarray
    """bool[A, W]"""

    def prefix(self, instance: int) -> list[int]:
        """Tokens, without padding."""
        return self.prefixes[instance][self.prefixes_valid[instance]].tolist()

    def suffix(self, state: int) -> list[int]:
        """Tokens, without padding."""
        return self.suffixes[state][self.suffixes_valid[state]].tolist()

    def answer(self, number: int) -> list[int]:
        """Tokens, without padding."""
        return self.answers[number][self.answers_valid[number]].tolist()

    def states(self, instance: int) -> list[int]:
        """Numbers of an instance's states."""
        return np.flatnonzero(self.instances == instance).tolist()

    def save(self, path: Path) -> None:
        """For another process."""
        np.savez(path, **self._asdict())

    @staticmethod
    def load(path: Path) -> Work:
        """What `save` wrote."""
        with np.load(path) as arrays:
            return Work(*(arrays[name] for name in Work._fields))


class Token(NamedTuple):
    """Of a packed batch."""

    token: int
    position: int
    sequences: tuple[int, ...]
    """That it belongs to: of a state, one an answer, from 1."""
    is_read: bool
    """Whether a token of an answer is predicted here."""


def pack(
    start: int, suffixes: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
) -> tuple[list[Token], list[dict[tuple[int, ...], int]]]:
    """States whose prefix has `start` tokens, as one batch of several sequences.

    A state's tokens are there once for all its answers, and so is what several answers begin with;
    the last tokens of answers are left out.

    Returns:
        Tokens; and for each state, by the beginning of an answer, where its next token is
        predicted.
    """
    tokens: list[Token] = []
    places: list[dict[tuple[int, ...], int]] = []
    inner = sorted({tuple(a[:i]) for a in answers for i in range(1, len(a))}, key=len)
    for state, suffix in enumerate(suffixes):
        first = 1 + state * len(answers)
        own = tuple(range(first, first + len(answers)))
        for i, token in enumerate(suffix):
            tokens.append(Token(token, start + i, own, i == len(suffix) - 1))
        found: dict[tuple[int, ...], int] = {(): len(tokens) - 1}
        for node in inner:
            below = (s for s, a in zip(own, answers, strict=True) if tuple(a[: len(node)]) == node)
            position = start + len(suffix) + len(node) - 1
            found[node] = len(tokens)
            tokens.append(Token(node[-1], position, tuple(below), True))
        places.append(found)
    return tokens, places
