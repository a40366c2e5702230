"""From a model's file to its first score: `python bench/tools/published_first.py MODEL`.

A JSON line is printed: what the model says in one state of one map of Frozen Lake 8x8, when it was
known, and the most memory that the process held till then. Whoever started the process counts the
seconds from its start, so that Python's and JAX's own are included.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from lprl_jax.lm import checkpoint
from tools.published_scorer import Sizes, contender, draw, prior_of

UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes, of what the system counts."""


def main() -> None:
    parser = argparse.ArgumentParser(description="The first score, from a model's file.")
    parser.add_argument("model", type=Path, help="a GGUF file or a Hugging Face directory")
    asked = draw(Sizes(maps=1, batch=1))
    prior = prior_of(checkpoint.load(parser.parse_args().model), asked)
    scores, at = contender(prior, asked).call().tolist(), time.time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT
    print(json.dumps({"scores": scores, "at": at, "memory_bytes": peak}))


if __name__ == "__main__":
    main()
