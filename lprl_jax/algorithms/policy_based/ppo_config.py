"""The settings of PPO, KL-PPO and GFlan-Prior, and which of them may differ from run to run."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import jax
from lprl_envs import InvalidInput, values
from lprl_envs.errors import shown

from lprl_jax.algorithms.base import (
    require_above_0,
    require_finite,
    require_fraction,
    require_k,
    require_not_below_0,
    same_for_all,
)
from lprl_jax.algorithms.shift_config import LOOK_BACK, RAW, ShiftConfig
from lprl_jax.field_help import described
from lprl_jax.lm import lora
from lprl_jax.lm.lora import LoraConfig

NETWORK = "network"
"""The policy that is not a language model."""


@described
@dataclasses.dataclass(frozen=True)
class PPOConfig(ShiftConfig):
    """Settings; those of `HParams` are only the defaults of a run.

    A2C is the special case of one epoch, one minibatch and advantages as they are, for the
    surrogate's gradient is then the policy gradient (Huang et al. 2022, arXiv 2205.09123).
    """

    policy: str = NETWORK
    """What acts: a `"network"` that reads observations, or a language model, fine-tuned, by name or
    directory (GFlan-Prior)."""
    lora_rank: int = 0
    """r: of a language model only adapters are trained, two matrices of this rank beside each of
    `lora_targets`, and its own weights stay as they are, the same for all runs; 0 trains these
    (`lm.lora`)."""
    lora_targets: tuple[str, ...] = ("q", "v")
    """Which matrices of a layer have adapters: some of q, k, v, o, gate, up, down."""
    lora_alpha: float = 16.0
    """Adapters count `lora_alpha / lora_rank` times."""
    num_envs: int = 8
    """N: environments a run."""
    rollout_length: int = 32
    """T: steps of every environment between two learning phases."""
    num_epochs: int = 4
    """Passes over a roll-out."""
    num_minibatches: int = 4
    """Gradient steps a pass; they divide the roll-out's N · T steps."""
    hidden_sizes: tuple[int, ...] = (64, 64)
    """Of the network's policy, and again of its values; none makes both linear."""
    k: int | str = "exact"
    """Proposals that the divergence from the prior is estimated from, or `"exact"`."""
    normalize_advantages: bool = True
    """Whether a minibatch's advantages are brought to mean 0 and deviation 1; α is then weighed
    against advantages in units of their deviation, otherwise in units of the reward."""
    max_grad_norm: float = 0.5
    """Gradients are clipped to this norm."""
    adam_epsilon: float = 1e-5
    """What Adam adds to its denominator."""
    learning_rate: float = 1e-3
    """Of Adam."""
    anneal_steps: float = math.inf
    """Environment steps a run over which the learning rate falls to 0."""
    gamma: float = 0.99
    """Discount."""
    gae_lambda: float = 0.95
    """λ of generalised advantage estimation."""
    clip_epsilon: float = 0.2
    """Bound on how far the ratio of new to old policy pays."""
    value_clip: float = math.inf
    """Bound on how far a value is moved by one roll-out."""
    value_coef: float = 0.5
    """Weight of the values' loss."""
    entropy_coef: float = 0.01
    """Weight of the policy's entropy, which is rewarded."""
    alpha: float = 0.1
    """Weight of KL(π ‖ p), with a prior."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        values.check_fields(self)
        require_k(self.k)
        counts = ("num_envs", "rollout_length", "num_epochs", "num_minibatches")
        positive = ("learning_rate", "anneal_steps", "max_grad_norm", "adam_epsilon")
        require_above_0(self, *counts, *positive, "clip_epsilon", "value_clip")
        require_fraction(self, "gamma", "gae_lambda")
        weights = ("value_coef", "entropy_coef", "alpha")
        require_not_below_0(self, *weights)
        require_above_0(self, "hidden_sizes")
        require_finite(self, "learning_rate", "adam_epsilon", *weights)
        self._require_adapters()
        self.check_shift((RAW, LOOK_BACK))
        if self.steps_per_update % self.num_minibatches:
            raise InvalidInput(
                f"num_minibatches is {self.num_minibatches}; it must divide num_envs * "
                f"rollout_length = {self.steps_per_update}"
            )

    @property
    def steps_per_update(self) -> int:
        """Environment steps a run between two calls of `update`."""
        return self.num_envs * self.rollout_length

    @property
    def adapters(self) -> LoraConfig | None:
        """What of a language model is trained; None: all weights."""
        if not self.lora_rank:
            return None
        return LoraConfig(self.lora_rank, self.lora_targets, self.lora_alpha)

    def _require_adapters(self) -> None:
        require_not_below_0(self, "lora_rank")
        require_above_0(self, "lora_alpha")
        require_finite(self, "lora_alpha")
        lora.require_targets("lora_targets", self.lora_targets, lora.TARGETS)
        if self.lora_rank and self.policy == NETWORK:
            raise InvalidInput(
                f"lora_rank is {self.lora_rank}, and the policy is a network, which has no "
                "adapters; 0 trains it, or name a language model (policy=)"
            )
        for name in ("lora_targets", "lora_alpha"):
            given, default = getattr(self, name), getattr(type(self), name)
            if not self.lora_rank and given != default:
                raise InvalidInput(
                    f"{name} is {shown(given)}, and lora_rank is 0, which trains all weights; "
                    f"right: lora_rank=8, or leave {name} out"
                )

    def hparams(self, num_runs: int) -> HParams:
        """The same hyper-parameters for every run."""
        return same_for_all(HParams, self, num_runs)


class HParams(NamedTuple):
    """What may differ from run to run, `f32[R]`; see the fields of `PPOConfig`."""

    learning_rate: jax.Array
    anneal_steps: jax.Array
    gamma: jax.Array
    gae_lambda: jax.Array
    clip_epsilon: jax.Array
    value_clip: jax.Array
    value_coef: jax.Array
    entropy_coef: jax.Array
    alpha: jax.Array
    shift_scale: jax.Array
    shift_steps: jax.Array
