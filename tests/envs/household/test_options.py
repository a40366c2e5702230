"""Household by options against a twin in plain Python, and what a search makes of them."""

import dataclasses
import functools

import envs.household.options_twin as options_twin
import envs.household.twin as twin
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.household.playing import ILLEGAL, bank, flat, played, row
from lprl_envs import CHECKS, HouseholdOptions, check_env
from lprl_envs.conformance import subject
from lprl_envs.conformance.check import require
from lprl_envs.household import ROOMS

COUNTS = {
    "kitchen-small": 105,
    "kitchen": 162,
    "bathroom": 48,
    "bedroom": 54,
    "livingroom": 61,
}
EVERY = 10
"""Of the states of random play one in ten is looked at."""


@functools.cache
def environment(room):
    return HouseholdOptions(room, illegal_reward=ILLEGAL)


@functools.cache
def carried_out(room):
    """States of random play, their masks, and every option from each of them, on the host."""
    env, params = environment(room), bank(room)
    states = jax.tree.map(lambda x: x[::EVERY], flat(played(room)[0]))
    options = jnp.arange(env.num_actions)

    def each(state):
        _, after, reward, ends = jax.vmap(env.transitions, (None, 0, None))(state, options, params)
        return env.action_mask(state, params), after, reward[:, 0], ends[:, 0]

    return states, jax.device_get(jax.jit(jax.vmap(each))(states))


@pytest.mark.parametrize("room", ROOMS)
def test_options_of_a_kit(room):
    texts = environment(room).action_texts
    assert list(texts) == [f" {text}" for text in options_twin.texts(twin.KITS[room])]
    assert len(texts) == COUNTS[room]


@pytest.mark.parametrize("room", ROOMS)
def test_every_option_is_the_twins_commands(room):
    """Legal ones consist of legal commands and end with what their text says; others do nothing."""
    env, params = environment(room), jax.device_get(bank(room))
    states, (masks, afters, rewards, ends) = carried_out(room)
    texts = [text.strip() for text in env.action_texts]
    lengths, cut = set(), 0
    for i in range(len(states.time)):
        named = twin.room_of(env.kit, row(params.bank, states.instance[i]))
        state = row(states, i)
        s = twin.state_of(env.kit, state)
        seen = {env.kit.receptacles[r] for r in np.flatnonzero(state.seen)}
        right, won = options_twin.legal(named, s, seen), twin.is_won(named, s)
        assert sorted(np.array(texts)[masks[i]]) == sorted(right)
        assert 1 <= len(right) <= env.max_legal
        for a, text in enumerate(texts):
            after, commands = s, []
            if text in right:
                after, commands = options_twin.carry_out(named, s, text)
                is_cut = not options_twin.is_so(named, after, text)
                assert not is_cut or (twin.is_won(named, after) and not won)
                cut += is_cut
                lengths.add(len(commands))
            assert twin.state_of(env.kit, row(afters, i, a, 0)) == after
            reached = twin.is_won(named, after)
            assert ends[i, a] == reached
            assert rewards[i, a] == reached + (0 if text in right else ILLEGAL)
    assert lengths == {1, 2, 3}


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_legal_hangs_on_what_was_seen_alone(room):
    """Other things in what was not looked at, and cabinets there that open or not: the same mask.

    The kit's constants say what may be where; a receptacle that was visited is known to open.
    """
    env, params = environment(room), bank(room)
    states = carried_out(room)[0]
    size = env.kit.num_receptacles
    bank_of_each = jax.tree.map(lambda x: x[states.instance], params.bank)

    def moved(state, instance):
        """The unseen objects all elsewhere, in some unseen place; unvisited things open."""
        places = jnp.arange(size)
        hidden = instance.present & ~state.seen
        unseen = jnp.append(hidden, jnp.array([False, False]))[state.where]
        where = jnp.where(unseen, jnp.argmax(hidden * (places + 1)), state.where)
        unvisited = hidden & (state.at != places + 1)
        lamp_hidden = hidden[instance.lamp] & (instance.lamp >= 0)
        lamp = jnp.where(lamp_hidden, jnp.argmax(hidden), instance.lamp)
        opened = jnp.where(unvisited, ~instance.openable, instance.openable)
        other = dataclasses.replace(instance, openable=opened, lamp=lamp)
        bank_of_one = jax.tree.map(lambda x: x[None], other)
        one = dataclasses.replace(state, where=where, instance=jnp.int32(0))
        changed = dataclasses.replace(params, bank=bank_of_one)
        return env.action_mask(one, changed), jnp.any(where != state.where)

    masks, changed = jax.device_get(jax.jit(jax.vmap(moved))(states, bank_of_each))
    np.testing.assert_array_equal(masks, carried_out(room)[1][0])
    assert changed.mean() > 0.5


def test_steps_equal_the_law_and_count_options():
    env, params = environment("bedroom"), bank("bedroom")
    states, (masks, afters, rewards, ends) = carried_out("bedroom")
    actions = np.random.default_rng(0).integers(0, env.num_actions, len(masks))
    step = jax.jit(jax.vmap(env.step_env, (None, 0, 0, None)))
    obs, after, reward, ended, _ = step(jax.random.key(1), states, jnp.asarray(actions), params)
    rows = np.arange(len(masks))
    np.testing.assert_array_equal(after.time, states.time + 1)
    right = dataclasses.replace(row(afters, rows, actions, 0), time=np.asarray(after.time))
    jax.tree.map(np.testing.assert_array_equal, after, right)
    np.testing.assert_array_equal(reward, rewards[rows, actions])
    np.testing.assert_array_equal(ended, ends[rows, actions])
    assert obs.shape[1:] == (env.num_features,)


@pytest.mark.parametrize("room", ROOMS)
def test_the_heuristic_leads_to_the_goal_where_its_objects_were_seen(room):
    """One after the other, the option behind which the heuristic is highest; the first of equals.

    Everything was looked into beforehand, so that all can be taken. No plan is shorter than
    `steps_left` says, in actions, and what it takes in options is what the twin says it does.
    """
    env, params = environment(room), bank(room)
    most = 8

    def play(instance):
        start = env.initial_state(jax.random.key(0), instance, params)
        start = dataclasses.replace(start, seen=params.bank.present[instance])

        def step(state, _):
            values, _ = env.look_ahead(state, params)
            option = env.legal_actions(state, params)[0][jnp.argmax(values)]
            _, after, _, _ = env.transitions(state, option, params)
            over = env.is_solved(state, params)
            after = jax.tree.map(lambda x: x[0], after)
            after = jax.tree.map(lambda x, y: jnp.where(over, x, y), state, after)
            return after, (option, over)

        last, (options, over) = jax.lax.scan(step, start, length=most)
        return env.is_solved(last, params), env.steps_left(start, params), options, over

    found = jax.jit(jax.vmap(play))(params.instances)
    solved, least, options, over = jax.device_get(found)
    assert solved.all()
    texts, on_host = [text.strip() for text in env.action_texts], jax.device_get(params)
    for i in range(len(solved)):
        named = twin.room_of(env.kit, row(on_host.bank, i))
        s, actions = twin.start(named), 0
        for option in options[i][~over[i]]:
            s, commands = options_twin.carry_out(named, s, texts[option])
            actions += len(commands)
        assert twin.is_won(named, s)
        assert least[i] <= actions


def test_instances_and_limit_are_of_the_room():
    env = environment("bedroom")
    for mine, theirs in (
        (env.default_params, env.house.default_params),
        (env.sample_params(jax.random.key(3), 48), bank("bedroom")),
    ):
        jax.tree.map(np.testing.assert_array_equal, mine.bank, theirs.bank)
        assert int(mine.max_steps_in_episode) * 3 <= int(theirs.max_steps_in_episode)
        assert int(mine.max_steps_in_episode) == 16


def test_check():
    env = HouseholdOptions("bedroom", illegal_reward=-0.1)
    assert check_env(env, env.sample_params(jax.random.key(1), 4)) == tuple(CHECKS)


@pytest.mark.parametrize("room", ["kitchen", "kitchen-small", "bathroom", "livingroom"])
def test_other_rooms(room, monkeypatch):
    monkeypatch.setattr(subject, "NUM_STATES", 64)
    env = HouseholdOptions(room, observation="tokens", split_by="content")
    looked_at = subject.Subject(env, env.sample_params(jax.random.key(1), 2))
    for name in ("parameters", "avals", "mask", "slots", "action_texts"):
        require(looked_at, name)
