"""CartPole-lprl: gymnax's law to the bit, Gymnasium's to rounding, and how a state reads."""

import bisect
import dataclasses
import itertools
from typing import Any

import gymnasium
import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import CHECKS, CartPole, InvalidInput, auto_reset, check_env
from lprl_envs.cartpole import QUANTITIES, EnvState
from lprl_envs.parts.text_cells import num_text_cells, text_cell

ENV = CartPole()
PARAMS = ENV.default_params
VALUES = QUANTITIES.drawn
INNER, OWN = gymnax.make("CartPole-v1")
PHYSICS = [
    {},
    {"length": 1.4, "masspole": 0.8, "masscart": 0.5, "force_mag": 20, "gravity": 20},
    {"length": 0.25, "masspole": 0.05, "masscart": 2, "force_mag": 5, "gravity": 3.7},
    {"length": 0.61, "masspole": 0.33},
]


def gymnaxs(fields):
    """Gymnax's parameters of an instance that may differ, f32 each as they are within a graph."""
    own = {name: np.float32(fields.get(name, getattr(OWN, name))) for name in VALUES}
    own["total_mass"] = own["masscart"] + own["masspole"]
    own["polemass_length"] = own["masspole"] * own["length"]
    return own


def numbers(state):
    return jnp.stack([state.x, state.x_dot, state.theta, state.theta_dot])


def state_of(values, instance=0):
    x, x_dot, theta, theta_dot = (jnp.float32(v) for v in values)
    return EnvState(
        time=jnp.int32(0),
        instance=jnp.int32(instance),
        x=x,
        x_dot=x_dot,
        theta=theta,
        theta_dot=theta_dot,
    )


def test_default_parameters_are_gymnaxs():
    own = gymnaxs({})
    assert own["total_mass"] == np.float32(OWN.total_mass)
    assert own["polemass_length"] == np.float32(OWN.polemass_length)
    for name in VALUES:
        assert getattr(PARAMS.bank, name)[0] == own[name]
    assert int(PARAMS.max_steps_in_episode) == OWN.max_steps_in_episode


def rollouts(play, others):
    """`play(key, other)` of 8 keys for each of the others, compiled together."""
    keys = jax.random.split(jax.random.key(0), 8)
    each = jax.vmap(jax.vmap(play, (0, None)), (None, 0))
    return jax.device_get(jax.jit(each)(keys, others))


INSTANCES = jnp.arange(len(PHYSICS), dtype=jnp.int32)
OWNS = jax.tree.map(lambda *x: np.stack(x), *map(gymnaxs, PHYSICS))


def drawn_action(key):
    return jax.random.randint(jax.random.fold_in(key, 7), (), 0, 2)


def test_episodes_are_gymnaxs_to_the_bit():
    """Also beyond their end, where the reward is 0."""
    params = ENV.params_of(PHYSICS)

    def ours(key, instance):
        def step(state, key):
            obs, state, *rest, _ = ENV.step_env(key, state, drawn_action(key), params)
            return state, (obs, numbers(state), *rest)

        start = ENV.initial_state(key, instance, params)
        return numbers(start), jax.lax.scan(step, start, jax.random.split(key, 60))[1]

    def theirs(key, fields):
        own = OWN.replace(**fields)

        def step(state, key):
            obs, state, *rest, _ = INNER.step_env(key, state, drawn_action(key), own)
            return jax.tree.map(jnp.asarray, state), (obs, numbers(state), *rest)

        start = jax.tree.map(jnp.asarray, INNER.reset_env(key, own)[1])
        return numbers(start), jax.lax.scan(step, start, jax.random.split(key, 60))[1]

    found, right = rollouts(ours, INSTANCES), rollouts(theirs, OWNS)
    jax.tree.map(np.testing.assert_array_equal, found, right)
    terminated = found[1][3]
    assert terminated.any((1, 2)).all()
    assert (found[1][2].min((1, 2)) == 0).all()


def test_steps_are_gymnaxs_by_the_halves_of_its_key():
    """Through many episodes, with arithmetic that the reset around it may round otherwise."""
    params, limit = ENV.params_of(PHYSICS), 25

    def ours(key, instance):
        def step(state, key):
            half, other = jax.random.split(key)
            out = auto_reset.step(ENV, half, other, state, drawn_action(key), timed)
            return out[1], (out[0], *out[2:5], out[5]["final_observation"])

        timed = dataclasses.replace(
            params, max_steps_in_episode=jnp.int32(limit), instances=instance[None]
        )
        obs, state = ENV.reset(key, timed)
        return obs, jax.lax.scan(step, state, jax.random.split(key, 120))[1]

    def theirs(key, fields):
        own = OWN.replace(**fields, max_steps_in_episode=limit)

        def step(state, key):
            out = INNER.step(key, state, drawn_action(key), own)
            state = jax.tree.map(jnp.asarray, out[1])
            return state, (out[0], *out[2:5], out[5]["final_observation"])

        obs, state = INNER.reset(key, own)
        state = jax.tree.map(jnp.asarray, state)
        return obs, jax.lax.scan(step, state, jax.random.split(key, 120))[1]

    (start, found), (right_start, right) = rollouts(ours, INSTANCES), rollouts(theirs, OWNS)
    np.testing.assert_array_equal(start, right_start)
    for place in (1, 2, 3):  # rewards, terminated, truncated
        np.testing.assert_array_equal(found[place], right[place])
    for place in (0, 4):
        np.testing.assert_allclose(found[place], right[place], rtol=1e-4, atol=1e-5)
    ended = found[2] | found[3]
    assert found[2].any((1, 2)).all()
    assert found[3].any()
    np.testing.assert_array_equal(found[0][ended], right[0][ended])  # drawn anew, to the bit


def test_a_step_that_ends_nothing_needs_no_halves():
    key = jax.random.key(3)
    _, state = ENV.reset(key)
    _, there = INNER.reset(key, OWN)
    found, right = ENV.step(key, state, 1), INNER.step(key, there, 1, OWN)
    for place in (0, 2, 3, 4):
        np.testing.assert_array_equal(found[place], right[place])
    fallen = dataclasses.replace(state, theta=jnp.float32(0.3))
    obs, after, *_ = ENV.step(key, fallen, 1)
    np.testing.assert_array_equal(obs, INNER.reset(key, OWN)[0])
    assert int(after.time) == 0


@pytest.mark.parametrize("fields", PHYSICS, ids=range(len(PHYSICS)))
def test_transitions_are_gymnasiums(fields):
    """Its code is in float64; states from all over, the ends included."""
    theirs: Any = gymnasium.make("CartPole-v1").unwrapped
    full = {name: fields.get(name, getattr(OWN, name)) for name in VALUES}
    for name, value in full.items():
        setattr(theirs, name, value)
    theirs.total_mass = full["masscart"] + full["masspole"]
    theirs.polemass_length = full["masspole"] * full["length"]
    rng = np.random.default_rng(1)
    states = rng.uniform(-1, 1, (64, 4)) * (2.45, 2.0, 0.215, 2.0)
    actions = rng.integers(0, 2, 64)
    batch = jax.vmap(state_of)(jnp.asarray(states, jnp.float32))
    law = jax.jit(jax.vmap(ENV.transitions, (0, 0, None)))
    prob, after, reward, terminated = law(batch, jnp.asarray(actions), ENV.params_of([fields]))
    np.testing.assert_array_equal(prob, np.ones((64, 1)))
    found = np.stack([after.x, after.x_dot, after.theta, after.theta_dot], -1)[:, 0]
    for i, (start, action) in enumerate(zip(states, actions, strict=True)):
        theirs.reset(seed=0)
        theirs.state = tuple(start)
        right, _, over, *_ = theirs.step(int(action))
        np.testing.assert_allclose(found[i], right, rtol=1e-5, atol=2e-6)
        assert bool(terminated[i, 0]) == over
        outside = abs(start[0]) > 2.4 or abs(start[2]) > theirs.theta_threshold_radians
        assert float(reward[i, 0]) == (0.0 if outside else 1.0)
    assert 0 < terminated.sum() < 64


def test_swapped_buttons_push_the_other_way():
    params = ENV.params_of([{}, {"swapped": True}])
    values = 0.1, -0.2, 0.03, 0.4
    for action in range(2):
        plain = ENV.transitions(state_of(values, 0), jnp.int32(action), params)[1]
        other = ENV.transitions(state_of(values, 1), jnp.int32(1 - action), params)[1]
        np.testing.assert_array_equal(numbers(plain), numbers(other))
    plain, other = (ENV.describe(state_of(values, i), params).splitlines() for i in range(2))
    assert plain[2] == "The left button pushes left, the right button right"
    assert other[2] == "The left button pushes right, the right button left"
    assert [*plain[:2], *plain[3:]] == [*other[:2], *other[3:]]


def test_solved_is_to_stand_when_the_time_is_up():
    late = dataclasses.replace(state_of((0.0, 0.0, 0.0, 0.0)), time=jnp.int32(500))
    fallen = dataclasses.replace(late, theta=jnp.float32(0.3))
    early = dataclasses.replace(late, time=jnp.int32(499))
    assert [bool(ENV.is_solved(s, PARAMS)) for s in (late, fallen, early)] == [True, False, False]


# -- text ----------------------------------------------------------------------------------------


def test_words_are_ranges_of_numbers():
    edges = (
        (-1.6, -0.5, 0.5, 1.6),
        (-0.8, -0.25, 0.25, 0.8),
        (-0.12, -0.05, -0.015, 0.015, 0.05, 0.12),
        (-1.0, -0.4, -0.12, 0.12, 0.4, 1.0),
    )
    values = np.random.default_rng(2).uniform(-1, 1, (4096, 4)) * (2.4, 1.5, 0.2, 1.5)
    states = jax.vmap(state_of)(jnp.asarray(values, jnp.float32))
    slots = np.asarray(jax.jit(jax.vmap(ENV.slots, (0, None)))(states, PARAMS))
    cells = np.asarray(jax.vmap(lambda s: text_cell(ENV, s, PARAMS))(states))
    words = [[bisect.bisect(e, v) for e, v in zip(edges, row, strict=True)] for row in values]
    np.testing.assert_array_equal(slots[:, 6:], words)
    np.testing.assert_array_equal(cells, np.ravel_multi_index(np.transpose(words), (5, 5, 7, 7)))
    assert num_text_cells(ENV) == 1225
    assert ENV.num_states is None


def test_a_text():
    params = ENV.params_of(
        [{"length": 1.4, "masspole": 0.05, "masscart": 2, "force_mag": 7.5, "gravity": 14}]
    )
    assert ENV.describe(state_of((-2.0, 0.5, 0.06, -0.2)), params).splitlines() == [
        "Keep the pole upright and the cart on the track by pressing buttons.",
        "Pole huge, very light; cart heavy; push weak; gravity strong",
        "The left button pushes left, the right button right",
        "Cart far left, speed right; pole lean right, turning slow left",
        "Press",
    ]


# -- instances -----------------------------------------------------------------------------------


def test_every_drawn_value_has_a_word_of_its_own():
    rows = [dict(zip(VALUES, row, strict=True)) for row in itertools.product(*VALUES.values())]
    bank = ENV.params_of(rows).bank
    words = np.asarray(jax.vmap(QUANTITIES.words)(bank))
    assert len(rows) == len(np.unique(words, axis=0)) == 2250
    right = itertools.product(*(range(len(several)) for several in VALUES.values()))
    np.testing.assert_array_equal(words, list(right))
    out = np.asarray(jax.vmap(ENV.held_out)(bank))
    assert 0.17 < out.mean() < 0.23
    swapped = np.asarray(jax.vmap(ENV.held_out)(dataclasses.replace(bank, swapped=~bank.swapped)))
    np.testing.assert_array_equal(out, swapped)


def test_random_physics():
    draw = jax.jit(ENV.sample_params, static_argnums=(1, 2, 3))
    bank = draw(jax.random.key(0), 4096, None, ()).bank
    for name, several in VALUES.items():
        found, counts = np.unique(getattr(bank, name), return_counts=True)
        np.testing.assert_array_equal(found, np.asarray(several, np.float32))
        expected = 4096 / len(several)
        assert np.abs(counts - expected).max() < 5 * expected**0.5
    assert abs(float(bank.swapped.mean()) - 0.5) < 5 * 0.5 / 64
    for split in ("train", "held-out"):
        bank = draw(jax.random.key(1), 64, split, ("swapped",)).bank
        assert bank.swapped.all()
        assert (np.asarray(jax.vmap(ENV.held_out)(bank)) == (split == "held-out")).all()


REFUSED = [
    ([], "no instances of CartPole-lprl"),
    (["moon"], "an instance of CartPole-lprl is 'moon'; right: a mapping of length, masspole"),
    ([{"mass": 1}], "unknown parameter 'mass' of CartPole-lprl; valid: length, .*, swapped"),
    ([{"total_mass": 3}], "total_mass is 3; leave it away, it follows"),
    ([{"gravity": "low"}], "gravity is 'low'; it must be a number"),
    ([{"gravity": 1.6}], "gravity is 1.6; it must be 3.7 to 20"),
    ([{"length": float("nan")}], "length is nan; it must be a finite number"),
    ([{"swapped": 1}], "swapped is 1; it must be true or false"),
]


@pytest.mark.parametrize(("instances", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_bad_instances(instances, words):
    with pytest.raises(InvalidInput, match=words) as caught:
        ENV.params_of(instances)
    assert "\n" not in str(caught.value)


def test_bad_arguments():
    with pytest.raises(InvalidInput, match="observation 'index' needs numbered states; use feat"):
        CartPole("index")
    with pytest.raises(InvalidInput, match="unknown family 'mirrored'; valid: plain, swapped"):
        ENV.sample_params(jax.random.key(0), 1, families=["mirrored"])


# -- contract ------------------------------------------------------------------------------------


@pytest.mark.parametrize("observation", ["features", "tokens"])
def test_it_keeps_the_contract(observation):
    env = CartPole(observation)
    params = env.sample_params(jax.random.key(1), 6) if observation == "features" else None
    assert check_env(env, params) == tuple(CHECKS)
