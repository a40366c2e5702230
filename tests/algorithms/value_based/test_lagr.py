"""LaGR against a twin in plain Python: what is asked, accepted, followed, paid and learnt."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import CubeStacking, InvalidInput, ObjectArrangement

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.schedules import Schedule
from lprl_jax.algorithms.value_based import lagr
from lprl_jax.algorithms.value_based.lagr import LaGRState
from lprl_jax.algorithms.value_based.lagr_config import LaGRConfig
from lprl_jax.completers import Recorded, perfect
from lprl_jax.priors import UniformPrior

CUBES = CubeStacking(observation="index")
HORIZON, EPISODES = 50, 3
# A table of zeros tries actions in the order of their number, and so finds this pattern's cubes.
BANK = CUBES.params_of(
    [{"cubes": [f"red {edge}" for edge in range(10, 2, -1)], "target": "abcdefgh"}]
)
TARGET = np.arange(8)
TABLE = LaGRConfig(
    primary="table",
    epsilon=0.0,
    epsilons=(0.0,),
    learning_rate=0.1,
    gamma=0.95,
    rollout_length=1,
    buffer_size=1,
    batch_size=1,
    schedule="always",
)
RIGHT = [0, 0, 0, 1, 1, 1, 1, 0, 0]
"""Whether the answer is right, by the height of the stack."""


def begin(config: LaGRConfig, env: Any, completer: Any, runs: int = 1, **more: Any) -> Any:
    """An algorithm, its data and fresh runs of instance 0."""
    algorithm = lagr.make(config, env, None, completer, **more)
    params = BANK if env is CUBES else env.default_params
    data = Data((), params, completer_params=completer.params)
    keys = jax.random.split(jax.random.key(0), runs)
    own = jnp.zeros((runs, 1), jnp.int32)
    return algorithm, data, algorithm.init(keys, config.hparams(runs), data, own)


def stacked(height: int, action: int) -> tuple[int, float]:
    """The law of eight cubes, once more."""
    after = height
    if action == 0:
        after -= height > 0
    elif height < 8 and TARGET[height] == action - 1:
        after += 1
    return after, float(after**2 - height**2 + (8 in (height, after)))


def twin(eligible: str, learns: bool, steps: int) -> list[Any]:
    """Asked, evaluated, accepted, followed and paid, step by step; and the table at the end."""
    q = np.zeros((9, 9), np.float32)
    height, holds, known = 0, False, set[int]()
    last, shown = None, 0
    told = []
    for t in range(steps):
        may = {"any": True, "changed": height != last, "grown": height > shown}[eligible]
        asks = not holds and may
        runs = asks and height not in known
        accepted = asks and bool(RIGHT[height])
        if asks:
            known.add(height)
            last = shown = height
        holds = holds or accepted
        legal = [height > 0, *(TARGET.tolist().index(i) >= height for i in range(8))]
        if holds:
            action = int(TARGET[min(height, 7)]) + 1
        else:
            action = int(np.argmax(np.where(legal, q[height], -np.inf)))
        after, reward = stacked(height, action)
        if learns or not holds:
            next_legal = [after > 0, *(TARGET.tolist().index(i) >= after for i in range(8))]
            best = np.max(np.where(next_legal, q[after], -np.inf))
            error = reward + np.float32(0.95) * best - q[height, action]
            q[height, action] += np.float32(0.1) * error
        told.append((asks, runs, accepted, holds, reward))
        height = after
        if (t + 1) % HORIZON == 0:
            last = None if holds else last
            height, holds, shown = 0, False, 0
    return [*told, q]


@pytest.mark.parametrize("learns", [True, False], ids=["learns", "idle"])
@pytest.mark.parametrize("eligible", ["any", "changed", "grown"])
def test_against_a_twin_step_by_step(eligible: str, learns: bool) -> None:
    config = dataclasses.replace(TABLE, eligible=eligible, learn_while_following=learns)
    algorithm, data, state = begin(config, CUBES, Recorded(CUBES, tuple(map(float, RIGHT))))
    steps = HORIZON * EPISODES
    state, seen = algorithm.train(state, data, steps)
    *right, q = twin(eligible, learns, steps)
    names = ("asked", "evaluated", "accepted", "followed", "reward")
    found = np.stack([np.asarray(seen[name])[:, 0] for name in names], axis=1)
    np.testing.assert_allclose(found, np.array(right, float), atol=1e-5)
    np.testing.assert_allclose(state.params.q[0], q, rtol=1e-5, atol=1e-5)
    counters = state.prior_carry
    assert int(counters.queries) == sum(row[0] for row in right) > 0
    assert int(counters.evaluations) == sum(row[1] for row in right)
    assert int(counters.evaluations) < int(counters.queries)
    assert any(row[3] for row in right)
    assert int(state.guide.first[0]) == [row[2] for row in right].index(True)


def test_nothing_is_asked_while_one_is_held_and_its_actions_are_taken() -> None:
    config = dataclasses.replace(TABLE, num_envs=3, buffer_size=3, eligible="any", epsilons=(1.0,))
    algorithm, data, state = begin(config, CUBES, Recorded(CUBES, tuple(map(float, RIGHT))), 2)
    held = 0
    for _ in range(2 * HORIZON):
        before = state
        state, seen = algorithm.train(state, data, 1)
        was_held = np.asarray(before.guide.holds)
        assert (np.asarray(seen["asked"])[0] <= (~was_held).sum(1)).all()
        follows = was_held & (np.asarray(state.episode) == np.asarray(before.episode))
        height = np.asarray(before.env_state.height)[follows]
        after = np.asarray(state.env_state.height)[follows]
        np.testing.assert_array_equal(after, np.minimum(height + 1, 8))
        held += follows.sum()
    assert held > HORIZON


def test_a_trial_is_of_all_environments_and_outlives_episodes() -> None:
    config = dataclasses.replace(TABLE, num_envs=3, buffer_size=3, keep="trial", epsilons=(1.0,))
    algorithm, data, state = begin(config, CUBES, Recorded(CUBES, tuple(map(float, RIGHT))), 2)
    state, seen = algorithm.train(state, data, 3 * HORIZON)
    holds = np.asarray(state.guide.holds)
    assert holds.all()
    first = np.asarray(state.guide.first)
    asked = np.asarray(seen["asked"])
    for run in range(2):
        assert asked[first[run], run] > 0
        assert asked[first[run] + 1 :, run].sum() == 0
        np.testing.assert_array_equal(state.guide.plan[run], np.broadcast_to(TARGET, (3, 8)))
        np.testing.assert_array_equal(np.asarray(seen["followed"])[first[run] :, run], 3)
    assert algorithm.policies == ("guided", "greedy")
    played = algorithm.evaluate(state, data, 2)
    np.testing.assert_allclose(played["return"], 107.0)
    own = jax.random.split(jax.random.key(0)), config.hparams(2), data, jnp.zeros((2, 2), jnp.int32)
    with pytest.raises(InvalidInput, match="keep is 'trial', and a run plays 2 instances"):
        algorithm.init(*own)


def test_what_was_let_go_is_asked_for_again() -> None:
    algorithm, data, state = begin(TABLE, CUBES, perfect(CUBES), 2)
    state, seen = algorithm.train(state, data, 3 * HORIZON)
    assert (np.asarray(seen["followed"]) == 1).all()
    assert np.asarray(seen["asked"]).sum(0).tolist() == [3, 3]
    assert np.asarray(seen["evaluated"]).sum(0).tolist() == [1, 1]


def test_who_explores_while_following_learns_nothing_of_it() -> None:
    config = dataclasses.replace(
        TABLE, explore_while_following=True, learn_while_following=False, epsilons=(0.5,)
    )
    algorithm, data, state = begin(config, CUBES, perfect(CUBES), 8)
    state, seen = algorithm.train(state, data, HORIZON)
    followed = np.asarray(seen["followed"]).mean()
    assert 0.4 < followed < 0.6
    assert (np.asarray(state.params.q) == 0).all()


def test_of_environments_that_ask_the_same_one_puts_the_question() -> None:
    config = dataclasses.replace(TABLE, num_envs=3, buffer_size=3)
    algorithm, data, state = begin(config, CUBES, perfect(CUBES), 2)
    state, seen = algorithm.train(state, data, 1)
    assert np.asarray(seen["asked"])[0].tolist() == [3, 3]
    assert np.asarray(seen["evaluated"])[0].tolist() == [1, 1]
    assert np.asarray(seen["accepted"])[0].tolist() == [3, 3]
    assert (int(state.prior_carry.queries), int(state.prior_carry.evaluations)) == (6, 2)


def test_a_new_trial_forgets_answers_and_keeps_what_was_learnt() -> None:
    config = dataclasses.replace(TABLE, keep="trial", schedule="seq", epsilons=(1.0,))
    algorithm, data, state = begin(config, CUBES, perfect(CUBES), 2)
    state, _ = algorithm.train(state, data, 2 * HORIZON)
    again = algorithm.restart(state, data, jnp.zeros((2, 1), jnp.int32))
    assert np.asarray(state.guide.holds).all()
    assert not np.asarray(again.guide.holds).any()
    assert not np.asarray(again.guide.memory.tag).any()
    np.testing.assert_array_equal(again.guide.schedule, state.guide.schedule)
    assert np.asarray(state.guide.schedule).sum() > 0
    np.testing.assert_array_equal(again.params.q, state.params.q)
    assert int(again.prior_carry.queries) == int(state.prior_carry.queries)
    assert np.asarray(again.episode).tolist() == np.asarray(state.episode).tolist()


def test_a_completer_that_is_never_right_changes_nothing_but_the_count() -> None:
    config = dataclasses.replace(TABLE, epsilons=(0.3,))
    ends: list[LaGRState] = []
    for schedule in ("always", "never"):
        own = dataclasses.replace(config, schedule=schedule)
        algorithm, data, state = begin(own, CUBES, Recorded(CUBES, (0.0,)), 2)
        ends.append(algorithm.train(state, data, HORIZON)[0])
    asked, never = ends
    np.testing.assert_array_equal(asked.params.q, never.params.q)
    assert (int(asked.prior_carry.queries) > 0, int(never.prior_carry.queries)) == (True, False)


def test_illegal_choices_are_redrawn_among_the_legal() -> None:
    config = dataclasses.replace(TABLE, illegal="redrawn", schedule="never", eligible="any")
    algorithm, data, state = begin(config, CUBES, perfect(CUBES), 64)
    # All values are 0, so that the first action is chosen: to remove from nothing, an illegal one.
    state, _ = algorithm.train(state, data, 1)
    heights = np.asarray(state.env_state.height)
    assert 0 < heights.sum() < 64  # the right cube of eight was drawn by some
    masked = dataclasses.replace(config, illegal="masked")
    algorithm, data, state = begin(masked, CUBES, perfect(CUBES), 64)
    state, _ = algorithm.train(state, data, 1)
    assert np.asarray(state.env_state.height).sum() == 64  # the first cube is the right one


def test_epsilon_of_episodes() -> None:
    chances: list[Any] = []

    def ask(carry: Any, keys: Any, seen: Any) -> Any:
        jax.debug.callback(lambda x: chances.append(float(x)), seen.epsilon[0, 0], ordered=True)
        return jnp.zeros_like(seen.known), carry

    spy = Schedule("spy", lambda keys, seen: (), ask)
    config = dataclasses.replace(TABLE, epsilons=(1.0, 0.5, 0.05))
    algorithm, data, state = begin(config, CUBES, perfect(CUBES), schedule=spy)
    algorithm.train(state, data, 4 * HORIZON)
    jax.effects_barrier()
    np.testing.assert_allclose(chances, np.repeat([1.0, 0.5, 0.05, 0.05], HORIZON))


OBJECTS = ObjectArrangement("3x3")
NETWORK = LaGRConfig(
    num_envs=2,
    rollout_length=5,
    updates_per_rollout=2,
    hidden_sizes=(8,),
    buffer_size=64,
    batch_size=8,
    learning_rate=1e-2,
    schedule="always",
    num_heads=3,
    keep="trial",
)


def test_a_network_learns_only_of_steps_that_count() -> None:
    config = dataclasses.replace(NETWORK, learn_while_following=False)
    algorithm, data, state = begin(config, OBJECTS, perfect(OBJECTS), 2)
    after, seen = algorithm.train(state, data, 3)
    assert (np.asarray(seen["followed"]) == 10).all()  # from the first step on
    jax.tree.map(np.testing.assert_array_equal, after.params.params, state.params.params)
    learns = dataclasses.replace(config, learn_while_following=True)
    algorithm, data, state = begin(learns, OBJECTS, perfect(OBJECTS), 2)
    after, _ = algorithm.train(state, data, 3)
    both = after.params.params, state.params.params
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), *both)
    assert all(jax.tree.leaves(moved))


@pytest.mark.parametrize("schedule", ["seq", "adaptive_percentile", "random"])
def test_what_a_run_does_depends_on_no_other(schedule: str) -> None:
    config = dataclasses.replace(NETWORK, schedule=schedule, ask_window=20, ask_least=5)
    completer = Recorded.of(OBJECTS)
    algorithm = lagr.make(config, OBJECTS, None, completer)
    data = Data((), OBJECTS.default_params, completer_params=completer.params)
    keys = jax.random.split(jax.random.key(3), 3)
    found = []
    for own in (keys, keys[1:]):
        only = jnp.zeros((len(own), 1), jnp.int32)
        state = algorithm.init(own, config.hparams(len(own)), data, only)
        found.append(algorithm.train(state, data, 4)[1])
    for name, values in found[0].items():
        np.testing.assert_allclose(values[:, 1:], found[1][name], rtol=1e-5, err_msg=name)
    assert np.asarray(found[0]["asked"]).sum() > 0


def test_one_program_without_the_host() -> None:
    algorithm, data, state = begin(NETWORK, OBJECTS, Recorded.of(OBJECTS), 2)
    text = str(jax.make_jaxpr(lambda s, d: algorithm.scan(s, d, 2))(state, data))
    assert "callback" not in text
    assert text.count("while") + text.count("scan") > 0


def test_what_is_refused() -> None:
    with pytest.raises(InvalidInput, match="LaGR's learner has none: prior=none"):
        lagr.make(TABLE, CUBES, UniformPrior(CUBES), perfect(CUBES))
    for wrong, message in (
        ({"keep": "ever"}, "keep"),
        ({"eligible": "all"}, "eligible"),
        ({"primary": "tree"}, "primary"),
        ({"epsilons": (0.5, 1.5)}, "epsilons has 1.5"),
        ({"completer_epsilon": 2.0}, "completer_epsilon"),
        ({"completer_temperature": -1.0}, "completer_temperature is -1"),
        ({"memory_size": 0}, "memory_size"),
        ({"num_heads": 0}, "num_heads"),
        ({"num_heads": 2, "primary": "table"}, "num_heads is 2, and primary is 'table'"),
    ):
        own: Any = wrong
        with pytest.raises(InvalidInput, match=message):
            LaGRConfig(**own)
    nobody: Any = None
    with pytest.raises(InvalidInput, match="completer is None; right: a completer"):
        lagr.make(TABLE, CUBES, None, nobody)
    _, data, _ = begin(TABLE, CUBES, perfect(CUBES))
    two = jax.random.split(jax.random.key(0)), TABLE.hparams(2), data, jnp.zeros((2, 2), jnp.int32)
    with pytest.raises(InvalidInput, match="primary is 'table', and a run plays 2 instances"):
        lagr.make(TABLE, CUBES, None, perfect(CUBES)).init(*two)
    with pytest.raises(InvalidInput, match="primary is 'table', and the states of ObjectArr"):
        lagr.make(TABLE, ObjectArrangement("5x5"), None, perfect(ObjectArrangement("5x5")))
