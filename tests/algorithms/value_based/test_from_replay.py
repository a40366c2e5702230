"""What learners from a replay store, repeat, wait for and compile: the same for all of them.

Their losses and values are the business of their own tests.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.box_probes import HIGH, LOW, BoxMDP, places
from algorithms.probes import END, TabularMDP, begin, tables, trainer
from lprl_envs import InvalidInput

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.registry import ALGORITHMS
from lprl_jax.algorithms.value_based import from_replay
from lprl_jax.priors import UniformPrior

# Walk on, or end; in the second instance for the opposite. A limit of 2 steps truncates.
NEXT, REWARD = [1, 2, END], [0.5, 0.0, 1.0]
NUMBERED = TabularMDP(3, 2)
CHAIN = [[1, END], [2, 2], [END, END]]
LEGAL = [[1, 1], [0, 1], [1, 1]]
BOX = BoxMDP(3)
_BEST = [(0.5, -0.5)] * 3


def banks(sign: float = 1.0, limit: int = 2) -> dict[str, Any]:
    rewards = [np.array(REWARD) * sign, -np.array(REWARD) * sign]
    boxes = [places(NEXT, r.tolist(), [1, 1, 1], _BEST) for r in rewards]
    numbers = [tables(CHAIN, np.stack([r, r], 1), LEGAL) for r in rewards]
    numbered = NUMBERED.params_of(numbers, max_steps=limit)
    box = BOX.params_of(boxes, max_steps=limit)
    return {"sac": box, "td3": box, "discrete_sac": numbered}


R, N, ROLLOUT, LEARNING, STARTS, UPDATES = 3, 4, 3, 2, 24, 6
STEPS = ROLLOUT * UPDATES
COMMON: dict[str, Any] = {
    "num_envs": N,
    "rollout_length": ROLLOUT,
    "updates_per_rollout": LEARNING,
    "learning_starts": STARTS,
    "hidden_sizes": (8,),
    "buffer_size": N * STEPS,
    "batch_size": 16,
    "learning_rate": 1e-2,
}
NAMES = ("sac", "td3", "discrete_sac")
CONFIGS = {name: ALGORITHMS[name].config(**COMMON) for name in NAMES}
ENVS = {"sac": BOX, "td3": BOX, "discrete_sac": NUMBERED}
DATA = {name: Data((), params) for name, params in banks().items()}
every = pytest.mark.parametrize("name", NAMES)


@functools.cache
def algorithm(name):
    return ALGORITHMS[name].make(CONFIGS[name], ENVS[name])


def train(name, state, data=None):
    return trainer(algorithm(name), UPDATES)(state, DATA[name] if data is None else data)


@functools.cache
def fresh(name):
    return begin(algorithm(name), CONFIGS[name], DATA[name], range(R))


@functools.cache
def trained(name):
    return train(name, fresh(name))


@functools.cache
def seen(name):
    """Every transition of the training, in order: leaves `[R, STEPS, N, ...]`."""
    ring = trained(name)[0].replay
    assert int(ring.num_added) == STEPS * N
    return jax.tree.map(lambda x: np.asarray(x).reshape(R, STEPS, N, *x.shape[2:]), ring.items)


def same(a, b) -> bool:
    """Bitwise."""
    a, b = (jax.tree.map(_plain, tree) for tree in (a, b))
    return jax.tree.all(jax.tree.map(lambda x, y: np.array_equal(x, y), a, b))


def _plain(leaf):
    key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if key else leaf)


# -- acting ----------------------------------------------------------------------------------------


@every
def test_transitions_follow_the_law_up_to_the_final_state(name):
    found = seen(name)
    state, after = found.state, found.next_state
    sign = 1 - 2 * state.instance
    right = sign * np.array(REWARD)[state.place]
    if name == "discrete_sac":
        place = np.array(CHAIN)[state.place, found.action]
        assert (state.place[found.action == 0] != 1).all()  # illegal there
    else:
        place = np.array(NEXT)[state.place]
        unit = (found.action - LOW) / (HIGH - LOW) * 2 - 1
        right = right - ((unit - _BEST[0]) ** 2).sum(-1)
        assert (np.abs(unit) <= 1 + 1e-6).all()
    np.testing.assert_array_equal(after.place, np.where(place == END, 3, place))
    np.testing.assert_array_equal(after.time, state.time + 1)
    np.testing.assert_array_equal(after.instance, state.instance)
    np.testing.assert_allclose(found.reward, right, atol=1e-5)
    np.testing.assert_array_equal(found.terminated, place == END)
    # A time limit is no end: what is bootstrapped from is the state before the reset.
    assert (~found.terminated & (after.time == 2)).any()


@every
def test_the_next_step_starts_where_the_last_one_led(name):
    found = seen(name)
    done = found.terminated | (found.next_state.time == 2)
    for field in ("place", "time"):
        led, acted = getattr(found.next_state, field), getattr(found.state, field)
        right = np.where(done, 0, led)
        np.testing.assert_array_equal(acted[:, 1:], right[:, :-1])
        np.testing.assert_array_equal(getattr(trained(name)[0].env_state, field), right[:, -1])


@every
def test_metrics_add_up(name):
    state, metrics = trained(name)
    done = seen(name).terminated | (seen(name).next_state.time == 2)
    np.testing.assert_array_equal(metrics["episodes"].sum(0), done.sum((1, 2)))
    np.testing.assert_allclose(metrics["reward"].sum(0), seen(name).reward.sum((1, 2)), atol=1e-4)
    assert set(metrics) == {"episodes", "reward", *algorithm(name).means}
    assert int(state.num_steps) == STEPS * N
    assert state.prior_carry == (0, 0)


@every
def test_nothing_is_learnt_before_there_is_enough(name):
    # Two rollouts of 12 steps make 24: learning begins behind the second, 5 phases of 6.
    state, metrics = trained(name)
    waits = np.arange(UPDATES) < STARTS // (N * ROLLOUT) - 1
    assert waits.sum() == 1
    assert (np.asarray(metrics["loss"] == 0) == waits[:, None]).all()
    assert int(state.num_updates) == LEARNING * (UPDATES - 1)
    first, _ = trainer(algorithm(name), 1)(fresh(name), DATA[name])
    for part in ("params", "target_params", "opt_state"):
        assert same(getattr(first, part), getattr(fresh(name), part))
        assert not same(getattr(state, part), getattr(first, part))


@every
def test_until_then_actions_are_uniform(name):
    env, data = ENVS[name], DATA[name]
    states = jax.vmap(lambda i: env.state_at(0, i, data.env_params))(jnp.arange(30_000) % 2)
    found = np.asarray(from_replay.at_random(env, jax.random.key(2), states, data.env_params))
    if name == "discrete_sac":
        assert found.dtype == np.int32
        assert found[0::2].mean() == pytest.approx(0.5, abs=0.015)
        assert (found[1::2] == 1).all()
    else:
        np.testing.assert_allclose(found.mean(0), (LOW + HIGH) / 2, atol=0.03)
        np.testing.assert_allclose(found.std(0), (HIGH - LOW) / np.sqrt(12), rtol=0.02)
        assert ((found >= LOW) & (found <= HIGH)).all()
    state = fresh(name)
    keys = jax.vmap(lambda k: jax.random.split(k, 3))(state.key)
    first = jax.vmap(lambda k, s: from_replay.at_random(env, k, s, data.env_params))(
        keys[:, 1], state.env_state
    )
    np.testing.assert_allclose(seen(name).action[:, 0], first, rtol=1e-6)


# -- runs ------------------------------------------------------------------------------------------


@every
def test_same_seed_same_result(name):
    assert same(train(name, fresh(name)), trained(name))
    kernels = jax.tree.leaves(trained(name)[0].params.policy)
    for kernel in kernels:  # and others differ
        assert len(np.unique(np.asarray(kernel).reshape(R, -1), axis=0)) == R


@every
def test_runs_are_independent(name):
    kinds = ALGORITHMS[name].sweepable
    swept = {"learning_rate": [1e-2, 3e-3, 1e-2], "gamma": [0.9, 0.9, 0.3], "tau": [0.1, 0.5, 0.5]}
    own = {"target_noise": [0.1, 0.5, 0.2], "temperature": [1.0, 0.3, 0.1]}
    swept |= {key: values for key, values in own.items() if key in kinds}
    instances = jnp.array([[0, 1], [1, 1], [0, 0]])
    seeds = [3, 1, 3]
    state = begin(algorithm(name), CONFIGS[name], DATA[name], seeds, instances, **swept)
    together, _ = train(name, state)
    assert set(np.unique(together.replay.items.state.instance[1])) == {1}
    for run in range(R):
        alone = {key: values[run] for key, values in swept.items()}
        of = seeds[run : run + 1], instances[run : run + 1]
        state = begin(algorithm(name), CONFIGS[name], DATA[name], *of, **alone)
        alone, _ = train(name, state)
        for part in ("params", "target_params", "replay", "env_state"):
            many, one = (_of_run(getattr(s, part), i) for s, i in ((together, run), (alone, 0)))
            jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-4), many, one)


def _of_run(tree, run):
    return jax.tree.map(lambda x: np.asarray(x)[run] if jnp.ndim(x) else x, tree)


@every
def test_swept_hyper_parameters_in_one_program(name):
    train(name, fresh(name))
    compiled = trainer(algorithm(name), UPDATES)._cache_size()
    rates = jnp.array([0.0, 1e-2, 0.0])
    hparams = fresh(name).hparams._replace(learning_rate=rates)
    after, _ = train(name, fresh(name)._replace(hparams=hparams))
    for old, new in zip(
        jax.tree.leaves(fresh(name).params), jax.tree.leaves(after.params), strict=True
    ):
        np.testing.assert_array_equal(old[::2], new[::2])
    assert not same(after.params.critics, fresh(name).params.critics)
    assert trainer(algorithm(name), UPDATES)._cache_size() == compiled


@every
def test_another_bank_does_not_recompile_and_a_restart_keeps_what_was_learnt(name):
    state, _ = trained(name)
    compiled = trainer(algorithm(name), UPDATES)._cache_size()
    data = Data((), banks(sign=-3.0)[name])
    again = algorithm(name).restart(state, data)
    for part in ("params", "target_params", "opt_state", "num_steps", "num_updates", "hparams"):
        assert same(getattr(again, part), getattr(state, part))
    assert int(again.replay.num_added) == 0
    assert not again.env_state.time.any()
    after, metrics = train(name, again, data)
    assert trainer(algorithm(name), UPDATES)._cache_size() == compiled
    assert (np.asarray(metrics["loss"]) > 0).all()  # it does not wait again
    found = after.replay.items
    first = (found.state.instance == 1) & (found.state.place == 0)
    assert float(found.reward[first].max()) > 0.5  # at most 1.5; in the old bank, at most -.5


@every
def test_it_plays_by_its_parameters_alone(name):
    state, _ = trained(name)
    played = algorithm(name).evaluate(state, DATA[name], 5)
    assert played["return"].shape == (R,)
    other = fresh(name)._replace(params=state.params, key=state.key)
    assert same(played, algorithm(name).evaluate(other, DATA[name], 5))
    for policy in algorithm(name).policies:
        found = algorithm(name).evaluate(state, DATA[name], 5, policy)
        assert (np.asarray(found["length"]) <= 2).all()


# -- what is refused -------------------------------------------------------------------------------


@every
def test_a_prior_is_refused(name):
    env = ENVS[name]
    with pytest.raises(InvalidInput, match=f"^{name} learns without a prior, .* 'uniform'"):
        ALGORITHMS[name].make(CONFIGS[name], env, UniformPrior(env))


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_actions_of_the_other_kind_are_refused(name):
    config = ALGORITHMS[name].config
    made = config(**({"horizon": 4} if name == "linvit" else {}))
    env, found, right = BOX, "continuous", "discrete"
    if name in ("sac", "td3"):
        env, found, right = NUMBERED, "discrete", "continuous"
    words = (
        f"^{env.name} has {found} actions, and {config.__name__} is of an algorithm with {right}"
    )
    with pytest.raises(InvalidInput, match=words):
        ALGORITHMS[name].make(made, env, *[None] * (1 + (name == "lagr")))  # prior, completer


BAD = [
    ("num_envs", 0),
    ("rollout_length", 0),
    ("updates_per_rollout", 0),
    ("batch_size", 0),
    ("buffer_size", 0),
    ("buffer_size", 1001),  # of 4 environments
    ("learning_starts", -1),
    ("learning_rate", 0.0),
    ("max_grad_norm", 0.0),
    ("gamma", 1.5),
    ("tau", -0.1),
    ("hidden_sizes", (0,)),
    ("temperature", 0.0),
    ("target_entropy", float("inf")),
    ("policy_delay", 0),
    ("target_noise", -0.1),
]


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        (name, *own)
        for name in NAMES
        for own in BAD
        if own[0] in {x.name for x in dataclasses.fields(ALGORITHMS[name].config)}
    ],
)
def test_bad_settings_are_refused_by_name(name, field, value):
    with pytest.raises(ValueError, match=rf"^{field}.* is .*(valid|must)"):
        ALGORITHMS[name].config(**{"num_envs": 4, "buffer_size": 1000, field: value})
