"""How pendulum reads: its template, its words for torques, and where a word for a number begins."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.parts.quantities import range_of
from lprl_envs.template import Literal, Scope, Slot, Template

ACTION_TEXTS = (" hard left", " left", " none", " right", " hard right")
"""They continue "Torque"."""
TORQUES = np.array([[-2.0], [-1.0], [0.0], [1.0], [2.0]], np.float32)
"""f32[5, 1]: in Nm, of each of these texts."""

_PHYSICS = (
    ("Pole", "length", (" short", " medium", " long")),
    (",", "weight", (" light", " medium", " heavy")),
    ("; gravity", "gravity", (" weak", " medium", " strong")),
)
_HEIGHTS = (" almost down", " low", " lowered", " level", " raised", " high", " almost up")
_ANGLES = (
    " down",
    *(f"{height} left" for height in _HEIGHTS),
    " up",
    *(f"{height} right" for height in reversed(_HEIGHTS)),
)
SECTOR = 2 * math.pi / len(_ANGLES)
"""Of a circle, in rad; the first is centred about down, the middle one about up."""
_SPEEDS = ("headlong", "fast", "medium", "slow")
_TURNING = (
    *(f" {speed} left" for speed in _SPEEDS),
    " none",
    *(f" {speed} right" for speed in reversed(_SPEEDS)),
)
EDGES = (-5.0, -3.0, -1.5, -0.5, 0.5, 1.5, 3.0, 5.0)
"""Between the words for turning, in rad/s; positive is right."""


def template() -> Template:
    """The wording: three words of the physics, two of the state."""
    segments: list[Literal | Slot] = [
        Literal("Swing the pole up by a torque and keep it up.\n"),
    ]
    for before, name, words in _PHYSICS:
        segments += [Literal(before, Scope.INSTANCE), Slot(name, words, Scope.INSTANCE)]
    segments += [
        Literal("\nPole", Scope.STATE),
        Slot("angle", _ANGLES),
        Literal(", turning", Scope.STATE),
        Slot("turning", _TURNING),
        Literal("\nTorque", Scope.STATE),
    ]
    return Template(tuple(segments))


def state_words(theta: jax.Array, theta_dot: jax.Array) -> jax.Array:
    """`i32[2]`: which of the words for the angle and the turning, each f32[]."""
    sectors = jnp.floor((theta + math.pi) / SECTOR + 0.5).astype(jnp.int32)
    return jnp.stack([sectors % len(_ANGLES), range_of(theta_dot, EDGES)])
