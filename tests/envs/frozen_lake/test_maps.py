"""Frozen Lake's maps: parsed, drawn at random in the graph, split, gathered in a bank."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.envs.toy_text.frozen_lake import generate_random_map
from lprl_envs import FrozenLake, parse_map
from lprl_envs.frozen_lake.maps import FROZEN, GOAL, HOLE, START, bank, is_solvable, random_tiles

SHAPES = {"2x3": (2, 3), "4x4": (4, 4), "6x6": (6, 6), "8x8": (8, 8)}


@functools.cache
def sampler(name, split=None, goal="corner", num=512, frozen_probability=0.8):
    """A compiled `key -> params`."""
    return jax.jit(
        lambda key: FrozenLake(name).sample_params(key, num, split, frozen_probability, goal)
    )


def sample(name, seed=0, **options):
    """`[M, H, W]` tiles, on the host."""
    params = sampler(name, **options)(jax.random.key(seed))
    return np.asarray(params.bank.tiles).reshape(-1, *SHAPES[name])


held_out = jax.jit(jax.vmap(FrozenLake("8x8").held_out))


def reaches_goal(grid) -> bool:
    """Breadth-first search: whether every start reaches a goal. Plain Python, no starts: False."""

    def search(start) -> bool:
        queue, seen = [start], {start}
        while queue:
            row, col = queue.pop(0)
            if grid[row][col] == GOAL:
                return True
            for cell in ((row + 1, col), (row - 1, col), (row, col + 1), (row, col - 1)):
                inside = 0 <= cell[0] < len(grid) and 0 <= cell[1] < len(grid[0])
                if inside and cell not in seen and grid[cell[0]][cell[1]] != HOLE:
                    seen.add(cell)
                    queue.append(cell)
        return False

    cells = itertools.product(range(len(grid)), range(len(grid[0])))
    starts = [cell for cell in cells if grid[cell[0]][cell[1]] == START]
    return bool(starts) and all(search(start) for start in starts)


# -- parsed ------------------------------------------------------------------------------------


def test_parse_map():
    tiles = parse_map(["SFH", "FFG"])
    assert tiles.dtype == np.int32
    assert tiles.tolist() == [[START, FROZEN, HOLE], [FROZEN, FROZEN, GOAL]]
    assert parse_map(("SF", "SG")).shape == (2, 2)
    assert parse_map("SFG").shape == (1, 3)  # one row may come bare


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (1, 6)])
def test_solvable_as_breadth_first_search(shape):
    # Many maps of every kind: no start, several starts, several goals, half of them holes.
    rng = np.random.default_rng(0)
    grids = rng.choice([START, FROZEN, HOLE, GOAL], (2000, *shape), p=[0.08, 0.5, 0.32, 0.1])
    solvable = jax.jit(jax.vmap(functools.partial(is_solvable, shape=shape)))
    found = np.asarray(solvable(jnp.asarray(grids.reshape(2000, -1), jnp.int32)))
    assert found.tolist() == [reaches_goal(grid.tolist()) for grid in grids]
    assert 0.05 < found.mean() < 0.95


# -- drawn at random ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHAPES)
def test_random_maps(name):
    params = sampler(name)(jax.random.key(0))
    grids = sample(name)
    assert all(reaches_goal(grid) for grid in grids.tolist())
    assert (grids[:, 0, 0] == START).all()
    assert (grids[:, -1, -1] == GOAL).all()
    assert set(np.unique(grids.reshape(len(grids), -1)[:, 1:-1])) == {FROZEN, HOLE}
    assert params.bank.starts.tolist() == [[0]] * 512
    assert params.bank.num_starts.tolist() == [1] * 512
    assert params.instances.tolist() == list(range(512))
    assert all(leaf.dtype == jnp.int32 for leaf in jax.tree.leaves(params))


def test_every_small_map_is_drawn():
    # 2x3 has eight solvable maps: those of its sixteen that breadth-first search accepts.
    masks = itertools.product([FROZEN, HOLE], repeat=4)
    grids = [[[START, a, b], [c, d, GOAL]] for a, b, c, d in masks]
    solvable = {str(grid) for grid in grids if reaches_goal(grid)}
    assert {str(grid) for grid in sample("2x3").tolist()} == solvable
    assert len(solvable) == 8


def test_another_key_draws_other_maps():
    first, again, other = sample("8x8"), sample("8x8"), sample("8x8", seed=1)
    np.testing.assert_array_equal(first, again)
    distinct = {grid.tobytes() for grid in (*first, *other)}
    assert len(distinct) > 1000


@pytest.mark.parametrize("frozen_probability", [0.8, 0.6])
def test_holes_as_often_as_gymnasium(frozen_probability):
    # Both redraw until solvable, so holes are rarer than 1 - p; compared by their means.
    ours = (sample("4x4", num=4096, frozen_probability=frozen_probability) == HOLE).sum((1, 2))
    drawn = [generate_random_map(4, frozen_probability, seed=i) for i in range(600)]
    theirs = np.array(["".join(rows).count("H") for rows in drawn])
    error = np.sqrt(ours.var() / len(ours) + theirs.var() / len(theirs))
    assert abs(ours.mean() - theirs.mean()) < 3.5 * error
    assert ours.mean() < 14 * (1 - frozen_probability)


def test_unchecked_tiles_are_frozen_as_told():
    # Before the check for solvability the frequency is exact: 62 free cells of 8x8, p = .7.
    draw = jax.jit(jax.vmap(random_tiles((8, 8), 0.7)))
    tiles = np.asarray(draw(jax.random.split(jax.random.key(0), 2000)))[:, 1:-1]
    assert (tiles == FROZEN).mean() == pytest.approx(0.7, abs=4 * np.sqrt(0.21 / tiles.size))


def test_goal_anywhere():
    grids = sample("4x4", goal="anywhere", num=2048)
    flat = grids.reshape(2048, 16)
    assert all(reaches_goal(grid) for grid in grids.tolist())
    assert ((flat == START).sum(1) == 1).all()
    assert ((flat == GOAL).sum(1) == 1).all()
    # Every cell is a start and a goal sometimes, none of them three times as often as another.
    for tile in (START, GOAL):
        counts = np.bincount((flat == tile).argmax(1), minlength=16)
        assert 0 < counts.max() < 3 * counts.min()
    params = sampler("4x4", goal="anywhere", num=2048)(jax.random.key(0))
    np.testing.assert_array_equal(params.bank.starts[:, 0], (flat == START).argmax(1))


# -- split -------------------------------------------------------------------------------------


@pytest.mark.parametrize("goal", ["corner", "anywhere"])
def test_split(goal):
    # Drawn for a side, every map is on that side; drawn for both, one in five is held out.
    train, test = (sample("8x8", split=split, goal=goal) for split in ("train", "held-out"))
    assert not held_out(train).any()
    assert held_out(test).all()
    both = held_out(sample("8x8", goal=goal, num=4096))
    assert np.asarray(both).mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / 4096))


def test_split_draws_otherwise_alike():
    # A side is a fair sample: it has as many holes as both sides together.
    train, test = (sample("8x8", split=split, num=2048) for split in ("train", "held-out"))
    means = [(grids == HOLE).sum((1, 2)).mean() for grids in (train, test)]
    assert means[0] == pytest.approx(means[1], abs=4 * 3.3 * np.sqrt(2 / 2048))


def test_start_and_goal_do_not_change_the_split():
    # The same holes with start and goal on other cells, several of each as well.
    grids, rng = sample("8x8"), np.random.default_rng(0)
    moved = np.where(grids == HOLE, HOLE, rng.choice([START, FROZEN, GOAL], grids.shape))
    assert (moved != grids).any((1, 2)).all()
    np.testing.assert_array_equal(held_out(jnp.asarray(moved)), held_out(grids))
    assert 0 < np.asarray(held_out(grids)).sum() < 512


@pytest.mark.parametrize("name", ["8x8", "6x4"])
def test_mirror_images_are_on_one_side(name):
    env = FrozenLake(name)
    height, width = env.shape
    drawn = env.sample_params(jax.random.key(2), 256).bank.tiles.reshape(-1, height, width)
    images = [drawn[:, ::-1], drawn[:, :, ::-1], drawn[:, ::-1, ::-1]]
    if height == width:
        images += [jnp.swapaxes(image, 1, 2) for image in (drawn, *images)]
    right = np.asarray(jax.vmap(env.held_out)(drawn))
    assert 0 < right.sum() < len(right)
    for image in images:
        np.testing.assert_array_equal(jax.vmap(env.held_out)(image), right)


def test_split_of_rows_of_a_bank_and_of_parsed_maps():
    env = FrozenLake("8x8")
    params = sampler("8x8")(jax.random.key(0))
    found = jax.jit(jax.vmap(env.held_out))(params.bank)
    np.testing.assert_array_equal(found, held_out(sample("8x8")))
    rows = ["".join("SFHG"[tile] for tile in row) for row in sample("8x8")[0]]
    assert bool(env.held_out(parse_map(rows))) == bool(found[0])


# -- bank --------------------------------------------------------------------------------------

BANK = (["SFF", "FFG"], ["FFS", "SFG"], ["SSS", "FGF"], ["FFG", "FFS"])
STARTS = ({0}, {2, 3}, {0, 1, 2}, {5})


def test_bank():
    maps = bank([parse_map(rows) for rows in BANK])
    assert maps.tiles.shape == (4, 6)
    assert maps.tiles[1].tolist() == [FROZEN, FROZEN, START, START, FROZEN, GOAL]
    assert maps.starts.tolist() == [[0, 0, 0], [2, 3, 2], [0, 1, 2], [5, 5, 5]]
    assert maps.num_starts.tolist() == [1, 2, 3, 1]
    assert all(leaf.dtype == jnp.int32 for leaf in jax.tree.leaves(maps))


@pytest.mark.parametrize("instances", [[0, 1, 2, 3], [1, 2], [2]])
def test_resets_draw_instances_and_starts_uniformly(instances):
    # Only the instances listed, each as often; of each map every start as often.
    env = FrozenLake("2x3")
    params = env.params_of([parse_map(rows) for rows in BANK])
    params = dataclasses.replace(params, instances=jnp.array(instances, jnp.int32))
    keys = jax.random.split(jax.random.key(0), 12_000)
    state = jax.jit(jax.vmap(lambda key: env.reset(key, params)[1]))(keys)
    expected = {(i, cell): 1 / len(STARTS[i]) for i in instances for cell in STARTS[i]}
    drawn = list(zip(state.instance.tolist(), state.position.tolist(), strict=True))
    assert set(drawn) == set(expected)
    for pair, share in expected.items():
        p = share / len(instances)
        error = np.sqrt(p * (1 - p) / 12_000)
        assert drawn.count(pair) / 12_000 == pytest.approx(p, abs=3.5 * error + 1e-9)
    assert not state.time.any()


def test_steps_play_the_map_of_their_instance():
    # Auto-reset draws the next instance; a move ends where that instance's map says.
    env = FrozenLake("2x3", is_slippery=False)
    params = env.params_of([parse_map(rows) for rows in (["SFF", "FFG"], ["SGF", "FFF"])])
    keys = jax.random.split(jax.random.key(0), 400)
    _, state = jax.jit(jax.vmap(env.reset, (0, None)))(keys, params)
    step = jax.jit(jax.vmap(env.step, (0, 0, None, None)))
    others = jax.random.split(jax.random.key(1), 400)
    _, after, reward, terminated, *_ = step(others, state, 2, params)
    np.testing.assert_array_equal(terminated, state.instance == 1)
    np.testing.assert_array_equal(reward, state.instance == 1)
    assert 0 < after.instance[terminated].mean() < 1
    np.testing.assert_array_equal(after.instance[~terminated], 0)
