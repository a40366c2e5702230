"""States a second scored by a language model: ours, what users run today, and what is possible.

The work: all answers behind every state, exactly (`scoring_work`). Ours runs what the states share
once and packs the answers as a trie (`scorers`). Against it, with the same weights and the same
scores to 1e-4, every state x answer as a sequence of its own, in batches of the size at which the
peer is fastest:

* transformers' Flax GPT-2, jitted, in turns with ours in this process, at two points of work;
* transformers' GPT-2 on torch, each side a process of its own, alone and in turns, on the same
  cores with as many threads.

A peer's repeat is one such batch, its rate is in states all the same.

Possible is what the least number of operations (`scoring_costs.flops`) takes, and the weights and
the prompt's keys and values, which are read once; see `floor`.

Then our scorer over a grid of sizes, with the memory that was planned and XLA's figure; behind one
prompt against fifty; and on a GPU, larger models.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from peers import flax_gpt2
from tools import floor, processes, scorers
from tools.floor import Costs
from tools.scoring_costs import flops, memory_plan
from tools.scoring_work import FIRST, LLAMA, LONG, Point, random_weights, write_gpt2
from tools.timing import (
    REPEATS,
    Contender,
    Measured,
    Ratio,
    Row,
    compiled,
    race,
    ratio,
    row,
    rows,
    unmeasured,
)

from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.lm.scoring import Trie
from suites import scoring_gpu, scoring_grid
from suites.against_torch import unavailable

BENCH = Path(__file__).parents[1]
TOLERANCE = 1e-4
"""Between two sides' scores."""
FLAX_SIZES = (16, 64, 256)
"""Sequences a batch."""
FLOOR_BATCH = 1_024
INSTANCES = 50


def run(quick: bool) -> Measured:
    """Rows and ratios."""
    measured: list[Row] = []
    ratios: dict[str, Ratio | None] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_gpt2(folder)
        parts = [
            against_flax(folder, FIRST, "", REPEATS),
            against_flax(folder, LONG, "_long", REPEATS),
            against_torch(folder, FIRST, *((1, 10) if quick else (4, 5))),
            against_floor(FIRST, FLOOR_BATCH, REPEATS),
            (prompts(FIRST, REPEATS), {}),
            (scoring_grid.run(quick), {}),
            (scoring_gpu.run(FIRST), {}),
        ]
    for more_rows, more_ratios in parts:
        measured += more_rows
        ratios |= more_ratios
    return measured, ratios


def against_flax(folder: Path, point: Point, suffix: str, repeats: int) -> Measured:
    """Ours and transformers' Flax model with the GPT-2 that lies in the folder."""
    config, params = scorers.load_gpt2(folder)
    work = point.draw(config.vocab_size)
    model, weights = flax_gpt2.load(folder)
    score = jax.jit(flax_gpt2.scorer(model, point.length))
    sequences = jnp.asarray(work.sequences())
    batches = {
        f"scoring/flax_gpt2{suffix}/{size}": compiled(
            score, weights, sequences[:size], amount=size / point.candidates, unit="states/s"
        )
        for size in FLAX_SIZES
        if size <= len(sequences)
    }
    warm = race(batches, repeats=2)
    best = min(batches, key=lambda name: min(warm[name]) / batches[name].amount)
    size = int(best.rpartition("/")[2])
    ours, theirs = f"scoring/ours_gpt2{suffix}", f"scoring/flax_gpt2{suffix}"
    contenders = {
        ours: scorers.shared_prefix(config, params, work),
        theirs: dataclasses.replace(batches[best], note=f"batches of {size} sequences"),
    }
    parts = [score(weights, sequences[i : i + size]) for i in range(0, len(sequences), size)]
    agree(contenders[ours].call(), jnp.concatenate(parts).reshape(point.batch, -1), theirs)
    seconds = race(contenders, repeats)
    name = f"scoring/ours_vs_flax_gpt2{suffix}"
    return rows(contenders, seconds), {name: ratio(contenders, seconds, ours, theirs)}


def against_torch(folder: Path, point: Point, turns: int, windows: int) -> Measured:
    """Ours and transformers' torch model with the folder's GPT-2, each a process of its own."""
    ours, theirs, name = "scoring/ours_gpt2_pinned", "scoring/torch_gpt2", "scoring/ours_vs_torch"
    if why := unavailable():
        return [unmeasured(side, "states/s", why) for side in (ours, theirs)], {name: None}
    config, _ = scorers.load_gpt2(folder)
    point.draw(config.vocab_size).save(folder / "work.npz")
    cores = sorted(os.sched_getaffinity(0))
    arguments = [str(folder), "--windows", str(windows)]
    command = [sys.executable, str(BENCH / "tools" / "scorers.py"), *arguments]
    peer = [sys.executable, str(BENCH / "peers" / "torch_gpt2.py"), *arguments]
    peer += ["--threads", str(len(cores))]
    rates: dict[str, list[float]] = {ours: [], theirs: []}
    sizes, compiling = [], 0.0
    with processes.pinned(cores):
        for _ in range(turns):
            own = processes.report(command, JAX_PLATFORMS="cpu", USE_TORCH="0", XLA_FLAGS="")
            other = processes.report(peer, USE_TORCH="1", OMP_NUM_THREADS=str(len(cores)))
            agree(np.array(own["scores"]), np.array(other["scores"]), theirs)
            rates[ours] += own["rates"]
            rates[theirs] += other["rates"]
            compiling = own["compile_seconds"]
            sizes.append(str(other["batch"]))
    note = f"cores and threads: {len(cores)}"
    batches = f"sequences a batch, by turns: {', '.join(sizes)}"
    measured = [
        row(ours, rates[ours], "states/s", compiling, note),
        row(theirs, rates[theirs], "states/s", note=f"{note}; {batches}"),
    ]
    pairs = zip(rates[ours], rates[theirs], strict=True)
    return measured, {name: Ratio.of(a / b for a, b in pairs)}


def against_floor(point: Point, batch: int, repeats: int) -> Measured:
    """A Llama's scorer beside what it must at least compute and move."""
    ours, name = f"scoring/llama_B{batch}", "scoring/fraction_of_floor"
    if jax.default_backend() != "cpu":
        return [unmeasured(ours, "states/s", "not a CPU")], {name: None}
    states, costs = llama(LLAMA, dataclasses.replace(point, batch=batch))
    contenders = {ours: states, **floor.contenders("scoring", costs.bytes)}
    seconds = race(contenders, repeats)
    share = floor.share(costs, contenders, seconds, "scoring", ours)
    return rows(contenders, seconds), {name: share}


def llama(config: DecoderConfig, point: Point) -> tuple[Contender, Costs]:
    """The scorer of a Llama of random weights, and what a call must at least compute and move.

    Moved are the weights, and the prompt's keys and values, once.
    """
    work = point.draw(config.vocab_size)
    trie = Trie.build(work.answers.tolist())
    a_state = flops(config, point.prefix, point.suffix, trie)
    plan = memory_plan(config, point.prefix, point.suffix, len(trie.tokens), point.batch)
    note = f"{a_state:,} FLOP a state"
    states = scorers.shared_prefix(config, random_weights(config), work, note)
    return states, Costs(point.batch * a_state, plan.weights + plan.prefix)


def prompts(point: Point, repeats: int) -> list[Row]:
    """Of a Llama: one prompt for all states, and a prompt an instance, gathered for each state."""
    params, work = random_weights(LLAMA), point.draw(LLAMA.vocab_size)
    rng = np.random.default_rng(1)
    bank = rng.integers(0, LLAMA.vocab_size, (INSTANCES, point.prefix)).astype(np.int32)
    bank[0] = work.prompt
    instances = rng.integers(0, INSTANCES, point.batch)
    contenders = {
        "scoring/shared_prefix": scorers.shared_prefix(LLAMA, params, work, "one prompt"),
        f"scoring/instance_prefix_{INSTANCES}": scorers.instance_prefix(
            LLAMA, params, work, bank, instances, f"{INSTANCES} prompts"
        ),
    }
    shared, own = (contender.call() for contender in contenders.values())
    agree(shared[instances == 0], own[instances == 0], "a prompt an instance")
    return rows(contenders, race(contenders, repeats))


def agree(ours: Any, theirs: Any, name: str) -> None:
    """Refuse to compare the speed of different results."""
    difference = np.max(np.abs(np.asarray(ours) - np.asarray(theirs)))
    assert difference < TOLERANCE, f"our scores and those of {name} differ by {difference}"
