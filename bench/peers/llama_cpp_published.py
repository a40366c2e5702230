"""Scoring answers behind states with llama.cpp, packed by hand.

    python bench/peers/llama_cpp_published.py MODEL WORK --windows 10 --threads 2

prints a JSON line. An instance's text is decoded once, into sequence 0 of a context of its own, and
given to all other sequences, one a state and answer. A batch then holds the states' tokens, each of
which belongs to the sequences of all the state's answers, and behind them the answers' tokens, with
what several answers begin with once; the last tokens of answers are predicted and not run. Logits
are asked for only where an answer's token is predicted. Cells are shared by all sequences
(`kv_unified`), so that a token belongs to several at no cost; keys and values are f16, llama.cpp's
default.

A window is an instance's states, in batches of so many states as is fastest here, which is found
before the clock starts. What is decoded once is not in the rates.

MODEL is a GGUF file, whose matrices are multiplied as they are; WORK a file of
`tools/published_work.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp as lib  # pyright: ignore[reportMissingImports]
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.published_work import Token, Work, pack

SIZES = (1, 4, 16)
"""States a batch."""


class Packed:
    """A model with a context an instance."""

    def __init__(self, path: Path, work: Work, states: int, threads: int):
        self.work, self.states = work, states
        self.answers = [work.answer(number) for number in range(len(work.answers))]
        lib.llama_backend_init()
        self.model: Any = lib.llama_model_load_from_file(
            str(path).encode(), lib.llama_model_default_params()
        )
        self.vocabulary: int = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self.model))
        own = work.suffixes.shape[1] + sum(map(len, self.answers))
        self.room = max(work.prefixes.shape[1], states * own)
        self.sequences = 1 + states * len(self.answers)
        self.batch: Any = lib.llama_batch_init(self.room, 0, len(self.answers))
        self.contexts = [self._context(i, threads) for i in range(len(work.prefixes))]

    def _context(self, instance: int, threads: int) -> Any:
        """A context that holds the instance's text, in all sequences."""
        params = lib.llama_context_default_params()
        params.n_ctx = self.work.prefixes.shape[1] + self.room
        params.n_batch = params.n_ubatch = self.room
        params.n_seq_max = self.sequences
        params.n_threads = params.n_threads_batch = threads
        params.kv_unified = True
        context: Any = lib.llama_init_from_model(self.model, params)
        tokens = self.work.prefix(instance)
        self._decode(context, [Token(token, i, (0,), False) for i, token in enumerate(tokens)])
        memory = lib.llama_get_memory(context)
        for sequence in range(1, self.sequences):
            lib.llama_memory_seq_cp(memory, 0, sequence, 0, -1)
        return context

    def _decode(self, context: Any, tokens: Sequence[Token]) -> None:
        batch = self.batch
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i] = token.token, token.position
            batch.n_seq_id[i] = len(token.sequences)
            for j, sequence in enumerate(token.sequences):
                batch.seq_id[i][j] = sequence
            batch.logits[i] = token.is_read
        if status := lib.llama_decode(context, batch):
            raise RuntimeError(f"llama_decode: status {status}")

    def __call__(self, instance: int) -> np.ndarray:
        """Log-likelihoods `f32[S, A]` of the answers behind an instance's states."""
        suffixes = [self.work.suffix(state) for state in self.work.states(instance)]
        groups = range(0, len(suffixes), self.states)
        parts = [self._score(instance, suffixes[i : i + self.states]) for i in groups]
        return np.concatenate(parts)

    def _score(self, instance: int, suffixes: Sequence[Sequence[int]]) -> np.ndarray:
        context, start = self.contexts[instance], len(self.work.prefix(instance))
        tokens, places = pack(start, suffixes, self.answers)
        self._decode(context, tokens)
        scores = np.zeros((len(places), len(self.answers)), np.float32)
        for state, found in enumerate(places):
            rows = {node: self._log_probs(context, place) for node, place in found.items()}
            for number, answer in enumerate(self.answers):
                steps = ((tuple(answer[:i]), token) for i, token in enumerate(answer))
                scores[state, number] = sum(rows[node][token] for node, token in steps)
        lib.llama_memory_seq_rm(lib.llama_get_memory(context), -1, start, -1)
        return scores

    def _log_probs(self, context: Any, place: int) -> np.ndarray:
        pointer = lib.llama_get_logits_ith(context, place)
        logits = np.ctypeslib.as_array(pointer, shape=(self.vocabulary,))
        top = logits.max()
        return logits - (top + np.log(np.exp(logits - top).sum()))

    def close(self) -> None:
        """Give back what was taken."""
        for context in self.contexts:
            lib.llama_free(context)
        lib.llama_batch_free(self.batch)
        lib.llama_model_free(self.model)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time scoring with llama.cpp.")
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("work", type=Path, help="tokens")
    parser.add_argument("--windows", type=int, default=10, help="repeats")
    parser.add_argument("--threads", type=int, default=1, help="of llama.cpp")
    parser.add_argument("--states", type=int, help="a batch; if left out, the fastest")
    options = parser.parse_args()
    work = Work.load(options.work)
    count = len(work.states(0))

    def rate(packed: Packed, instance: int) -> float:
        """States a second."""
        start = time.perf_counter()
        packed(instance)
        return count / (time.perf_counter() - start)

    found: dict[int, float] = {}
    for size in {min(size, count) for size in SIZES} if options.states is None else ():
        packed = Packed(options.model, work, size, options.threads)
        found[size] = max(rate(packed, 0) for _ in range(3))
        packed.close()
    best = options.states or max(found, key=lambda size: found[size])
    packed = Packed(options.model, work, best, options.threads)
    scores = np.concatenate([packed(i) for i in range(len(work.prefixes))])
    scores = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    rates = [rate(packed, i % len(work.prefixes)) for i in range(options.windows)]
    packed.close()
    note = f"llama-cpp-python {lib.__version__}; states a batch: {best}"
    report = {"rates": rates, "scores": scores.tolist(), "note": note}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
