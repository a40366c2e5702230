"""Pendulum-lprl: gymnax's law to the bit, Gymnasium's to rounding, and how a state reads."""

import bisect
import dataclasses
import itertools
import math
from typing import Any

import gymnasium
import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import CHECKS, InvalidInput, Pendulum, auto_reset, check_env
from lprl_envs.actions import bounds
from lprl_envs.parts.text_cells import num_text_cells, text_cell
from lprl_envs.pendulum import QUANTITIES, EnvState

ENV = Pendulum()
PARAMS = ENV.default_params
INNER, OWN = gymnax.make("Pendulum-v1")
PHYSICS = [{}, {"l": 0.6, "m": 0.5, "g": 15}, {"l": 1.4, "m": 2, "g": 5}, {"l": 0.83, "g": 12.5}]
INSTANCES = jnp.arange(len(PHYSICS), dtype=jnp.int32)
OWNS = {
    name: np.array([fields.get(name, getattr(OWN, name)) for fields in PHYSICS], np.float32)
    for name in QUANTITIES.drawn
}
STEPS = 60


def state_of(theta, theta_dot, time=0):
    return EnvState(
        time=jnp.int32(time),
        instance=jnp.int32(0),
        theta=jnp.float32(theta),
        theta_dot=jnp.float32(theta_dot),
    )


def batch_of(values):
    return jax.vmap(state_of)(*jnp.asarray(values, jnp.float32).T)


def rollouts(play, others):
    """`play(key, other)` of 8 keys for each of the others, compiled together."""
    keys = jax.random.split(jax.random.key(0), 8)
    each = jax.vmap(jax.vmap(play, (0, None)), (None, 0))
    return jax.device_get(jax.jit(each)(keys, others))


def drawn_action(key):
    """Some beyond the box."""
    return jax.random.uniform(jax.random.fold_in(key, 7), (1,), minval=-2.5, maxval=2.5)


def test_default_parameters_are_gymnaxs():
    for name in QUANTITIES.drawn:
        assert getattr(PARAMS.bank, name).tolist() == [getattr(OWN, name)]
    assert int(PARAMS.max_steps_in_episode) == OWN.max_steps_in_episode


def test_episodes_are_gymnaxs_to_the_bit():
    params = ENV.params_of(PHYSICS)

    def ours(key, instance):
        def step(state, key):
            obs, state, *rest, _ = ENV.step_env(key, state, drawn_action(key), params)
            return state, (obs, state.theta, state.theta_dot, *rest)

        start = ENV.initial_state(key, instance, params)
        first = ENV.observe(key, start, None, params)
        return first, jax.lax.scan(step, start, jax.random.split(key, STEPS))[1]

    def theirs(key, fields):
        own = OWN.replace(**fields)

        def step(state, key):
            obs, state, *rest, _ = INNER.step_env(key, state, drawn_action(key), own)
            return jax.tree.map(jnp.asarray, state), (obs, state.theta, state.theta_dot, *rest)

        first, start = INNER.reset_env(key, own)
        start = jax.tree.map(jnp.asarray, start)
        return first, jax.lax.scan(step, start, jax.random.split(key, STEPS))[1]

    found, right = rollouts(ours, INSTANCES), rollouts(theirs, OWNS)
    jax.tree.map(np.testing.assert_array_equal, found, right)
    assert (np.abs(found[1][1]) > math.pi).any()


def test_steps_are_gymnaxs_by_the_halves_of_its_key():
    """Through several episodes, with arithmetic that the reset around it may round otherwise."""
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
        return obs, jax.lax.scan(step, state, jax.random.split(key, STEPS))[1]

    def theirs(key, fields):
        own = OWN.replace(**fields, max_steps_in_episode=limit)

        def step(state, key):
            out = INNER.step(key, state, drawn_action(key), own)
            state = jax.tree.map(jnp.asarray, out[1])
            return state, (out[0], *out[2:5], out[5]["final_observation"])

        obs, state = INNER.reset(key, own)
        state = jax.tree.map(jnp.asarray, state)
        return obs, jax.lax.scan(step, state, jax.random.split(key, STEPS))[1]

    (start, found), (right_start, right) = rollouts(ours, INSTANCES), rollouts(theirs, OWNS)
    np.testing.assert_array_equal(start, right_start)
    for place in (2, 3):  # terminated, truncated
        np.testing.assert_array_equal(found[place], right[place])
    for place in (0, 1, 4):
        np.testing.assert_allclose(found[place], right[place], rtol=1e-4, atol=1e-4)
    assert not found[2].any()
    assert found[3].sum(-1).tolist() == [[STEPS // limit] * 8] * len(PHYSICS)


@pytest.mark.parametrize("fields", PHYSICS, ids=range(len(PHYSICS)))
def test_transitions_are_gymnasiums(fields):
    """Its code is in float64; angles of several turns, torques beyond the box."""
    theirs: Any = gymnasium.make("Pendulum-v1").unwrapped
    for name, value in fields.items():
        setattr(theirs, name, value)
    rng = np.random.default_rng(1)
    states = rng.uniform(-1, 1, (64, 2)) * (7.0, 8.0)
    torques = rng.uniform(-3, 3, (64, 1))
    law = jax.jit(jax.vmap(ENV.transitions, (0, 0, None)))
    given = jnp.asarray(torques, jnp.float32)
    prob, after, reward, over = law(batch_of(states), given, ENV.params_of([fields]))
    np.testing.assert_array_equal(prob, np.ones((64, 1)))
    assert not over.any()
    for i, (start, torque) in enumerate(zip(states, torques, strict=True)):
        theirs.reset(seed=0)
        theirs.state = start
        _, right, *_ = theirs.step(torque)
        found = after.theta[i, 0], after.theta_dot[i, 0]
        np.testing.assert_allclose(found, theirs.state, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(reward[i, 0], right, rtol=1e-5, atol=1e-5)


def test_solved_is_to_stand_when_the_time_is_up():
    cases = {(0.1, 0.2, 200): True, (0.1, 0.2, 199): False, (0.3, 0.2, 200): False}
    cases |= {(-0.1 + 4 * math.pi, -0.2, 200): True, (0.1, -0.6, 200): False}
    assert [bool(ENV.is_solved(state_of(*case), PARAMS)) for case in cases] == [*cases.values()]


# -- text ----------------------------------------------------------------------------------------


def test_words_are_ranges_of_numbers():
    values = np.random.default_rng(2).uniform(-1, 1, (4096, 2)) * (9.0, 8.0)
    states = batch_of(values)
    slots = np.asarray(jax.jit(jax.vmap(ENV.slots, (0, None)))(states, PARAMS))
    cells = np.asarray(jax.vmap(lambda s: text_cell(ENV, s, PARAMS))(states))
    angles = ENV.template.slots[3].values
    edges = (-5, -3, -1.5, -0.5, 0.5, 1.5, 3, 5)
    for (theta, theta_dot), row, cell in zip(values, slots, cells, strict=True):
        # In turns right of up, to the nearest sixteenth.
        sixteenth = round(theta / (2 * math.pi) * 16) % 16
        assert row[3:].tolist() == [(sixteenth + 8) % 16, bisect.bisect(edges, theta_dot)]
        assert cell == row[3] * 9 + row[4]
    right = [angles[(8 + i) % 16] for i in range(16)]
    heights = [" almost up", " high", " raised", " level", " lowered", " low", " almost down"]
    assert right[:9] == [" up", *(f"{height} right" for height in heights), " down"]
    assert right[9:] == [f"{height} left" for height in reversed(heights)]
    assert num_text_cells(ENV) == 144
    assert ENV.num_states is None


def test_a_text():
    params = ENV.params_of([{"l": 1.4, "m": 0.5, "g": 15}])
    assert ENV.describe(state_of(-0.8, 2.0), params).splitlines() == [
        "Swing the pole up by a torque and keep it up.",
        "Pole long, light; gravity strong",
        "Pole high left, turning medium right",
        "Torque",
    ]


def test_words_for_torques():
    low, high = bounds(ENV, PARAMS)
    assert [low.tolist(), high.tolist()] == [[-2], [2]]
    assert ENV.is_continuous
    assert ENV.action_texts == (" hard left", " left", " none", " right", " hard right")
    assert ENV.action_words.tolist() == [[-2], [-1], [0], [1], [2]]
    law = jax.vmap(ENV.transitions, (None, 0, None))
    _, after, _, _ = law(state_of(0.0, 0.0), jnp.asarray(ENV.action_words), PARAMS)
    assert np.sign(after.theta_dot[:, 0]).tolist() == [-1, -1, 0, 1, 1]


# -- instances -----------------------------------------------------------------------------------


def test_every_drawn_value_has_a_word_of_its_own():
    drawn = QUANTITIES.drawn
    rows = [dict(zip(drawn, row, strict=True)) for row in itertools.product(*drawn.values())]
    bank = ENV.params_of(rows).bank
    words = np.asarray(jax.vmap(QUANTITIES.words)(bank))
    np.testing.assert_array_equal(words, list(itertools.product(range(3), range(3), range(3))))
    out = np.asarray(jax.vmap(ENV.held_out)(bank))
    assert 3 <= out.sum() <= 8
    draw = jax.jit(ENV.sample_params, static_argnums=(1, 2))
    for split, right in (("train", words[~out]), ("held-out", words[out]), (None, words)):
        sample = draw(jax.random.key(0), 1024, split).bank
        found, counts = np.unique(jax.vmap(QUANTITIES.words)(sample), axis=0, return_counts=True)
        np.testing.assert_array_equal(found, right)
        expected = 1024 / len(right)
        assert np.abs(counts - expected).max() < 5 * expected**0.5


REFUSED = [
    ([], "no instances of Pendulum-lprl"),
    (["moon"], "an instance of Pendulum-lprl is 'moon'; right: a mapping of l, m, g to values"),
    ([{"max_torque": 5.0}], "unknown parameter 'max_torque' of Pendulum-lprl; valid: l, m, g"),
    ([{"g": 1.6}], "g is 1.6; it must be 5 to 15"),
    ([{"m": True}], "m is True; it must be a number"),
]


@pytest.mark.parametrize(("instances", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_bad_instances(instances, words):
    with pytest.raises(InvalidInput, match=words) as caught:
        ENV.params_of(instances)
    assert "\n" not in str(caught.value)


def test_bad_observation():
    with pytest.raises(InvalidInput, match="observation 'onehot' needs numbered states; use feat"):
        Pendulum("onehot")


# -- contract ------------------------------------------------------------------------------------


@pytest.mark.parametrize("observation", ["features", "tokens"])
def test_it_keeps_the_contract(observation):
    env = Pendulum(observation)
    params = env.sample_params(jax.random.key(1), 6) if observation == "features" else None
    assert check_env(env, params) == tuple(CHECKS)
