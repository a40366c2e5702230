"""A published model, SmolLM2-135M, as a prior on Frozen Lake 8x8: 256 states of 16 maps, in f32.

What is timed is `LanguagePrior.log_probs`, compiled once. Against it:

* the floor: what the least number of operations takes (`scoring_costs.flops`, of every state with
  the tokens that it has, the vocabulary only where the normaliser does not cancel) at the rate of
  an f32 product of 1,024 x 1,024 x 1,024, in the same turns;
* the matrix products of its layers alone, of as many rows as are run, in the same turns: nobody is
  faster who multiplies with the same library;
* the wording `few-shot-2`, whose two worked states stand before every text, in the same turns; and
  by how much what it holds while it runs exceeds that of one map's 256 states;
* transformers on torch with the same weights, in f32: with keys and values of the maps' texts kept,
  and with every state x answer as a sequence of its own (`peers/torch_published.py`);
* llama.cpp with the same file, packed by hand (`peers/llama_cpp_published.py`). It multiplies the
  matrices as they are quantised, which is its fast path, and rounds activations for it, so that its
  scores are near to ours and not equal. That it computes the same is therefore shown with a file
  of the same weights in f32, where it rounds keys and values only; how far the rounding of
  activations takes it is noted.

Peers are processes of their own; ours then is one too. They run alone, one after another, on the
same cores with as many threads, in a quick report in one turn. A peer's scores are compared before
its rates are; a window of a peer is a part of the states, its rate is in states all the same.

`smollm2_first_score` is a process of its own, from its start to the first score, where JAX's
compilation cache has the programs.

The model is read where `lprl fetch smollm2` puts it. Where it is not there, and for a peer that is
not installed, the rows say so.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput
from tools import processes, published_peers, published_scorer
from tools.published_peers import PEERS, PINNED
from tools.published_scorer import Asked, Sizes
from tools.published_work import Work
from tools.scoring_costs import flops
from tools.timing import (
    REPEATS,
    Contender,
    Measured,
    Row,
    compiled,
    race,
    ratio,
    row,
    rows,
    unmeasured,
)

import lprl_jax
from lprl_jax.lm import checkpoint, named
from lprl_jax.lm.scoring import Trie
from lprl_jax.priors.language import LanguagePrior

BENCH = Path(__file__).parents[1]
MODEL = "smollm2"
OURS = "scoring/smollm2"
FLOPS, PRODUCT = f"{OURS}/flops", f"{OURS}/matmul"
LAYERS = f"{OURS}/layers_products"
FEW_SHOT, WORDING = f"{OURS}/few_shot_2", "few-shot-2"
TEMPORARIES, FIRST = f"{OURS}/few_shot_2_temporaries", f"{OURS}_first_score"
FLOOR_SHARE, LAYERS_SHARE = "scoring/smollm2_floor_share", "scoring/smollm2_layers_floor_share"
FEW_SHOT_SHARE = "scoring/few_shot_2_vs_bare"
MATRIX = 1_024
"""Rows and columns of the product that the floor is made of."""
PRODUCTS = 50
"""Of them in a repeat: one alone is too short to be timed beside seconds."""
CACHED = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "USE_TORCH": "0"}
"""Small programs are kept too; there are many of them. And transformers would import torch, which
is there for the peers alone."""
QUICK = 5
"""Repeats, where time is short; one takes half a minute."""
STARTS = 3
"""Of processes that score once."""


def run(
    quick: bool, model: str = MODEL, sizes: Sizes | None = None, repeats: int = REPEATS
) -> Measured:
    """Rows and ratios of a model of that name or path; those of another are called the same."""
    sizes = sizes or Sizes()
    try:
        path = named.path_of(model)
    except InvalidInput as error:
        return missing(str(error))
    if jax.default_backend() != "cpu":
        return missing("not a CPU")
    loaded = checkpoint.load(path)
    asked = published_scorer.draw(sizes)
    prior = published_scorer.prior_of(loaded, asked)
    work = published_scorer.work_of(prior, asked)
    measured, ratios = in_turns(prior, asked, work, min(repeats, QUICK) if quick else repeats)
    measured.append(first_score(path))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        work.save(folder / "work.npz")
        turns, windows = (1, REPEATS) if quick else (4, 5)
        more_rows, more_ratios = published_peers.measure(
            folder, path, loaded, sizes, turns, windows
        )
    return measured + more_rows, ratios | more_ratios


def missing(why: str) -> Measured:
    """Nothing was measured."""
    units = {FLOPS: "GFLOP/s", PRODUCT: "GFLOP/s", LAYERS: "GFLOP/s", TEMPORARIES: "MB", FIRST: "s"}
    names = (
        OURS,
        FLOPS,
        PRODUCT,
        LAYERS,
        FEW_SHOT,
        TEMPORARIES,
        FIRST,
        PINNED,
        *(peer.row for peer in PEERS),
    )
    none = [FLOOR_SHARE, LAYERS_SHARE, FEW_SHOT_SHARE, *(peer.ratio for peer in PEERS)]
    absent = [unmeasured(name, units.get(name, "states/s"), why) for name in names]
    return absent, dict.fromkeys(none)


def needed(prior: LanguagePrior, work: Work) -> int:
    """Floating-point operations of all states, each with the tokens that it has.

    Answers are of one length, or not divided by it, so that first tokens' normalisers cancel.
    """
    trie, config = prior.scorer.answers, prior.scorer.config
    assert isinstance(trie, Trie)
    assert np.ptp(prior.scorer.divisor) == 0
    prefix = work.prefixes_valid.sum(1)[work.instances].tolist()
    suffix = work.suffixes_valid.sum(1).tolist()
    lengths = zip(prefix, suffix, strict=True)
    return sum(flops(config, p, s, trie, normalised=len(trie.tokens)) for p, s in lengths)


def in_turns(prior: LanguagePrior, asked: Asked, work: Work, repeats: int) -> Measured:
    """The bare wording, in states and in operations; the product; two worked states in front."""
    total = needed(prior, work)
    batch = len(work.instances)
    own = published_scorer.contender(prior, asked, f"{total // batch:,} FLOP a state")
    worked = lprl_jax.worked(WORDING, asked.env)
    shown = published_scorer.prior_of(prior.model, asked, worked)
    square = jax.random.normal(jax.random.key(0), (MATRIX, MATRIX))
    product = compiled(jnp.matmul, square, square, amount=1, unit="")

    def multiply() -> None:
        for _ in range(PRODUCTS):
            product.call()

    contenders = {
        FLOPS: dataclasses.replace(own, amount=total / 1e9, unit="GFLOP/s"),
        PRODUCT: Contender(
            multiply, PRODUCTS * 2 * MATRIX**3 / 1e9, "GFLOP/s", product.compile_seconds,
            f"f32, {MATRIX} x {MATRIX} x {MATRIX}",
        ),
        LAYERS: published_scorer.products(prior, work),
        FEW_SHOT: published_scorer.contender(shown, asked, "two worked states before every text"),
    }  # fmt: skip
    seconds = race(contenders, repeats)
    states = {OURS: own, FEW_SHOT: contenders[FEW_SHOT]}
    times = {OURS: seconds[FLOPS], FEW_SHOT: seconds[FEW_SHOT]}
    measured = rows({OURS: own}, times) + rows(contenders, seconds)
    return [*measured, temporaries(shown, asked)], {
        FLOOR_SHARE: ratio(contenders, seconds, FLOPS, PRODUCT),
        LAYERS_SHARE: ratio(contenders, seconds, LAYERS, PRODUCT),
        FEW_SHOT_SHARE: ratio(states, times, FEW_SHOT, OURS),
    }


def temporaries(prior: LanguagePrior, asked: Asked) -> Row:
    """What it holds while it runs, beyond that of as many states of one map."""
    one = jax.tree.map(lambda leaf: leaf[:1], asked.params.bank)
    first = jnp.zeros_like(asked.states.instance)
    alone = Asked(
        asked.env,
        dataclasses.replace(asked.params, bank=one, instances=asked.params.instances[:1]),
        dataclasses.replace(asked.states, instance=first),
    )
    many, few = (
        published_scorer.held(own, given)
        for own, given in ((prior, asked), (prior.with_bank(alone.params), alone))
    )
    valid = np.asarray(prior.params.prefix_valid)
    tokens = f"{valid.sum(1).max()} tokens before a state's own"
    note = f"{len(valid)} maps, {tokens}, {many / 1e6:.0f} MB; of one map {few / 1e6:.0f} MB"
    return row(TEMPORARIES, [(many - few) / 1e6], "MB", note=note)


def first_score(path: Path) -> Row:
    """Seconds from a process's start to the first score; the first of them fills the cache."""
    command = [sys.executable, str(BENCH / "tools" / "published_first.py"), str(path)]
    seconds = []
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(1 + STARTS):
            begun = time.time()
            found = processes.report(command, **CACHED, JAX_COMPILATION_CACHE_DIR=cache)
            seconds.append(found["at"] - begun)
        _, memory = processes.peak(command, **CACHED, JAX_COMPILATION_CACHE_DIR=cache)
    note = f"with a cold compilation cache {seconds[0]:.1f} s; memory is the process's peak"
    return dataclasses.replace(row(FIRST, seconds[1:], "s", note=note), memory_bytes=memory)
