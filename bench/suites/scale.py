"""How speed and memory go with size: environments, runs, states of a table, weights of a model.

* `scale/env`: random actions in N environments; as `environments`.
* `scale/dqn`, `scale/dqn_prior_table`: training with R runs of one environment, and with few runs
  of N environments each; learners and maps as in `training`, a map a run.
* `scale/lake`: what a prior's table costs by the size of maps and their number: seconds until it
  is there, with its bytes, and training's steps a second with it. Beside it the same training with
  a memory of the same model, which needs no table. Cold, the memory is empty at first in every
  repeat; warm, it holds what the training meets. All runs play all maps. A memory is better where
  meeting the states takes less than the table's making.
* `scale/llama`: states scored a second by models of random weights; the ratio is the share of the
  floor's speed, as in `scoring`.

Memory is the compiled program's; of a table's making, the table's own bytes.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from tools import floor
from tools.scoring_work import FIRST, LLAMA, Point
from tools.timing import REPEATS, Contender, Measured, Row, race, row, rows

import lprl_jax
from lprl_jax import LanguagePrior, tabulate
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.priors import memo
from suites import memo_training, scoring
from suites.environments import random_play
from suites.training import CONFIG, RUNS, training

WORLDS: dict[str, tuple[str, dict[str, Any]]] = {
    "FrozenLake-8x8": ("FrozenLake-lprl", {"map_name": "8x8"}),
    "BlocksWorld-4": ("BlocksWorld-lprl", {"num_blocks": 4}),
}
"""Name in the report to id and arguments."""
ENVS, FEW_ENVS = (1, 8, 64, 512, 4_096, 16_384), (1, 512, 16_384)
"""Of random play."""
COUNTS, FEW_COUNTS = (1, 8, 32, 128, 512, 1_024), (1, 128)
"""Of runs."""
SIDE_BY_SIDE, FEW_SIDE_BY_SIDE = (1, 16, 256, 4_096, 16_384), (16, 4_096)
"""Environments of each of FEW_RUNS runs."""
FEW_RUNS = 4
STEPS, FEW_STEPS = 20_000, 5_000
"""Of a repeat of training, about."""
MOST_UPDATES = 1_000
"""Of a repeat: one run alone makes fewer steps."""
LAKES = tuple((size, count) for size in ("4x4", "8x8", "16x16") for count in (1, 32, 256))
FEW_LAKES = (("4x4", 1), ("8x8", 32))
"""Size of the maps, and how many there are."""
MODEL = "embedded"
SLOW_REPEATS = 3
"""Of what asks a model anew."""
FORGOTTEN = 0.01
"""Share of a warm memory's questions, at most, that run through the model: of new states that share
cells at the same step one is kept."""
PATIENCE = 10.0
"""Seconds of a table's making from which it is made no oftener than twice."""


def _llama(width: int, inner: int, layers: int, heads: int) -> DecoderConfig:
    return dataclasses.replace(
        LLAMA, hidden_size=width, intermediate_size=inner, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=heads, head_dim=width // heads,
    )  # fmt: skip


LLAMAS = {
    "1M": _llama(128, 384, 4, 4),
    "3M": LLAMA,
    "12M": _llama(384, 1_152, 6, 12),
    "50M": _llama(768, 2_048, 7, 12),
}
"""By how many weights they have."""
FEW_LLAMAS = ("1M", "3M")


def run(quick: bool) -> Measured:
    """Rows and ratios."""
    steps = FEW_STEPS if quick else STEPS
    parts: list[Measured] = [
        (environments(FEW_ENVS if quick else ENVS, REPEATS), {}),
        (learners(_pairs(quick), steps, REPEATS), {}),
        (lakes(FEW_LAKES if quick else LAKES, MODEL, steps // (10 * RUNS), REPEATS), {}),
        models(FEW_LLAMAS if quick else tuple(LLAMAS), FIRST, REPEATS),
    ]
    measured = [line for lines, _ in parts for line in lines]
    return measured, {name: value for _, ratios in parts for name, value in ratios.items()}


def _pairs(quick: bool) -> list[tuple[int, int]]:
    """Runs and environments of each."""
    counts, beside = (FEW_COUNTS, FEW_SIDE_BY_SIDE) if quick else (COUNTS, SIDE_BY_SIDE)
    return [(count, 1) for count in counts] + [(FEW_RUNS, count) for count in beside]


def environments(counts: Sequence[int], repeats: int) -> list[Row]:
    """A row a world and number of environments."""
    contenders = {
        f"scale/env/{name}/N{count}": random_play(env_id, count, **arguments)
        for name, (env_id, arguments) in WORLDS.items()
        for count in counts
    }
    return rows(contenders, race(contenders, repeats))


def learners(pairs: Sequence[tuple[int, int]], steps: int, repeats: int) -> list[Row]:
    """Two rows a pair of runs and environments: DQN, and DQN-Prior with a table."""
    env, params, prior = _lake("8x8", RUNS, MODEL)
    table, measured = tabulate(prior, env, params), []
    for num_runs, num_envs in pairs:  # one after the other: a thousand runs take gigabytes
        updates = updates_of(steps, num_runs, num_envs)
        contenders = {
            f"scale/{name}/R{num_runs}_N{num_envs}": training(
                env, params, own, updates, num_runs, num_envs
            )
            for name, own in (("dqn", None), ("dqn_prior_table", table))
        }
        measured += rows(contenders, race(contenders, repeats))
    return measured


def updates_of(steps: int, num_runs: int, num_envs: int) -> int:
    """Of a repeat that makes so many steps, about: two at the least."""
    an_update = CONFIG.rollout_length * num_runs * num_envs
    return min(MOST_UPDATES, max(2, steps // an_update))


def lakes(spaces: Sequence[tuple[str, int]], model: str, updates: int, repeats: int) -> list[Row]:
    """Four rows a size of maps and their number: a table, and learners by it and by a memory."""
    measured = []
    for size, count in spaces:
        env, params, prior = _lake(size, count, model)
        name, slow = f"scale/lake/{size}/M{count}", min(repeats, SLOW_REPEATS)
        made, table = making(env, params, prior, slow)
        few = dataclasses.replace(prior, chunk=memo.CHUNK)
        every = jnp.broadcast_to(params.instances, (RUNS, count))
        cold, warm = memo_training.cold_and_warm(
            env, params, few, memo.SLOTS, updates, FORGOTTEN, every
        )
        contenders = {
            f"{name}/dqn_prior_table": training(
                env, params, table, updates, RUNS, run_instances=every
            ),
            f"{name}/dqn_prior_memo": warm,
        }
        asked: dict[str, Contender] = {f"{name}/dqn_prior_cold": cold}
        measured += [dataclasses.replace(made, name=f"{name}/table")]
        measured += rows(contenders, race(contenders, repeats)) + rows(asked, race(asked, slow))
    return measured


def making(env: Any, params: Any, prior: LanguagePrior, repeats: int) -> tuple[Row, Any]:
    """Seconds until a table is there, and the table; what the first takes longer is compilation."""

    def timed() -> tuple[float, Any]:
        start = time.perf_counter()
        table = tabulate(prior, env, params)
        return time.perf_counter() - start, table

    first, table = timed()
    again = range(1 if first > PATIENCE else repeats)
    others = [timed()[0] for _ in again]
    states = params.instances.size * env.numbered_states
    note = f"{states:,} states, {table.evaluations:,} run through the model; memory is the table's"
    made = row("", others, "s", max(0.0, first - min(others)), note)
    return dataclasses.replace(made, memory_bytes=table.table.nbytes), table


def models(names: Sequence[str], point: Point, repeats: int) -> Measured:
    """A row a model, of states a second, and its share of the floor's speed."""
    measured, ratios = [], {}
    for name in names:
        ours = f"scale/llama/{name}"
        states, costs = scoring.llama(LLAMAS[name], point)
        contenders = {ours: states, **floor.contenders(ours, costs.bytes)}
        seconds = race(contenders, repeats)
        measured += rows(contenders, seconds)
        # Only on CPUs both compute in the same precision.
        share = floor.share(costs, contenders, seconds, ours, ours) if _on_cpu() else None
        ratios[f"{ours}/fraction_of_floor"] = share
    return measured, ratios


def _on_cpu() -> bool:
    return jax.default_backend() == "cpu"


def _lake(size: str, count: int, model: str) -> tuple[Any, Any, LanguagePrior]:
    """As in `training`: firm ice, `count` maps of a size, and the model's prior for them."""
    env, _ = lprl_jax.make("FrozenLake-lprl", map_name=size, is_slippery=False, observation="index")
    params = env.sample_params(jax.random.key(0), count)
    return env, params, LanguagePrior.from_pretrained(model, env, params)
