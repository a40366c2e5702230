"""Training and searching over devices: runs, or rows, over the axis `data`, weights over `model`.

Along `data` every device runs the same program on its share of the runs. These shares have nothing
in common while they run, so nothing waits for the slowest, and what a run does depends on no other
run. Along `model` devices share one copy of a language model (`lm.partition`) and do the same for
the same runs. The mesh may span processes: all of them call the same functions in the same order.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jax.stages import Compiled
from lprl_envs import InvalidInput

from lprl_jax.algorithms import streams
from lprl_jax.algorithms.base import Algorithm, Data
from lprl_jax.algorithms.search.slinvit import Outcome, Search
from lprl_jax.experiments import blocks, carries
from lprl_jax.lm import partition
from lprl_jax.lm.partition import DATA, LANGUAGE_MODEL, MODEL

WIDE = {"xla_cpu_prefer_vector_width": 512}
"""Searches are arithmetic on long vectors, of which XLA uses half of what wide CPUs have."""


def make_mesh(num_runs: int, model_parallel: int = 1) -> Mesh:
    """As many devices as divide the runs evenly, times those that share a copy of the weights.

    Raises:
        InvalidInput: if there are fewer devices than are to share the weights.
    """
    devices = jax.devices()
    if not 1 <= model_parallel <= len(devices):
        raise InvalidInput(
            f"model_parallel is {model_parallel}; here it must lie in 1 to {len(devices)}, the "
            "number of devices"
        )
    copies = len(devices) // model_parallel
    count = max(n for n in range(1, copies + 1) if num_runs % n == 0)
    shape, types = (count, model_parallel), (AxisType.Auto, AxisType.Auto)
    return jax.make_mesh(shape, (DATA, MODEL), types, devices=devices[: count * model_parallel])


def place(mesh: Mesh, tree: Any) -> Any:
    """Put arrays on every device of the mesh, but those that lie on it already."""

    def put(x: Any) -> jax.Array:
        if isinstance(x, jax.Array) and getattr(x.sharding, "mesh", None) == mesh:
            return x
        return _globalize(mesh, x, PartitionSpec())

    return jax.tree.map(put, tree)


def spread(mesh: Mesh, state: Any) -> Any:
    """Put a state on the mesh; carries become one a share, of which the first keeps the counts.

    Shares then have nothing in common while they run. (A sum over the devices inside the program
    would have the faster one wait for the slower, and XLA's CPU backend aborts when that takes 40
    seconds.)
    """

    def one_a_share(x: jax.Array) -> np.ndarray:
        found = np.zeros((mesh.shape[DATA], *x.shape), x.dtype)
        found[0] = x
        return found

    state = _change_carries(state, one_a_share)
    lies = jax.tree.leaves(layout(mesh, state))
    leaves, structure = jax.tree.flatten(state)
    del state  # whoever hands a state over and keeps none has only the leaf at hand whole
    leaves.reverse()
    placed = [_globalize(mesh, leaves.pop(), spec, np.copy) for spec in lies]
    return jax.tree.unflatten(structure, placed)


def gathered(state: Any) -> Any:
    """A spread state as the algorithm knows it, its runs where they lie.

    What was asked is added up. Of answers that are remembered, those of the first share are kept:
    others would be asked for anew.
    """

    def whole(carry: Any) -> Any:
        leaves, structure = jax.tree.flatten(jax.device_get(carry))
        shares = [structure.unflatten(own) for own in zip(*leaves, strict=True)]
        return functools.reduce(lambda a, b: a.plus(b), shares) if shares else carry

    return carries.put(state, tuple(whole(carry) for carry in carries.of(state)))


def spread_shapes(mesh: Mesh, state: Any) -> Any:
    """The shapes that `spread` gives of a state's shapes, and how they lie; nothing is made."""
    shares = mesh.shape[DATA]
    state = _change_carries(state, lambda x: jax.ShapeDtypeStruct((shares, *x.shape), x.dtype))

    def laid(x: Any, spec: PartitionSpec) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=NamedSharding(mesh, spec))

    return jax.tree.map(laid, state, layout(mesh, state))


def device_bytes(tree: Any) -> int:
    """What each device holds of arrays that lie on a mesh, or of their shapes."""
    shards = ((x.sharding.shard_shape(x.shape), x.dtype) for x in jax.tree.leaves(tree))
    return sum(math.prod(shape) * dtype.itemsize for shape, dtype in shards)


def specs(state: Any) -> Any:
    """What of a spread state a share has: a part of the leading axis; scalars are everywhere."""
    return jax.tree.map(lambda x: PartitionSpec(DATA) if jnp.ndim(x) else PartitionSpec(), state)


def layout(mesh: Mesh, state: Any) -> Any:
    """How a spread state lies on the mesh: as `specs`; and of what belongs to each run's language
    model, be it weights, moments or gradients, every device along `model` has its part.
    """

    def lies(path: Any, x: jax.Array, spec: PartitionSpec) -> PartitionSpec:
        names = tuple(getattr(entry, "key", getattr(entry, "name", "")) for entry in path)
        if LANGUAGE_MODEL not in names or mesh.shape[MODEL] == 1:
            return spec
        return PartitionSpec(*spec, *partition.spec(names, x.shape[1:], mesh.shape[MODEL]))

    return jax.tree_util.tree_map_with_path(lies, state, specs(state))


def fetch(tree: Any) -> Any:
    """Arrays as NumPy's, whole, whichever processes hold them."""
    if jax.process_count() == 1:
        return jax.device_get(tree)
    return multihost_utils.process_allgather(tree, tiled=True)


def compile_chunk(
    algorithm: Algorithm, mesh: Mesh, num_updates: int, state: Any, data: Data
) -> Compiled:
    """`(state, data) -> (state, metrics [R])`: training, compiled, the runs over the devices.

    The state is used up. Here it may also be shapes that lie on the mesh.
    """

    def train(state: Any, data: Data) -> tuple[Any, dict[str, jax.Array]]:
        state, metrics = algorithm.train(state, data, num_updates)
        return state, {
            name: (jnp.mean if name in algorithm.means else jnp.sum)(x, axis=0)
            for name, x in metrics.items()
        }

    train_share = blocks.train(train) if _is_cpu(mesh) else train

    def chunk(state: Any, data: Data) -> tuple[Any, dict[str, jax.Array]]:
        state, total = train_share(_own(state), data)
        return _change_carries(state, lambda x: x[None]), total

    program = _over_shares(chunk, mesh, state, (specs(state), PartitionSpec(DATA)))
    lies = jax.tree.map(
        lambda spec: NamedSharding(mesh, spec), (layout(mesh, state), PartitionSpec(DATA))
    )
    return jax.jit(program, donate_argnums=0, out_shardings=lies).lower(state, data).compile()


def compile_evaluation(
    algorithm: Algorithm, mesh: Mesh, num_episodes: int, policy: str, state: Any, data: Data
) -> Compiled:
    """`(state, data) -> metrics [R]`: evaluation, compiled, the runs over the devices."""

    def play(state: Any, data: Data) -> dict[str, jax.Array]:
        return algorithm.evaluate(state, data, num_episodes, policy)

    play_share = blocks.play(play) if _is_cpu(mesh) else play

    def share(state: Any, data: Data) -> dict[str, jax.Array]:
        return play_share(_own(state), data)

    program = _over_shares(share, mesh, state, PartitionSpec(DATA))
    return jax.jit(program).lower(state, data).compile()


def over_rows(search: Search, mesh: Mesh) -> Callable[..., Outcome]:
    """A search's `solve`, compiled when it is called, the rows over the devices.

    Shares draw from keys of their own, so that what is drawn depends on how many devices there are.
    Of the counters there is one a share, `[D]`, to be summed.
    """

    def share(
        key: chex.PRNGKey, instances: jax.Array, budgets: jax.Array, hparams: Any, data: Data
    ) -> Outcome:
        index = jax.lax.axis_index(DATA)
        own = jax.random.fold_in(streams.of(key, "share"), index)
        outcome = search.solve(own, instances, budgets, hparams, data)
        # What was counted beforehand, as with a table, the first share counts alone.
        before = jax.tree.map(lambda x: jnp.where(index > 0, x, 0), search.init())
        counted = outcome.prior_carry.minus(before)
        return outcome._replace(prior_carry=jax.tree.map(lambda x: x[None], counted))

    everywhere, rows = PartitionSpec(), PartitionSpec(DATA)
    program = jax.shard_map(
        share,
        mesh=mesh,
        in_specs=(everywhere, rows, rows, rows, everywhere),
        out_specs=rows,
        axis_names={DATA} if mesh.shape[MODEL] > 1 else {DATA, MODEL},
        check_vma=False,
    )
    return jax.jit(program, compiler_options=WIDE if _is_cpu(mesh) else None)


def _is_cpu(mesh: Mesh) -> bool:
    return mesh.devices.flat[0].platform == "cpu"


def _over_shares(function: Callable[..., Any], mesh: Mesh, state: Any, out: Any) -> Any:
    """A program a share of the runs; what goes on along `model` is left to the compiler."""
    return jax.shard_map(
        function,
        mesh=mesh,
        in_specs=(specs(state), PartitionSpec()),
        out_specs=out,
        axis_names={DATA} if mesh.shape[MODEL] > 1 else {DATA, MODEL},
        check_vma=False,
    )


def _own(state: Any) -> Any:
    """A share's state as the algorithm knows it."""
    return _change_carries(state, lambda x: x[0])


def _change_carries(state: Any, change: Callable[[jax.Array], Any]) -> Any:
    """A state in which what its runs share is changed, array by array."""
    return carries.put(state, jax.tree.map(change, carries.of(state)))


def _globalize(
    mesh: Mesh,
    x: Any,
    spec: PartitionSpec,
    part: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> jax.Array:
    """An array that every process has alike, laid out on a mesh that may span them.

    On CPUs a device may look into the memory of the whole. What is to be used up is copied: the
    whole would otherwise stay beside what takes its place.
    """
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        data = _globalize(mesh, jax.random.key_data(x), spec, part)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(x))
    if isinstance(x, jax.Array) and not x.is_fully_addressable:
        return jax.device_put(x, NamedSharding(mesh, spec))
    whole = np.asarray(x)
    return jax.make_array_from_callback(
        whole.shape, NamedSharding(mesh, spec), lambda index: part(whole[index])
    )
