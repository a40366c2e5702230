"""The run axis over devices: every device runs the same program on its share of the runs.

Devices share nothing while they run, so nothing waits for the slowest, and what a run does depends
on no other run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from lprl_jax.algorithms.base import Algorithm, Data

RUNS = "runs"
"""Name of the mesh's only axis."""


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
    algorithm: Algorithm,
    mesh: jax.sharding.Mesh,
    num_episodes: int,
    policy: str,
    state: Any,
    data: Data,
) -> Callable[[Any, Data], dict[str, jax.Array]]:
    """`(state, data) -> metrics [R]`: evaluation, compiled, the runs over the devices."""
    mapped = jax.shard_map(
        lambda state, data: algorithm.evaluate(_own(state), data, num_episodes, policy),
        mesh=mesh,
        in_specs=(specs(state), PartitionSpec()),
        out_specs=PartitionSpec(RUNS),
        check_vma=False,
    )
    return jax.jit(mapped).lower(state, data).compile()


def _own(state: Any) -> Any:
    """A device's state as the algorithm knows it."""
    return state._replace(prior_carry=jax.tree.map(lambda x: x[0], state.prior_carry))
