"""What is best by what was seen: shortest plans where all was seen, and no peeping where not."""

import dataclasses
import functools

import envs.household.twin as twin
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.household.playing import bank, environment, flat, played
from lprl_envs.household import expert
from lprl_envs.household.kits import TASKS
from lprl_envs.household.text import known_objects

ROOMS = ("kitchen-small", "bedroom")
"""All six tasks."""
NUM = 48
MEANS = {"kitchen-small": 11.1, "bedroom": 12.6}
"""Steps of a searcher who looks in random order wherever the goal can be (`test_searcher`)."""


@functools.cache
def right_of(room):
    """`(rooms [N, ...], states [N, ...]) -> bool[N, A]`, compiled."""
    env = environment(room)
    return jax.jit(jax.vmap(functools.partial(expert.right_actions, env.kit, env.actions)))


@functools.cache
def met(room):
    """Rooms and states of random play, every fifth, and what is legal there."""
    states, masks = (flat(jax.tree.map(lambda x: x[:, ::5], x)) for x in played(room)[:2])
    rooms = jax.tree.map(lambda leaf: leaf[states.instance], bank(room).bank)
    return rooms, jax.tree.map(jnp.asarray, states), masks


@pytest.mark.parametrize("room", ROOMS)
def test_something_legal_is_right_until_the_goal_holds(room):
    rooms, states, masks = met(room)
    right = np.asarray(right_of(room)(rooms, states))
    solved = np.asarray(jax.vmap(environment(room).is_solved, (0, None))(states, bank(room)))
    assert not (right & ~masks).any()
    np.testing.assert_array_equal(right.any(1), ~solved)


@pytest.mark.parametrize("room", ROOMS)
def test_who_has_seen_everything_follows_a_shortest_plan(room):
    """Here all opens that can, since no text tells of what is shut whether it does."""
    env, params = environment(room), bank(room)
    rooms, states, _ = met(room)
    opens = params.bank.present & env.kit.may_open[None]
    params = dataclasses.replace(params, bank=dataclasses.replace(params.bank, openable=opens))
    rooms = dataclasses.replace(rooms, openable=rooms.present & env.kit.may_open[None])
    states = dataclasses.replace(states, seen=rooms.present)
    masks = np.asarray(jax.jit(jax.vmap(env.action_mask, (0, None)))(states, params))
    right = np.asarray(right_of(room)(rooms, states))
    left = jax.jit(jax.vmap(env.steps_left, (0, None)))

    def after(states, actions):
        return jax.vmap(lambda s, a: env.step_env(jax.random.key(0), s, a, params)[1])(
            states, actions
        )

    before, step = np.asarray(left(states, params)), jax.jit(after)
    rows = np.flatnonzero(before > 0)
    # Every right action leads on, and of the others that are legal one at random does not.
    rng = np.random.default_rng(0)
    for mask, distance in ((right, -1), (masks & ~right, None)):
        some = np.array([i for i in rows if mask[i].any()])
        actions = jnp.asarray([rng.choice(np.flatnonzero(mask[i])) for i in some], jnp.int32)
        own = jax.tree.map(lambda leaf, some=some: leaf[some], states)
        change = np.asarray(left(step(own, actions), params)) - before[some]
        assert len(some) > 100
        assert (change == distance).all() if distance else (change >= 0).all()


@pytest.mark.parametrize("room", ROOMS)
def test_what_was_not_seen_makes_no_difference(room):
    """Unknown objects are moved to another place that was not looked at, or taken away.

    And of what is shut and not here, some opens and some does not.
    """
    kit = environment(room).kit
    rooms, states, _ = met(room)
    known = np.asarray(jax.vmap(functools.partial(known_objects, kit))(states))
    where, seen = np.array(states.where), np.asarray(states.seen)
    present, lamp = np.asarray(rooms.present), np.array(rooms.lamp)
    opens = np.array(rooms.openable)
    shut = kit.may_open[None] & present & ~np.asarray(states.open)
    rng, moved = np.random.default_rng(1), 0
    for i, o in zip(*np.nonzero(~known & (where < kit.num_receptacles)), strict=True):
        hidden = np.flatnonzero(present[i] & ~seen[i])
        where[i, o] = rng.choice(np.append(hidden, kit.absent))
        moved += 1
    for i in range(len(lamp)):
        hidden = np.flatnonzero(present[i] & ~seen[i] & kit.lamp_places)
        if lamp[i] >= 0 and not seen[i, lamp[i]]:
            lamp[i] = rng.choice(hidden)
        away = shut[i] & (np.arange(kit.num_receptacles) != states.at[i] - 1)
        opens[i] = np.where(away & present[i], rng.random(len(away)) < 0.5, opens[i])
    assert moved > 1_000
    right = np.asarray(right_of(room)(rooms, states))
    other = dataclasses.replace(states, where=jnp.asarray(where))
    rooms = dataclasses.replace(rooms, lamp=jnp.asarray(lamp), openable=jnp.asarray(opens))
    np.testing.assert_array_equal(right_of(room)(rooms, other), right)


@pytest.mark.parametrize("room", ROOMS)
def test_who_does_what_is_right_solves_every_room(room):
    env, params = environment(room), bank(room)

    @jax.jit
    @jax.vmap
    def episode(instance, key):
        row = jax.tree.map(lambda leaf: leaf[instance], params.bank)

        def step(carry, key):
            state, steps = carry
            right = expert.right_actions(env.kit, env.actions, row, state)
            action = jax.random.categorical(key, jnp.where(right, 0.0, -jnp.inf))
            _, after, _, _, _ = env.step_env(key, state, action, params)
            goes_on = jnp.any(right)
            after = jax.tree.map(lambda new, old: jnp.where(goes_on, new, old), after, state)
            return (after, steps + goes_on), None

        start = env.initial_state(key, instance, params), jnp.int32(0)
        (last, steps), _ = jax.lax.scan(step, start, jax.random.split(key, 50))
        return env.is_solved(last, params), steps

    solved, steps = episode(jnp.arange(NUM), jax.random.split(jax.random.key(0), NUM))
    assert solved.all()
    assert float(steps.mean()) < MEANS[room]


@pytest.mark.parametrize("room", ROOMS)
def test_what_lacks_is_first_looked_for_where_it_lies_and_shows_at_once(room):
    """At the start of every room, by the names of its places."""
    env, params = environment(room), bank(room)
    kit, texts = env.kit, env.action_texts
    start = jax.vmap(lambda i: env.initial_state(jax.random.key(0), i, params))(params.instances)
    right = np.asarray(right_of(room)(params.bank, start))
    rooms = jax.device_get(params.bank)
    for i in range(len(right)):
        task, what = TASKS[rooms.task[i]], kit.object_types[rooms.goal_object[i]]
        never = {"clean": "sinkbasin", "heat": "microwave", "cool": "fridge", "light": ""}
        never = never.get(task, kit.place_types[rooms.goal_place[i]])
        costs = {}
        for name, present in zip(kit.receptacles, rooms.present[i], strict=True):
            kind = name.split(" ")[0]
            if present and what in twin.KNOWN["can_contain"][kind] and kind != never:
                cost = {"cabinet": 2, "drawer": 2, "fridge": 3, "microwave": 3, "safe": 3}
                costs[f" go to {name}"] = cost.get(kind, 1)
        best = {text for text, cost in costs.items() if cost == min(costs.values())}
        assert {texts[a] for a in np.flatnonzero(right[i])} == best
