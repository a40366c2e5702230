"""Train with a live language model over meshes of devices, in one process or two; a program.

    python sharded_training.py OUT.npz 1x1 8x1 4x2    # data x model
    python sharded_training.py OUT.npz 4x1 --process 0 --port 12345    # and 1, beside it
    python sharded_training.py OUT.npz 1x1 4x2 --learner ppo    # the model is the policy, too

Written is, for every mesh: what was learnt, the metrics, the prior's answers at the start, what the
compiled program says, how much of the weights a device holds, and of what is learnt.
"""
# ruff: noqa: E402

import argparse
import json
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType

parser = argparse.ArgumentParser()
parser.add_argument("out")
parser.add_argument("meshes", nargs="+")
parser.add_argument("--process", type=int)
parser.add_argument("--port", type=int)
parser.add_argument("--learner", choices=("dqn", "ppo"), default="dqn")
options = parser.parse_args()
if options.process is not None:  # before gymnax is imported, which runs something
    jax.distributed.initialize(f"localhost:{options.port}", 2, options.process)

from lprl_envs import FrozenLake

from lprl_jax.algorithms.base import Algorithm, Data
from lprl_jax.algorithms.policy_based import ppo
from lprl_jax.algorithms.policy_based.language_policy import LanguagePolicy
from lprl_jax.algorithms.value_based import dqn
from lprl_jax.experiments import sharding
from lprl_jax.lm import decoder, embedded, hugging_face, partition
from lprl_jax.lm.checkpoint import LanguageModel
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.priors import LanguagePrior

RUNS, CHUNKS, UPDATES = 8, 2, 1
CONFIGS: dict[str, Any] = {
    "dqn": dqn.DQNConfig(
        num_envs=2, rollout_length=3, hidden_sizes=(8,), buffer_size=12, batch_size=4, k=3
    ),
    "ppo": ppo.PPOConfig(
        policy="tiny",
        num_envs=2,
        rollout_length=3,
        num_epochs=1,
        num_minibatches=2,
        learning_rate=1e-4,
    ),
}


def make(env: FrozenLake, model: LanguageModel) -> tuple[Algorithm, Data]:
    """The learner, and its data, the model's prefixes among them."""
    config, prior = CONFIGS[options.learner], LanguagePrior.of_model(model, env, chunk=4)
    data = Data(prior.params, env.default_params)
    if options.learner == "dqn":
        return dqn.make(config, env, prior), data
    policy = LanguagePolicy.of_model(model, env)
    return ppo.make(config, env, prior, policy), data._replace(policy_params=policy.params)


def train(mesh: jax.sharding.Mesh, model: LanguageModel) -> dict[str, Any]:
    """What comes of it, by name."""
    env = FrozenLake("4x4", is_slippery=False, reward_schedule=(1.0, -1.0, 0.1))
    model = model._replace(params=partition.split(model.params, mesh))
    algorithm, data = make(env, model)
    data = sharding.place(mesh, data)
    keys = jax.random.split(jax.random.key(0), RUNS)
    placed = sharding.place(mesh, (keys, CONFIGS[options.learner].hparams(RUNS)))
    state = sharding.spread(mesh, algorithm.init(*placed, data))
    chunk = sharding.compile_chunk(algorithm, mesh, UPDATES, state, data)
    evaluate = sharding.compile_evaluation(algorithm, mesh, 4, algorithm.policies[0], state, data)
    found = {"log_probs": sharding.fetch(state.log_probs)}
    for number in range(CHUNKS):
        state, metrics = chunk(state, data)
        found |= {f"{name} {number}": x for name, x in sharding.fetch(metrics).items()}
    found |= {f"played {name}": x for name, x in sharding.fetch(evaluate(state, data)).items()}
    leaves = jax.tree_util.tree_leaves_with_path(sharding.fetch(state.params))
    found |= {jax.tree_util.keystr(path): leaf for path, leaf in leaves}
    found["queries"] = np.array(int(sharding.fetch(state.prior_carry.queries)))
    held = sum(leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(model.params))
    whole = sum(leaf.nbytes for leaf in jax.tree.leaves(model.params))
    shapes = [list(leaf.shape) for leaf in jax.tree.leaves(model.params)]
    program = chunk.as_text()  # pyright: ignore[reportFunctionMemberAccess]
    report = {"held": held / whole, "shapes": shapes, "program": program, "lies": lies(state)}
    return {**found, "report": json.dumps(report | {"processes": jax.process_count()})}


def lies(state: Any) -> dict[str, tuple[list[int], list[int]]]:
    """Of everything learnt, its shape, and what of it a device holds."""
    learnt = jax.tree_util.tree_leaves_with_path((state.params, state.opt_state))
    return {
        jax.tree_util.keystr(path): (list(x.shape), list(x.addressable_shards[0].data.shape))
        for path, x in learnt
    }


def tiny_model() -> LanguageModel:
    """Random weights that answer far from uniformly; two key-value heads, to be split over two."""
    tokenizer = hugging_face.read_tokenizer(embedded.path_of("embedded"))
    config = DecoderConfig(len(tokenizer), 32, 24, 2, 4, 2, 8)
    params = decoder.init(jax.random.key(3), config)
    return LanguageModel(config, {**params, "head": 2.5 * params["head"]}, tokenizer, "tiny")


def main() -> None:
    model, found = tiny_model(), {}
    for name in options.meshes:
        shape = tuple(int(size) for size in name.split("x"))
        devices = jax.devices()[: shape[0] * shape[1]]
        axes = (partition.DATA, partition.MODEL)
        mesh = jax.make_mesh(shape, axes, (AxisType.Auto, AxisType.Auto), devices=devices)
        found |= {f"{name} {key}": value for key, value in train(mesh, model).items()}
    if jax.process_index() == 0:
        np.savez(options.out, **found)


if __name__ == "__main__":
    main()
