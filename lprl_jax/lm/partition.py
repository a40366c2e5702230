"""Which axis of which weight is split over the devices that share one copy of a model.

Megatron's plan: matrices that read the residual stream are split by their outputs, those that
write to it by their inputs, so that a layer needs two sums over the devices; the embedding and the
head are split by the vocabulary. Families share the names of weights (`families`), hence the rules.
Of an adapter the half that has a matrix's split axis is split with it.

Reference: Shoeybi et al. 2019, Megatron-LM, arXiv 1909.08053.
"""

from __future__ import annotations

from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from lprl_jax.lm.layers import LORA_A, LORA_B

DATA, MODEL = "data", "model"
"""Axes of a mesh: over the first the batch is split, over the second the weights."""

LANGUAGE_MODEL = "language_model"
"""In a learner's parameters: what belongs to a model's weights."""

# Of a leaf, by its last two names or its last: axes from behind, in the order of preference.
_RULES: dict[tuple[str, ...], tuple[int, ...]] = {
    **{(name, "kernel"): (-1,) for name in ("q", "k", "v", "gate", "up")},
    **{(name, "bias"): (-1,) for name in ("q", "k", "v", "gate", "up")},
    **{(name, "kernel"): (-2,) for name in ("o", "down")},
    **{(name, LORA_B): (-1,) for name in ("q", "k", "v", "gate", "up")},
    **{(name, LORA_A): (-2,) for name in ("o", "down")},
    ("embedding",): (-2, -1),
    ("head",): (-2, -1),
}


def spec(path: tuple[str, ...], shape: tuple[int, ...], model_size: int) -> PartitionSpec:
    """Of a weight; whole on every device where no preferred axis divides evenly."""
    axes = _RULES.get(path[-2:], _RULES.get(path[-1:], ()))
    for axis in axes:
        if shape[axis] % model_size == 0:
            names: list[str | None] = [None] * len(shape)
            names[axis] = MODEL
            return PartitionSpec(*names)
    return PartitionSpec()


def sharding(path: tuple[str, ...], shape: tuple[int, ...], mesh: Mesh) -> NamedSharding:
    """Of a weight on a mesh."""
    return NamedSharding(mesh, spec(path, shape, mesh.shape[MODEL]))


def split(params: Any, mesh: Mesh) -> Any:
    """Weights that are at hand, laid out on a mesh."""

    def put(path: Any, leaf: jax.Array) -> jax.Array:
        return jax.device_put(leaf, sharding(tuple(key.key for key in path), leaf.shape, mesh))

    return jax.tree_util.tree_map_with_path(put, params)
