"""Low-rank adapters: a frozen decoder, and beside chosen matrices a product of two small ones.

A matrix W `[in, out]` becomes W + scale · A B, with A `[in, r]` and B `[r, out]`; only A and B are
trained. B is 0 at first, so that the model is then the frozen one. The product is not formed: a
layer computes x W + (x A) B (`layers.Linear`), so many learners share one W.

Adapters are a tree like the decoder's parameters, `{"layers": {"q": {"lora_a", "lora_b"}}}`, of
arrays `[L, in, r]` and `[L, r, out]`.

Reference: Hu et al. 2021, LoRA: Low-Rank Adaptation of Large Language Models, arXiv 2106.09685.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput, values

from lprl_jax.field_help import described
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.lm.layers import LORA_A, LORA_B

TARGETS = ("q", "k", "v", "o", "gate", "up", "down")
"""Matrices of a layer, by their names in the decoder's parameters."""


@described
@dataclasses.dataclass(frozen=True)
class LoraConfig:
    """Which matrices have adapters, and how large these are."""

    rank: int = 8
    """r."""
    targets: tuple[str, ...] = ("q", "v")
    """Of TARGETS; those that the paper adapts are the default."""
    alpha: float = 16.0
    """A B is multiplied by alpha / r."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        values.check_fields(self)
        values.require_above_0("rank", self.rank)
        values.require_above_0("alpha", values.finite("alpha", self.alpha))
        require_targets("targets", self.targets, TARGETS)

    @property
    def scale(self) -> float:
        """What A B is multiplied by."""
        return self.alpha / self.rank


def require_targets(field: str, targets: tuple[str, ...], valid: tuple[str, ...]) -> None:
    """Raise InvalidInput unless these are matrices of the valid ones, at least one, each once."""
    if not targets or len(set(targets)) < len(targets) or not set(targets) <= set(valid):
        shown = list(targets)
        values.refuse(field, shown, f"it must be some of {', '.join(valid)}, each once")


def require_fits(field: str, targets: tuple[str, ...], config: DecoderConfig, name: str) -> None:
    """Raise InvalidInput if the model of that name lacks one of the matrices."""
    lacks = [target for target in targets if config.mlp == "plain" and target == "gate"]
    if lacks:
        own = ", ".join(target for target in TARGETS if target not in lacks)
        raise InvalidInput(
            f"{field} is {list(targets)}; the model {name!r} has no matrix {lacks[0]}, but {own}"
        )


def init(key: jax.Array, config: LoraConfig, base: Any) -> Any:
    """Adapters of a model's parameters, f32: A uniform in ±in^-1/2, as Hu's code has it, B 0."""
    targets = [name for name in TARGETS if name in config.targets]
    layers = {}
    for name, own in zip(targets, jax.random.split(key, len(targets)), strict=True):
        count, size, out = base["layers"][name]["kernel"].shape
        bound = size**-0.5
        a = jax.random.uniform(own, (count, size, config.rank), jnp.float32, -bound, bound)
        layers[name] = {LORA_A: a, LORA_B: jnp.zeros((count, config.rank, out), jnp.float32)}
    return {"layers": layers}


def join(base: Any, adapters: Any, scale: float) -> Any:
    """Parameters of the adapted model, for whatever takes a decoder's; the base is not copied.

    Each B carries the scale.
    """
    layers = dict(base["layers"])
    for name, own in adapters["layers"].items():
        layers[name] = {**layers[name], LORA_A: own[LORA_A], LORA_B: scale * own[LORA_B]}
    return {**base, "layers": layers}


def merge(base: Any, adapters: Any, scale: float) -> Any:
    """Parameters of the same model without adapters: W + scale · A B, in W's dtype."""
    layers = dict(base["layers"])
    for name, own in adapters["layers"].items():
        kernel = layers[name]["kernel"]
        added = scale * jnp.einsum("lir,lro->lio", own[LORA_A], own[LORA_B])
        layers[name] = {**layers[name], "kernel": (kernel + added).astype(kernel.dtype)}
    return {**base, "layers": layers}
