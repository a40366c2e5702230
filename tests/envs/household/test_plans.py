"""Shortest plans against breadth-first search by the twin: every state of small rooms."""

import dataclasses

import envs.household.twin as twin
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import Household
from lprl_envs.household.plans import NO_PLAN
from lprl_envs.household.states import EnvState

ROOMS = {
    "kitchen-small": [
        {
            "receptacles": ["cabinet 1", "countertop 1", "fridge 1"],
            "objects": {"plate 1": "cabinet 1", "plate 2": "countertop 1", "pot 1": "fridge 1"},
            "task": "pick",
            "goal": ["plate", "fridge"],
        },
        {
            "receptacles": ["cabinet 1", "drawer 1", "sinkbasin 1", "countertop 1"],
            "objects": {"fork 1": "drawer 1", "soapbottle 1": "cabinet 1"},
            "task": "clean",
            "goal": ["fork", "drawer"],
        },
        {
            "receptacles": ["cabinet 1", "countertop 1", "microwave 1"],
            "objects": {"mug 1": "cabinet 1", "mug 2": "countertop 1", "knife 1": "countertop 1"},
            "task": "heat",
            "goal": ["mug", "cabinet"],
        },
        {
            "receptacles": ["cabinet 1", "stoveburner 1", "fridge 1"],
            "objects": {"pan 1": "cabinet 1", "pot 1": "fridge 1"},
            "task": "cool",
            "goal": ["pan", "stoveburner"],
        },
        {
            "receptacles": ["cabinet 1", "cabinet 2", "countertop 1", "drawer 1"],
            "objects": {"mug 1": "countertop 1", "mug 2": "countertop 1", "knife 1": "drawer 1"},
            "task": "two",
            "goal": ["mug", "cabinet"],
        },
    ],
    "bathroom": [
        {
            "receptacles": ["cabinet 1", "sinkbasin 1", "sinkbasin 2", "toilet 1"],
            "objects": {"cloth 1": "cabinet 1", "cloth 2": "toilet 1", "tissuebox 1": "toilet 1"},
            "task": "clean",
            "goal": ["cloth", "toilet"],
        },
        {
            "receptacles": ["cabinet 1", "cabinet 2", "cabinet 3", "garbagecan 1"],
            "openable": ["cabinet 1", "cabinet 2"],
            "objects": {
                "soapbottle 1": "cabinet 1",
                "soapbottle 2": "cabinet 2",
                "candle 1": "cabinet 3",
            },
            "task": "two",
            "goal": ["soapbottle", "garbagecan"],
        },
    ],
    "bedroom": [
        {
            "receptacles": ["bed 1", "desk 1", "drawer 1", "safe 1"],
            "objects": {"cellphone 1": "drawer 1", "cellphone 2": "safe 1", "cd 1": "desk 1"},
            "lamp_on": "desk 1",
            "task": "light",
            "goal": ["cellphone", "desklamp"],
        },
        {
            "receptacles": ["bed 1", "drawer 1", "drawer 2", "safe 1"],
            "openable": ["drawer 2", "safe 1"],
            "objects": {"cellphone 1": "bed 1", "cellphone 2": "safe 1", "book 1": "drawer 1"},
            "task": "two",
            "goal": ["cellphone", "drawer"],
        },
    ],
}


def states_of(kit, rows):
    """`EnvState` of pairs of instance and the twin's state, leaves `[N, ...]`."""

    def flags(names, chosen):
        return [name in chosen for name in names]

    places = {name: r for r, name in enumerate([*kit.receptacles, twin.HAND])}
    where = [[places.get(dict(s.where).get(o), kit.absent) for o in kit.objects] for _, s in rows]
    hot = np.array([flags(kit.objects, s.hot) for _, s in rows])
    cold = np.array([flags(kit.objects, s.cold) for _, s in rows])
    return EnvState(
        time=jnp.zeros(len(rows), jnp.int32),
        instance=jnp.array([i for i, _ in rows], jnp.int32),
        at=jnp.array([0 if s.at is None else 1 + places[s.at] for _, s in rows], jnp.int32),
        where=jnp.array(where, jnp.int32),
        open=jnp.array([flags(kit.receptacles, s.open) for _, s in rows]),
        seen=jnp.zeros((len(rows), kit.num_receptacles), bool),
        clean=jnp.array([flags(kit.objects, s.clean) for _, s in rows]),
        temperature=jnp.asarray(hot + 2 * cold, jnp.int32),
        lit=jnp.array([s.lit for _, s in rows]),
    )


@pytest.mark.parametrize("room", ROOMS)
def test_steps_left_are_those_of_a_search(room):
    env = Household(room)
    params = env.params_of(ROOMS[room])
    rows, right = [], []
    for i, one in enumerate(ROOMS[room]):
        opens = [r for r in one["receptacles"] if twin.kind(r) in twin.KNOWN["openable"]]
        steps = twin.distances({"lamp_on": None, "openable": opens, **one})
        assert len(steps) > 400
        rows += [(i, s) for s in steps]
        right += steps.values()
    found = jax.jit(jax.vmap(env.steps_left, (0, None)))(states_of(env.kit, rows), params)
    np.testing.assert_array_equal(found, right)
    assert 0 in right
    assert max(right) >= 8


def test_what_cannot_be_done_has_no_plan():
    env = Household()
    params = env.params_of(ROOMS["kitchen-small"])
    state = env.initial_state(jax.random.key(0), jnp.int32(0), params)
    nowhere = dataclasses.replace(state, where=jnp.full_like(state.where, env.kit.absent))
    assert int(jax.jit(env.steps_left)(nowhere, params)) == NO_PLAN
