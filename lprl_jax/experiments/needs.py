"""What an experiment needs of memory: known before it is asked for.

`require_least` reckons by a config's fields alone, at once and from below. `require_state` knows
the arrays of an algorithm's state, from a trace that its making would need anyway.
"""

from __future__ import annotations

import itertools
import math
import zipfile
from collections.abc import Iterator
from typing import Any

from jax.sharding import Mesh

from lprl_jax import memory
from lprl_jax.algorithms.policy_based.ppo_config import NETWORK
from lprl_jax.experiments.config import Experiment
from lprl_jax.memory import Part

STATE = 8
"""Bytes of an environment's state, at the least: time and instance."""
TRANSITION = 2 * STATE + 9
"""Of a transition: two states, an action, a reward, and whether it ended."""
STEP = 2 * STATE + 18
"""Of a step of a roll-out: what was seen and comes next, an action, three numbers, two flags."""
EPISODE = STATE + 16
"""Of an episode that is played: its state, key and sums."""

FIELDS = {
    "replay": ("buffer_size",),
    "params": ("hidden_sizes", "horizon", "policy", "lora_rank"),
    "target_params": ("hidden_sizes",),
    "opt_state": ("hidden_sizes", "policy", "lora_rank"),
    "env_state": ("num_envs",),
    "log_probs": ("num_envs",),
    "features": ("num_envs",),
    "prior_carry": ("memo_slots",),
    "advised": ("num_envs",),
    "guide": ("num_envs", "memory_size"),
    "counts": ("horizon",),
    "run_instances": ("env_params.num_instances",),
}
"""By which fields of a config the parts of a state become smaller."""


def require_least(experiment: Experiment) -> None:
    """Raise InvalidInput if the config's numbers alone need more memory than there is."""
    parts = list(_least(experiment))
    memory.require(runs_of(experiment), parts, named(experiment))


def require_steps(num_runs: int, num_steps: int) -> None:
    """Raise InvalidInput if so many transitions do not fit."""
    part = Part(("num_runs", "steps"), num_runs * num_steps * TRANSITION)
    memory.require("the transitions", [part], {"num_runs": num_runs, "steps": num_steps})


def require_file(field: str, path: str) -> None:
    """Raise InvalidInput if what a .npz file holds does not fit; of others nothing is known."""
    try:
        with zipfile.ZipFile(path) as file:
            size = sum(entry.file_size for entry in file.infolist())
    except (OSError, ValueError, zipfile.BadZipFile):  # whoever reads it says what is wrong
        return
    memory.require("its arrays", [Part((field,), size)], {field: path})


def require_state(experiment: Experiment, state: Any, mesh: Mesh) -> None:
    """Raise InvalidInput if a state of these shapes does not fit.

    Every device of the mesh makes it whole, before each gets its share of the runs.
    """
    copies = memory.copies(mesh.devices.size)
    parts = [
        Part(("num_runs", *FIELDS.get(name, ())), copies * memory.num_bytes(own))
        for name, own in state._asdict().items()
    ]
    memory.require(runs_of(experiment), parts, named(experiment))


def runs_of(experiment: Experiment) -> str:
    """What takes the memory."""
    settings = math.prod(map(len, experiment.sweep.values()))
    return "the runs" if settings == 1 else f"the runs of {settings} settings"


def named(experiment: Experiment) -> dict[str, Any]:
    """The fields that a message may name, with their values."""
    config, bank = experiment.config, experiment.bank
    own = dict(vars(experiment.algorithm))
    if "policy" in own:  # a network is made smaller, a model named otherwise
        own.pop("policy" if own["policy"] == NETWORK else "hidden_sizes")
        if not own["lora_rank"]:  # all weights, or a network
            own.pop("lora_rank")
    many = {"env_params.num_instances": bank.num_instances} if bank.num_instances else {}
    plain = {name: vars(config)[name] for name in ("num_runs", "eval_episodes", "memo_slots")}
    return {**plain, **own, **many}


def _least(experiment: Experiment) -> Iterator[Part]:
    """What must be held at the same time, at the least."""
    own, bank, runs = vars(experiment.algorithm), experiment.bank, experiment.num_runs
    instances = max(1, bank.num_instances, len(bank.instances))
    yield Part(("num_runs",), runs * STATE)
    yield Part(("env_params.num_instances",), instances * STATE)
    if "depth" in own:
        yield from _search(own, runs * instances)
        return
    if not bank.instance_per_run:
        yield Part(("num_runs", "env_params.num_instances"), 4 * runs * instances)
    yield Part(("num_runs", "eval_episodes"), runs * experiment.config.eval_episodes * EPISODE)
    has_prior = experiment.config.prior != "none"
    kept = 4 * own["k"] if has_prior and type(own.get("k")) is int else 0
    envs = own.get("num_envs", 1)
    if "num_envs" in own:
        yield Part(("num_runs", "num_envs"), runs * envs * STATE)
    if "buffer_size" in own:
        names = ("num_runs", "buffer_size", *["k"] * (kept > TRANSITION))
        yield Part(names, runs * own["buffer_size"] * (TRANSITION + kept))
    elif "num_envs" in own:
        names = ("num_runs", "num_envs", "rollout_length", *["k"] * (kept > STEP))
        yield Part(names, runs * envs * own["rollout_length"] * (STEP + kept))
    if "batch_size" in own:
        yield Part(("num_runs", "batch_size"), runs * own["batch_size"] * TRANSITION)
    if "horizon" in own:
        yield Part(("num_runs", "horizon"), runs * own["horizon"] * 16)
    weights = sum(a * b for a, b in itertools.pairwise(own.get("hidden_sizes", ())))
    yield Part(("num_runs", "hidden_sizes"), 12 * runs * weights)  # and Adam's two moments


def _search(own: dict[str, Any], rows: int) -> Iterator[Part]:
    """Of SLINVIT: the last level of every lane's tree, in which a node has two children or one."""
    leaves = min(own["k"], 2) ** min(own["depth"], 64)
    ends = own["num_rollouts"] if own["value"] == "rollouts" else 1
    names = ("lanes", "depth", "k", *["num_rollouts"] * (ends > 1))
    yield Part(names, min(own["lanes"], rows) * leaves * ends * STATE)
