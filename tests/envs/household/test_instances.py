"""Random instances: what is drawn, which goals may be asked for, what is held out, how hard."""

import dataclasses
import functools

import envs.household.twin as twin
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.household.playing import row
from lprl_envs import Household
from lprl_envs.household import ROOMS, TASKS
from lprl_envs.household.instances import feasible_goals

NUM = 400
PLANS = {
    "kitchen-small": {"pick": 4.5, "clean": 6.7, "heat": 6.4, "cool": 6.2, "two": 9.0},
    "kitchen": {"pick": 4.4, "clean": 6.5, "heat": 6.3, "cool": 6.3, "two": 8.8},
    "bathroom": {"pick": 4.3, "clean": 6.3, "two": 8.8},
    "bedroom": {"pick": 4.1, "two": 8.6, "light": 4.0},
    "livingroom": {"pick": 4.2, "two": 8.6, "light": 4.0},
}
"""Mean shortest plans, by task."""
LEGAL = {
    "kitchen-small": (14, 23),
    "kitchen": (27, 37),
    "bathroom": (12, 20),
    "bedroom": (14, 21),
    "livingroom": (15, 23),
}
"""Legal actions in random play: mean and most."""


@functools.cache
def drawn(room):
    env = Household(room)
    return env, env.sample_params(jax.random.key(0), NUM)


@pytest.mark.parametrize("room", ROOMS)
def test_how_hard_a_room_is(room):
    """Shortest plans, and what uniform play of legal actions meets and solves in 50 steps."""
    env, params = drawn(room)

    def step(carry, key):
        state, over = carry
        mask = env.action_mask(state, params)
        action = jax.random.categorical(key, jnp.where(mask, 0.0, -jnp.inf))
        _, after, _, ended, _ = env.step_env(key, state, action, params)
        return (after, over | ended), (jnp.sum(mask), over)

    def play(instance, key):
        start = env.initial_state(key, instance, params)
        carry, found = jax.lax.scan(step, (start, False), jax.random.split(key, 50))
        return env.steps_left(start, params), carry[1], *found

    keys = jax.random.split(jax.random.key(1), NUM)
    steps, won, legal, over = map(np.asarray, jax.jit(jax.vmap(play))(jnp.arange(NUM), keys))
    assert set(env.families) == set(PLANS[room])
    for task, right in PLANS[room].items():
        own = steps[np.asarray(params.bank.task) == TASKS.index(task)]
        assert own.size > NUM / len(PLANS[room]) / 2
        assert own.mean() == pytest.approx(right, abs=0.3)
    assert steps.min() >= 3
    assert steps.max() <= 11
    mean, most = LEGAL[room]
    assert legal[~over].mean() == pytest.approx(mean, abs=1)
    assert most - 3 <= legal[~over].max() <= most + 3
    assert 0 <= won.mean() <= 0.03


def feasible(room):
    """`(task, object type, place type)` that a room by names may ask for, by ALFRED's filters."""
    things = room["objects"]
    found, can = set(), twin.KNOWN["can_contain"]
    counts = {what: sum(twin.kind(o) == what for o in things) for what in map(twin.kind, things)}
    places = {twin.kind(r) for r in room["receptacles"]}
    for what in counts:
        inside = {twin.kind(r) for o, r in things.items() if twin.kind(o) == what}
        for place in places:
            if what not in can[place]:
                continue
            if place not in inside:
                found |= {("pick", what, place)} | (
                    {("two", what, place)} if counts[what] > 1 else set()
                )
            for task, station in twin.STATIONS.items():
                if what in twin.KNOWN[f"{task}able"] and station in places - inside - {place}:
                    found.add((task, what, place))
        if room["lamp_on"]:
            found.add(("light", what, "desklamp"))
    return found


@pytest.mark.parametrize("room", ["kitchen-small", "bathroom", "livingroom"])
def test_feasible_goals_are_the_twins(room):
    env, params = drawn(room)
    num, kit = 60, env.kit
    goals = jax.jit(jax.vmap(functools.partial(feasible_goals, kit)))(params.bank)
    for i in range(num):
        named = twin.room_of(kit, row(params.bank, i))
        rows = np.argwhere(np.asarray(goals[i])).tolist()
        found = {(TASKS[t], kit.object_types[o], kit.place_types[p]) for t, o, p in rows}
        assert found == feasible(named)
        assert (named["task"], *named["goal"]) in found
        assert not twin.is_won(named, twin.start(named))


def test_what_is_drawn():
    env = Household("bedroom")
    params = env.sample_params(jax.random.key(5), 4_000)
    bank, kit = jax.device_get(params.bank), env.kit
    share = bank.present.mean(axis=0)
    np.testing.assert_allclose(share, 0.9, atol=0.03)
    opens = bank.openable.sum(axis=0) / bank.present.sum(axis=0)
    right = {"drawer": 0.75, "safe": 1.0}
    for name, found in zip(kit.receptacles, opens, strict=True):
        assert found == pytest.approx(right.get(twin.kind(name), 0), abs=0.04)
    there = bank.where < kit.num_receptacles
    num_places = kit.contains.sum(axis=1)  # a pillow's only place is a bed, which may not be there
    np.testing.assert_allclose(there.mean(axis=0), 0.8 * (1 - 0.1**num_places), atol=0.03)
    places = np.take_along_axis(bank.present, np.minimum(bank.where, kit.num_receptacles - 1), 1)
    assert (places | ~there).all()
    assert (bank.where[~there] == kit.absent).all()
    # Where all places of a laptop are, it is in each as often.
    o = kit.objects.index("laptop 1")
    can = np.flatnonzero(kit.contains[o])
    full = bank.present[:, can].all(axis=1) & there[:, o] & (bank.task == TASKS.index("light"))
    counts = np.bincount(bank.where[full, o], minlength=kit.num_receptacles)[can]
    assert full.sum() > 200
    expected = full.sum() / len(can)
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)
    assert (bank.lamp >= 0).mean() > 0.99
    assert kit.lamp_places[bank.lamp[bank.lamp >= 0]].all()
    assert bank.phrasing.mean() == pytest.approx(0.5, abs=0.04)
    kitchen = jax.device_get(drawn("kitchen-small")[1].bank)
    always = [
        Household().kit.receptacles.index(f"{x} 1") for x in ("fridge", "microwave", "sinkbasin")
    ]
    assert kitchen.present[:, always].all()
    assert kitchen.openable[:, always[:2]].all()


def test_families_are_tasks():
    env = Household("livingroom")
    for families in (("two",), ("pick", "light")):
        params = env.sample_params(jax.random.key(2), 64, families=families)
        assert set(np.asarray(params.bank.task).tolist()) == {TASKS.index(x) for x in families}


# -- the split -----------------------------------------------------------------------------------


@pytest.mark.parametrize("room", ["kitchen-small", "bathroom"])
def test_no_held_out_goal_is_one_to_train_on(room):
    env = Household(room)

    def goals(split):
        bank = env.sample_params(jax.random.key(4), 600, split).bank
        return set(
            zip(
                bank.task.tolist(), bank.goal_object.tolist(), bank.goal_place.tolist(), strict=True
            )
        )

    train, out = goals("train"), goals("held-out")
    assert not train & out
    assert {task for task, *_ in out} == {TASKS.index(x) for x in env.families}
    assert 0.15 < len(out) / len(train | out) < 0.3
    share = np.asarray(
        jax.vmap(env.held_out)(env.sample_params(jax.random.key(6), 600).bank)
    ).mean()
    assert 0.1 < share < 0.3


def test_a_goal_is_on_the_same_side_in_all_kits():
    sides = {}
    for room in ROOMS:
        env, params = drawn(room)
        out = np.asarray(jax.vmap(env.held_out)(params.bank)).tolist()
        for i, is_out in enumerate(out):
            named = twin.room_of(env.kit, row(params.bank, i))
            assert sides.setdefault((named["task"], *named["goal"]), is_out) == is_out
    assert 0.15 < np.mean(list(sides.values())) < 0.25
    # Pinned: what is held out must not change.
    assert (sum(sides.values()), len(sides)) == (128, 634)


def test_by_content_goals_are_on_both_sides_and_wordings_on_one():
    env = Household(split_by="content")
    params = env.sample_params(jax.random.key(4), NUM)
    out = np.asarray(jax.vmap(env.held_out)(params.bank))
    assert 0.13 < out.mean() < 0.27
    kinds = params.bank.task * 1000 + params.bank.goal_object * 30 + params.bank.goal_place
    assert set(kinds[out].tolist()) & set(kinds[~out].tolist())
    other = dataclasses.replace(params.bank, phrasing=1 - params.bank.phrasing)
    np.testing.assert_array_equal(jax.vmap(env.held_out)(other), out)
