"""Where things are: a floor of 5 x 5 cells, and the counters around it.

A cell of the floor is 5 * row + column. A place on the counter is one of twenty: n1 to n5 from left
to right, e1 to e5 from top to bottom, s1 to s5 and w1 to w5 likewise. Corners are no places, for no
cell of the floor is beside one. The cell beside a place is its access cell.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

SIDE = 5
NUM_CELLS = SIDE * SIDE
CELLS = tuple(f"{column}{row + 1}" for row in range(SIDE) for column in "abcde")
"""Names of the floor's cells, by number: column, row."""
PLACES = tuple(f"{wall}{i + 1}" for wall in "nesw" for i in range(SIDE))
"""Names of the places on the counter, by number."""
NUM_PLACES = len(PLACES)
EVERYTHING = SIDE
"""A view that reaches from any cell to any place."""
SPOTS = (
    *((-1, i) for i in range(SIDE)),
    *((i, SIDE) for i in range(SIDE)),
    *((SIDE, i) for i in range(SIDE)),
    *((i, -1) for i in range(SIDE)),
)
"""Row and column of each place on the counter, as `spot_of_place` has them."""
Spot = tuple[jax.Array, jax.Array]
"""Row and column, i32[] each: 0 to 4 on the floor, -1 or 5 in one of them on the counter."""


def spot_of_cell(cell: jax.Array) -> Spot:
    """Where a cell of the floor is."""
    return cell // SIDE, cell % SIDE


def cell_of_spot(spot: Spot) -> jax.Array:
    """`i32[]`: the inverse."""
    return SIDE * spot[0] + spot[1]


def spot_of_place(place: jax.Array) -> Spot:
    """Where a place on the counter is."""
    wall, i = place // SIDE, place % SIDE
    row = jnp.where(wall == 0, -1, jnp.where(wall == 2, SIDE, i))
    column = jnp.where(wall == 1, SIDE, jnp.where(wall == 3, -1, i))
    return row, column


def access_of(spot: Spot) -> Spot:
    """The access cell of a place."""
    row, column = (jnp.clip(x, 0, SIDE - 1) for x in spot)
    return row, column


def access_cell(place: jax.Array) -> jax.Array:
    """`i32[]`: the number of a place's access cell."""
    return cell_of_spot(access_of(spot_of_place(place)))


def distance(spot: Spot, other: Spot) -> jax.Array:
    """`i32[]`: steps from one cell of the floor to another."""
    return jnp.abs(spot[0] - other[0]) + jnp.abs(spot[1] - other[1])


def sees(spot: Spot, other: Spot, view: int) -> jax.Array:
    """`bool[]`: whether rows and columns are each at most `view` apart."""
    return (jnp.abs(spot[0] - other[0]) <= view) & (jnp.abs(spot[1] - other[1]) <= view)


def walk_until_seen(spot: Spot, target: Spot, view: int) -> tuple[jax.Array, Spot]:
    """How far an agent walks towards a place before it sees it: steps `i32[]`, and where it is.

    It looks before every step, and walks to the access cell by rows first, then by columns. By
    every step it comes nearer, so that what is near enough stays so: steps by row are enough where
    the columns are near already; otherwise all of them come before those by column.
    """
    goal = access_of(target)
    rows = jnp.abs(spot[0] - goal[0])
    short_row, short_column = (
        jnp.maximum(jnp.abs(x - y) - view, 0) for x, y in zip(spot, target, strict=True)
    )
    by_row = jnp.where(short_column == 0, short_row, rows)
    row = spot[0] + jnp.sign(goal[0] - spot[0]) * by_row
    column = spot[1] + jnp.sign(goal[1] - spot[1]) * short_column
    return by_row + short_column, (row, column)


def images_of_places() -> np.ndarray:
    """`i32[8, 20]`: where each place is in the kitchen's mirror images and turns."""
    listed, last, images = SPOTS, SIDE - 1, []
    for turned in (False, True):
        for up in (False, True):
            for left in (False, True):
                image = []
                for row, column in listed:
                    a, b = (column, row) if turned else (row, column)
                    image.append(listed.index((last - a if up else a, last - b if left else b)))
                images.append(image)
    return np.array(images, np.int32)
