"""Families of patterns: what they look like, how they are split, held out, and given by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import ImageCompletion, InvalidInput, ObjectArrangement
from lprl_envs.patterns.bank import BY_HAND, Patterns, draw_patterns, is_held_out, parse_pattern
from lprl_envs.patterns.image_completion import BOTH_DIAGONALS
from lprl_envs.patterns.object_arrangement import DIAMOND
from lprl_envs.patterns.shapes import FAMILIES, HELD_OUT_FAMILIES, is_frame

NUM = 2048
ORDINARY = [name for name in FAMILIES if name not in HELD_OUT_FAMILIES]
DISTINCT = {  # of 2,048 on 10 x 10 cells, at least
    "letters": 500,
    "frames": 700,
    "diagonals": 180,
    "stripes": 150,
    "checkers": 180,
    "diamonds": 200,
    "symmetric": 2000,
    "crosses": 1500,
}


@functools.cache
def drawn(name, shape) -> np.ndarray:
    """`bool[NUM, H, W]`"""
    draw = jax.jit(jax.vmap(lambda key: FAMILIES[name].draw(key, shape)))
    return np.asarray(draw(jax.random.split(jax.random.key(0), NUM)))


@functools.cache
def sampler(shape, split, families, num=512):
    return jax.jit(lambda key: draw_patterns(key, num, shape, split, families))


def sample(shape=(10, 10), split=None, families=()) -> Patterns:
    return sampler(shape, split, families)(jax.random.key(3))


def names(patterns) -> set[str]:
    return {list(FAMILIES)[i] for i in np.unique(np.asarray(patterns.family))}


def grids(rows) -> np.ndarray:
    return np.array([[cell == "#" for cell in row] for row in rows])


@jax.jit
def held_out(patterns):
    """`bool[M]` of square patterns."""
    side = int(patterns.cells.shape[1] ** 0.5)
    return jax.vmap(is_held_out)(patterns.cells.reshape(-1, side, side))


# -- shapes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("size", ["smallest", (10, 10), (8, 13)])
def test_neither_empty_nor_full(name, size):
    shape = FAMILIES[name].smallest if size == "smallest" else size
    found = drawn(name, shape)
    assert (found.shape, found.dtype) == ((NUM, *shape), bool)
    assert found.any((1, 2)).all()
    assert not found.all((1, 2)).any()


@pytest.mark.parametrize("name", FAMILIES)
def test_many_different_ones(name):
    found = {grid.tobytes() for grid in drawn(name, (10, 10))}
    assert len(found) >= DISTINCT[name]
    # Wherever a cell is, but in a corner, some have it on.
    on = np.asarray(drawn(name, (10, 10)).any(0))
    assert on[1:-1].all()
    assert on[:, 1:-1].all()


def test_frames_are_closed_outlines():
    for grid in drawn("frames", (8, 13))[:300]:
        rows, cols = np.flatnonzero(grid.any(1)), np.flatnonzero(grid.any(0))
        box = grid[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
        assert min(box.shape) >= 3
        assert box[[0, -1]].all()
        assert box[:, [0, -1]].all()
        inner = box[1:-1, 1:-1]
        assert not inner.all()
        assert not inner[[0, -1]].any()


def test_stripes_are_whole_lines():
    found = drawn("stripes", (8, 13))
    across = (found == found[:, :, :1]).all((1, 2))
    down = (found == found[:, :1]).all((1, 2))
    assert (across ^ down).all()
    assert 0.4 < across.mean() < 0.6


def test_checkers_are_a_product():
    # The sign of a cell is that of its row times that of its column.
    signs = np.where(drawn("checkers", (8, 13)), 1, -1)
    np.testing.assert_array_equal(signs, signs[:, :1, :1] * signs[:, :, :1] * signs[:, :1])
    assert not (signs == signs[:, :1]).all((1, 2)).any()
    assert not (signs == signs[:, :, :1]).all((1, 2)).any()


def test_symmetric_shapes_are_their_mirror_images():
    found = drawn("symmetric", (8, 13))
    mirrors = np.stack([(found == np.flip(found, axis)).all((1, 2)) for axis in (1, 2)])
    assert mirrors.any(0).all()
    for kind in (mirrors[0] & ~mirrors[1], mirrors[1] & ~mirrors[0], mirrors.all(0)):
        assert 0.25 < kind.mean() < 0.42


def test_crosses_have_four_arms():
    for grid in drawn("crosses", (8, 13))[:300]:
        row, col = grid.sum(1).argmax(), grid.sum(0).argmax()
        assert grid.sum() == grid[row].sum() + grid[:, col].sum() - 1
        near = [(row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1), (row, col)]
        assert all(grid[place] for place in near)


@pytest.mark.parametrize(("name", "rows"), [("diagonals", BOTH_DIAGONALS), ("diamonds", DIAMOND)])
def test_the_papers_patterns_belong_to_their_families(name, rows):
    pattern = grids(rows)
    assert pattern.tobytes() in {grid.tobytes() for grid in drawn(name, pattern.shape)}


def test_letters():
    # The smallest grid shows every letter as it is; a grid of twice the size also shows it doubled.
    alphabet = {grid.tobytes() for grid in drawn("letters", (7, 5))}
    assert len(alphabet) == 26
    found = drawn("letters", (14, 10))
    doubled = (found == np.repeat(np.repeat(found[:, ::2, ::2], 2, 1), 2, 2)).all((1, 2))
    assert 0.4 < doubled.mean() < 0.6
    assert {grid[::2, ::2].tobytes() for grid in found[doubled]} == alphabet


# -- the split -----------------------------------------------------------------------------------


def test_families_are_drawn_alike():
    found = np.bincount(sample().family, minlength=len(FAMILIES))
    assert (found > 512 / len(FAMILIES) / 2).all()
    assert found.sum() == 512


@pytest.mark.parametrize("shape", [(10, 10), (5, 5)])
@pytest.mark.parametrize("split", ["train", "held-out"])
def test_split(split, shape):
    patterns = sample(shape, split)
    assert (np.asarray(held_out(patterns)) == (split == "held-out")).all()
    fitting = {name for name in ORDINARY if FAMILIES[name].fits(shape)}
    assert names(patterns) == fitting


def test_the_splits_share_no_pattern():
    train, test = (np.asarray(sample(split=split).cells) for split in ("train", "held-out"))
    assert not {row.tobytes() for row in train} & {row.tobytes() for row in test}


def test_no_pattern_of_the_held_out_family_is_in_train():
    frames = {grid.tobytes() for shape in [(10, 10)] for grid in drawn("frames", shape)}
    assert not frames & {row.tobytes() for row in np.asarray(sample(split="train").cells)}


def test_the_held_out_family_counts_as_held_out():
    frames = sample(split="held-out", families=("frames",))
    assert names(frames) == {"frames"}
    by_hand = Patterns(frames.cells, jnp.full(512, BY_HAND, jnp.int32))
    assert np.asarray(held_out(by_hand)).all()  # whatever drew it
    mixed = sample(split="held-out", families=("frames", "crosses"))
    assert names(mixed) == {"frames", "crosses"}
    assert bool(held_out(sample(families=("frames",))).all())


@pytest.mark.parametrize("shape", [(10, 10), (5, 5), (3, 4)])
@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "letters"])
def test_frames_are_known_by_their_cells(name, shape):
    found = np.asarray(jax.jit(jax.vmap(is_frame))(drawn(name, shape)))
    right = [is_frame_by_hand(grid) for grid in drawn(name, shape)]
    np.testing.assert_array_equal(found, right)
    if name == "frames":
        assert found.all()


def is_frame_by_hand(grid) -> bool:
    """The outline of a box of side 3 or more, or of every second box from there inwards."""
    on = {tuple(cell) for cell in np.argwhere(grid).tolist()}
    rows, cols = ([cell[axis] for cell in on] for axis in (0, 1))
    top, bottom, left, right = min(rows), max(rows), min(cols), max(cols)
    if bottom - top < 2 or right - left < 2:
        return False

    def outline(depth):
        return {
            (r, c)
            for r in range(top + depth, bottom - depth + 1)
            for c in range(left + depth, right - depth + 1)
            if r in (top + depth, bottom - depth) or c in (left + depth, right - depth)
        }

    nested = set().union(*(outline(depth) for depth in range(0, len(grid), 2)))
    return on in (outline(0), nested)


def test_mirror_images_are_on_one_side():
    patterns = sample(families=("letters",))
    cells = np.asarray(patterns.cells).reshape(-1, 10, 10)
    right = np.asarray(held_out(patterns))
    assert 0 < right.sum() < len(right)
    for image in (cells[:, ::-1], cells[:, :, ::-1], cells.swapaxes(1, 2)):
        mirrored = Patterns(jnp.asarray(image.reshape(-1, 100)), patterns.family)
        np.testing.assert_array_equal(held_out(mirrored), right)


def test_one_in_five_is_held_out():
    patterns = sample(families=("crosses",))
    assert 0.12 < np.asarray(held_out(patterns)).mean() < 0.28


# -- bad input -----------------------------------------------------------------------------------


def refusal(function, *args, **kwargs) -> str:
    with pytest.raises(InvalidInput) as error:
        function(*args, **kwargs)
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "a pattern is a list of rows such as ['#.', '.#']; found []"),
        ([".#", ""], "a pattern is a list of rows such as ['#.', '.#']; found ['.#', '']"),
        ([1, 0], "a pattern is a list of rows such as ['#.', '.#']; found [1, 0]"),
        (None, "a pattern is a list of rows such as ['#.', '.#']; found [None]"),
        ([".#", "#"], "pattern rows differ in length: [2, 1]; a pattern is rectangular"),
        ([".#", "x."], "unknown cell 'x' in the pattern; valid: # on, . off"),
        (["\n#", "#."], "unknown cell '\\n' in the pattern; valid: # on, . off"),
        ([".#.", "#.."], "a pattern is 2x3, the environment 2x2; set size: 2x3"),
        (["..", ".."], "the pattern ['..', '..'] is empty; it needs cells on and cells off"),
        (["##", "##"], "the pattern ['##', '##'] is full; it needs cells on and cells off"),
    ],
)
def test_bad_patterns(rows, message):
    assert refusal(parse_pattern, rows, (2, 2)) == message
    assert refusal(ImageCompletion("2x2").params_of, [rows]) == message


def test_patterns_of_no_size_that_there_is():
    for env, side in ((ImageCompletion("3x3"), 17), (ObjectArrangement("3x3"), 9)):
        found = refusal(env.params_of, [["#" * side] * (side - 1) + ["." * side]])
        right = f"valid: 2x2 to {env.largest}x{env.largest}"
        assert found == f"a pattern is {side}x{side}, the environment 3x3; {right}"
    assert "valid: 2x2 to 16x16" in refusal(ImageCompletion("3x3").params_of, [["#.#"]])


def test_patterns_by_hand():
    params = ImageCompletion("2x3").params_of([["#..", ".#."], ("##.", "..#")])
    assert params.bank.cells.tolist() == [[1, 0, 0, 0, 1, 0], [1, 1, 0, 0, 0, 1]]
    assert params.bank.family.tolist() == [BY_HAND, BY_HAND]
    assert "no patterns" in refusal(ImageCompletion("2x3").params_of, [])


@pytest.mark.parametrize(
    ("size", "arguments", "words"),
    [
        ("5x5", {"families": ["stars"]}, ["unknown family 'stars'", "letters, frames"]),
        ("5x5", {"families": ["letters"]}, ["letters need 7x5 cells or more, the size is 5x5"]),
        ("5x5", {"families": ["frames"], "split": "train"}, ["'frames' is held out"]),
        ("5x5", {"split": "test"}, ["unknown split 'test'", "train, held-out"]),
        ("5x5", {"num_instances": 0}, ["num_instances is 0"]),
        ("3x3", {"families": ["crosses"], "split": "held-out"}, ["crosses of 3x3", "use no split"]),
    ],
)
def test_bad_samples(size, arguments, words):
    sample_params = ImageCompletion(size).sample_params
    message = refusal(sample_params, jax.random.key(0), **{"num_instances": 2} | arguments)
    assert [word for word in words if word not in message] == []
