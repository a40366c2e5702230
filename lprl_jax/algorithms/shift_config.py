"""The settings of a reward shift, which every learner that takes a judge has."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import jax
from lprl_envs import InvalidInput
from lprl_envs.errors import require_one_of

from lprl_jax.algorithms.base import require_above_0, require_finite
from lprl_jax.field_help import described

RAW, LOOK_AHEAD, LOOK_BACK = FORMS = ("raw", "look_ahead", "look_back")
ALL, PENALTY, CENTERED = VALUES = ("all", "penalty", "centered")
LEARN, COLLECT = WHEN = ("learn", "collect")


@described
@dataclasses.dataclass(frozen=True, kw_only=True)
class ShiftConfig:
    """Settings; they mean nothing without a judge. See `shifting`."""

    shift_scale: float = 1.0
    """How many units of reward a verdict is worth: r' = r + shift_scale · δ."""
    shift_steps: float = math.inf
    """Environment steps a run over which the scale falls to 0."""
    shift_form: str = RAW
    """`raw` adds δ to the reward; `look_ahead` acts by the verdicts beside the values, and
    `look_back` takes each verdict back a step later; see `shifting`."""
    shift_values: str = ALL
    """`all` verdicts count; `penalty`: only what is bad; `centered`: less their mean over the legal
    actions, so that no constant comes with them."""
    shift_at: str = LEARN
    """Whose scale counts where it falls: that of the time of a transition's `learn`ing, or of its
    `collect`ing."""

    def check_shift(self, forms: tuple[str, ...] = FORMS) -> None:
        """Raises InvalidInput, naming the field and its valid values; `forms` are the learner's."""
        require_finite(self, "shift_scale")
        require_above_0(self, "shift_steps")
        require_one_of("shift_values", self.shift_values, VALUES)
        require_one_of("shift_at", self.shift_at, WHEN)
        if self.shift_form == LOOK_BACK and not getattr(self, "gamma", 1.0):
            raise InvalidInput(
                "gamma is 0, by which shift_form: look_back would divide; it must be above 0 there"
            )
        if self.shift_form not in forms:
            raise InvalidInput(
                f"unknown shift_form {self.shift_form!r} of {type(self).__name__}; valid: "
                f"{', '.join(forms)}"
            )


class Scale(NamedTuple):
    """What of hyper-parameters `f32[R]` belongs to the shift."""

    shift_scale: jax.Array
    shift_steps: jax.Array
