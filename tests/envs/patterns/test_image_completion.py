"""Image completion: a twin in plain Python, the best return by exact planning, text, completion."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.following import followed, repeated
from envs.patterns.tools import law, play, take
from lprl_envs import CHECKS, ImageCompletion, InvalidInput, check_env
from lprl_envs.completion import Completable
from lprl_envs.patterns.image_completion import FLIP, KEEP, EnvState


def twin(image, hidden, pixel, action):
    """`(image, pixel, reward, terminated)` of one step; lists of booleans."""
    image, num = list(image), len(hidden)
    reward = 0.0
    if action == FLIP and image[pixel]:
        image[pixel] = False
        reward = -1 / num if hidden[pixel] else 1 / num
    elif action == FLIP and hidden[pixel]:
        image[pixel] = True
        reward = 1 / num
    terminated = image == hidden
    return image, (pixel + 1) % num, reward + terminated, terminated


def state_of(image, pixel, time=0) -> EnvState:
    return EnvState(
        time=jnp.int32(time),
        instance=jnp.int32(0),
        image=jnp.asarray([cell == "#" for cell in image]),
        pixel=jnp.int32(pixel),
    )


# -- law -----------------------------------------------------------------------------------------


def test_plays_as_its_twin():
    # 128 pictures, 200 random decisions each; mostly flips, so that some are completed.
    env = ImageCompletion("4x5")
    params = env.sample_params(jax.random.key(0), 64)
    seen = play(env, params, num_envs=128, num_steps=200, act=0.8)
    patterns, ends = np.asarray(params.bank.cells), 0
    for i in range(128):
        image, pixel, time = [False] * 20, 0, 0
        for t in range(200):
            before, after = take(seen["state"], (i, t)), take(seen["final"], (i, t))
            assert (before.image.tolist(), int(before.pixel)) == (image, pixel)
            hidden = patterns[before.instance].tolist()
            image, pixel, reward, ended = twin(image, hidden, pixel, seen["action"][i, t])
            time += 1
            assert (after.image.tolist(), int(after.pixel)) == (image, pixel)
            assert seen["reward"][i, t] == pytest.approx(reward, abs=1e-6)
            assert (seen["terminated"][i, t], seen["truncated"][i, t]) == (ended, time == 100)
            if ended or time == 100:
                image, pixel, time, ends = [False] * 20, 0, 0, ends + ended
    assert ends > 50


@pytest.mark.parametrize(
    ("image", "pixel", "action", "after", "reward", "terminated"),
    [
        ("....", 0, KEEP, "....", 0.0, False),
        ("....", 0, FLIP, "#...", 0.25, False),
        ("....", 1, FLIP, "....", 0.0, False),  # wrong, so undone
        ("#...", 0, FLIP, "....", -0.25, False),  # right ones are lost
        ("#...", 3, FLIP, "#..#", 1.25, True),
        ("##..", 1, FLIP, "#...", 0.25, False),
        ("##.#", 1, FLIP, "#..#", 1.25, True),
        ("#..#", 3, FLIP, "#..#", 0.0, True),  # nothing changes after the end
    ],
)
def test_a_decision(image, pixel, action, after, reward, terminated):
    env = ImageCompletion("2x2")
    params = env.params_of([["#.", ".#"]])
    key, state = jax.random.key(0), state_of(image, pixel)
    _, state, *outcome, _ = env.step_env(key, state, action, params)
    assert "".join(".#"[int(cell)] for cell in state.image) == after
    assert [x.item() for x in outcome] == [pytest.approx(reward), terminated]
    assert int(state.pixel) == (pixel + 1) % 4


def test_the_papers_picture_returns_1_2_to_who_knows_it():
    env = ImageCompletion()
    params = env.default_params
    pattern = np.asarray(params.bank.cells[0]).reshape(10, 10)
    np.testing.assert_array_equal(pattern, np.eye(10, dtype=bool) | np.eye(10, dtype=bool)[::-1])
    assert int(params.max_steps_in_episode) == 500
    step = jax.jit(env.step_env)
    _, state = env.reset(jax.random.key(0), params)
    total, ended = 0.0, False
    for i in range(100):
        wrong = bool(state.image[i]) != bool(pattern.flat[i])
        _, state, reward, ended, _ = step(jax.random.key(i), state, int(wrong), params)
        total += float(reward)
        assert bool(ended) == (i == 99)
    assert total == pytest.approx(1.2, abs=1e-5)


@pytest.mark.parametrize(
    "rows", [["#.", ".#"], ["##", "#."], ["#..", ".#.", "..#"], [".#.", "###", ".#."]]
)
def test_no_policy_returns_more_than_the_ones_and_the_bonus(rows):
    # Value iteration over all states; with twenty passes as with five, so that nothing is farmed.
    env = ImageCompletion(f"{len(rows)}x{len(rows[0])}")
    params = env.params_of([rows])
    _, after, reward, terminated = law(env, params)
    value = np.zeros(env.numbered_states)
    for _ in range(20 * env.num_cells):
        value = (reward + ~terminated * value[after])[..., 0].max(-1)
    start = int(env.state_index(env.reset(jax.random.key(0), params)[1], params))
    ones = "".join(rows).count("#")
    assert value[start] == pytest.approx(ones / env.num_cells + 1, abs=1e-5)


# -- contract ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "observation", "num_instances"),
    [("10x10", "tokens", 5), ("2x3", "onehot", 3)],
)
def test_keeps_the_contract(size, observation, num_instances):
    env = ImageCompletion(size, observation)
    assert check_env(env, env.sample_params(jax.random.key(1), num_instances)) == tuple(CHECKS)


def test_the_picture_is_in_no_observation_and_in_no_text():
    # Two instances look alike where equally much of them is shown.
    env = ImageCompletion("3x4")
    params = env.params_of([["##..", "....", "...."], ["....", "....", "..##"]])
    states = [dataclasses.replace(state_of("." * 12, 5), instance=jnp.int32(i)) for i in range(2)]
    features = [env.features(state, params).tolist() for state in states]
    assert features[0] == features[1] == [0.5, pytest.approx(1 / 3), 0, *[0] * 12]
    texts = {env.describe(state, params) for state in states}
    assert texts == {
        "A picture of 3 x 4 pixels is hidden: x is on, o is off. Flip the pixels that differ from "
        "it; one that it lacks stays off.\nPicture so far\n o o o o\n o o o o\n o o o o\n"
        "Pixel b2 is off\nAnswer"
    }


def test_text_and_features_of_a_pixel_that_is_on():
    env = ImageCompletion("3x4")
    params = env.params_of([["#..#", "....", "...."]])
    state = state_of("#..#........", 3)
    assert env.describe(state, params).splitlines()[2:] == [
        " x o o x", " o o o o", " o o o o", "Pixel d1 is on", "Answer",
    ]  # fmt: skip
    assert env.features(state, params).tolist() == [0, 1, 1, 1, 0, 0, 1, *[0] * 8]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"size": "1x4"}, "unknown size '1x4'; valid: 2x2 to 16x16"),
        ({"size": "17x4"}, "unknown size '17x4'; valid: 2x2 to 16x16"),
        ({"size": "4x4\n"}, "unknown size '4x4\\n'; valid: 2x2 to 16x16"),
        ({"size": 4}, "size is 4; it must be text"),
        ({"observation": "pixels"}, "unknown observation 'pixels'; valid: index, onehot, feat"),
        ({"observation": "onehot"}, "'onehot' needs 9 cells or fewer, the size is 10x10; use feat"),
        ({"observation": "index", "size": "2x5"}, "'index' needs 9 cells or fewer"),
    ],
)
def test_refusals(config, words):
    with pytest.raises(InvalidInput) as error:
        ImageCompletion(**config)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_only_small_pictures_are_numbered():
    assert ImageCompletion("3x3").num_states == 9 * 512
    env = ImageCompletion("2x5")
    assert env.num_states is None
    params = env.params_of([["#....", "....."]])
    state = env.reset(jax.random.key(0), params)[1]
    zero = jnp.int32(0)
    for call in (lambda: env.state_index(state, params), lambda: env.state_at(zero, zero, params)):
        with pytest.raises(InvalidInput, match="too many states to number"):
            call()


# -- completion ----------------------------------------------------------------------------------


def test_completion():
    env = ImageCompletion()
    params = env.default_params
    assert isinstance(env, Completable)
    _, state = env.reset(jax.random.key(0), params)
    target = env.target(jnp.int32(0), params)
    assert target.dtype == jnp.int32
    assert env.completion.render(target.tolist()).startswith("\n x o o o o o o o o x\n o x o")
    assert env.completion.render(target.tolist()).endswith(" x\n")
    assert env.revealed(state, params) == 0.0
    half = dataclasses.replace(state, image=(target == 1) & (jnp.arange(100) < 50))
    assert env.revealed(half, params) == 0.5
    # More than .95 of the pixels: four may be wrong, five may not.
    wrong = [bool(env.accepts(target.at[:n].set(1 - target[:n]), state, params)) for n in range(7)]
    assert wrong == [True] * 5 + [False] * 2
    prompt = env.template.segments[:-1], env.completion_prompt.segments[:-1]
    assert prompt[0] == prompt[1]
    text = env.completion_prompt.render(env.slots(state, params).tolist())
    assert text.endswith("\nPixel a1 is off\nWhole picture")


@pytest.mark.parametrize("rows", [["#.", ".#"], ["##", "#."], ["#..", "..#", "##."]])
def test_following_the_target_completes_it_in_a_scan_from_wherever_one_may_be(rows):
    # Every part of the picture with every place of the scan.
    env = ImageCompletion(f"{len(rows)}x{len(rows[0])}")
    params = env.params_of([rows])
    num = env.num_cells
    pattern = np.asarray(params.bank.cells[0])
    bits = np.arange(2**num)[:, None] >> np.arange(num) & 1 == 1
    parts = bits[~(bits & ~pattern).any(1) & (bits != pattern).any(1)]
    images, pixels = np.repeat(parts, num, axis=0), np.tile(np.arange(num), len(parts))
    start = EnvState(
        time=jnp.zeros(len(pixels), jnp.int32),
        instance=jnp.zeros(len(pixels), jnp.int32),
        image=jnp.asarray(images),
        pixel=jnp.asarray(pixels, jnp.int32),
    )
    target = repeated(env.target(jnp.int32(0), params), len(pixels))
    _, _, paid, ended = followed(env, params, target, start, num)
    assert len(pixels) == num * (2 ** pattern.sum() - 1)
    assert ended[:, -1].all()
    missing = (pattern & ~images).sum(1)
    np.testing.assert_allclose(paid.sum(1), missing / num + 1, atol=1e-5)


def test_following_the_papers_picture_returns_1_2():
    env = ImageCompletion()
    params = env.default_params
    _, state = env.reset(jax.random.key(0), params)
    target = env.target(jnp.int32(0), params)
    _, action, paid, ended = followed(env, params, target[None], repeated(state, 1), 101)
    np.testing.assert_array_equal(action[0, :100], target)
    assert np.flatnonzero(ended[0])[0] == 99
    assert paid.sum() == pytest.approx(1.2, abs=1e-5)


def test_a_wrong_completion_is_followed_as_it_says():
    # Three scans, from a part of the picture: what is wrongly on is undone whenever it is met,
    # what is wrongly off is taken away where it was, and stays off.
    env = ImageCompletion("2x3")
    params = env.params_of([["##.", ".#."]])
    hidden = [True, True, False, False, True, False]
    said = np.array([[0, 1, 1, 0, 0, 1], [0] * 6, [1] * 6, [1, 1, 1, 0, 0, 0]], np.int32)
    start = repeated(state_of("##....", 2), 4)
    seen, action, paid, ended = followed(env, params, jnp.asarray(said), start, 18)
    for i in range(4):
        image, pixel, over = [True, True, False, False, False, False], 2, False
        for t in range(18):
            assert seen.image[i, t].tolist() == image
            if over:
                continue
            flips = said[i, pixel] != image[pixel]
            assert action[i, t] == (FLIP if flips else KEEP)
            image, pixel, reward, over = twin(image, hidden, pixel, action[i, t])
            assert paid[i, t] == pytest.approx(reward, abs=1e-6)
            assert ended[i, t] == over
    assert seen.image[:, -1].astype(int).tolist() == [
        [0, 1, 0, 0, 0, 0], [0] * 6, [1, 1, 0, 0, 1, 0], [1, 1, 0, 0, 0, 0],
    ]  # fmt: skip


def test_picture():
    env = ImageCompletion("3x4")
    params = env.params_of([["#..#", "....", "...."]])
    images = [env.render(state_of(text, 3), params).rgb for text in ("#...........", "." * 12)]
    assert images[0].shape == images[1].shape == (168, 204, 3)
    assert (images[0] != images[1]).any()
