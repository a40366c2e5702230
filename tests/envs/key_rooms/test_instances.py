"""KeyRooms' instances: by hand, drawn at random in the graph, split, gathered in a bank."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.key_rooms import twin
from lprl_envs import KeyRooms
from lprl_envs.key_rooms import parse_map
from lprl_envs.key_rooms.instances import PRESET, random_tiles
from lprl_envs.key_rooms.rules import is_solvable

NUM = 2000


@functools.cache
def drawn(rooms, pits):
    """Random maps as they are drawn, whether or not they are solvable, as rows."""
    draw = jax.jit(jax.vmap(random_tiles(rooms, pits)))
    return twin.rows_of(draw(jax.random.split(jax.random.key(0), NUM)))


def deviations(found, expected, variance):
    """How many standard deviations away the farthest is, of those with a variance."""
    can = variance > 0
    assert (found == expected)[~can].all()
    return np.abs((found - expected)[can] / np.sqrt(variance[can])).max()


# -- by hand -----------------------------------------------------------------------------------


def test_parse_map():
    tiles = parse_map(list(PRESET))
    assert tiles.dtype == np.int32
    assert twin.rows_of(tiles.reshape(1, -1)) == [PRESET]
    params = KeyRooms(3, 0).params_of([PRESET])  # with any number of pits
    bank = params.bank
    assert [bank.start.item(), bank.key.item(), bank.treasure.item()] == [
        3 * 17 + 3,
        0,
        3 * 17 + 15,
    ]
    assert bank.doors.tolist() == [[17 + 5, 2 * 17 + 11]]
    assert all(leaf.dtype == jnp.int32 for leaf in jax.tree.leaves(params))


def test_the_preset_is_the_default_and_to_train_on():
    env = KeyRooms()
    assert twin.rows_of(env.default_params.bank.tiles) == [PRESET]
    assert not bool(env.held_out(parse_map(PRESET)))
    assert twin.shortest(PRESET) == 24
    others = KeyRooms(2, 1).default_params
    assert twin.shortest(twin.rows_of(others.bank.tiles)[0])


@pytest.mark.parametrize(("rooms", "pits"), [(2, 2), (3, 6), (6, 8)])
def test_solvable_as_breadth_first_search(rooms, pits):
    # As drawn; and with pits anywhere, also beside doors, where only a hand puts them.
    maps = list(drawn(rooms, pits)[:800])
    rng = np.random.default_rng(0)
    for rows in drawn(rooms, 0)[:800]:
        grid = np.array([list(row) for row in rows])
        floor = np.argwhere(grid == ".")
        for place in rng.choice(len(floor), 3 * rooms, replace=False):
            grid[tuple(floor[place])] = "P"
        maps.append(tuple("".join(row) for row in grid))
    tiles = [[twin.TILES.index(tile) for row in rows for tile in row] for rows in maps]
    found = np.asarray(jax.jit(jax.vmap(is_solvable))(jnp.asarray(tiles, jnp.int32)))
    assert found.tolist() == [twin.shortest(rows) is not None for rows in maps]
    assert 0.05 < found.mean() < 0.95


# -- drawn at random ---------------------------------------------------------------------------


@pytest.mark.parametrize(("rooms", "pits"), [(2, 2), (3, 2), (4, 2)])
def test_what_is_drawn_is_uniform(rooms, pits):
    # Every count is binomial, in no case beyond 4.5 deviations: doors, start, key and treasure over
    # all places that they may have; the pits over the cells that are then free, map by map.
    maps = np.array([[list(row) for row in rows] for rows in drawn(rooms, pits)])
    columns = 6 * rooms - 1
    room = np.arange(columns) // 6
    is_wall = np.arange(columns) % 6 == 5
    may = {
        "S": ~is_wall & (room == 0),
        "K": ~is_wall & (room < rooms - 1),
        "T": ~is_wall & (room == rooms - 1),
        "L": is_wall & (room == rooms - 2),
    }
    if rooms > 2:
        may["D"] = is_wall & (room < rooms - 2)
    for tile, where in may.items():
        each = (maps == tile).sum((1, 2))
        assert (each == (rooms - 2 if tile == "D" else 1)).all()
        chance = each[0] * np.broadcast_to(where, (5, columns)) / (5 * where.sum())
        if tile == "K":  # the start is uniform in the first room, and the key is not there
            first = ~is_wall & (room == 0)
            others = 25 * (rooms - 1) - 1
            chance = np.broadcast_to(np.where(first, 24 / 25, where) / others, (5, columns))
        found = (maps == tile).sum(0)
        assert deviations(found, NUM * chance, NUM * chance * (1 - chance)) < 4.5
    expected, variance = np.zeros((2, 5, columns))
    for rows in drawn(rooms, pits):
        for number in range(rooms):
            free = twin.free_cells(rows, number)
            for r, c in free:
                expected[r, c] += pits / len(free)
                variance[r, c] += pits / len(free) * (1 - pits / len(free))
    assert deviations((maps == "P").sum(0), expected, variance) < 4.5
    for number in range(rooms):
        assert ((maps[:, :, room == number] == "P").sum((1, 2)) == pits).all()


@pytest.mark.parametrize(("rooms", "pits", "cut_off"), [(2, 1, 0), (2, 2, 0.01), (3, 2, 0.04)])
def test_few_treasures_are_cut_off(rooms, pits, cut_off):
    # As often as of maps that plain Python draws, and no more often than is known.
    rng = np.random.default_rng(1)
    theirs = [twin.shortest(twin.draw(rng, rooms, pits)) is None for _ in range(NUM)]
    ours = [twin.shortest(rows) is None for rows in drawn(rooms, pits)]
    assert np.mean(ours) <= cut_off
    assert abs(np.sum(ours) - np.sum(theirs)) <= 4 * np.sqrt(np.sum(ours) + np.sum(theirs))


@pytest.mark.parametrize(("rooms", "pits"), [(2, 0), (3, 2), (6, 8)])
def test_random_instances_are_solvable_and_told_rightly(rooms, pits):
    params = jax.jit(lambda key: KeyRooms(rooms, pits).sample_params(key, 64))(jax.random.key(3))
    bank, width = params.bank, 6 * rooms - 1
    maps = twin.rows_of(bank.tiles)
    assert len(set(maps)) == 64
    for i, rows in enumerate(maps):
        assert twin.shortest(rows)
        for tile, place in (("S", bank.start), ("K", bank.key), ("T", bank.treasure)):
            assert divmod(int(place[i]), width) == twin.place_of(rows, tile)
        for wall, door in enumerate(bank.doors[i].tolist()):
            row, column = divmod(door, width)
            assert column == 6 * wall + 5
            assert rows[row][column] == ("L" if wall == rooms - 2 else "D")
    assert all(leaf.dtype == jnp.int32 for leaf in jax.tree.leaves(params))


# -- split -------------------------------------------------------------------------------------


@functools.cache
def sides():
    """Maps of three rooms, and whether they are held out."""
    env = KeyRooms(3, 2)
    tiles = jax.jit(lambda key: env.sample_params(key, NUM))(jax.random.key(5)).bank.tiles
    return env, np.asarray(tiles), held_out(env, tiles)


def held_out(env, tiles):
    return np.asarray(jax.jit(jax.vmap(env.held_out))(jnp.asarray(tiles)))


@pytest.mark.parametrize("split", ["train", "held-out"])
def test_a_side_is_on_its_side(split):
    env = KeyRooms(2, 0)
    params = jax.jit(lambda key: env.sample_params(key, 256, split))(jax.random.key(0))
    assert (held_out(env, params.bank.tiles) == (split == "held-out")).all()


def test_one_in_five_is_held_out():
    _, _, out = sides()
    assert out.mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / NUM))


def test_start_and_mirror_images_go_along():
    env, tiles, out = sides()
    start, floor = (twin.TILES.index(tile) for tile in "S.")
    moved = np.where(tiles == start, floor, tiles).reshape(NUM, 5, -1)
    rng = np.random.default_rng(0)
    for grid in moved:
        grid[tuple(rng.permutation(np.argwhere(grid[:, :5] == floor))[0])] = start
    np.testing.assert_array_equal(held_out(env, moved.reshape(NUM, -1)), out)
    flipped = tiles.reshape(NUM, 5, -1)[:, ::-1].reshape(NUM, -1)
    assert (flipped != tiles).any(1).all()
    np.testing.assert_array_equal(held_out(env, flipped), out)


@pytest.mark.parametrize("tile", "KTPDL")
def test_what_a_text_tells_decides(tile):
    # With one thing elsewhere in its room or wall, about every third map changes its side: .32.
    env, tiles, out = sides()
    code = twin.TILES.index(tile)
    free = twin.TILES.index("#" if tile in "DL" else ".")
    grids = tiles.reshape(NUM, 5, -1).copy()
    rng = np.random.default_rng(0)
    for grid in grids:
        row, column = rng.permutation(np.argwhere(grid == code))[0]
        first = column - column % 6
        within = [column] if tile in "DL" else range(first, first + 5)
        places = [(r, c) for r in range(5) for c in within if grid[r, c] == free]
        grid[row, column] = free
        grid[places[rng.integers(len(places))]] = code
    changed = held_out(env, grids.reshape(NUM, -1)) != out
    assert changed.mean() == pytest.approx(0.32, abs=0.06)
