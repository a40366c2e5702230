"""What PPO sees, asks, learns from and compiles; what it ends in is the business of the probes."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, TabularMDP, begin, tables, trainer
from jax.flatten_util import ravel_pytree
from lprl_envs import InvalidInput

from lprl_jax.algorithms import asking
from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.policy_based import divergence, ppo, rollout
from lprl_jax.algorithms.policy_based.ppo_config import PPOConfig
from lprl_jax.algorithms.policy_based.rollout import Lesson
from lprl_jax.priors import TabularPrior

# Stay, walk on, or end; walking on from the last place ends as well. A limit of 3 steps truncates.
CHAIN = [[0, 1, END], [1, 2, END], [2, END, END]]
REWARD = np.array([[0, 0, 0.5], [0.1, 0, 0], [0, 1, 0]])
LEGAL = np.array([[1, 1, 0], [1, 1, 1], [1, 1, 1]], bool)
ENV = TabularMDP(3, 3)
BANK = [tables(CHAIN, REWARD, LEGAL), tables(CHAIN, -REWARD, LEGAL)]
PARAMS = ENV.params_of(BANK, max_steps=3)
R, N, T, UPDATES = 3, 4, 12, 3
CONFIG = PPOConfig(
    num_envs=N,
    rollout_length=T,
    num_epochs=2,
    num_minibatches=3,
    hidden_sizes=(),
    learning_rate=1e-2,
    value_clip=0.3,
    alpha=0.2,
)
TABLE = jax.random.normal(jax.random.key(5), (2, 4, 3))
MASKS = np.stack([np.vstack([LEGAL, [True] * 3])] * 2)
TABLE = jax.nn.log_softmax(jnp.where(MASKS, TABLE, -jnp.inf))
PRIOR = TabularPrior(ENV, TABLE, "table", 7)
DATA = Data(PRIOR.params, PARAMS)
ALGORITHM = ppo.make(CONFIG, ENV, PRIOR)
POLICY = ppo.policy_of(CONFIG, ENV)
GAMMA, LAMBDA = jnp.float32(0.9), jnp.float32(0.8)
train = trainer(ALGORITHM, UPDATES)


@pytest.fixture(scope="module")
def fresh():
    return begin(ALGORITHM, CONFIG, DATA, range(R), gamma=GAMMA, gae_lambda=LAMBDA)


@pytest.fixture(scope="module")
def trained(fresh):
    return train(fresh, DATA)


# -- acting ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def played(trained):
    """T steps `[T, R, N]` by learners that have learnt a little, and where they led."""
    kind, asker = divergence.exact(), asking.of(PRIOR)

    @jax.jit
    def play(state):
        def step(state, chance):
            now = state.env_state
            state, seen = rollout.act(ENV, asker, POLICY, kind, state, (), chance, DATA)
            return state, (now, seen)

        return jax.lax.scan(step, state, rollout.draw(state.key, T, N))

    state, (acted_in, seen) = play(trained[0])
    return state, acted_in, jax.tree.map(np.asarray, seen)


def logits_and_values(params, place):
    """Of linear networks on one-hot observations."""
    layers = [jax.tree.map(np.float64, params[name]["Dense_0"]) for name in ("actor", "critic")]
    actor, critic = ({name: np.asarray(x) for name, x in layer.items()} for layer in layers)
    return actor["kernel"][place] + actor["bias"], (critic["kernel"][place] + critic["bias"])[
        ..., 0
    ]


def reached(seen):
    """The places that steps led to, before any reset; observations are one-hot."""
    return np.asarray(seen.final_inputs.observation).argmax(-1)


def log_softmax(x):
    with np.errstate(divide="ignore"):
        x = x - x.max(-1, keepdims=True)
        return x - np.log(np.exp(x).sum(-1, keepdims=True))


def test_what_is_seen_follows_the_law_and_the_policy(played, trained):
    _, acted_in, seen = played
    place, after = np.asarray(acted_in.place), reached(seen)
    led = np.array(CHAIN)[place, seen.action]
    np.testing.assert_array_equal(after, np.where(led == END, 3, led))
    np.testing.assert_array_equal(seen.terminated, led == END)
    np.testing.assert_array_equal(seen.truncated, acted_in.time == 2)
    assert (seen.terminated & seen.truncated).any()
    assert (~seen.terminated & seen.truncated).any()
    assert LEGAL[place, seen.action].all()
    np.testing.assert_array_equal(seen.kept, TABLE[acted_in.instance, acted_in.place])
    for run in range(R):
        own = jax.tree.map(lambda x, run=run: x[run], trained[0].params)
        logits, value = logits_and_values(own, place[:, run])
        log_pi = log_softmax(np.where(LEGAL[place[:, run]], logits, -np.inf))
        chosen = np.take_along_axis(log_pi, seen.action[:, run, :, None], -1)[..., 0]
        np.testing.assert_allclose(seen.log_prob[:, run], chosen, atol=1e-5)
        np.testing.assert_allclose(seen.value[:, run], value, atol=1e-5)


def test_advantages_bootstrap_from_the_state_before_a_reset(played, trained):
    state, _, seen = played
    for run in range(R):
        own = trained[0].params, state.env_state
        params, ends = jax.tree.map(lambda x, run=run: x[run], own)
        mine = jax.tree.map(lambda x, run=run: jnp.asarray(x[:, run]), seen)
        found = rollout.lessons(POLICY, params, (), GAMMA, LAMBDA, mine, ends, DATA)
        mine = jax.tree.map(np.asarray, mine)
        # The twin: place 3, where an episode has ended, is worth something to the network too.
        _, worth = logits_and_values(params, reached(mine))
        expected, after = np.zeros((T, N)), np.zeros(N)
        for t in reversed(range(T)):
            follows = np.where(mine.terminated[t], 0.0, GAMMA * worth[t])
            error = mine.reward[t] + follows - mine.value[t]
            on = ~(mine.terminated[t] | mine.truncated[t])
            expected[t] = after = error + GAMMA * LAMBDA * on * after
        np.testing.assert_allclose(found.advantage, expected.reshape(-1), atol=1e-5)
        target = (expected + mine.value).reshape(-1)
        np.testing.assert_allclose(found.target, target, atol=1e-5)
        np.testing.assert_array_equal(found.action, mine.action.reshape(-1))


# -- the loss --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lesson():
    """Twelve steps that were acted by another policy than the one that learns from them."""
    rng = np.random.default_rng(3)
    place, count = rng.integers(0, 3, 12), 12
    legal = LEGAL[place]
    action: Any = np.array([rng.choice(np.flatnonzero(row)) for row in legal])
    inputs = POLICY.read(jax.vmap(lambda i: ENV.state_at(0, i, PARAMS))(jnp.array(place)), DATA)
    acted: Any = np.log(rng.uniform(0.1, 0.9, count))
    numbers = rng.normal(size=(3, count))
    batch = Lesson(inputs, action, acted, numbers[0], TABLE[0, place], numbers[1], numbers[2])
    return place, jax.tree.map(jnp.asarray, batch)


def loss_by_hand(flat, unravel, place, batch, settings, normalize):
    """The same number, in NumPy with 64 bits."""
    logits, value = logits_and_values(unravel(flat), place)
    batch = jax.tree.map(lambda x: np.asarray(x, np.float64), batch._replace(inputs=()))
    rows, action = np.arange(len(place)), np.int64(batch.action)
    log_pi = log_softmax(np.where(LEGAL[place], logits, -np.inf))
    pi, legal = np.exp(log_pi), LEGAL[place]
    advantage = batch.advantage
    if normalize:
        advantage = (advantage - advantage.mean()) / advantage.std()
    ratio = np.exp(log_pi[rows, action] - batch.log_prob)
    bound = settings["clip_epsilon"]
    surrogate = -np.minimum(ratio * advantage, np.clip(ratio, 1 - bound, 1 + bound) * advantage)
    moved = value - batch.value
    clipped = batch.value + np.clip(moved, -settings["value_clip"], settings["value_clip"])
    error = 0.5 * np.maximum((value - batch.target) ** 2, (clipped - batch.target) ** 2)
    with np.errstate(invalid="ignore"):
        entropy = -np.where(legal, pi * log_pi, 0.0).sum(-1)
        kl = np.where(legal, pi * (log_pi - batch.kept), 0.0).sum(-1)
    parts = settings["value_coef"] * error - settings["entropy_coef"] * entropy
    return np.mean(surrogate + parts + settings["alpha"] * kl)


@pytest.mark.parametrize("normalize", [True, False])
def test_the_loss_and_its_gradient_are_those_worked_out_in_numpy(fresh, lesson, normalize):
    place, batch = lesson
    config = dataclasses.replace(CONFIG, normalize_advantages=normalize)
    settings = {"clip_epsilon": 0.2, "value_clip": 0.3, "value_coef": 0.5, "entropy_coef": 0.01}
    settings["alpha"] = 0.2
    params = jax.tree.map(lambda x: x[0] + 0.3 * jnp.cos(jnp.arange(x[0].size)).reshape(x[0].shape),
                          fresh.params)  # fmt: skip
    hparams = jax.tree.map(lambda x: x[0], fresh.hparams)

    def loss(params):
        instances = jnp.arange(2)
        of = POLICY, divergence.exact(), config, params, instances, hparams, batch, DATA
        return ppo.loss(*of)[0]

    value, gradient = jax.value_and_grad(loss)(params)
    flat, unravel = ravel_pytree(params)
    of_numpy = functools.partial(
        loss_by_hand, unravel=unravel, place=place, batch=batch, settings=settings,
        normalize=normalize,
    )  # fmt: skip
    flat = np.asarray(flat, np.float64)
    np.testing.assert_allclose(value, of_numpy(flat), rtol=1e-5)
    step, slopes = 1e-3, []
    for i in range(len(flat)):
        nudge = step * (np.arange(len(flat)) == i)
        slopes.append((of_numpy(flat + nudge) - of_numpy(flat - nudge)) / (2 * step))
    found = ravel_pytree(gradient)[0]
    np.testing.assert_allclose(found, slopes, atol=2e-4)


def test_in_its_first_step_it_follows_the_policy_gradient(fresh, lesson):
    # Which is A2C's: with one epoch of one minibatch there is no other step.
    place, batch = lesson
    params = jax.tree.map(lambda x: x[0], fresh.params)
    config = dataclasses.replace(CONFIG, normalize_advantages=False)
    zero = jnp.float32(0.0)
    hparams = jax.tree.map(lambda x: x[0], fresh.hparams)
    hparams = hparams._replace(value_coef=zero, entropy_coef=zero, alpha=zero)

    def log_pi(params):
        rows = POLICY.apply(params, (), batch.inputs, DATA).log_probs
        return rows[jnp.arange(len(place)), batch.action]

    acted = batch._replace(log_prob=log_pi(params))
    of = POLICY, divergence.exact(), config
    found = jax.grad(lambda p: ppo.loss(*of, p, jnp.arange(2), hparams, acted, DATA)[0])(params)
    expected = jax.grad(lambda p: -jnp.mean(log_pi(p) * batch.advantage))(params)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6), found, expected)
    assert np.abs(expected["actor"]["Dense_0"]["kernel"]).max() > 0.01


# -- runs ------------------------------------------------------------------------------------------


def test_the_prior_is_asked_once_a_step(trained):
    state, metrics = trained
    asked = R * N * (1 + T * UPDATES)
    assert state.prior_carry == (asked, 7)  # a table's evaluations were made beforehand
    assert int(state.num_steps) == N * T * UPDATES
    assert metrics["loss"].shape == metrics["kl"].shape == (UPDATES, R)
    assert (metrics["episodes"] >= N * T / 3).all()


def test_same_seed_same_result(fresh, trained):
    again = train(fresh, DATA)
    jax.tree.map(np.testing.assert_array_equal, again[0].params, trained[0].params)
    runs = np.asarray(trained[0].params["actor"]["Dense_0"]["kernel"]).reshape(R, -1)
    assert len(np.unique(runs, axis=0)) == R


def test_runs_are_independent():
    hparams = {"learning_rate": [1e-2, 3e-3, 1e-2], "alpha": [0.2, 2.0, 0.2], "gamma": [0.9] * 3}
    instances = jnp.array([[0, 1], [1, 1], [0, 0]])
    seeds = [3, 1, 3]
    together, _ = train(begin(ALGORITHM, CONFIG, DATA, seeds, instances, **hparams), DATA)
    for run in range(R):
        own = {name: values[run] for name, values in hparams.items()}
        state = begin(ALGORITHM, CONFIG, DATA, [seeds[run]], instances[run : run + 1], **own)
        alone, _ = train(state, DATA)
        many = jax.tree.map(lambda x, run=run: x[run], (together.params, together.env_state))
        one = jax.tree.map(lambda x: x[0], (alone.params, alone.env_state))
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), many, one)


def test_settings_banks_and_tables_do_not_recompile(fresh, trained):
    compiled = train._cache_size()
    hparams = fresh.hparams._replace(learning_rate=jnp.array([0.0, 1e-2, 1e-4]))
    bank = [tables(CHAIN, np.ones((3, 3)), LEGAL)] * 2
    table = PRIOR.params._replace(log_probs=TABLE * 0.5)
    data = Data(table, ENV.params_of(bank, max_steps=2))
    state, metrics = train(fresh._replace(hparams=hparams), data)
    assert train._cache_size() == compiled
    assert metrics["reward"].min() == N * T  # every step is paid 1 now
    kernels = (s.params["actor"]["Dense_0"]["kernel"] for s in (state, fresh))
    moved = np.abs(np.subtract(*map(np.asarray, kernels))).max((1, 2))
    assert moved[0] == 0
    assert moved[1] > 20 * moved[2] > 0


def test_the_learning_rate_falls_to_nothing(fresh):
    # Halfway it is half, and after so many steps 0: nothing moves any more.
    hparams = fresh.hparams._replace(anneal_steps=jnp.full(R, 1.0 * N * T * UPDATES))
    state, _ = train(fresh._replace(hparams=hparams), DATA)
    after, _ = train(state, DATA)
    jax.tree.map(np.testing.assert_array_equal, after.params, state.params)
    begun = fresh.params["critic"]["Dense_0"]["kernel"]
    assert np.abs(state.params["critic"]["Dense_0"]["kernel"] - begun).max() > 1e-3


def test_restart_takes_a_new_bank_and_keeps_what_was_learnt(trained):
    state, _ = trained
    bank = [tables(CHAIN, np.ones((3, 3)), LEGAL)] * 2
    data = Data(PRIOR.params, ENV.params_of(bank, max_steps=3))
    again = ALGORITHM.restart(state, data)
    for name in ("params", "opt_state", "num_steps", "hparams"):
        jax.tree.map(np.testing.assert_array_equal, getattr(again, name), getattr(state, name))
    assert not again.env_state.time.any()
    assert int(again.prior_carry.queries) == int(state.prior_carry.queries) + R * N
    _, metrics = train(again, data)
    assert metrics["reward"].min() == N * T


def test_it_plays_alone(trained):
    # No prior is asked: nothing would come of it, with parameters of none.
    assert not ALGORITHM.asks_in_play
    assert ALGORITHM.policies == ("sample", "greedy")
    found = {
        policy: ALGORITHM.evaluate(trained[0], Data((), PARAMS), 40, policy)
        for policy in ALGORITHM.policies
    }
    for metrics in found.values():
        assert metrics["length"].max() <= 3
    assert not np.array_equal(found["sample"]["return"], found["greedy"]["return"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("k", 0),
        ("k", "all"),
        ("alpha", -0.1),
        ("alpha", float("nan")),
        ("entropy_coef", -1.0),
        ("value_coef", -1.0),
        ("gamma", 1.5),
        ("gae_lambda", -0.1),
        ("clip_epsilon", 0.0),
        ("value_clip", 0.0),
        ("learning_rate", 0.0),
        ("anneal_steps", 0.0),
        ("max_grad_norm", 0.0),
        ("adam_epsilon", 0.0),
        ("num_envs", 0),
        ("rollout_length", 0),
        ("num_epochs", 0),
        ("num_minibatches", 0),
        ("num_minibatches", 3),  # of 256 steps
    ],
)
def test_bad_settings_are_refused_by_name(field, value):
    with pytest.raises(InvalidInput, match=f"^{field} is {value!r}.*(valid|must)"):
        PPOConfig(**{field: value})
