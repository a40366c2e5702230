"""Our scorer over sizes of prompt, suffix, answers and batch, and what memory it takes.

Planned is `scoring_costs.memory_plan`; XLA's own figure is that of the compiled program, arguments
included.
"""

from __future__ import annotations

import dataclasses
import itertools

from tools import scorers
from tools.scoring_costs import memory_plan
from tools.scoring_work import LLAMA, Point, random_weights
from tools.timing import Contender, Row, race, rows

from lprl_jax.lm.scoring import Trie

PREFIXES, SUFFIXES, CANDIDATES, BATCHES = (64, 256, 512), (16, 64), (4, 8, 32), (256, 1_024)
LENGTH = 2
"""Tokens of an answer."""
GRID = tuple(
    Point(prefix, suffix, candidates, LENGTH, batch)
    for prefix, suffix, candidates, batch in itertools.product(
        PREFIXES, SUFFIXES, CANDIDATES, BATCHES
    )
)
CORNERS = tuple(
    Point(prefix, suffix, candidates, LENGTH, BATCHES[0])
    for prefix in (PREFIXES[0], PREFIXES[-1])
    for suffix, candidates in ((SUFFIXES[0], CANDIDATES[0]), (SUFFIXES[-1], CANDIDATES[-1]))
)


def run(quick: bool) -> list[Row]:
    """A row a point."""
    params = random_weights(LLAMA)
    contenders = {name(p): contender(p, params) for p in (CORNERS if quick else GRID)}
    return rows(contenders, race(contenders))


def name(point: Point) -> str:
    """Of a row."""
    p = point
    return f"scoring/grid/P{p.prefix}_S{p.suffix}_C{p.candidates}_B{p.batch}"


def contender(point: Point, params: object) -> Contender:
    """The scorer at a point; its note compares the two figures of memory."""
    work = point.draw(LLAMA.vocab_size)
    nodes = len(Trie.build(work.answers.tolist()).tokens)
    plan = memory_plan(LLAMA, point.prefix, point.suffix, nodes, point.batch)
    scorer = scorers.shared_prefix(LLAMA, params, work)
    used = "" if scorer.memory_bytes is None else f"; {scorer.memory_bytes / 1e6:.1f} MB by XLA"
    return dataclasses.replace(scorer, note=f"{plan}{used}")
