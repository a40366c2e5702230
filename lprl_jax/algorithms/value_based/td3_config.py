"""The settings of TD3, and which of them may differ from run to run."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax

from lprl_jax.algorithms.base import require_above_0, require_not_below_0, same_for_all
from lprl_jax.algorithms.value_based.replay_config import ReplayConfig
from lprl_jax.field_help import described


@described
@dataclasses.dataclass(frozen=True, kw_only=True)
class TD3Config(ReplayConfig):
    """Settings; those of `HParams` are only the defaults of a run.

    Noises are in units of half the box.
    """

    policy_delay: int = 2
    """The policy descends, and the targets follow, at every so many gradient steps."""
    exploration_noise: float = 0.1
    """Standard deviation of what is added to actions that are learnt from."""
    target_noise: float = 0.2
    """Standard deviation of what is added to the target policy's actions."""
    noise_clip: float = 0.5
    """Bound on that."""

    def __post_init__(self) -> None:
        """Raises InvalidInput, naming the field and its valid values."""
        super().__post_init__()
        require_above_0(self, "policy_delay")
        require_not_below_0(self, "exploration_noise", "target_noise", "noise_clip")

    def hparams(self, num_runs: int) -> HParams:
        """The same hyper-parameters for every run."""
        return same_for_all(HParams, self, num_runs)


class HParams(NamedTuple):
    """What may differ from run to run, `f32[R]`; see the fields of `TD3Config`."""

    learning_rate: jax.Array
    gamma: jax.Array
    tau: jax.Array
    exploration_noise: jax.Array
    target_noise: jax.Array
    noise_clip: jax.Array
    shift_scale: jax.Array
    shift_steps: jax.Array
