"""KeyRooms' text against a twin in plain Python; what its slots stand for."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.key_rooms import twin
from lprl_envs import KeyRooms, Scope

ROOMS = pytest.mark.parametrize("rooms", [2, 3, 6])
NUM_MAPS = 4


@functools.cache
def every_state(rooms):
    """Environment, parameters, maps as rows, and the slots `[M, S, num_slots]` of all states."""
    env = KeyRooms(rooms, 2)
    params = env.sample_params(jax.random.key(rooms), NUM_MAPS)

    def slots(instance, index):
        return env.slots(env.state_at(instance, index, params), params)

    every = jax.jit(jax.vmap(jax.vmap(slots, (None, 0)), (0, None)))
    found = np.asarray(every(params.instances, jnp.arange(env.num_states)))
    return env, params, twin.rows_of(params.bank.tiles), found


@ROOMS
def test_text_equals_its_twin(rooms):
    env, _, maps, slots = every_state(rooms)
    for map_rows, found in zip(maps, slots, strict=True):
        states = twin.states_of(map_rows)
        texts = [env.template.render(row.tolist()) for row in found]
        assert texts == [twin.text(map_rows, state) for state in states]


def test_text_of_the_preset_written_out():
    env = KeyRooms(3, 2)
    params = env.default_params
    _, state = env.reset(jax.random.key(0), params)
    text = (
        "Take the key, open the locked door, reach the treasure, avoid pits.\n"
        "Key a1\n"
        "Doors f2\n"
        "Locked door l3\n"
        "Treasure p4\n"
        "Pits b2 b5 i2 k4 n2 n5\n"
        "At d4 without key; left floor down floor right floor up floor\n"
        "Move"
    )
    assert env.describe(state, params) == text
    with_key = dataclasses.replace(state, position=jnp.int32(17), has_key=jnp.bool_(True))
    at = "At a2 with key; left wall down floor right pit up floor"
    assert env.describe(with_key, params).split("\n")[-2] == at


def test_two_rooms_have_no_other_door():
    env = KeyRooms(2, 0)
    lines = env.describe(env.reset(jax.random.key(0))[1], env.default_params).split("\n")
    assert [line.split(" ")[0] for line in lines] == [
        *("Take", "Key", "Locked", "Treasure", "Pits", "At", "Move")
    ]
    assert lines[4] == "Pits"


@ROOMS
def test_slots_change_only_within_their_scope(rooms):
    # Over the states of one map the instance's slots stand still: they can be a shared prefix.
    env, _, _, slots = every_state(rooms)
    still = np.array([slot.scope < Scope.STATE for slot in env.template.slots])
    assert still.sum() == 2 + (rooms - 1) + 25 * rooms
    assert (slots == slots[:, :1])[..., still].all()
    assert (slots != slots[:, :1])[..., ~still].any((0, 1)).all()
