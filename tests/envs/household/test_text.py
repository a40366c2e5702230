"""Text, features, heuristic and pictures: written out, and by what the twin knows."""

import dataclasses
import functools

import envs.household.twin as twin
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.household.playing import bank, environment, flat, played, row
from lprl_envs import Household

KITCHEN = {
    "receptacles": ["cabinet 1", "cabinet 2", "countertop 1", "fridge 1", "microwave 1"],
    "openable": ["cabinet 2", "fridge 1", "microwave 1"],
    "objects": {"egg 1": "fridge 1", "knife 1": "countertop 1", "mug 1": "fridge 1"},
    "task": "heat",
    "goal": ["egg", "countertop"],
    "phrasing": 1,
}
STATIC = "You are in a room of a house. You can carry one thing.\nYour task is to "
THERE = "In the room are a cabinet 1, a cabinet 2, a countertop 1, a fridge 1, and a microwave 1.\n"
WALK = (
    (
        None,
        "You are in the middle of the room.\nYou carry nothing.\nYou know of nothing\n"
        "Left to look at cabinet 1, cabinet 2, countertop 1, fridge 1, microwave 1\n"
        "Standing open nothing\n>",
    ),
    (
        "go to fridge 1",
        "You are at fridge 1. The fridge 1 is closed.\nYou carry nothing.\nYou know of nothing\n"
        "Left to look at cabinet 1, cabinet 2, countertop 1, fridge 1, microwave 1\n"
        "Standing open nothing\n>",
    ),
    (
        "open fridge 1",
        "You are at fridge 1. The fridge 1 is open. In it, you see a egg 1, and a mug 1.\n"
        "You carry nothing.\nYou know of\n egg 1 in fridge 1\n mug 1 in fridge 1\n"
        "Left to look at cabinet 1, cabinet 2, countertop 1, microwave 1\n"
        "Standing open fridge 1\n>",
    ),
    (
        "take mug 1 from fridge 1",
        "You are at fridge 1. The fridge 1 is open. In it, you see a egg 1.\n"
        "You carry the mug 1.\nYou know of\n egg 1 in fridge 1\n"
        "Left to look at cabinet 1, cabinet 2, countertop 1, microwave 1\n"
        "Standing open fridge 1\n>",
    ),
    (
        "cool mug 1 with fridge 1",
        "You are at fridge 1. The fridge 1 is open. In it, you see a egg 1.\n"
        "You carry the mug 1, cold.\nYou know of\n egg 1 in fridge 1\n"
        "Left to look at cabinet 1, cabinet 2, countertop 1, microwave 1\n"
        "Standing open fridge 1\n>",
    ),
    (
        "go to cabinet 1",
        "You are at cabinet 1. On the cabinet 1, you see nothing.\n"
        "You carry the mug 1, cold.\nYou know of\n egg 1 in fridge 1\n"
        "Left to look at cabinet 2, countertop 1, microwave 1\n"
        "Standing open fridge 1\n>",
    ),
    (
        "move mug 1 to cabinet 1",
        "You are at cabinet 1. On the cabinet 1, you see a mug 1.\n"
        "You carry nothing.\nYou know of\n egg 1 in fridge 1\n mug 1 in cabinet 1, cold\n"
        "Left to look at cabinet 2, countertop 1, microwave 1\n"
        "Standing open fridge 1\n>",
    ),
)


def walked(env, params, commands):
    """The states on the way, the first among them."""
    states = [env.initial_state(jax.random.key(0), jnp.int32(0), params)]
    step = functools.partial(jax.jit(env.step_env), jax.random.key(0))
    for command in commands:
        action = env.action_texts.index(f" {command}")
        states.append(step(states[-1], action, params)[1])
    return states


@functools.cache
def kitchen():
    """An environment, its parameters, and the states of `WALK`."""
    env = Household()
    params = env.params_of([KITCHEN])
    return env, params, walked(env, params, [command for command, _ in WALK[1:]])


def test_text_written_out():
    env, params, states = kitchen()
    for state, (_, right) in zip(states, WALK, strict=True):
        goal = "heat some egg and put it in countertop.\n"
        assert env.describe(state, params) == STATIC + goal + THERE + right


GOALS = {
    "pick": ("put a cup in cabinet", "put some cup on cabinet"),
    "clean": ("put a clean cup in cabinet", "clean some cup and put it in cabinet"),
    "heat": ("put a hot cup in cabinet", "heat some cup and put it in cabinet"),
    "cool": ("put a cool cup in cabinet", "cool some cup and put it in cabinet"),
    "two": ("put two mug in cabinet", "find two mug and put them in cabinet"),
}


@pytest.mark.parametrize("phrasing", [0, 1])
def test_goals(phrasing):
    env = Household()
    objects = dict.fromkeys(("cup 1", "mug 1", "mug 2"), "countertop 1")
    room = {"objects": objects, "phrasing": phrasing}
    goals = {task: ["mug" if task == "two" else "cup", "cabinet"] for task in GOALS}
    params = env.params_of([{**room, "task": task, "goal": goals[task]} for task in GOALS])
    for i, right in enumerate(GOALS.values()):
        state = env.initial_state(jax.random.key(0), jnp.int32(i), params)
        assert env.describe(state, params).split("\n")[1] == f"Your task is to {right[phrasing]}."


def test_the_lamp_is_one_of_what_is_seen():
    env = Household("bedroom")
    room = {"objects": {"book 1": "desk 1", "pen 1": "desk 1"}, "receptacles": ["bed 1", "desk 1"]}
    light = {"task": "light", "goal": ["book", "desklamp"], "lamp_on": "desk 1"}
    params = env.params_of([{**room, **light}])
    state, _, last = walked(env, params, ["go to desk 1", "use desklamp 1"])
    assert "Your task is to look at book under the desklamp.\n" in env.describe(state, params)
    text = env.describe(last, params)
    assert "On the desk 1, you see a book 1, a desklamp 1, and a pen 1.\n" in text
    assert "\n pen 1 on desk 1\n desklamp 1 on desk 1, turned on\nLeft to look at bed 1\n" in text


# -- what is not seen is not told ----------------------------------------------------------------


@pytest.fixture(scope="module", params=["kitchen-small", "livingroom"])
def met(request):
    """An environment, its bank, and states of random play, with a function of state and bank."""
    env, params = environment(request.param), bank(request.param)

    def told(state, params):
        return env.slots(state, params), env.features(state, params), env.heuristic(state, params)

    return env, params, flat(played(request.param)[0]), jax.jit(jax.vmap(told, (0, 0)))


def own(params, states):
    """Parameters with a bank of one instance for each state: its own."""
    banks = jax.tree.map(lambda leaf: np.asarray(leaf)[states.instance][:, None], params.bank)
    num = len(states.instance)
    rest = {"max_steps_in_episode": jnp.full(num, 50), "instances": jnp.zeros((num, 1), jnp.int32)}
    return dataclasses.replace(params, bank=banks, **rest)


def test_nothing_is_told_that_was_not_seen(met):
    env, params, states, told = met
    states, params = dataclasses.replace(states, instance=states.instance * 0), own(params, states)
    right = told(states, params)
    # Whatever was not seen is gone; what was not visited opens or does not; another lamp.
    seen = np.pad(states.seen, [(0, 0), (0, 2)], constant_values=True)
    is_seen = np.take_along_axis(seen, states.where, axis=1)
    hidden = dataclasses.replace(states, where=np.where(is_seen, states.where, env.kit.absent))
    here = states.at[:, None] == 1 + np.arange(env.kit.num_receptacles)
    bank = params.bank
    openable = np.where(states.seen | here, bank.openable[:, 0], ~bank.openable[:, 0])
    lamp = np.take_along_axis(states.seen, np.maximum(bank.lamp, 0), axis=1)
    bank = dataclasses.replace(bank, openable=openable[:, None], lamp=np.where(lamp, bank.lamp, -1))
    changed = told(hidden, dataclasses.replace(params, bank=bank))
    for x, y in zip(changed, right, strict=True):
        np.testing.assert_array_equal(x, y)
    assert (hidden.where != states.where).mean() > 0.3
    assert (np.asarray(right[1]) <= 1).all()
    assert (np.asarray(right[1]) >= 0).all()


def test_two_states_never_read_alike(met):
    env, params, states, told = met
    slots = np.asarray(
        told(dataclasses.replace(states, instance=states.instance * 0), own(params, states))[0]
    )
    leaves = jax.tree.leaves(dataclasses.replace(states, time=states.time * 0))
    rows = np.concatenate([leaf.reshape(len(slots), -1).astype(int) for leaf in leaves], axis=1)
    kinds = np.unique(rows, axis=0)
    texts = {
        (i, env.template.render(s))
        for i, s in zip(states.instance.tolist(), slots.tolist(), strict=True)
    }
    assert len(texts) == len(kinds) > 800
    assert max(len(text) for _, text in texts) < 1_400


def value(room, s, seen):
    """SLINVIT's count, by names."""
    if twin.is_won(room, s):
        return 1.0
    what, place = room["goal"]
    where = {o: r for o, r in s.where if twin.kind(o) == what}
    count, placed = 0, {}
    if room["task"] == "two":
        placed = {o: r for o, r in where.items() if r != twin.HAND and twin.kind(r) == place}
        if placed:
            count, where = 4, {o: r for o, r in where.items() if o not in placed}
    held = [o for o, r in where.items() if r == twin.HAND]
    count += any(r == twin.HAND or r in seen for r in where.values())
    if not held:
        return count / {"two": 8, "pick": 4, "light": 4}.get(room["task"], 6)
    at = twin.kind(s.at)
    if room["task"] == "light":
        return (2 + (room["lamp_on"] in seen)) / 4
    if room["task"] in twin.STATIONS:
        done = {"clean": s.clean, "heat": s.hot, "cool": s.cold}[room["task"]]
        if held[0] in done:
            return (5 if at == place else 4) / 6
        return (3 if at == twin.STATIONS[room["task"]] else 2) / 6
    there = at == place and (count < 4 or s.at in placed.values())
    return (count + 1 + there) / (8 if room["task"] == "two" else 4)


def test_the_heuristic_counts_subgoals(met):
    env, params, states, told = met
    own_params = own(params, states)
    found = told(dataclasses.replace(states, instance=states.instance * 0), own_params)[2]
    rooms = [twin.room_of(env.kit, row(params.bank, i)) for i in range(len(params.instances))]
    for i, x in enumerate(np.asarray(found)):
        state = row(states, i)
        seen = {env.kit.receptacles[r] for r in np.flatnonzero(state.seen)}
        right = value(rooms[int(state.instance)], twin.state_of(env.kit, state), seen)
        assert x == pytest.approx(right, abs=1e-6)
    assert len(set(np.round(np.asarray(found), 3))) >= 5


# -- features and pictures -----------------------------------------------------------------------


def test_features_written_out():
    env, params, _ = kitchen()
    names, objects = env.kit.receptacles, env.kit.objects
    r, o = len(names), len(objects)
    commands = ["go to fridge 1", "open fridge 1", "take mug 1 from fridge 1", "close fridge 1"]
    *_, state, shut = walked(env, params, commands)
    fridge, egg, mug = names.index("fridge 1"), objects.index("egg 1"), objects.index("mug 1")
    right = {1 + fridge, 1 + r + egg * (r + 1) + fridge, 1 + r + mug * (r + 1) + r}
    flags = (r + 1) * (o + 1)
    right |= {flags + fridge, flags + r + fridge}
    right |= {flags + 2 * r + names.index(name) for name in KITCHEN["receptacles"]}
    goal = flags + 3 * r + 3 * o + 1
    right |= {goal + 2, goal + 6 + env.kit.object_types.index("egg")}
    places = goal + 6 + len(env.kit.object_types)
    right |= {places + env.kit.place_types.index("countertop")}
    found = env.features(state, params)
    assert set(np.flatnonzero(found).tolist()) == right
    assert found.shape == (env.num_features,)
    after = set(np.flatnonzero(env.features(shut, params)).tolist())
    assert after == (right - {flags + fridge}) | {goal - 1}


def test_pictures_show_what_is_known():
    env, params, states = kitchen()
    pictures = [env.render(state, params).rgb for state in states]
    assert len({picture.shape for picture in pictures}) == 1
    assert len({picture.tobytes() for picture in pictures}) == len(states)
    assert all((picture[[0, -1]] == 255).all() for picture in pictures)  # nothing is cut off
    assert all((picture[:, [0, -1]] == 255).all() for picture in pictures)
    other = env.params_of([{**KITCHEN, "objects": {"egg 1": "fridge 1", "mug 1": "cabinet 2"}}])
    start = env.initial_state(jax.random.key(0), jnp.int32(0), other)
    assert (env.render(start, other).rgb == pictures[0]).all()
