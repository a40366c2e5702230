"""The law against its twin in plain Python: what is legal, what it does, is seen, and pays."""

import envs.household.twin as twin
import jax
import numpy as np
import pytest
from envs.household.playing import ILLEGAL, NUM_ROOMS, NUM_STEPS, bank, environment, played, row
from lprl_envs import Household


@pytest.mark.parametrize(("room", "commands"), [("kitchen-small", "all"), ("bedroom", "physical")])
def test_random_steps_equal_the_twins(room, commands):
    env, params = environment(room, commands), jax.device_get(bank(room))
    states, masks, actions, afters, rewards, ends = played(room, commands)
    texts = np.array([text.strip() for text in env.action_texts])
    num_legal = 0
    for i in range(NUM_ROOMS):
        named, seen = twin.room_of(env.kit, row(params.bank, i)), set()
        assert twin.state_of(env.kit, row(states, i, 0)) == twin.start(named)
        for t in range(NUM_STEPS):
            before = twin.state_of(env.kit, row(states, i, t))
            right = twin.legal(named, before)
            right += twin.looks(named, before) if commands == "all" else []
            assert sorted(texts[masks[i, t]]) == sorted(right)
            assert 1 <= len(right) <= env.max_legal
            command = str(texts[actions[i, t]])
            legal = command in right
            after = twin.apply(before, command) if legal else before
            assert twin.state_of(env.kit, row(afters, i, t)) == after
            shows = after.at not in named["openable"] or after.at in after.open
            if legal and command.split()[0] in ("go", "open") and shows:
                seen.add(after.at)
            assert {env.kit.receptacles[r] for r in np.flatnonzero(afters.seen[i, t])} == seen
            won = twin.is_won(named, after)
            assert ends[i, t] == won
            assert rewards[i, t] == won + (0 if legal else ILLEGAL)
            num_legal += legal
    assert 0.85 < num_legal / actions.size < 0.98


SIZES = {
    "kitchen-small": (15, 23, 457),
    "kitchen": (29, 36, 1_125),
    "bathroom": (13, 17, 293),
    "bedroom": (16, 21, 507),
    "livingroom": (17, 26, 612),
}


@pytest.mark.parametrize("room", SIZES)
def test_actions(room):
    env, kit = Household(room), twin.KITS[room]
    r, o, a = SIZES[room]
    assert (env.kit.num_receptacles, env.kit.num_objects, env.num_actions) == (r, o, a)
    assert env.max_legal == r + o + 1
    things = [name for name in kit["objects"] if name != "desklamp 1"]
    places, can = kit["receptacles"], twin.KNOWN["can_contain"]
    opens = [name for name in places if twin.kind(name) in twin.KNOWN["openable"]]
    pairs = [(x, y) for x in things for y in places if twin.kind(x) in can[twin.kind(y)]]
    right = [f" go to {name}" for name in places]
    right += [f" {verb} {name}" for verb in ("open", "close") for name in opens]
    right += [f" take {x} from {y}" for x, y in pairs] + [f" move {x} to {y}" for x, y in pairs]
    for verb, station in twin.STATIONS.items():
        right += [
            f" {verb} {x} with {y}"
            for x in things
            for y in places
            if twin.kind(x) in twin.KNOWN[f"{verb}able"] and twin.kind(y) == station
        ]
    right += [" use desklamp 1"] * ("desklamp 1" in kit["objects"])
    assert list(env.action_texts) == right
    more = Household(room, commands="all")
    right += [" look", " inventory", " help"]
    right += [f" examine {name}" for name in (*places, *things)]
    assert list(more.action_texts) == right
    assert more.max_legal == env.max_legal + 5


def played_by_name(env, params, commands):
    state, found = env.initial_state(jax.random.key(0), np.int32(0), params), []
    step = jax.jit(env.step_env)
    for command in commands:
        action = env.action_texts.index(f" {command}")
        _, state, reward, ended, _ = step(jax.random.key(0), state, action, params)
        found.append((float(reward), bool(ended)))
    return state, found


def test_hot_stays_hot_in_a_fridge_and_the_goal_is_of_types():
    env = Household()
    objects = {"egg 1": "countertop 1", "egg 2": "countertop 1"}
    params = env.params_of([{"objects": objects, "task": "heat", "goal": ["egg", "fridge"]}])
    commands = ["go to countertop 1", "take egg 2 from countertop 1", "go to microwave 1"]
    commands += ["heat egg 2 with microwave 1", "go to fridge 1", "open fridge 1"]
    state, found = played_by_name(env, params, [*commands, "move egg 2 to fridge 1"])
    assert found == [(0.0, False)] * 6 + [(1.0, True)]
    assert int(state.temperature[env.kit.objects.index("egg 2")]) == 1
    # Cooled behind that, it is hot no more; and what is done is not undone by what is not legal.
    state, found = played_by_name(env, params, [*commands, "cool egg 2 with fridge 1"])
    assert int(state.temperature[env.kit.objects.index("egg 2")]) == 2
    state, found = played_by_name(env, params, [*commands, "heat egg 2 with microwave 1"])
    assert found[-1] == (0.0, False)


def test_two_objects_are_to_be_in_one_receptacle():
    env = Household()
    objects = {"mug 1": "countertop 1", "mug 2": "countertop 1", "pan 1": "countertop 1"}
    params = env.params_of(
        [{"objects": objects, "task": "two", "goal": ["mug", "cabinet"], "openable": []}]
    )
    commands = []
    for mug, cabinet in ((1, 1), (2, 2)):
        commands += ["go to countertop 1", f"take mug {mug} from countertop 1"]
        commands += [f"go to cabinet {cabinet}", f"move mug {mug} to cabinet {cabinet}"]
    _, found = played_by_name(env, params, commands)
    assert found == [(0.0, False)] * 8
    commands += ["take mug 2 from cabinet 2", "go to cabinet 1", "move mug 2 to cabinet 1"]
    _, found = played_by_name(env, params, commands)
    assert found[8:] == [(0.0, False)] * 2 + [(1.0, True)]


def test_a_lamp_stays_on_and_the_order_does_not_matter():
    env = Household("bedroom")
    objects = {"book 1": "bed 1"}
    params = env.params_of(
        [{"objects": objects, "task": "light", "goal": ["book", "desklamp"], "lamp_on": "desk 1"}]
    )
    use = ["go to desk 1", "use desklamp 1"]
    take = ["go to bed 1", "take book 1 from bed 1"]
    _, found = played_by_name(env, params, [*use, "use desklamp 1", *take, "go to desk 1"])
    assert found == [(0.0, False)] * 5 + [(1.0, True)]
    _, found = played_by_name(env, params, [*take, *use])
    assert found == [(0.0, False)] * 3 + [(1.0, True)]
