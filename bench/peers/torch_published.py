"""Scoring answers behind states with transformers' Llama on torch.

    python bench/peers/torch_published.py MODEL WORK --windows 10 --threads 2 [--whole]

prints a JSON line. Two ways, both exact:

* as one does it who cares for speed: an instance's text is run once, its keys and values are kept
  and expanded to the instance's states; the states' own tokens are run behind them, and the answers
  as continuations of each state. The vocabulary is looked at only where an answer is predicted.
  A window is an instance's states; what is kept is not in the rates;
* `--whole`, as one does it first: every state x answer is a sequence of its own. A window is one
  batch of 16 sequences, the first ones.

MODEL is a Hugging Face directory, WORK a file of `tools/published_work.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
from transformers import DynamicCache, LlamaForCausalLM

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.published_work import Work

SEQUENCES = 16
"""A batch of whole sequences."""


class Cached:
    """The way with keys and values that are kept."""

    def __init__(self, model: Any, work: Work):
        self.model, self.work = model, work
        self.kept = [self._prefix(work.prefix(i)) for i in range(len(work.prefixes))]
        self.answers = torch.from_numpy(work.answers).long()
        self.answers_valid = torch.from_numpy(work.answers_valid)

    @torch.inference_mode()
    def _prefix(self, tokens: list[int]) -> Any:
        return self.model.model(torch.tensor([tokens]), use_cache=True).past_key_values

    @torch.inference_mode()
    def __call__(self, instance: int) -> torch.Tensor:
        """Log-likelihoods `f32[S, A]` of the answers behind an instance's states."""
        suffixes = [self.work.suffix(state) for state in self.work.states(instance)]
        count, width = len(suffixes), max(map(len, suffixes))
        valid = torch.tensor([[i >= width - len(s) for i in range(width)] for s in suffixes])
        tokens = torch.tensor([[0] * (width - len(s)) + s for s in suffixes])
        before = len(self.work.prefix(instance))
        ends = before + valid.sum(1, keepdim=True)
        positions = (before + valid.cumsum(1) - 1).clamp(min=0)
        mask = torch.cat([torch.ones(count, before, dtype=torch.bool), valid], dim=1)
        cache = DynamicCache()
        for number, layer in enumerate(self.kept[instance].layers):
            keys, values = (x.expand(count, -1, -1, -1) for x in (layer.keys, layer.values))
            cache.update(keys, values, number)
        first = self._run(tokens, mask, positions, cache)[:, -1:]
        choices, length = self.answers.shape
        log_probs = self._predict(first).expand(-1, choices, -1).reshape(count * choices, 1, -1)
        if length > 1:
            cache.batch_repeat_interleave(choices)
            known = self.answers[:, :-1].repeat(count, 1)
            here = self.answers_valid[:, :-1].repeat(count, 1)
            mask = torch.cat([mask.repeat_interleave(choices, 0), here], dim=1)
            positions = ends.repeat_interleave(choices, 0) + torch.arange(length - 1)
            later = self._run(known, mask, positions, cache)
            log_probs = torch.cat([log_probs, self._predict(later)], dim=1)
        chosen = self.answers.repeat(count, 1)[..., None]
        found = log_probs.gather(-1, chosen)[..., 0] * self.answers_valid.repeat(count, 1)
        return found.sum(1).reshape(count, choices)

    def _run(self, tokens: Any, mask: Any, positions: Any, cache: Any) -> Any:
        """Hidden states."""
        return self.model.model(
            tokens, attention_mask=mask.long(), position_ids=positions, past_key_values=cache,
            use_cache=True,
        ).last_hidden_state  # fmt: skip

    def _predict(self, hidden: Any) -> Any:
        return self.model.lm_head(hidden).log_softmax(-1)


@torch.inference_mode()
def score_whole(model: Any, work: Work, states: int) -> torch.Tensor:
    """Log-likelihoods `f32[states, A]`, one sequence each, padded on the right."""
    answers = [work.answer(number) for number in range(len(work.answers))]
    texts = [work.prefix(int(work.instances[b])) + work.suffix(b) for b in range(states)]
    pairs = [(text, answer) for text in texts for answer in answers]
    width = max(len(text) + len(answer) for text, answer in pairs)
    rows = [text + answer for text, answer in pairs]
    tokens = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    longest = width - min(len(text) for text in texts)
    output = model(tokens, attention_mask=mask, use_cache=False, logits_to_keep=longest + 1)
    log_probs, first = output.logits.log_softmax(-1), width - longest - 1
    found = [
        sum(log_probs[i, len(text) + j - 1 - first, token] for j, token in enumerate(answer))
        for i, (text, answer) in enumerate(pairs)
    ]
    return torch.stack(found).reshape(states, len(answers))  # pyright: ignore[reportArgumentType]


def main() -> None:
    parser = argparse.ArgumentParser(description="Time scoring with torch.")
    parser.add_argument("model", type=Path, help="a Hugging Face directory")
    parser.add_argument("work", type=Path, help="tokens")
    parser.add_argument("--windows", type=int, default=10, help="repeats")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--whole", action="store_true", help="a sequence a state and answer")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model: Any = LlamaForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
    work = Work.load(options.work)
    rates: list[float] = []
    if options.whole:
        states = max(1, SEQUENCES // len(work.answers))
        scores = score_whole(model, work, states)
        for _ in range(options.windows):
            start = time.perf_counter()
            score_whole(model, work, states)
            rates.append(states / (time.perf_counter() - start))
    else:
        cached = Cached(model, work)
        scores = torch.cat([cached(instance) for instance in range(len(work.prefixes))])
        for window in range(options.windows):
            start = time.perf_counter()
            count = len(cached(window % len(work.prefixes)))
            rates.append(count / (time.perf_counter() - start))
    report = {"rates": rates, "scores": scores.log_softmax(-1).tolist(), "note": ""}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
