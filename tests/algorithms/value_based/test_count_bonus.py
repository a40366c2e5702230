"""A bonus by counts: counted again in plain Python, paid by hand, and worth an exploration."""

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import lprl_envs
import numpy as np
import pytest
from algorithms.probes import END, TabularMDP, begin, tables, trainer
from lprl_envs import InvalidInput
from small_experiment import fields

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.value_based import count_bonus, dqn
from lprl_jax.algorithms.value_based.replay import Replay
from lprl_jax.experiments import checkpoint, config, run_directory, runner

# Stay, walk on, or end; walking on from the last place ends as well. A limit of 3 steps truncates.
CHAIN = [[0, 1, END], [1, 2, END], [2, END, END]]
REWARD = np.array([[0, 0, 0.5], [0.1, 0, 0], [0, 1, 0]])
ENV = TabularMDP(3, 3)
PARAMS = ENV.params_of([tables(CHAIN, REWARD), tables(CHAIN, -REWARD)], max_steps=3)
DATA = Data((), PARAMS)
RUN_INSTANCES = [[0, 1], [1, 0], [1, 1]]
R, N, ROLLOUT, UPDATES, BETA, GAMMA = 3, 4, 5, 6, 0.7, 0.9
CONFIG = dqn.DQNConfig(
    num_envs=N,
    rollout_length=ROLLOUT,
    hidden_sizes=(),
    buffer_size=N * ROLLOUT * UPDATES,
    batch_size=16,
    count_bonus=BETA,
    epsilon=1.0,
)
PLAIN = dataclasses.replace(CONFIG, count_bonus=0.0)
ALGORITHM = dqn.make(CONFIG, ENV)


@pytest.fixture(scope="module")
def fresh() -> dqn.DQNState:
    return begin(ALGORITHM, CONFIG, DATA, range(R), jnp.array(RUN_INSTANCES))


@pytest.fixture(scope="module")
def trained(fresh: dqn.DQNState) -> tuple[dqn.DQNState, dict[str, jax.Array]]:
    return trainer(ALGORITHM, UPDATES)(fresh, DATA)


def counted(state: dqn.DQNState) -> list[Counter[tuple[int, int, int]]]:
    """Of each run, by (instance, place, action): from what its replay holds, which is all."""
    items = jax.device_get(state.replay.ring.items)
    found = []
    for run in range(R):
        columns = items.state.instance[run], items.state.place[run], items.action[run]
        steps = zip(*(x.tolist() for x in columns), strict=True)
        found.append(Counter(steps))
    return found


def test_visits_are_those_of_the_steps_taken(trained: Any) -> None:
    visits = np.asarray(trained[0].replay.visits)
    assert visits.shape == (R, 2, 4, 3)
    for run, counts in enumerate(counted(trained[0])):
        assert sum(counts.values()) == N * ROLLOUT * UPDATES
        by_hand = np.zeros((2, 4, 3), int)
        for (instance, place, action), n in counts.items():
            by_hand[RUN_INSTANCES[run].index(instance), place, action] = n
        np.testing.assert_array_equal(visits[run], by_hand)
        assert (by_hand[:, :3].sum((1, 2)) > 0).tolist() == [True, run < 2]


def test_what_is_drawn_is_paid_by_the_counts_of_now(trained: Any) -> None:
    state, keys = trained[0], jax.random.split(jax.random.key(9), R)
    store = count_bonus.store(BETA, ENV)
    drawn = store.sample(state.replay, keys, 500, state.run_instances, PARAMS)
    for run, counts in enumerate(counted(state)):
        own = jax.tree.map(lambda x, run=run: np.asarray(x)[run], drawn)
        rows = zip(
            own.state.instance.tolist(), own.state.place.tolist(), own.action.tolist(), strict=True
        )
        right = [
            (1 - 2 * i) * REWARD[place, action] + BETA / np.sqrt(counts[i, place, action])
            for i, place, action in rows
        ]
        np.testing.assert_allclose(own.reward, right, rtol=1e-5)
        assert len(set(right)) >= 4  # run 2 has one instance


def test_nothing_that_is_reported_has_the_bonus(trained: Any) -> None:
    state, metrics = trained
    items = jax.device_get(state.replay.ring.items)
    plain = (1 - 2 * items.state.instance) * REWARD[items.state.place, items.action]
    np.testing.assert_allclose(items.reward, plain, atol=1e-6)
    np.testing.assert_allclose(metrics["reward"].sum(0), plain.sum(1), atol=1e-4)
    without = dqn.make(PLAIN, ENV).evaluate(state._replace(replay=state.replay.ring), DATA, 8)
    played = ALGORITHM.evaluate(state, DATA, 8)
    jax.tree.map(np.testing.assert_array_equal, played, without)


def test_each_gradient_step_is_towards_the_reward_with_the_bonus() -> None:
    """A replay of one transition: the loss is that of the step just taken, by hand."""
    one = dataclasses.replace(
        CONFIG, num_envs=1, rollout_length=1, buffer_size=1, batch_size=1, learning_rate=0.05
    )
    algorithm = dqn.make(one, ENV)
    state = begin(algorithm, one, DATA, [3], jnp.array([[0]]), gamma=GAMMA)
    counts: Counter[tuple[int, int]] = Counter()
    for _ in range(25):
        online, target = (
            np.asarray(tree["params"]["Dense_0"]["kernel"])[0]
            for tree in (state.params, state.target_params)
        )
        place = int(state.env_state.place[0, 0])
        state, metrics = trainer(algorithm, 1)(state, DATA)
        action = int(state.replay.ring.items.action[0, 0])
        counts[place, action] += 1
        goes_to = CHAIN[place][action]
        value = 0.0 if goes_to == END else GAMMA * target[goes_to].max()
        paid = REWARD[place, action] + BETA / np.sqrt(counts[place, action])
        error = paid + value - online[place, action]
        np.testing.assert_allclose(float(metrics["loss"][0, 0]), error**2 / 2, rtol=1e-4)
    assert max(counts.values()) > 3


def test_another_bank_is_counted_anew(trained: Any) -> None:
    state = trained[0]
    again = ALGORITHM.restart(state, DATA, state.run_instances)
    assert again.replay.visits.shape == state.replay.visits.shape
    assert int(again.replay.visits.sum()) == 0
    jax.tree.map(np.testing.assert_array_equal, again.params, state.params)


def test_without_a_bonus_nothing_is_carried() -> None:
    state = begin(dqn.make(PLAIN, ENV), PLAIN, DATA, range(R))
    assert type(state.replay) is Replay


# -- what it is for --------------------------------------------------------------------------------

NEXT = [2, 0, 3, 1, 2, 0]
"""Of six places, the one action that leads on; any other leads back to the first."""
LOCK = [[i + 1 if a == NEXT[i] else 0 for a in range(4)] for i in range(6)]
LOCK[5][NEXT[5]] = END
PAID = [[{END: 1.0, 0: 0.03}.get(step, 0.0) for step in row] for row in LOCK]
"""To go back is paid a little, at once: as in RiverSwim, Strehl & Littman's hard case."""


@pytest.mark.optimized
def test_a_lock_that_chance_does_not_open() -> None:
    """One in 4^6 episodes opens it by chance, and a run has less than a thousand."""
    env = TabularMDP(6, 4)
    data = Data((), env.params_of([tables(LOCK, PAID)], max_steps=6))
    opened = {}
    for beta in (0.0, 0.6):
        settings = dqn.DQNConfig(
            updates_per_rollout=4,
            hidden_sizes=(),
            learning_rate=0.05,
            gamma=0.9,
            epsilon=0.2,
            epsilon_steps=1_000.0,
            count_bonus=beta,
        )
        algorithm = dqn.make(settings, env)
        state = begin(algorithm, settings, data, range(16))
        state, _ = trainer(algorithm, 500)(state, data)
        opened[beta] = int(algorithm.evaluate(state, data, 1)["success"].sum())
    assert opened[0.0] <= 4
    assert opened[0.6] >= 14


# -- what is refused, and what is kept on disk -----------------------------------------------------


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "much"])
def test_bad_scales_are_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match=f"^count_bonus is {value!r}") as refused:
        dqn.DQNConfig(count_bonus=value)
    assert "\n" not in str(refused.value)


def test_states_without_numbers_cannot_be_counted() -> None:
    env, _ = lprl_envs.make("CartPole-lprl")
    with pytest.raises(InvalidInput, match=r"^count_bonus is 0\.5, and the states of CartPole"):
        dqn.make(dqn.DQNConfig(count_bonus=0.5), env)


def test_a_run_is_resumed_to_the_byte(tmp_path: Path) -> None:
    def run(name: str, total: int, resume: bool = False) -> tuple[bytes, Any]:
        experiment = config.parse(fields(count_bonus=0.5, total_steps=total, prior="none"))
        out = runner.run(experiment, tmp_path / name, progress=False, resume=resume)
        like = runner.set_up(experiment).initial_state()
        state = checkpoint.restore(out / run_directory.CHECKPOINTS, total, like)
        return (out / run_directory.METRICS).read_bytes(), state

    lines, whole = run("whole", 90)
    run("broken", 60)
    again, resumed = run("broken", 90, resume=True)
    assert again == lines
    plain = (jax.tree.map(_plain, state) for state in (whole, resumed))
    jax.tree.map(np.testing.assert_array_equal, *plain)
    np.testing.assert_array_equal(whole.replay.visits.sum((1, 2, 3)), [90] * 4)


def _plain(leaf: jax.Array) -> np.ndarray:
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf)
