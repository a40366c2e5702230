"""What fine-tuning a language model with PPO gains on maps that it was not trained on.

    python docs/experiments/gflan.py [tuning | measure]

GFlan-Prior on Frozen Lake 4x4, firm ice: every run is trained on 16 training maps of its own, and
played on 64 held-out maps that are the same for all. Success, length and KL(π ‖ p) are exact, by
dynamic programming on the maps' law, so that all spread is of the training. The controls take the
prior that the policy is kept near away, blur it, or turn it round; the policy always starts from
the model. Settings are those of `configs/frozen_lake_gflan.yaml`; its learning rate, and that of
PPO with a network, were tuned on training maps of another bank. Writes `docs/results/gflan.json`.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={os.cpu_count() or 1}")

import gflan_tables
import jax
import jax.numpy as jnp
import numpy as np
import prose
import written
from gflan_played import LAKE, as_list, interval, log_probs_of, on_own_maps, play, summary
from gflan_tables import tables as tables
from lprl_envs import FrozenLake
from lprl_envs.frozen_lake.env import EnvParams

from lprl_jax.algorithms.base import Algorithm, Data
from lprl_jax.algorithms.policy_based import actor_critic, ppo
from lprl_jax.algorithms.policy_based.language_policy import LanguagePolicy
from lprl_jax.algorithms.policy_based.ppo_config import NETWORK, PPOConfig
from lprl_jax.algorithms.tabular import habits
from lprl_jax.experiments import config, sharding
from lprl_jax.lm import embedded
from lprl_jax.lm.checkpoint import load
from lprl_jax.priors import LanguagePrior, TabularPrior, UniformPrior, degrade, tabulate
from lprl_jax.results import statistics

RESULTS = Path(__file__).parents[1] / "results" / "gflan.json"
RUNS, MAPS, HELD_OUT = 6, 16, 64
GOAL = "anywhere"
"""Of the maps, with their start."""
UPDATES, MEASURES = 20, 2
"""Of the policy, and how often it is measured meanwhile."""
LONGER = 60
"""PPO with a network is also given so many times the steps."""
SEEN = FrozenLake("4x4", is_slippery=False, observation="features")
"""The same, for a network: the cell, the holes and the goal."""
RATES = {"language model": (3e-5, 1e-4, 3e-4), "network": (3e-4, 1e-3, 3e-3)}
NETWORK_RATE = 3e-4
"""The best of `tuning` for a network."""


class Cell(NamedTuple):
    """A row: R runs."""

    start: str
    """The model that the policy begins as."""
    target: str
    """What it is kept near: that model, frozen, or a control."""
    alpha: float


CELLS = (
    *(Cell("embedded", "frozen", alpha) for alpha in (0.0, 0.01, 0.1, 1.0)),
    *(
        Cell("embedded", target, 0.1)
        for target in ("habit", "uniform", "half uniform", "adversarial")
    ),
    Cell("embedded-early-2", "frozen", 0.1),
    Cell("embedded-early-1", "frozen", 0.1),
)

MODELS = tuple(dict.fromkeys(cell.start for cell in CELLS))


def main() -> None:
    """Tune on training maps, measure on held-out ones, or both."""
    figures = written.kept(RESULTS, MODELS)
    for part in sys.argv[1:] or ("tuning", "measure"):
        if part == "tuning":
            figures["tuning"] = tuning()
        else:
            figures |= measure()
        written.write(RESULTS, figures, MODELS)


def bank(seed: int, count: int, split: str) -> EnvParams:
    """So many random maps."""
    draw = functools.partial(LAKE.sample_params, num_instances=count, split=split, goal=GOAL)
    return jax.jit(draw)(jax.random.key(seed))


# -- training --------------------------------------------------------------------------------------


def settings(**changes: Any) -> PPOConfig:
    """Of the committed config."""
    own = dataclasses.replace(config.read("frozen_lake_gflan").algorithm, **changes)
    assert isinstance(own, PPOConfig)
    return own


class Learner:
    """R runs side by side, compiled once: starts, targets and α are arguments."""

    def __init__(self, own: PPOConfig, maps: EnvParams, runs: int, instances: jax.Array):
        self.own, self.maps, self.instances = own, maps, instances
        self.is_network = own.policy == NETWORK
        self.env = SEEN if self.is_network else LAKE
        self.mesh, self.keys = sharding.make_mesh(runs), jax.random.split(jax.random.key(1), runs)
        self.chunk: Any = None

    def train(
        self, data: Data, prior: TabularPrior | None, policy: LanguagePolicy | None, **hp: Any
    ) -> Any:
        """After every UPDATES / MEASURES updates, the runs' parameters; the first are untrained."""
        runs = len(self.keys)
        algorithm = ppo.make(self.own, self.env, prior, policy)
        given = {name: jnp.broadcast_to(jnp.float32(x), (runs,)) for name, x in hp.items()}
        hparams = self.own.hparams(runs)._replace(**given)
        placed = sharding.place(self.mesh, (self.keys, hparams, self.instances))
        data = sharding.place(self.mesh, data)
        keys, hparams, instances = placed
        state = sharding.spread(self.mesh, algorithm.init(keys, hparams, data, instances))
        self.chunk = self.chunk or compiled(algorithm, self.mesh, self.own, state, data)
        yield jax.device_get(state.params)
        for _ in range(MEASURES):
            state, _ = self.chunk(state, data)
            yield jax.device_get(state.params)


def compiled(algorithm: Algorithm, mesh: Any, own: PPOConfig, state: Any, data: Data) -> Any:
    """The training between two measures."""
    steps = UPDATES * settings().steps_per_update
    updates = steps // own.steps_per_update // MEASURES
    return sharding.compile_chunk(algorithm, mesh, updates, state, data)


# -- the figures -----------------------------------------------------------------------------------


def measure() -> dict[str, Any]:
    """Every cell, PPO with a network, and the frozen models."""
    train, held_out = bank(0, RUNS * MAPS, "train"), bank(1, HELD_OUT, "held-out")
    instances = jnp.arange(RUNS * MAPS, dtype=jnp.int32).reshape(RUNS, MAPS)
    own = settings()
    figures: dict[str, Any] = {
        "runs": RUNS,
        "steps": UPDATES * own.steps_per_update,
        "frozen": {},
        "cells": [],
        "network": [],
        "counts": counts(own),
    }
    learner = Learner(own, train, RUNS, instances)
    models = {name: load(embedded.path_of(name)) for name in MODELS}
    actor, frozen = None, {}
    for name, model in models.items():
        model = model._replace(name=name)
        prior = LanguagePrior.of_model(model, LAKE, train)
        asked = [
            tabulate(p, LAKE, p_bank, **prior.settings)
            for p, p_bank in ((prior, train), (prior.with_bank(held_out), held_out))
        ]
        policies = [LanguagePolicy.of_model(model, LAKE, maps) for maps in (train, held_out)]
        actor = actor or policies[0].actor_critic()
        own_play = play(asked[1].table[None], asked[1].table, held_out)
        frozen[name] = model, prior, asked, policies, jax.device_get(own_play)
        of_train = jax.device_get(play(asked[0].table[None], asked[0].table, train))
        figures["frozen"][name] = {
            "held-out": as_list(statistics.bootstrap_interval(frozen[name][4].success[0], np.mean)),
            "greedy": round(float(frozen[name][4].greedy.mean()), 4),
            "training": round(float(of_train.success.mean()), 4),
            "evaluations": asked[0].evaluations,
        }
        print(name, figures["frozen"][name], flush=True)
    assert actor is not None
    for cell in CELLS:
        _, prior, asked, policies, before = frozen[cell.start]
        target = targets(prior, asked[0], train)[cell.target]
        datas = [
            Data(target.params, train, policy_params=policies[0].params),
            Data((), held_out, policy_params=policies[1].params),
        ]
        curve, params = [], None
        for params in learner.train(datas[0], target, policies[0], alpha=cell.alpha):
            there = play(log_probs_of(actor, params, datas[1]), asked[1].table, held_out)
            curve.append(summary(jax.device_get(there), before))
        own_maps = on_own_maps(actor, params, datas[0], asked[0].table, instances)
        figures["cells"].append({**cell._asdict(), "training": interval(own_maps), "curve": curve})
        print(cell, interval(own_maps), curve[-1], flush=True)
    for times in (1, LONGER):
        own = from_scratch(train, held_out, instances, NETWORK_RATE, times)
        figures["network"].append(own)
        print(own, flush=True)
    return figures


def targets(prior: LanguagePrior, table: TabularPrior, train: EnvParams) -> dict[str, TabularPrior]:
    """What a policy is kept near, as tables of one shape."""
    kept = {"frozen": table, "uniform": UniformPrior(LAKE)}
    kept["habit"] = habits.of_training(LAKE, (("goal", GOAL),))
    kept["half uniform"] = degrade(table, epsilon=0.5)
    kept["adversarial"] = degrade(table, adversarial=True)
    return {
        name: p if p is table else tabulate(p, LAKE, train, **prior.settings)
        for name, p in kept.items()
    }


def network_settings(rate: float) -> PPOConfig:
    """PPO's own defaults."""
    return PPOConfig(gamma=settings().gamma, learning_rate=rate)


def from_scratch(
    train: EnvParams, held_out: EnvParams, instances: jax.Array, rate: float, times: int
) -> dict[str, Any]:
    """PPO with a network, on the same maps, for as many steps or more."""
    own = network_settings(rate)
    learner = Learner(own, train, len(instances), instances)
    actor = actor_critic.of_observations(SEEN, own.hidden_sizes)
    steps = UPDATES * settings().steps_per_update * times
    algorithm = ppo.make(own, SEEN)
    data = sharding.place(learner.mesh, Data((), train))
    placed = learner.keys, own.hparams(len(instances)), instances
    keys, hparams, runs = sharding.place(learner.mesh, placed)
    state = sharding.spread(learner.mesh, algorithm.init(keys, hparams, data, runs))
    updates = steps // own.steps_per_update
    state, _ = sharding.compile_chunk(algorithm, learner.mesh, updates, state, data)(state, data)
    params = jax.device_get(state.params)
    uniform = jnp.full((HELD_OUT, LAKE.num_states, LAKE.num_actions), -jnp.log(4.0))
    log_probs = log_probs_of(actor, params, Data((), held_out))
    played = jax.device_get(play(log_probs, uniform, held_out))
    every = jnp.full((train.instances.shape[0], *uniform.shape[1:]), -jnp.log(4.0))
    own_maps = on_own_maps(actor, params, Data((), train), every, instances)
    return {
        "steps": steps,
        "training": interval(own_maps),
        "success": interval(played.success.mean(1)),
        "greedy": interval(played.greedy.mean(1)),
    }


def counts(own: PPOConfig) -> dict[str, int]:
    """What a run asks, all in all: of the prior's table, and of the policy's own model."""
    steps = UPDATES * own.steps_per_update
    texts = min(MAPS, own.steps_per_update // own.num_minibatches)
    return {
        "queries of the prior": steps + own.num_envs,
        "states run to act": steps + UPDATES * own.num_envs,
        "states run to learn": steps * own.num_epochs,
        "maps' texts run": UPDATES * (MAPS + own.num_epochs * own.num_minibatches * texts),
    }


def numbers(figures: dict[str, Any]) -> prose.Numbers:
    """What sentences quote."""
    own = {"maps": f"{MAPS}", "held_out": f"{HELD_OUT}"}
    return gflan_tables.numbers(figures) | own


# -- tuning ----------------------------------------------------------------------------------------


def tuning() -> dict[str, Any]:
    """Success on the training maps themselves, by learning rate; no held-out map is met."""
    train, runs = bank(100, 2 * MAPS, "train"), 2
    own_maps = jnp.arange(2 * MAPS, dtype=jnp.int32).reshape(runs, MAPS)
    found: dict[str, Any] = {"language model": {}, "network": {}}
    model = load(embedded.path_of("embedded-early-2"))
    prior = LanguagePrior.of_model(model, LAKE, train)
    table = tabulate(prior, LAKE, train, **prior.settings)
    policy = LanguagePolicy.of_model(model, LAKE, train)
    data = Data(table.params, train, policy_params=policy.params)
    learner, actor = Learner(settings(), train, runs, own_maps), policy.actor_critic()
    for rate in RATES["language model"]:
        *_, params = learner.train(data, table, policy, learning_rate=rate)
        success = on_own_maps(actor, params, data, table.table, own_maps)
        found["language model"][f"{rate:g}"] = round(float(success.mean()), 4)
    for rate in RATES["network"]:
        row = from_scratch(train, bank(101, HELD_OUT, "train"), own_maps, rate, LONGER)
        found["network"][f"{rate:g}"] = row["training"][0]
    print(found, flush=True)
    return found


if __name__ == "__main__":
    main()
