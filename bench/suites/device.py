"""What decides on an accelerator, in eight minutes: `bench/throughput.py --device-suite`.

Six parts, in the order of what they tell: environments, learners, scoring, a prior that is asked at
every step, a policy that is a language model, and larger models; at sizes that keep a device busy.
A part that would begin when LIMIT_SECONDS are over is not measured, and one that the device has no
memory for says so: the others stand.

Names are those of the other suites where the work is theirs, so that a device is one more column
beside the CPUs. Everything runs on a CPU too, only for longer.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import jax
from tools import floor
from tools.scoring_work import FIRST, LLAMA
from tools.timing import Measured, Ratio, race, ratio, rows, unmeasured

import lprl_jax
from lprl_jax import LanguagePrior, tabulate
from suites import environments, policy_training, scoring_gpu, training
from suites import scoring as suites_scoring

LIMIT_SECONDS = 330.0
"""After which no part begins; the longest takes about two minutes."""
NUM_ENVS = (2_048, 65_536, 1_048_576)
RUNS, UPDATES = (32, 1_024), (200, 20)
"""Of learners, and how often they learn in a call."""
LIVE = (256, 4_096)
"""Runs that ask the model."""
STATES = (1_024, 16_384)
"""That are scored at once."""

_START = time.monotonic()


def env() -> Measured:
    """Frozen Lake beside gymnax's, and Blocks World."""
    contenders = {}
    for count in NUM_ENVS:
        for ice, slippery in (("", True), ("-firm", False)):
            for name, env_id in (
                ("FrozenLake-lprl", "FrozenLake-lprl"),
                ("gymnax-FrozenLake", "FrozenLake-misc"),
            ):
                played = environments.random_play(env_id, count, is_slippery=slippery)
                contenders[f"env/{name}{ice}/{count}"] = played
        played = environments.random_play("BlocksWorld-lprl", count, num_blocks=4)
        contenders[f"env/BlocksWorld-lprl-4/{count}"] = played
    seconds = race(contenders)
    ratios: dict[str, Ratio | None] = {
        f"frozen_lake/ours_vs_gymnax{name}{'' if count == NUM_ENVS[0] else f'/{count}'}": ratio(
            contenders,
            seconds,
            f"env/FrozenLake-lprl{ice}/{count}",
            f"env/gymnax-FrozenLake{ice}/{count}",
        )
        for count in NUM_ENVS
        for name, ice in (("", ""), ("_firm", "-firm"))
    }
    return rows(contenders, seconds), ratios


def learners() -> Measured:
    """DQN, and DQN-Prior from a table, of few runs and of many."""
    world, _ = lprl_jax.make(
        "FrozenLake-lprl", map_name="8x8", is_slippery=False, observation="index"
    )
    params = world.sample_params(jax.random.key(0), training.RUNS)
    table = tabulate(LanguagePrior.from_pretrained("embedded", world, params), world, params)
    contenders = {
        f"{name}{_of_runs(count)}": training.training(world, params, prior, updates, count)
        for count, updates in zip(RUNS, UPDATES, strict=True)
        for name, prior in (("training/dqn", None), ("training/dqn_prior_table", table))
    }
    seconds = race(contenders)
    ratios: dict[str, Ratio | None] = {
        f"dqn_prior_table/dqn{ending}": ratio(
            contenders, seconds, f"training/dqn_prior_table{ending}", f"training/dqn{ending}"
        )
        for ending in map(_of_runs, RUNS)
    }
    return rows(contenders, seconds), ratios


def scoring() -> Measured:
    """A small Llama in f32 beside its floor."""
    contenders, costs = {}, {}
    for batch in STATES:
        name = f"scoring/llama_B{batch}"
        point = dataclasses.replace(FIRST, batch=batch)
        contenders[name], costs[name] = suites_scoring.llama(LLAMA, point)
    size = max(cost.bytes for cost in costs.values())
    contenders |= floor.contenders("scoring", size)
    seconds = race(contenders)
    ratios: dict[str, Ratio | None] = {
        # As in `scoring`: elsewhere products of large matrices may be in another precision.
        f"scoring/fraction_of_floor{'' if batch == STATES[0] else f'/{batch}'}": (
            floor.share(costs[name], contenders, seconds, "scoring", name)
            if jax.default_backend() == "cpu"
            else None
        )
        for batch, name in zip(STATES, costs, strict=True)
    }
    return rows(contenders, seconds), ratios


def live() -> Measured:
    """DQN-Prior that asks the embedded model at every step, on 32 maps."""
    world, _ = lprl_jax.make(
        "FrozenLake-lprl", map_name="8x8", is_slippery=False, observation="index"
    )
    params = world.sample_params(jax.random.key(0), training.RUNS)
    prior = LanguagePrior.from_pretrained("embedded", world, params)
    contenders = {
        f"training/dqn_prior_live_32_maps{_of_runs(count)}": training.training(
            world, params, prior, 2, count
        )
        for count in LIVE
    }
    return rows(contenders, race(contenders)), {}


def gflan() -> Measured:
    """A language model as the policy."""
    return policy_training.gflan(quick=True)


def large_models() -> Measured:
    """On a GPU: what of its rate larger models use, in bf16."""
    return scoring_gpu.run(FIRST), {}


def in_time(name: str, part: Callable[[], Measured]) -> Callable[[bool], Measured]:
    """A part as a suite: not measured where no time is left, or no memory."""

    def run(quick: bool) -> Measured:
        del quick  # there is one size
        if time.monotonic() - _START > LIMIT_SECONDS:
            return [unmeasured(f"device/{name}", "", "no time was left")], {}
        try:
            return part()
        except jax.errors.JaxRuntimeError as error:
            return [unmeasured(f"device/{name}", "", str(error).partition("\n")[0])], {}

    return run


def _of_runs(count: int) -> str:
    return "" if count == training.RUNS else f"/R{count}"


PARTS = {
    part.__name__: in_time(part.__name__, part)
    for part in (env, learners, scoring, live, gflan, large_models)
}
"""Name to suite."""
