"""LINVIT against a plain-Python twin of its recursion, exact planning, and what its proof says."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, FAST_TO_COMPILE, TabularMDP, tables
from lprl_envs import BlocksWorld, FrozenLake, InvalidInput

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.tabular import linvit, value_iteration
from lprl_jax.algorithms.tabular.linvit import LINVITConfig
from lprl_jax.algorithms.tabular.linvit_problem import Problem, problem_of
from lprl_jax.algorithms.tabular.value_iteration import Law, plan_regularized
from lprl_jax.priors import Counters, UniformPrior

S, A, K, H = 4, 3, 2, 3
"""The last state ends an episode."""


def some_problem(seed: int) -> Problem:
    """A law drawn at random, with an illegal action, an end and a prior that knows nothing."""
    rng = np.random.default_rng(seed)
    prob = rng.dirichlet(np.ones(K), (S, A))
    following = rng.integers(0, S, (S, A, K))
    following[S - 1] = S - 1
    legal = np.ones((S, A), bool)
    legal[0, 1] = False
    log_prior = np.log(rng.dirichlet(np.ones(A), S))
    log_prior[0] = np.log(np.where(legal[0], [0.3, 0.0, 0.7], 0.0) + 1e-300)
    log_prior[0, 1] = -np.inf
    reward = rng.uniform(0, 1, (S, A, K)) * (np.arange(S) < S - 1)[:, None, None]
    law = Law(
        prob=jnp.asarray(prob, jnp.float32),
        next_state=jnp.asarray(following, jnp.int32),
        reward=jnp.asarray(reward, jnp.float32),
        discount=jnp.asarray(following != S - 1, jnp.float32),
        legal=jnp.asarray(legal),
    )
    return problem_of(law, jax.nn.one_hot(0, S), jnp.asarray(log_prior, jnp.float32))


PROBLEM = some_problem(0)
HP = linvit.HParams(*map(jnp.float32, (0.3, 0.1, 0.1, 0.0)))


def twin(problem: Problem, counts, kind: str, hp) -> list[np.ndarray]:
    """The recursion of the paper, a number at a time."""
    law, prior = jax.tree.map(np.asarray, problem.law), np.exp(np.asarray(problem.log_prior))
    temperature, scale, delta, _ = map(float, hp)
    q = np.zeros((2, H, S, A))
    v = np.zeros((2, H + 1, S))
    for h in reversed(range(H)):
        for s in range(S):
            for a in range(A):
                seen: dict[int, float] = {}
                for k in range(K):
                    following = int(law.next_state[s, a, k])
                    seen[following] = seen.get(following, 0.0) + float(counts[h, s, a, k])
                n = sum(seen.values())
                p = {x: c / n for x, c in seen.items()} if n else dict.fromkeys(range(S), 1 / S)
                upper, lower = (sum(p[x] * v[b, h + 1, x] for x in p) for b in range(2))
                square = sum(p[x] * v[0, h + 1, x] ** 2 for x in p)
                log_term = math.log(S * A * H * (1 + n) / delta)
                if kind == "hoeffding":
                    u = H * math.sqrt(log_term / max(n, 1))
                else:
                    rate = log_term / max(n, 1)
                    u = math.sqrt(2 * max(square - upper**2, 0.0) * rate)
                    u += (3 * H + H**2 / 2) * rate + (upper - lower) / H
                u = min(H, scale * u)
                r = sum(law.prob[s, a, k] * law.reward[s, a, k] for k in range(K))
                q[0, h, s, a] = min(max(r + upper + u, 0.0), H)
                q[1, h, s, a] = min(max(r + lower - u, 0.0), H)
            for b in range(2):
                if s < S - 1:
                    weights = [
                        prior[s, a] * math.exp(q[b, h, s, a] / temperature) for a in range(A)
                    ]
                    v[b, h, s] = temperature * math.log(sum(weights))
    return [q[0], q[1], v[0, :H], v[1, :H]]


@pytest.mark.parametrize("kind", ["hoeffding", "bernstein"])
def test_the_recursion_is_the_papers(kind):
    config = LINVITConfig(horizon=H, bonus=kind)
    run = jax.jit(lambda p, c, hp: linvit.bounds(config, p, c, hp))
    rng = np.random.default_rng(1)
    for seed in range(5):
        problem = some_problem(seed)
        counts = rng.integers(0, 3, (H, S, A, K)) * rng.integers(0, 40, (H, S, A, 1))
        assert np.any(counts.sum(-1) == 0)
        found = run(problem, jnp.asarray(counts, jnp.float32), HP)
        for one, other in zip(found, twin(problem, counts, kind, HP), strict=True):
            np.testing.assert_allclose(one, other, atol=2e-5)


def test_bounds_by_hand():
    """One state, one action, reward ½ and on: after 4 visits of the first step, none of the last.

    The last step was never seen: Q⁺ = ½ + 0 + min(2, ∞) = 2 (clipped), Q⁻ = 0. The first: the bonus
    is .1 · 2 · sqrt(log(1·1·2·5 / .1) / 4) = .1 · 2 · sqrt(4.60517 / 4) = .214597.
    """
    law = Law(*[jnp.ones((1, 1, 1))] * 4, legal=jnp.ones((1, 1), bool))._replace(
        next_state=jnp.zeros((1, 1, 1), jnp.int32), reward=jnp.full((1, 1, 1), 0.5)
    )
    problem = problem_of(law, jnp.ones(1), jnp.zeros((1, 1)))
    counts = jnp.array([4.0, 0.0]).reshape(2, 1, 1, 1)
    hp = HP._replace(bonus_scale=jnp.float32(0.1))
    found = linvit.bounds(LINVITConfig(horizon=2), problem, counts, hp)
    unseen = 0.1 * 2 * math.sqrt(math.log(2 / 0.1))
    np.testing.assert_allclose(found.q_upper[1], 0.5 + unseen, rtol=1e-5)
    np.testing.assert_allclose(found.q_lower[1], 0.5 - unseen, rtol=1e-5)
    np.testing.assert_allclose(found.q_upper[0], 0.5 + 0.5 + unseen + 0.214597, rtol=1e-5)
    np.testing.assert_allclose(found.q_lower[0], 0.5 + 0.5 - unseen - 0.214597, rtol=1e-5)
    np.testing.assert_allclose(found.v_upper, found.q_upper[..., 0], rtol=1e-5)
    gap = linvit.gap_at_start(problem, found)
    np.testing.assert_allclose(gap, 2 * (unseen + 0.214597), rtol=1e-5)


# -- an episode ----------------------------------------------------------------------------------

EPISODES = 20_000


@functools.cache
def episodes() -> tuple[linvit.Bounds, linvit.Seen]:
    """Many episodes of one run, by bounds of which the widest is not what π does."""
    known = linvit.bounds(LINVITConfig(horizon=H), PROBLEM, jnp.ones((H, S, A, K)), HP)
    log_policy = PROBLEM.log_prior[None] + known.q_upper / HP.temperature
    rare = jnp.argmin(jnp.where(PROBLEM.law.legal[None], log_policy, jnp.inf), axis=-1)
    known = known._replace(q_lower=known.q_upper - 1.0 - jax.nn.one_hot(rare, A))
    keys = jax.random.split(jax.random.key(0), EPISODES)
    play = jax.vmap(lambda k: linvit.play(LINVITConfig(horizon=H), k, PROBLEM, known, HP))
    return known, jax.jit(play)(keys)


def test_an_episode_follows_the_law():
    _, seen = episodes()
    law = PROBLEM.law
    assert np.all(seen.state[:, 0] == 0)
    at = seen.state, seen.action, seen.outcome
    assert np.array_equal(law.next_state[at][:, :-1], seen.state[:, 1:])
    assert np.array_equal(law.reward[at], seen.reward)
    assert np.array_equal(seen.alive, seen.state != S - 1)
    assert np.all(law.legal[seen.state, seen.action])
    for s, a in ((0, 0), (0, 2), (1, 1), (2, 0)):
        met = np.asarray((seen.state == s) & (seen.action == a))
        share = np.mean(np.asarray(seen.outcome)[met])
        assert abs(share - law.prob[s, a, 1]) < 4 * 0.5 / math.sqrt(met.sum())


def test_one_step_in_h_plus_one_takes_the_widest_gap():
    """Shares of states and actions, step by step: the mean over h' of what follows from it."""
    known, seen = episodes()
    law = jax.tree.map(np.asarray, PROBLEM.law)
    policy = np.asarray(jax.nn.softmax(PROBLEM.log_prior[None] + known.q_upper / HP.temperature))
    gap = np.where(law.legal, known.q_upper - known.q_lower, -1)
    widest = np.eye(A)[gap.argmax(axis=-1)]
    assert np.abs(widest - policy)[:, :-1].max(axis=-1).min() > 0.2
    expected = np.zeros((H, S, A))
    for explore_at in range(-1, H):
        here = np.eye(S)[0]
        for h in range(H):
            joint = here[:, None] * (widest if h == explore_at else policy)[h]
            expected[h] += joint / (H + 1)
            here = np.zeros(S)
            np.add.at(here, law.next_state, joint[..., None] * law.prob)
    for h in range(H):
        found = np.zeros((S, A))
        np.add.at(found, (np.asarray(seen.state[:, h]), np.asarray(seen.action[:, h])), 1)
        np.testing.assert_allclose(found / EPISODES, expected[h], atol=4 * 0.5 / EPISODES**0.5)


def test_counts_are_of_what_was_met():
    _, seen = episodes()
    few = jax.tree.map(lambda x: x[:50].T, seen)
    counts = linvit.count(jnp.ones((H, 50, S, A, K)), few)
    expected = np.ones((H, 50, S, A, K))
    for h in range(H):
        for i in range(50):
            if few.alive[h, i]:
                expected[h, i, few.state[h, i], few.action[h, i], few.outcome[h, i]] += 1
    assert np.array_equal(counts, expected)
    assert not few.alive.all()


# -- learning ------------------------------------------------------------------------------------


def runs(config: LINVITConfig, num_runs: int, **hparams: float):
    """Fresh runs of the random problem, and a compiled update."""
    algorithm = linvit.make(config, TabularMDP(2, 3))
    given = {n: jnp.full(num_runs, x, jnp.float32) for n, x in hparams.items()}
    problem = jax.tree.map(lambda x: jnp.broadcast_to(x, (num_runs, *x.shape)), PROBLEM)
    nothing = jnp.zeros((num_runs, H, S, A))
    state = linvit.LINVITState(
        params=linvit.Policies(nothing, nothing),
        counts=jnp.zeros((num_runs, H, S, A, K)),
        gap=jnp.full(num_runs, float(H)),
        num_episodes=jnp.zeros(num_runs, jnp.int32),
        problem=problem,
        prior_carry=Counters.zero(),
        key=jax.random.split(jax.random.key(5), num_runs),
        hparams=config.hparams(num_runs)._replace(**given),
        run_instances=jnp.zeros((num_runs, 1), jnp.int32),
    )
    return state, jax.jit(algorithm.update, compiler_options=FAST_TO_COMPILE)


def held(config: LINVITConfig, updates: int, scale: float, seeds: int = 1_000) -> float:
    """Share of seeds in which the bounds hold everywhere before and after every update."""
    temperature = 0.3
    exact = plan_regularized(PROBLEM.law, PROBLEM.log_prior, temperature, H).v
    living = jnp.arange(S) < S - 1
    state, update = runs(config, seeds, temperature=temperature, bonus_scale=scale)

    @jax.jit
    def inside(state):
        found = jax.vmap(lambda p, c, hp: linvit.bounds(config, p, c, hp))(
            state.problem, state.counts, state.hparams
        )
        low, high = found.v_lower - exact[None], found.v_upper - exact[None]
        return jnp.all((low <= 1e-4) & (high >= -1e-4), axis=(1, 2), where=living[None, None])

    every = inside(state)
    for _ in range(updates):
        state, _ = update(state, Data((), ()))
        every &= inside(state)
    return float(jnp.mean(every))


@pytest.mark.parametrize("kind", ["hoeffding", "bernstein"])
def test_at_scale_one_the_bounds_hold(kind):
    config = LINVITConfig(horizon=H, bonus=kind, delta=0.1, episodes_per_update=5)
    assert held(config, 20, 1.0) >= 0.9


def test_without_a_bonus_they_do_not():
    config = LINVITConfig(horizon=H, episodes_per_update=5)
    assert held(config, 20, 0.0) < 0.1


@pytest.mark.parametrize("kind", ["hoeffding", "bernstein"])
def test_it_converges_to_the_exact_value(kind):
    config = LINVITConfig(horizon=H, bonus=kind, episodes_per_update=1_000)
    state, update = runs(config, 20, temperature=0.3, bonus_scale=0.05)
    exact = plan_regularized(PROBLEM.law, PROBLEM.log_prior, 0.3, H).v[0, 0]

    def worth(q):
        log_policy = value_iteration.soft_policy(q, PROBLEM.log_prior[None], 0.3)
        gain = value_iteration.gain_of(PROBLEM.law, log_policy, PROBLEM.log_prior)
        return gain.total[0, 0] - 0.3 * gain.kl[0, 0]

    far = exact - jax.vmap(worth)(jnp.zeros((1, H, S, A)))[0]
    for _ in range(4):
        state, metrics = update(state, Data((), ()))
        assert metrics["episodes"].tolist() == [1_000] * 20
    assert float(far) > 0.05
    lost = exact - jax.vmap(worth)(state.params.last)
    assert float(jnp.max(lost)) < 0.005
    assert float(jnp.min(lost)) > -1e-4
    # The mixture has the early episodes' policies in it.
    assert float(jnp.mean(exact - jax.vmap(worth)(state.params.drawn))) < 0.02


def test_a_run_stops_at_its_gap():
    config = LINVITConfig(horizon=H, episodes_per_update=50)
    state, update = runs(config, 3, bonus_scale=0.05)
    state = state._replace(hparams=state.hparams._replace(epsilon=jnp.array([9.0, 0.6, 0.0])))
    for _ in range(19):
        state, _ = update(state, Data((), ()))
    state, metrics = update(state, Data((), ()))
    first, second, third = state.num_episodes.tolist()
    assert first == 0
    assert not state.counts[0].any()
    assert 50 < second < 1_000
    assert third == 1_000
    assert state.gap[1] <= 0.6
    assert metrics["episodes"].tolist() == [0, 0, 50]
    assert float(state.counts[1, 0].sum()) == second


def test_the_mixture_is_drawn_uniformly():
    """Of 4 episodes a run ends with the last one's policy one time in four."""
    config = LINVITConfig(horizon=H, episodes_per_update=4)
    state, update = runs(config, 4_000, bonus_scale=0.02)
    state, _ = update(state, Data((), ()))
    same = jnp.all(state.params.drawn == state.params.last, axis=(1, 2, 3))
    assert abs(float(jnp.mean(same)) - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 4_000)


# -- on an environment ---------------------------------------------------------------------------

LAKE = FrozenLake(is_slippery=False)
DATA = Data((), LAKE.default_params)
CONFIG = LINVITConfig(horizon=12, episodes_per_update=500)
KEYS = jax.random.split(jax.random.key(0), 6)


@functools.cache
def trained(with_prior: bool):
    algorithm = linvit.make(CONFIG, LAKE, UniformPrior(LAKE) if with_prior else None)
    state = algorithm.init(KEYS, CONFIG.hparams(6)._replace(temperature=jnp.full(6, 0.02)), DATA)
    return algorithm, *jax.jit(algorithm.update)(state, DATA)


def test_it_crosses_the_lake():
    algorithm, state, metrics = trained(False)
    for policy, least in (("last", 0.95), ("drawn", 0.3)):
        played = algorithm.evaluate(state, DATA, 16, policy)
        assert float(jnp.mean(played["success"])) > least
    assert metrics["steps"].max() <= 6_000
    assert np.allclose(state.counts.sum((1, 2, 3, 4)), metrics["steps"])
    assert int(state.prior_carry.queries) == 0


def test_no_prior_is_the_uniform_prior():
    for one, other in zip(
        *map(jax.tree.leaves, (trained(False)[1], trained(True)[1])), strict=True
    ):
        if not jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
            assert np.array_equal(one, other)


def test_a_restart_forgets():
    algorithm, state, _ = trained(False)
    again = algorithm.restart(state, DATA)
    assert not again.counts.any()
    assert again.num_episodes.tolist() == [0] * 6


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"horizon": 0}, "horizon is 0; it must be above 0"),
        ({"temperature": 0.0}, "temperature is 0.0; it must be above 0"),
        ({"temperature": -1.0}, "temperature is -1.0; it must be above 0"),
        ({"bonus": "none"}, "unknown bonus 'none'; valid: hoeffding, bernstein"),
        ({"bonus_scale": -0.1}, "bonus_scale is -0.1; it must be 0 or more"),
        ({"epsilon": -0.1}, "epsilon is -0.1; it must be 0 or more"),
        ({"delta": 1.0}, "delta is 1.0; it must lie between 0 and 1"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(InvalidInput, match=message):
        LINVITConfig(**settings)


def test_too_many_states():
    with pytest.raises(InvalidInput, match="BlocksWorld-lprl has too many states to number"):
        linvit.make(LINVITConfig(), BlocksWorld(7))


def test_rewards_out_of_range():
    env = TabularMDP(1, 2)
    params = env.params_of([tables([[0, END]], [[0, 2]])])
    algorithm = linvit.make(LINVITConfig(horizon=2), env)
    with pytest.raises(InvalidInput, match=r"rewards lie in \[0, 2\]"):
        algorithm.init(KEYS, CONFIG.hparams(6), Data((), params))


def test_several_instances_a_run():
    env = TabularMDP(1, 2)
    params = env.params_of([tables([[0, END]], [[0, 1]]), tables([[END, 0]], [[0, 1]])])
    algorithm = linvit.make(LINVITConfig(horizon=2), env)
    with pytest.raises(InvalidInput, match="a run has 2 instances; LINVIT learns one"):
        algorithm.init(KEYS, CONFIG.hparams(6), Data((), params))


def test_an_unknown_policy():
    algorithm, state, _ = trained(False)
    with pytest.raises(InvalidInput, match="unknown policy 'best'; valid: last, drawn"):
        algorithm.evaluate(state, DATA, 16, "best")
