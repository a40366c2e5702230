"""Run an experiment: chunks of a compiled scan, and between them the host's work.

A chunk trains every run for `eval_every` environment steps and evaluates it, on all devices, each
with its share of the runs. Between chunks: progress, a line of `metrics.jsonl`, a line of
`timing.jsonl`, a checkpoint. `metrics.jsonl` is free of clock times, so equal experiments write
equal bytes.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import yaml
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from lprl_envs import InvalidInput
from tqdm import tqdm

from lprl_jax import build
from lprl_jax.algorithms.base import Algorithm, Data
from lprl_jax.checkpoint import Checkpoints
from lprl_jax.config import Experiment

RUNS = "runs"


@dataclasses.dataclass(frozen=True)
class Result:
    """Curves of an experiment, T evaluations of R runs, the first before any training."""

    steps: np.ndarray
    """i64[T]: environment steps a run."""
    success: np.ndarray
    """f64[R, T]: share of successful episodes."""
    returns: np.ndarray
    """f64[R, T]: mean return."""
    queries: np.ndarray
    """i64[T]: prompts sent to the model so far, by all runs."""
    evaluations: np.ndarray
    """i64[T]: prompts run through it so far, a table's included."""
    steps_per_second: float
    """Environment steps of all runs a second of training, evaluation and compilation apart."""


def run(experiment: Experiment, out: Path, progress: bool = True) -> Result:
    """Run an experiment and write its directory.

    Raises:
        InvalidInput: if the directory cannot be written or holds something already, or the
            experiment cannot be built.
    """
    config = experiment.config
    claim_directory(out)
    env, params = build.make_env(config.env, experiment.env_arguments, experiment.bank)
    prior = build.make_prior(config, env, params)
    algorithm = build.make_algorithm(experiment, env, prior)
    data = Data(() if prior is None else prior.params, params)
    (out / "config.yaml").write_text(yaml.safe_dump(experiment.as_dict(), sort_keys=False))

    keys = jax.random.split(jax.random.key(config.seed), config.num_runs)
    hparams = experiment.algorithm.hparams(config.num_runs)
    mesh = runs_mesh(config.num_runs)
    state = algorithm.init(keys, hparams, data, build.run_instances(experiment, params))
    state = spread(mesh, state)
    data = jax.device_put(data, NamedSharding(mesh, PartitionSpec()))

    a_chunk = experiment.algorithm.steps_per_update
    updates = max(1, round(config.eval_every / a_chunk))
    chunks = max(1, math.ceil(config.total_steps / (updates * a_chunk)))
    started = time.perf_counter()
    train = compile_chunk(algorithm, mesh, updates, state, data)
    evaluate = compile_evaluation(algorithm, mesh, config.eval_episodes, state, data)
    timing = {"event": "compiled", "seconds": round(time.perf_counter() - started, 3)}

    records, seconds = [], []
    with (
        Checkpoints(out / "checkpoints") as checkpoints,
        (out / "metrics.jsonl").open("w") as metrics_file,
        (out / "timing.jsonl").open("w") as timing_file,
        tqdm(total=chunks, desc=out.name, disable=not progress, unit="chunk") as bar,
    ):
        write_line(timing_file, timing)
        for chunk in range(chunks + 1):
            started = time.perf_counter()
            training: dict[str, Any] = {}
            if chunk:  # the first evaluation is of the untrained runs
                state, training = jax.block_until_ready(train(state, data))
            trained = time.perf_counter()
            played = jax.device_get(evaluate(state, data))
            evaluated = time.perf_counter()
            record = summarize(chunk * updates * a_chunk, state, training, played)
            records.append(record)
            seconds += [trained - started] if chunk else []
            write_line(metrics_file, record)
            write_line(
                timing_file,
                {
                    "step": record["step"],
                    "train_seconds": round(trained - started, 4),
                    "evaluate_seconds": round(evaluated - trained, 4),
                },
            )
            if chunk == chunks or (chunk and chunk % config.checkpoint_every == 0):
                checkpoints.save(record["step"], state)
            if chunk:
                bar.update()
                bar.set_postfix(steps=record["step"], success=f"{np.mean(record['success']):.2f}")
    rate = updates * a_chunk * config.num_runs / float(np.median(seconds))
    return Result(
        steps=np.array([r["step"] for r in records]),
        success=np.array([r["success"] for r in records]).T,
        returns=np.array([r["return"] for r in records]).T,
        queries=np.array([r["queries"] for r in records]),
        evaluations=np.array([r["evaluations"] for r in records]),
        steps_per_second=rate,
    )


def claim_directory(out: Path) -> None:
    """Make the directory, which must not hold anything yet.

    Raises:
        InvalidInput: if it cannot be made, or holds something.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise InvalidInput(f"{out} is not empty; name a new directory")
        (out / ".writable").touch()
        (out / ".writable").unlink()
    except OSError as error:
        raise InvalidInput(f"cannot write to {out}: {error.strerror}") from None


def runs_mesh(num_runs: int) -> jax.sharding.Mesh:
    """As many devices as divide the runs evenly, in a row."""
    devices = jax.devices()
    count = max(n for n in range(1, len(devices) + 1) if num_runs % n == 0)
    return jax.make_mesh((count,), (RUNS,), (AxisType.Auto,), devices=devices[:count])


def spread(mesh: jax.sharding.Mesh, state: Any) -> Any:
    """Put a state on the mesh; the prior's carry becomes one a device, the first keeps the counts.

    Devices then share nothing while they run. (A sum over the devices inside the program would have
    the faster one wait for the slower, and XLA's CPU backend aborts when that takes 40 seconds.)
    """

    def one_a_device(x: jax.Array) -> jax.Array:
        return jnp.zeros((mesh.size, *x.shape), x.dtype).at[0].set(x)

    state = state._replace(prior_carry=jax.tree.map(one_a_device, state.prior_carry))
    return jax.device_put(state, jax.tree.map(lambda s: NamedSharding(mesh, s), specs(state)))


def specs(state: Any) -> Any:
    """How a spread state lies on the mesh: by its leading axis; scalars are everywhere."""
    return jax.tree.map(lambda x: PartitionSpec(RUNS) if jnp.ndim(x) else PartitionSpec(), state)


def compile_chunk(
    algorithm: Algorithm, mesh: jax.sharding.Mesh, num_updates: int, state: Any, data: Data
) -> Callable[[Any, Data], tuple[Any, dict[str, jax.Array]]]:
    """`(state, data) -> (state, metrics [R])`: training, compiled, the runs over the devices.

    Every device is a program of its own on its share of the runs. The state is used up.
    """

    def chunk(state: Any, data: Data) -> tuple[Any, dict[str, jax.Array]]:
        state, metrics = algorithm.train(_own(state), data, num_updates)
        total = {name: jnp.sum(x, axis=0) for name, x in metrics.items()}
        carry = jax.tree.map(lambda x: x[None], state.prior_carry)
        return state._replace(prior_carry=carry), {**total, "loss": jnp.mean(metrics["loss"], 0)}

    mapped = jax.shard_map(
        chunk,
        mesh=mesh,
        in_specs=(specs(state), PartitionSpec()),
        out_specs=(specs(state), PartitionSpec(RUNS)),
        check_vma=False,
    )
    return jax.jit(mapped, donate_argnums=0).lower(state, data).compile()


def compile_evaluation(
    algorithm: Algorithm, mesh: jax.sharding.Mesh, num_episodes: int, state: Any, data: Data
) -> Callable[[Any, Data], dict[str, jax.Array]]:
    """`(state, data) -> metrics [R]`: evaluation, compiled, the runs over the devices."""
    mapped = jax.shard_map(
        lambda state, data: algorithm.evaluate(_own(state), data, num_episodes),
        mesh=mesh,
        in_specs=(specs(state), PartitionSpec()),
        out_specs=PartitionSpec(RUNS),
        check_vma=False,
    )
    return jax.jit(mapped).lower(state, data).compile()


def _own(state: Any) -> Any:
    """A device's state as the algorithm knows it."""
    return state._replace(prior_carry=jax.tree.map(lambda x: x[0], state.prior_carry))


def summarize(step: int, state: Any, training: Any, played: Any) -> dict[str, Any]:
    """A line of `metrics.jsonl`: `[R]` values rounded, counters as they stand."""
    asked = jax.device_get(state.prior_carry)
    rows = {**jax.device_get(training), **played}
    return {
        "step": step,
        **{name: [round(float(v), 5) for v in values] for name, values in rows.items()},
        "queries": int(asked.queries.sum()),
        "evaluations": int(asked.evaluations.sum()),
    }


def write_line(file: Any, record: dict[str, Any]) -> None:
    """One JSON line, written at once."""
    file.write(json.dumps(record) + "\n")
    file.flush()
