"""From a model's file to its first score: `python bench/tools/published_first.py MODEL`.

A JSON line is printed: what the model says in one state of one map of Frozen Lake 8x8, and when it
was known. Whoever started the process counts the seconds from its start, so that Python's and JAX's
own are included.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from lprl_jax.lm import checkpoint
from tools.published_scorer import Sizes, contender, draw, prior_of


def main() -> None:
    parser = argparse.ArgumentParser(description="The first score, from a model's file.")
    parser.add_argument("model", type=Path, help="a GGUF file or a Hugging Face directory")
    asked = draw(Sizes(maps=1, batch=1))
    prior = prior_of(checkpoint.load(parser.parse_args().model), asked)
    scores, at = contender(prior, asked).call().tolist(), time.time()
    print(json.dumps({"scores": scores, "at": at}))


if __name__ == "__main__":
    main()
