"""Object arrangement: a twin in plain Python, exact expected returns, text, completion."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.following import followed
from envs.patterns.tools import law, play, take
from lprl_envs import CHECKS, InvalidInput, ObjectArrangement, check_env
from lprl_envs.completion import Completable
from lprl_envs.patterns.object_arrangement import DROP, SKIP, EnvState


def twin(placed, hidden, offered, action):
    """`(placed, reward, terminated)` of one step; sets of cells, and their number is 20."""
    if action == DROP and offered in hidden and offered not in placed:
        placed = placed | {offered}
        return placed, 1 / 20 + (placed == hidden), placed == hidden
    return placed, 0.0, False


def state_of(placed, offered) -> EnvState:
    return EnvState(
        time=jnp.int32(0),
        instance=jnp.int32(0),
        placed=jnp.asarray([cell == "#" for cell in placed]),
        offered=jnp.int32(offered),
    )


def best(objects, num_cells, num_steps) -> tuple[float, float]:
    """Expected return and chance of completing, of the best policy: by the number still missing."""

    @functools.cache
    def value(missing, left):
        if missing == 0 or left == 0:
            return 0.0, float(missing == 0)
        chance = missing / num_cells
        found, other = value(missing - 1, left - 1), value(missing, left - 1)
        gain = 1 / num_cells + (missing == 1)
        expected = chance * (gain + found[0]) + (1 - chance) * other[0]
        return expected, chance * found[1] + (1 - chance) * other[1]

    return value(objects, num_steps)


# -- law -----------------------------------------------------------------------------------------


def test_plays_as_its_twin():
    # 128 floors, 200 random decisions each; the offers are the environment's.
    env = ObjectArrangement("4x5")
    params = env.sample_params(jax.random.key(0), 64)
    seen = play(env, params, num_envs=128, num_steps=200, act=0.9)
    patterns, ends = np.asarray(params.bank.cells), 0
    for i in range(128):
        placed, time = frozenset(), 0
        for t in range(200):
            before, after = take(seen["state"], (i, t)), take(seen["final"], (i, t))
            assert set(np.flatnonzero(before.placed)) == placed
            hidden = frozenset(np.flatnonzero(patterns[before.instance]))
            offered, action = int(before.offered), int(seen["action"][i, t])
            placed, reward, ended = twin(placed, hidden, offered, action)
            time += 1
            assert set(np.flatnonzero(after.placed)) == placed
            assert seen["reward"][i, t] == pytest.approx(reward, abs=1e-6)
            assert (seen["terminated"][i, t], seen["truncated"][i, t]) == (ended, time == 40)
            if ended or time == 40:
                placed, time, ends = frozenset(), 0, ends + ended
    assert ends > 50
    offers = np.bincount(np.asarray(seen["state"].offered).ravel(), minlength=20)
    expected = 128 * 200 / 20
    assert ((offers - expected) ** 2 / expected).sum() < 43.8  # .001 of 19 degrees of freedom


@pytest.mark.parametrize(
    ("placed", "offered", "action", "after", "reward", "terminated"),
    [
        ("....", 0, SKIP, "....", 0.0, False),
        ("....", 0, DROP, "#...", 0.25, False),
        ("....", 1, DROP, "....", 0.0, False),  # wrong, so taken away
        ("#...", 0, DROP, "#...", 0.0, False),  # an object is there already
        ("#...", 3, DROP, "#..#", 1.25, True),
        ("#..#", 3, DROP, "#..#", 0.0, True),  # nothing changes after the end
    ],
)
def test_a_decision(placed, offered, action, after, reward, terminated):
    env = ObjectArrangement("2x2")
    params = env.params_of([["#.", ".#"]])
    _, state, *outcome, _ = env.step_env(
        jax.random.key(0), state_of(placed, offered), action, params
    )
    assert "".join(".#"[int(cell)] for cell in state.placed) == after
    assert [x.item() for x in outcome] == [pytest.approx(reward), terminated]


# -- the best return -----------------------------------------------------------------------------


def test_the_papers_diamond_returns_589_at_best():
    expected, completed = best(objects=8, num_cells=25, num_steps=50)
    assert expected == pytest.approx(0.589, abs=5e-4)
    assert completed == pytest.approx(0.31, abs=5e-3)


def test_dropping_always_is_the_best_policy():
    # 4,096 episodes of the paper's diamond; at most 8 / 25 + 1.
    env = ObjectArrangement()
    params = env.default_params
    assert int(params.max_steps_in_episode) == 50
    seen = play(env, params, num_envs=4096, num_steps=50, act=1.0)
    done = np.cumsum(seen["terminated"], 1)
    first = (done - seen["terminated"]) == 0  # until the first end, if there is one
    returns = (np.asarray(seen["reward"]) * first).sum(1)
    expected, completed = best(8, 25, 50)
    error = float(returns.std()) / 64
    assert float(returns.mean()) == pytest.approx(expected, abs=4 * error)
    assert (done[:, -1] > 0).mean() == pytest.approx(completed, abs=0.03)
    assert float(returns.max()) == pytest.approx(1.32, abs=1e-5)


@pytest.mark.parametrize("rows", [["#.", ".#"], ["##", "#."], ["#..", ".#.", "..#"]])
def test_the_law_planned_exactly(rows):
    env = ObjectArrangement(f"{len(rows)}x{len(rows[0])}")
    params = env.params_of([rows])
    prob, after, reward, terminated = law(env, params)
    steps = int(params.max_steps_in_episode)
    assert steps == 2 * env.num_cells
    value = np.zeros(env.numbered_states)
    for _ in range(steps):
        value = (prob * (reward + ~terminated * value[after])).sum(-1).max(-1)
    start = value[: env.num_cells].mean()  # nothing placed, any first offer
    ones = "".join(rows).count("#")
    assert start == pytest.approx(best(ones, env.num_cells, steps)[0], abs=1e-5)


# -- contract ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "observation", "num_instances"),
    [("5x5", "features", 5), ("3x3", "index", 6)],
)
def test_keeps_the_contract(size, observation, num_instances):
    env = ObjectArrangement(size, observation)
    assert check_env(env, env.sample_params(jax.random.key(1), num_instances)) == tuple(CHECKS)


def test_text_and_features():
    env = ObjectArrangement("3x4")
    params = env.params_of([["#..#", "....", "...#"]])
    state = state_of("#..#........", 5)
    assert env.describe(state, params) == (
        "Objects on a floor of 3 x 4 cells form a hidden pattern: x is an object, o is a free "
        "cell. Drop objects where it has them; one that it lacks is taken away.\nFloor so far\n"
        " x o o x\n o o o o\n o o o o\nOffered b2\nAnswer"
    )
    expected = [0.5, pytest.approx(1 / 3), 0, 1, 0, 0, 1, *[0] * 8]
    assert env.features(state, params).tolist() == expected


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"size": "9x4"}, "unknown size '9x4'; valid: 2x2 to 8x8"),
        ({"observation": "onehot"}, "'onehot' needs 9 cells or fewer, the size is 5x5; use feat"),
        ({"observation": ""}, "unknown observation ''; valid: index, onehot"),
    ],
)
def test_refusals(config, words):
    with pytest.raises(InvalidInput) as error:
        ObjectArrangement(**config)
    assert words in str(error.value)


# -- completion ----------------------------------------------------------------------------------


def test_completion():
    env = ObjectArrangement()
    params = env.default_params
    assert isinstance(env, Completable)
    _, state = env.reset(jax.random.key(0), params)
    target = env.target(jnp.int32(0), params)
    assert env.completion.render(target.tolist()) == (
        "\n o o x o o\n o x o x o\n x o o o x\n o x o x o\n o o x o o\n"
    )
    three = dataclasses.replace(state, placed=(target == 1) & (jnp.arange(25) < 9))
    assert env.revealed(three, params) == 3 / 8
    assert bool(env.accepts(target, state, params))
    assert not any(
        bool(env.accepts(target.at[i].set(1 - target[i]), state, params)) for i in range(25)
    )
    text = env.completion_prompt.render(env.slots(state, params).tolist())
    assert text.endswith("\nWhole pattern")
    assert env.completion_prompt.segments[:-1] == env.template.segments[:-1]


def test_following_the_target_completes_it_if_all_of_it_is_offered():
    # 200 episodes of 50 steps; a twin that looks at the offers.
    env = ObjectArrangement()
    params = env.default_params
    hidden = set(np.flatnonzero(params.bank.cells[0]).tolist())
    start = jax.vmap(env.reset, (0, None))(jax.random.split(jax.random.key(1), 200), params)[1]
    target = jnp.tile(env.target(jnp.int32(0), params), (200, 1))
    seen, action, paid, ended = followed(env, params, target, start, 50)
    for i in range(200):
        placed = set()
        for t in range(50):
            if placed == hidden:
                break
            offered = int(seen.offered[i, t])
            assert (action[i, t] == DROP) == (offered in hidden)
            assert set(np.flatnonzero(seen.placed[i, t]).tolist()) == placed
            placed |= {offered} & hidden
        assert ended[i, -1] == (placed == hidden)
        assert paid[i].sum() == pytest.approx(len(placed) / 25 + ended[i, -1], abs=1e-5)
    assert 20 < ended[:, -1].sum() < 120
    assert paid.sum(1).max() == pytest.approx(1.32, abs=1e-5)


def test_a_wrong_completion_is_followed_as_it_says():
    # Of a pattern that is right in part only that part comes to lie there.
    env = ObjectArrangement("2x3")
    params = env.params_of([["#.#", ".#."]])
    said = np.array([[0] * 6, [1] * 6, [1, 1, 0, 0, 0, 0], [0, 1, 0, 1, 0, 1]], np.int32)
    start = jax.vmap(env.reset, (0, None))(jax.random.split(jax.random.key(1), 4), params)[1]
    seen, action, _, ended = followed(env, params, jnp.asarray(said), start, 100)
    for i in range(4):
        steps = np.flatnonzero(ended[i])[0] if ended[i].any() else 100
        offered = seen.offered[i, :steps]
        np.testing.assert_array_equal(action[i, :steps] == DROP, said[i, offered] == 1)
    last = seen.placed[:, -1].astype(int).tolist()
    assert last == [[0] * 6, [1, 0, 1, 0, 1, 0], [1, 0, 0, 0, 0, 0], [0] * 6]
    assert ended[:, -1].tolist() == [False, True, False, False]


def test_picture():
    env = ObjectArrangement("2x3")
    params = env.params_of([["#.#", "..."]])
    images = [env.render(state_of(text, 1), params).rgb for text in ("#.....", "......")]
    assert images[0].shape == images[1].shape == (132, 168, 3)
    assert (images[0] != images[1]).any()
