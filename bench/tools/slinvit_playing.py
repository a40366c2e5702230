"""SLINVIT on PlanBench as a program that takes turns: `slinvit_playing.py --depth N --k K`.

As `suites/search.py` has it, all instances a turn, over all devices.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from suites import search

from tools import turns


def main() -> None:
    parser = argparse.ArgumentParser(description="SLINVIT on PlanBench, again and again.")
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--k", type=int, default=3)
    parser.add_argument("--copies", type=int, default=1, help="of the suite")
    options = parser.parse_args()
    contender, (solved, length, nodes) = search.ours(options.depth, options.k, options.copies)
    turns.serve(
        contender.call,
        compile_seconds=contender.compile_seconds,
        nodes=int(np.sum(nodes)),
        decisions=int(np.sum(length)),
        instances=len(solved),
        solved=float(np.mean(solved)),
    )


if __name__ == "__main__":
    main()
