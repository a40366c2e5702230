"""How pattern environments read: the grid, a question about one cell, and the whole pattern.

A grid reads as rows of words, `o` for a cell that is off and `x` for one that is on. Words, since
byte-pair encoders join punctuation with a newline that follows, and letters never.
"""

from __future__ import annotations

import string

from lprl_envs.patterns.shapes import Shape
from lprl_envs.template import Literal, Scope, Slot, Template

_OFF, _ON = "o", "x"


def image_template(shape: Shape) -> Template:
    """The picture so far, then the pixel to decide on."""
    height, width = shape
    return Template(
        (
            Literal(
                f"A picture of {height} x {width} pixels is hidden: x is on, o is off. Flip the "
                "pixels that differ from it; one that it lacks stays off.\nPicture so far"
            ),
            *grid_slots(shape),
            Literal("\nPixel", Scope.STATE),
            Slot("pixel", cell_names(shape)),
            Literal(" is", Scope.STATE),
            Slot("pixel is", (" off", " on")),
            Literal("\nAnswer", Scope.STATE),
        )
    )


def objects_template(shape: Shape) -> Template:
    """The floor so far, then the cell that is offered."""
    height, width = shape
    return Template(
        (
            Literal(
                f"Objects on a floor of {height} x {width} cells form a hidden pattern: x is an "
                "object, o is a free cell. Drop objects where it has them; one that it lacks is "
                "taken away.\nFloor so far"
            ),
            *grid_slots(shape),
            Literal("\nOffered", Scope.STATE),
            Slot("offered", cell_names(shape)),
            Literal("\nAnswer", Scope.STATE),
        )
    )


def completion_prompt(template: Template, whole: str) -> Template:
    """The same text, with another last literal."""
    return Template((*template.segments[:-1], Literal(whole, Scope.STATE)))


def completion_template(shape: Shape) -> Template:
    """The rows of a whole pattern, and the newline that ends them."""
    return Template((*grid_slots(shape), Literal("\n", Scope.STATE)))


def grid_slots(shape: Shape) -> tuple[Slot, ...]:
    """A slot a cell, row by row; the first of a row begins a line. Values are off, on."""
    starts = ["\n" if i % shape[1] == 0 else "" for i in range(shape[0] * shape[1])]
    return tuple(
        Slot(f"cell{name}", (f"{start} {_OFF}", f"{start} {_ON}"))
        for name, start in zip(cell_names(shape), starts, strict=True)
    )


def cell_names(shape: Shape) -> tuple[str, ...]:
    """`" a1"`, `" b1"` and so on: columns are lettered, rows are numbered from 1."""
    columns = string.ascii_lowercase[: shape[1]]
    return tuple(f" {column}{row + 1}" for row in range(shape[0]) for column in columns)
