"""Scoring answers the way one does it with transformers' GPT-2 on torch.

    python bench/peers/torch_gpt2.py FOLDER --windows 10 --threads 2

prints a JSON line. Every state x answer is a sequence of its own. FOLDER holds a Hugging Face model
and `work.npz` with `sequences [N, L]` and `answers [A, W]`. Sequences go through the model in
batches of the size at which it is fastest here, which is found before the clock starts; a window
is one batch.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from transformers import GPT2LMHeadModel

SIZES = (16, 64, 256)
"""Sequences a batch."""


@torch.inference_mode()
def score(model: Any, sequences: torch.Tensor, width: int) -> torch.Tensor:
    """Log P of each sequence's last `width` tokens."""
    logits = model(input_ids=sequences, use_cache=False).logits
    log_probs = logits[:, -width - 1 : -1].log_softmax(-1)
    return log_probs.gather(-1, sequences[:, -width:, None]).sum((1, 2))


def seconds(model: Any, sequences: torch.Tensor, width: int) -> float:
    """Of one batch."""
    start = time.perf_counter()
    score(model, sequences, width)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description="Time naive scoring with torch.")
    parser.add_argument("folder", type=Path, help="model.safetensors, config.json, work.npz")
    parser.add_argument("--windows", type=int, default=10, help="repeats")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model: Any = GPT2LMHeadModel.from_pretrained(options.folder).eval()
    with np.load(options.folder / "work.npz") as work:
        sequences = torch.from_numpy(work["sequences"]).long()
        count, width = work["answers"].shape

    def rate(size: int) -> float:
        """States a second."""
        batch = sequences[:size]
        return len(batch) / count / seconds(model, batch, width)

    scores = torch.cat([score(model, batch, width) for batch in sequences.split(SIZES[0])])
    best = max(SIZES, key=lambda size: max(rate(size) for _ in range(3)))
    report = {
        "rates": [rate(best) for _ in range(options.windows)],
        "batch": best,
        "threads": torch.get_num_threads(),
        "scores": scores.reshape(-1, count).tolist(),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
