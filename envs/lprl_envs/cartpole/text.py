"""How cart pole reads: its template, and where a word for a number begins."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from lprl_envs.parts.quantities import range_of
from lprl_envs.template import Literal, Scope, Slot, Template

ACTION_TEXTS = (" left", " right")
"""They continue "Press"."""

_PHYSICS = (
    ("Pole", "length", (" very short", " short", " medium", " long", " very long", " huge")),
    (",", "weight", (" very light", " light", " medium", " heavy", " very heavy")),
    ("; cart", "cart", (" light", " medium", " heavy")),
    ("; push", "push", (" very weak", " weak", " medium", " strong", " very strong")),
    ("; gravity", "gravity", (" very weak", " weak", " medium", " strong", " very strong")),
)
_BUTTONS = (
    "\nThe left button pushes left, the right button right",
    "\nThe left button pushes right, the right button left",
)

EDGES = {
    "position": (-1.6, -0.5, 0.5, 1.6),
    "speed": (-0.8, -0.25, 0.25, 0.8),
    "lean": (-0.12, -0.05, -0.015, 0.015, 0.05, 0.12),
    "turning": (-1.0, -0.4, -0.12, 0.12, 0.4, 1.0),
}
"""Between the words for m, m/s, rad and rad/s; positive is right."""
_STATE = (
    ("\nCart", "position", (" far left", " left", " middle", " right", " far right")),
    (", speed", "speed", (" fast left", " left", " none", " right", " fast right")),
    (
        "; pole lean",
        "lean",
        (" far left", " left", " little left", " none", " little right", " right", " far right"),
    ),
    (
        ", turning",
        "turning",
        (" fast left", " left", " slow left", " none", " slow right", " right", " fast right"),
    ),
)


def template() -> Template:
    """The wording: five words and a sentence of the physics, four words of the state."""
    segments: list[Literal | Slot] = [
        Literal("Keep the pole upright and the cart on the track by pressing buttons.\n")
    ]
    for before, name, words in _PHYSICS:
        segments += [Literal(before, Scope.INSTANCE), Slot(name, words, Scope.INSTANCE)]
    segments.append(Slot("buttons", _BUTTONS, Scope.INSTANCE))
    for before, name, words in _STATE:
        segments += [Literal(before, Scope.STATE), Slot(name, words)]
    return Template((*segments, Literal("\nPress", Scope.STATE)))


def state_words(now: jax.Array) -> jax.Array:
    """`i32[4]`: which of the words for position, speed, lean and turning, `f32[4]`."""
    return jnp.stack([range_of(now[i], edges) for i, edges in enumerate(EDGES.values())])
