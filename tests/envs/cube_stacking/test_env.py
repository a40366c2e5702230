"""The law of cube stacking: a twin in plain Python, exact planning, the checks, completion."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.following import followed, repeated
from lprl_envs import CHECKS, CubeStacking, check_env
from lprl_envs.completion import Completable
from lprl_envs.cube_stacking.law import REMOVE, REWARDS

from lprl_jax.algorithms.tabular.value_iteration import law_of, plan

SIZES = (2, 5, 8, 12)
HORIZON = 50


class Twin:
    """A real stack, on which a wrong cube is placed, scored and undone."""

    def __init__(self, target, reward):
        self.target, self.reward, self.stack = list(target), reward, []

    def score(self) -> int:
        right = sum(x == y for x, y in zip(self.stack, self.target, strict=False))
        return len(self.stack) * right

    def legal(self) -> list[bool]:
        cubes = sorted(self.target)
        return [bool(self.stack), *(cube not in self.stack for cube in cubes)]

    def step(self, action) -> int:
        before, was_complete = self.score(), self.stack == self.target
        paid = before
        if self.legal()[action]:
            if action == REMOVE:
                self.stack.pop()
            else:
                self.stack.append(action - 1)
            paid = self.score()
            if self.stack != self.target[: len(self.stack)]:
                self.stack.pop()
        if self.reward == "exact":
            paid = self.score()
        return paid - before + (was_complete or self.stack == self.target)


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize("num_cubes", SIZES)
def test_side_by_side_with_the_twin(num_cubes, reward):
    # 8 instances, 1,500 actions each, half of them the right cube; illegal ones among the others.
    env = CubeStacking(num_cubes, reward)
    params = env.sample_params(jax.random.key(0), 8)
    rng = np.random.default_rng(num_cubes)
    targets = np.asarray(params.bank.target)
    twins = [Twin(target.tolist(), reward) for target in targets]
    actions = np.zeros((1500, 8), np.int32)
    expected = np.zeros((1500, 8, 2), int)
    legal = np.zeros((1500, 8, num_cubes + 1), bool)
    for t in range(1500):
        for i, twin in enumerate(twins):
            legal[t, i] = twin.legal()
            action = rng.integers(num_cubes + 1)
            if rng.random() < 0.5 and len(twin.stack) < num_cubes:
                action = twin.target[len(twin.stack)] + 1
            actions[t, i] = action
            expected[t, i] = twin.step(action), len(twin.stack)

    def step(state, action):
        mask = jax.vmap(env.action_mask, (0, None))(state, params)
        _, after, reward, terminated, _ = jax.vmap(env.step_env, (None, 0, 0, None))(
            jax.random.key(0), state, action, params
        )
        return after, (mask, reward, after.height, terminated)

    start = jax.vmap(env.state_at, (0, None, None))(jnp.arange(8), jnp.int32(0), params)
    after, (mask, paid, height, terminated) = jax.lax.scan(step, start, jnp.asarray(actions))
    np.testing.assert_array_equal(paid, expected[..., 0])
    np.testing.assert_array_equal(height, expected[..., 1])
    np.testing.assert_array_equal(mask, legal)
    assert not terminated.any()
    assert after.time.tolist() == [1500] * 8
    assert set(np.unique(height)) == set(range(num_cubes + 1))
    assert legal.sum(-1).max() == env.max_legal


def best_return(target, reward, only_legal) -> int:
    """By a recursion over the twin: no part of the environment."""

    @functools.cache
    def value(height, steps) -> int:
        if steps == 0:
            return 0
        found = []
        for action in range(len(target) + 1):
            twin = Twin(target, reward)
            twin.stack = list(target[:height])
            if only_legal and not twin.legal()[action]:
                continue
            paid = twin.step(action)
            found.append(paid + value(len(twin.stack), steps - 1))
        return max(found)

    return value(0, HORIZON)


@pytest.mark.parametrize("only_legal", [True, False], ids=["legal", "all"])
@pytest.mark.parametrize(("reward", "best"), [("exact", 107), ("paper", 317)])
def test_optimal_return_of_the_papers_cubes(reward, best, only_legal):
    # exact: 64 for the stack, 1 for its last cube, 1 for each of 42 steps more. paper: a wrong cube
    # pays 6 on six right ones, which no legal move tops: 36, 42 times 6, then 13 + 16 at the end.
    env = CubeStacking(reward=reward)
    params = env.default_params
    assert int(params.max_steps_in_episode) == HORIZON
    law = law_of(env, params, jnp.int32(0))
    if not only_legal:
        law = law._replace(legal=jnp.ones_like(law.legal))
    assert float(plan(law, HORIZON)[0].max()) == best
    target = params.bank.target[0].tolist()
    assert best_return(tuple(target), reward, only_legal) == best


def test_no_instance_of_eight_cubes_returns_more_by_default():
    env = CubeStacking()
    params = env.sample_params(jax.random.key(2), 16)
    q = jax.vmap(lambda i: plan(law_of(env, params, i), HORIZON))(params.instances)
    np.testing.assert_array_equal(q[:, 0].max(-1), 107)
    assert float(jnp.where(jnp.isfinite(q), q, 0).max()) <= 107


def test_the_best_play_step_by_step():
    # Nine steps of the paper's cubes: odd numbers, one more at the end; then remove, and stack.
    env = CubeStacking()
    params = env.default_params
    state, rewards = env.reset(jax.random.key(0), params)[1], []
    for action in [*(env.target(jnp.int32(0), params) + 1).tolist(), REMOVE, 8, 8]:
        _, state, reward, *_ = env.step(jax.random.key(0), state, action, params)
        rewards.append(float(reward))
    assert rewards == [1, 3, 5, 7, 9, 11, 13, 16, -14, 16, 1]
    assert bool(env.is_solved(state, params))


@pytest.mark.parametrize(("num_cubes", "limit"), [(2, 17), (8, 50), (11, 80), (12, 92)])
def test_time_limit(num_cubes, limit):
    assert int(CubeStacking(num_cubes).default_params.max_steps_in_episode) == limit


def test_check():
    env = CubeStacking(8)
    assert check_env(env, env.sample_params(jax.random.key(1), 6)) == tuple(CHECKS)


def test_check_of_the_papers_reward_and_tokens():
    assert check_env(CubeStacking(11, "paper", "tokens")) == tuple(CHECKS)


# -- observation and completion ------------------------------------------------------------------


def test_features():
    env = CubeStacking(3)
    params = env.params_of([{"cubes": ["red 5", "orange 12", "blue 1"], "target": "cab"}])
    found = env.features(env.state_at(jnp.int32(0), jnp.int32(2), params), params).reshape(3, 10)
    np.testing.assert_allclose(found[:, 6] * 12, [5, 12, 1], rtol=1e-6)
    assert found[:, :6].argmax(1).tolist() == [0, 5, 1]
    assert found[:, 7:].tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize("observation", ["features", "tokens"])
def test_what_is_not_stacked_yet_is_not_seen(observation):
    # Two instances that differ in the target's upper half look alike until that is stacked.
    env = CubeStacking(4, observation=observation)
    cubes = ["red 5", "blue 4", "red 3", "blue 2"]
    params = env.params_of([{"cubes": cubes, "target": target} for target in ("abcd", "abdc")])

    def seen(instance, height):
        state = env.state_at(instance, height, params)
        return env.observe(jax.random.key(0), state, None, params)

    for height in range(5):
        one, other = seen(0, height), seen(1, height)
        assert bool((one == other).all()) == (height <= 2)


@pytest.mark.parametrize("num_cubes", [2, 8, 11])
def test_only_the_target_is_accepted(num_cubes):
    env = CubeStacking(num_cubes)
    assert isinstance(env, Completable)
    params = env.sample_params(jax.random.key(3), 4)
    accepts = jax.jit(env.accepts)
    for i in range(4):
        state = env.state_at(jnp.int32(i), jnp.int32(1), params)
        target = env.target(jnp.int32(i), params)
        assert target.tolist() == params.bank.target[i].tolist()
        assert target.shape == (env.completion.num_slots,)
        assert bool(accepts(target, state, params))
        for place in range(num_cubes):
            wrong = target.at[place].set((target[place] + 1) % num_cubes)
            assert not bool(accepts(wrong, state, params))
            swapped = target.at[place].set(target[place - 1]).at[place - 1].set(target[place])
            assert not bool(accepts(swapped, state, params))


def test_revealed():
    env = CubeStacking(4)
    params = env.default_params
    states = [env.state_at(jnp.int32(0), jnp.int32(height), params) for height in range(5)]
    assert [float(env.revealed(state, params)) for state in states] == [0, 0.25, 0.5, 0.75, 1]


# -- following a completion ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("num_cubes", "reward", "best"),
    [(8, "exact", 107), (8, "paper", 107), (11, "exact", 191)],
    ids=["8", "8 as the paper pays", "11"],
)
def test_following_the_target_builds_and_holds_it(num_cubes, reward, best):
    # n^2 for the stack, 1 for its last cube, 1 for each of the steps that are left: 50, or 80.
    env = CubeStacking(num_cubes, reward)
    params = env.default_params
    target = env.target(jnp.int32(0), params)
    state = env.reset(jax.random.key(0), params)[1]
    steps = int(params.max_steps_in_episode)
    seen, action, paid, ended = followed(env, params, target[None], repeated(state, 1), steps)
    heights = np.minimum(np.arange(steps), num_cubes)
    np.testing.assert_array_equal(seen.height[0], heights)
    expected = [*target.tolist(), *[int(target[-1])] * (steps - num_cubes)]
    np.testing.assert_array_equal(action[0], np.array(expected) + 1)
    assert paid.sum() == best == num_cubes**2 + 1 + steps - num_cubes
    assert not ended.any()
    whole = env.state_at(0, num_cubes, params)
    legal = env.action_mask(whole, params)
    assert bool(env.is_solved(whole, params))
    assert not bool(legal[env.follow(target, whole, params)])


@pytest.mark.parametrize(
    ("wrong", "height"),
    [("badc", 0), ("abdc", 2), ("abab", 2), ("aaaa", 1), ("dcba", 0), ("abca", 3)],
)
def test_a_wrong_completion_is_followed_as_it_says(wrong, height):
    # Of the target abcd as much is built as both begin with; the next cube is tried for ever.
    env = CubeStacking(4)
    params = env.params_of([{"cubes": ["red 5", "blue 4", "red 3", "blue 2"], "target": "abcd"}])
    said = jnp.asarray([["abcd".index(cube) for cube in wrong]], jnp.int32)
    start = repeated(env.state_at(0, 0, params), 1)
    seen, action, paid, _ = followed(env, params, said, start, 7)
    twin = Twin(range(4), "exact")
    for t in range(7):
        assert seen.height[0, t] == len(twin.stack) == min(t, height)
        assert action[0, t] == said[0, len(twin.stack)] + 1
        assert paid[0, t] == twin.step(int(action[0, t]))


# -- pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_cubes", [2, 7, 12])
def test_pictures_of_an_instance_have_one_size_and_differ(num_cubes):
    env = CubeStacking(num_cubes)
    params = env.sample_params(jax.random.key(4), 2)
    states = [env.state_at(jnp.int32(1), jnp.int32(i), params) for i in range(num_cubes + 1)]
    pictures = [env.render(state, params).rgb for state in states]
    assert len({picture.shape for picture in pictures}) == 1
    assert len({picture.tobytes() for picture in pictures}) == num_cubes + 1
    assert all((picture[[0, -1]] == 255).all() for picture in pictures)  # nothing is cut off
    later = dataclasses.replace(states[1], time=jnp.int32(5))
    assert (env.render(later, params).rgb == pictures[1]).all()
