"""Reward shifts, each against a learner that needs none: other rewards, other first values."""

import dataclasses

import jax
import jax.numpy as jnp
import lprl_envs
import numpy as np
import pytest
from algorithms.probes import END, TabularMDP, begin, tables, trainer
from lprl_envs import InvalidInput

from lprl_jax import judges
from lprl_jax.algorithms import shifting
from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.interaction import Step
from lprl_jax.algorithms.policy_based import ppo
from lprl_jax.algorithms.policy_based.ppo_config import PPOConfig
from lprl_jax.algorithms.value_based import discrete_sac, dqn, sac
from lprl_jax.algorithms.value_based.sac_config import DiscreteSACConfig

# Stay, walk on, or end; walking on from the last place ends as well. A limit of 3 steps truncates.
CHAIN = [[0, 1, END], [1, 2, END], [2, END, END]]
REWARD = np.array([[0, 0, 0.5], [0.1, 0, 0], [0, 1, 0]])
DELTA = np.array([[0.5, 1, -1], [-0.25, 1, 0], [0, 0.75, -0.5]], np.float32)
LEGAL = np.array([[1, 1, 1], [1, 1, 1], [1, 1, 0]], bool)
DELTA = np.where(LEGAL, DELTA, 0).astype(np.float32)
ENV = TabularMDP(3, 3)
R, N, ROLLOUT, UPDATES, SCALE, GAMMA = 3, 4, 6, 5, 1.5, 0.9
TRACE = {"shift_scale": SCALE, "gamma": GAMMA}


def bank(reward):
    return ENV.params_of([tables(CHAIN, reward, LEGAL)], max_steps=3)


PARAMS = bank(REWARD)
JUDGE = judges.of_table(ENV, PARAMS, np.vstack([DELTA, np.zeros((1, 3))])[None], "table")
DATA = Data((), PARAMS, judge_params=JUDGE.params)
DQN = dqn.DQNConfig(
    num_envs=N,
    rollout_length=ROLLOUT,
    updates_per_rollout=2,
    hidden_sizes=(),
    buffer_size=N * ROLLOUT * UPDATES,
    batch_size=8,
    learning_rate=1e-2,
    tau=0.5,
    epsilon_steps=60.0,
)
PPO = PPOConfig(
    num_envs=N, rollout_length=ROLLOUT, num_epochs=2, num_minibatches=2, hidden_sizes=()
)

SAC = DiscreteSACConfig(
    num_envs=N,
    rollout_length=ROLLOUT,
    updates_per_rollout=2,
    learning_starts=0,
    hidden_sizes=(8,),
    buffer_size=N * ROLLOUT * UPDATES,
    batch_size=8,
)
LEARNERS = {
    "dqn": (dqn.make, DQN),
    "ppo": (ppo.make, PPO),
    "discrete_sac": (discrete_sac.make, SAC),
}


def trained(make, config, data, judge=None, start=None, **hparams):
    algorithm = make(config, ENV, judge=judge)
    state = begin(algorithm, config, data, range(R), **{**TRACE, **hparams})
    state = state if start is None else start(state)
    return *trainer(algorithm, UPDATES)(state, data), algorithm


def close(one, other) -> None:
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=2e-5), one, other)


COUNTED = {
    "all": DELTA,
    "penalty": np.minimum(DELTA, 0),
    "centered": np.where(LEGAL, DELTA - DELTA.sum(1, keepdims=True) / LEGAL.sum(1)[:, None], 0),
}


@pytest.mark.parametrize("kind", ["dqn", "ppo", "discrete_sac"])
@pytest.mark.parametrize("values", COUNTED)
def test_a_shifted_learner_is_one_in_a_world_that_pays_so(kind: str, values: str) -> None:
    make, config = LEARNERS[kind]
    shifted = dataclasses.replace(config, shift_values=values)
    mine, metrics, _ = trained(make, shifted, DATA, JUDGE)
    paid = Data((), bank(REWARD + SCALE * COUNTED[values]))
    other, paid_metrics, _ = trained(make, config, paid)
    close(mine.params, other.params)
    close(metrics["loss"], paid_metrics["loss"])
    close(metrics["episodes"], paid_metrics["episodes"])


def test_reward_and_verdict_are_kept_apart() -> None:
    state, metrics, _ = trained(dqn.make, DQN, DATA, JUDGE)
    items = jax.device_get(state.replay.items)
    s, a = items.state.place, items.action
    np.testing.assert_allclose(items.reward, REWARD[s, a], atol=1e-6)
    np.testing.assert_allclose(items.advice.now, DELTA[s, a], atol=1e-6)
    np.testing.assert_allclose(metrics["reward"].sum(0), REWARD[s, a].sum(1), atol=1e-4)
    np.testing.assert_allclose(metrics["advice"].sum(0), DELTA[s, a].sum(1), atol=1e-4)
    np.testing.assert_array_equal(metrics["good"].sum(0), (DELTA[s, a] > 0).sum(1))
    np.testing.assert_array_equal(metrics["bad"].sum(0), (DELTA[s, a] < 0).sum(1))
    # Asked once a state that is acted in, the last ones ahead of time.
    assert int(state.advised.carry.queries) == R * N * (ROLLOUT * UPDATES + 1)


def test_looking_ahead_is_to_begin_with_the_verdicts_as_values() -> None:
    config = dataclasses.replace(DQN, shift_form="look_ahead")
    mine, _, _ = trained(dqn.make, config, DATA, JUDGE)
    potential = SCALE * jnp.vstack([jnp.asarray(DELTA), jnp.zeros((1, 3))])

    def raised(params):
        return jax.tree.map(lambda table: table + potential[None], params)

    def start(state):
        params = raised(state.params)
        return state._replace(params=params, target_params=params)

    other, _, _ = trained(dqn.make, DQN, Data((), PARAMS), start=start)
    close(raised(mine.params), other.params)
    close(raised(mine.target_params), other.target_params)
    # ... and to play by them.
    plays = [
        dqn.make(c, ENV, judge=j).evaluate(s, d, 8)
        for c, j, s, d in ((config, JUDGE, mine, DATA), (DQN, None, other, Data((), PARAMS)))
    ]
    close(*plays)


def test_looking_back_adds_up_to_nothing_over_an_episode() -> None:
    config = dataclasses.replace(DQN, shift_form="look_back", epsilon=1.0)
    state, _, _ = trained(dqn.make, config, DATA, JUDGE)
    kept = jax.device_get(state.replay.items)
    shift = np.asarray(kept.advice.now - kept.advice.beside / GAMMA)
    s, a = kept.state.place, kept.action
    seen = 0
    for run in range(R):
        for env in range(N):
            rows = slice(env, None, N)  # an environment's steps, one after the other
            total, last, factor = 0.0, 0.0, 1.0
            for i in range(len(s[run, rows])):
                before, action, time = (x[run, rows][i] for x in (s, a, kept.state.time))
                if time == 0:
                    total, last, factor = 0.0, 0.0, 1.0
                over = kept.terminated[run, rows][i]
                right = (0.0 if over else DELTA[before, action]) - last / GAMMA
                assert np.isclose(shift[run, rows][i], right, atol=1e-5)
                total += factor * right
                factor, last = factor * GAMMA, DELTA[before, action]
                if over:
                    assert abs(total) < 1e-5
                    seen += 1
    assert seen > 20


def test_ppo_looks_back_by_the_same_rule() -> None:
    """Rewards as they reach the learner, from a shift that follows by hand."""
    config = dataclasses.replace(PPO, shift_form="look_back")
    shift = shifting.of(JUDGE, config, ENV)
    keys = jax.vmap(jax.random.key)(jnp.arange(1))
    state = jax.vmap(jax.vmap(lambda i: ENV.state_at(0, i, PARAMS)))(jnp.array([[0, 1]]))
    after = jax.vmap(jax.vmap(lambda i: ENV.state_at(0, i, PARAMS)))(jnp.array([[1, 0]]))
    advised = shift.begin(keys, state, DATA)
    no, over = jnp.array([[False, False]]), jnp.array([[False, True]])
    step = Step(after, after, jnp.zeros((1, 2)), over, no)
    one = jnp.ones(1)
    action = jnp.array([[1, 2]])
    advised, kept, _ = shift.follow(advised, keys, state, action, step, one, DATA)
    np.testing.assert_allclose(shift.reward(jnp.zeros((1, 2)), kept, 2.0, GAMMA), [[2, 0]])
    step = Step(state, state, jnp.zeros((1, 2)), no, no)
    action = jnp.array([[0, 0]])
    _, kept, _ = shift.follow(advised, keys, after, action, step, one, DATA)
    right = [[2 * (-0.25 - 1 / GAMMA), 2 * 0.5]]  # a new episode has no action before
    np.testing.assert_allclose(shift.reward(jnp.zeros((1, 2)), kept, 2.0, GAMMA), right, rtol=1e-6)


def test_looking_back_takes_back_what_was_given_also_where_the_scale_falls() -> None:
    config = dataclasses.replace(DQN, shift_form="look_back", shift_at="collect", epsilon=1.0)
    state, _, _ = trained(dqn.make, config, DATA, JUDGE, shift_steps=80.0)
    kept = jax.device_get(state.replay.items)
    shift = np.asarray(kept.advice.now - kept.advice.beside / GAMMA)
    time, over = kept.state.time, kept.terminated
    seen = 0
    for run in range(R):
        for env in range(N):
            total = None
            for i in range(env, time.shape[1], N):
                total = 0.0 if time[run, i] == 0 else total
                if total is None:
                    continue
                total += GAMMA ** time[run, i] * shift[run, i]
                if over[run, i]:
                    assert abs(total) < 1e-5
                    seen += int(shift[run, i] != 0)
    assert seen > 10


def test_the_first_verdicts_are_drawn_apart_from_the_next() -> None:
    """Of a judge that errs by the step: the same key would repeat the first errors."""
    worse = judges.corrupt(JUDGE, accuracy=0.5)
    algorithm = dqn.make(DQN, ENV, judge=worse)
    first = begin(algorithm, DQN, DATA, range(64), **TRACE)
    keys = first.key
    shift = shifting.of(worse, DQN, ENV)
    next_ones = shift.begin(keys, first.env_state, DATA).verdicts
    alike = np.mean(
        np.asarray(first.advised.verdicts) == np.asarray(next_ones), where=DELTA[0] != 0
    )
    assert 0.3 < alike < 0.7


def test_the_scale_falls_to_nothing() -> None:
    hparams = DQN.hparams(2)._replace(
        shift_scale=jnp.array([2.0, 4.0]), shift_steps=jnp.array([100.0, jnp.inf])
    )
    for steps, right in ((0, [2, 4]), (25, [1.5, 4]), (100, [0, 4]), (300, [0, 4])):
        np.testing.assert_allclose(shifting.scale_at(hparams, jnp.int32(steps)), right)


def test_an_annealed_scale_counts_where_one_learns_or_where_one_collects() -> None:
    steps = ROLLOUT * UPDATES * N / 2
    mine, _, _ = trained(dqn.make, DQN, DATA, JUDGE, shift_steps=steps)
    items = jax.device_get(mine.replay.items)
    place, action = items.state.place, items.action
    np.testing.assert_allclose(items.advice.now, DELTA[place, action], atol=1e-6)
    config = dataclasses.replace(DQN, shift_at="collect")
    other, _, _ = trained(dqn.make, config, DATA, JUDGE, shift_steps=steps)
    items = jax.device_get(other.replay.items)
    time = np.arange(ROLLOUT * UPDATES).repeat(N) * N
    scale = SCALE * np.maximum(1 - time / steps, 0)
    right = scale * DELTA[items.state.place, items.action]
    np.testing.assert_allclose(items.advice.now, right, atol=1e-5)


def test_evaluation_speaks_of_the_reward_alone() -> None:
    state, _, judged = trained(dqn.make, DQN, DATA, JUDGE)
    plain = dqn.make(DQN, ENV)
    found = judged.evaluate(state, DATA, 16)
    bare = state._replace(advised=shifting.Advised((), (), ()))
    close(found, plain.evaluate(bare, Data((), PARAMS), 16))


def test_restarting_goes_on_counting() -> None:
    state, _, judged = trained(dqn.make, DQN, DATA, JUDGE)
    again = judged.restart(state, DATA)
    asked = int(state.advised.carry.queries)
    assert int(again.advised.carry.queries) == asked + R * N


def test_a_run_does_what_it_does_alone() -> None:
    worse = judges.corrupt(JUDGE, accuracy=0.7)
    algorithm = dqn.make(DQN, ENV, judge=worse)
    states = [begin(algorithm, DQN, DATA, seeds, **TRACE) for seeds in ([0, 1, 2], [2])]
    many, alone = (trainer(algorithm, UPDATES)(state, DATA)[0] for state in states)
    close(jax.tree.map(lambda x: x[2:], many.params), alone.params)
    np.testing.assert_array_equal(many.replay.items.advice.now[2:], alone.replay.items.advice.now)


def test_verdicts_on_numbers_are_in_proportion_between_words() -> None:
    class Words:
        action_words = np.array([[-2.0], [-1], [0], [1], [2]], np.float32)

    taken = shifting.taken_in_boxes(Words())  # pyright: ignore[reportArgumentType]
    verdicts = jnp.broadcast_to(jnp.array([1.0, -1, 0, 0.5, -0.5]), (6, 5))
    actions = jnp.array([[-2.0], [-1.5], [-0.75], [0.5], [2.0], [3.0]])
    right = [1, 0, -0.75, 0.25, -0.5, -0.5]
    np.testing.assert_allclose(taken(verdicts, actions), right, atol=1e-6)


REFUSED = {
    "form": (lambda: dqn.DQNConfig(shift_form="sideways"), "shift_form"),
    "ahead in ppo": (lambda: PPOConfig(shift_form="look_ahead"), "valid: raw, look_back"),
    "nan": (lambda: dqn.DQNConfig(shift_scale=float("nan")), "shift_scale is nan"),
    "values": (lambda: dqn.DQNConfig(shift_values="some"), "shift_values"),
    "at": (lambda: dqn.DQNConfig(shift_at="noon"), "shift_at"),
    "steps": (lambda: dqn.DQNConfig(shift_steps=0), "shift_steps is 0"),
    "no words": (
        lambda: sac.make(sac.SACConfig(), lprl_envs.make("Pendulum-v1")[0], judge=JUDGE),
        "no words for them, so that no judge",
    ),
    "no judge": (lambda: dqn.make(DQN, ENV, judge="me"), "judge is 'me'"),  # type: ignore[arg-type]
    "no params": (
        lambda: dqn.make(DQN, ENV, judge=JUDGE).init(
            jax.random.split(jax.random.key(0), 2), DQN.hparams(2), Data((), PARAMS)
        ),
        "judge_params",
    ),
    "another world": (
        lambda: dqn.make(DQN, TabularMDP(2, 3), judge=JUDGE),
        "the judge 'table' was made for",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    call, message = REFUSED[name]
    with pytest.raises(InvalidInput, match=message):
        call()
