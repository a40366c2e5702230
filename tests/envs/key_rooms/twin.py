"""KeyRooms in plain Python, on maps as rows of characters: law, shortest plans, text, draw."""

from collections import deque
from functools import cache
from itertools import product

import numpy as np
from lprl_envs import KeyRooms

TILES = "#.SKPTDL"
MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))
"""Left, down, right, up."""
Rows = tuple[str, ...]
State = tuple[int, int, bool]
"""Row, column, has key."""


def rows_of(tiles) -> list[Rows]:
    """Maps of a bank's tiles `[M, 5 * W]`."""
    grids = np.array(list(TILES))[np.asarray(tiles)].reshape(len(tiles), 5, -1)
    return [tuple("".join(row) for row in grid) for grid in grids]


def params_of(env: KeyRooms, maps):
    """Maps as the bank, whether or not they are solvable."""
    grids = [np.array([[TILES.index(tile) for tile in row] for row in rows]) for rows in maps]
    return env.params_of(grids)


def place_of(rows: Rows, tile: str) -> tuple[int, int]:
    ((row, column),) = [
        (r, c) for r, line in enumerate(rows) for c, x in enumerate(line) if x == tile
    ]
    return row, column


def states_of(rows: Rows) -> list[State]:
    """All there are, in the order of their numbers: room by room, then the door behind it."""
    places = []
    for first in range(0, len(rows[0]), 6):
        places += product(range(5), range(first, first + 5))
        places += [
            (r, first + 5)
            for r in range(5)
            if first + 5 < len(rows[0]) and rows[r][first + 5] != "#"
        ]
    return [(*place, has_key) for place in places for has_key in (False, True)]


def step(rows: Rows, state: State, action: int) -> tuple[State, float, bool]:
    """What an action does: state, reward, terminated."""
    row, column, has_key = state
    if rows[row][column] in "PT":
        return state, 0.0, True
    down, right = MOVES[action]
    r, c = row + down, column + right
    inside = 0 <= r < 5 and 0 <= c < len(rows[0])
    if not inside or rows[r][c] == "#" or (rows[r][c] == "L" and not has_key):
        r, c = row, column
    tile = rows[r][c]
    return (r, c, has_key or tile == "K"), float(tile == "T"), tile in "PT"


@cache
def plans(rows: Rows) -> dict[State, int]:
    """Steps of a shortest plan from every state that has one: backwards from the treasure."""
    before: dict[State, list[State]] = {}
    for state in states_of(rows):
        if rows[state[0]][state[1]] not in "PT":
            for action in range(4):
                before.setdefault(step(rows, state, action)[0], []).append(state)
    queue = deque((*place_of(rows, "T"), has_key) for has_key in (False, True))
    found = dict.fromkeys(queue, 0)
    while queue:
        state = queue.popleft()
        for other in before.get(state, []):
            if other not in found:
                found[other] = found[state] + 1
                queue.append(other)
    return found


def shortest(rows: Rows) -> int | None:
    """Steps of a shortest plan from the start; None if there is none."""
    return plans(rows).get((*place_of(rows, "S"), False))


def name(row: int, column: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return f"{letters[column] if column < 26 else 'a' + letters[column - 26]}{row + 1}"


def text(rows: Rows, state: State) -> str:
    """What a state reads."""
    row, column, has_key = state
    words = {".": "floor", "S": "floor", "K": "floor" if has_key else "key", "P": "pit"}
    words |= {"T": "treasure", "D": "door", "L": "door", "#": "wall"}

    def looks(down: int, right: int) -> str:
        r, c = row + down, column + right
        return words[rows[r][c]] if 0 <= r < 5 and 0 <= c < len(rows[0]) else "wall"

    around = [looks(*move) for move in MOVES]
    columns = range(len(rows[0]))
    doors = [name(r, c) for c in columns for r in range(5) if rows[r][c] in "DL"]
    pits = [name(r, c) for r, c, has in states_of(rows) if rows[r][c] == "P" and not has]
    lines = [
        "Take the key, open the locked door, reach the treasure, avoid pits.",
        f"Key {name(*place_of(rows, 'K'))}",
        *([" ".join(["Doors", *doors[:-1]])] if len(doors) > 1 else []),
        f"Locked door {doors[-1]}",
        f"Treasure {name(*place_of(rows, 'T'))}",
        " ".join(["Pits", *pits]),
        f"At {name(row, column)} {'with' if has_key else 'without'} key; left {around[0]} "
        f"down {around[1]} right {around[2]} up {around[3]}",
        "Move",
    ]
    return "\n".join(lines)


def draw(rng: np.random.Generator, rooms: int, pits: int) -> Rows:
    """A random map, of which the treasure may be cut off."""
    grid = np.full((5, 6 * rooms - 1), ".")
    for room in range(rooms - 1):
        grid[:, 6 * room + 5] = "#"
        grid[rng.integers(5), 6 * room + 5] = "L" if room == rooms - 2 else "D"
    start = rng.integers(5), rng.integers(5)
    key = start
    while key == start:
        key = rng.integers(5), 6 * rng.integers(rooms - 1) + rng.integers(5)
    grid[start], grid[key] = "S", "K"
    grid[rng.integers(5), 6 * (rooms - 1) + rng.integers(5)] = "T"
    for room in range(rooms):
        free = free_cells(["".join(line) for line in grid.tolist()], room)
        for place in rng.choice(len(free), pits, replace=False):
            grid[free[place]] = "P"
    return tuple("".join(line) for line in grid.tolist())


def free_cells(rows, room: int) -> list[tuple[int, int]]:
    """Cells of a room where a pit may be, once there are start, key and treasure."""
    doors = [(r, c) for r, line in enumerate(rows) for c, tile in enumerate(line) if tile in "DL"]
    return [
        (r, c)
        for r, c in product(range(5), range(6 * room, 6 * room + 5))
        if rows[r][c] not in "SKT" and all(abs(r - x) + abs(c - y) > 1 for x, y in doors)
    ]
