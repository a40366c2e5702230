"""Options of a room: errands of one to three actions, and what is legal of them.

    look into {r}          goes to a receptacle, and opens what is closed
    take {o}               goes where an object was seen, opens what is closed, takes it
    make {o} clean         goes to a station with what is held, and makes it so; also hot, cool
    put it into {r}        goes to a receptacle with what is held, opens what is closed, puts it
    use desklamp 1         goes where the lamp was seen, turns it on

"It" is what the hand holds, which the state's text says: an option a receptacle, where one a pair
would be as many as there are actions that move something. Of the stations for one thing it is that
where the agent stands, or the first by name. Whatever is legal is so by what the agent knows alone:
nothing is taken that was not seen, though a look may show that a receptacle does not open.
"""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.household.kits import CLEAN, COOL, HEAT, KINDS, LAMP, Kit, actions_of, kit_of
from lprl_envs.household.law import has_property
from lprl_envs.household.states import EnvParams, EnvState, Rooms
from lprl_envs.household.text import known_objects, lamp_is_known

COMMANDS = "physical"
"""Which of a room's actions options are made of."""
MAX_ACTIONS = 3
"""Of an option: to go there, to open it, to do something."""
LOOK, TAKE, MAKE, PUT, USE = range(5)
_WORKS = {CLEAN: ("clean", "clean"), HEAT: ("heat", "hot"), COOL: ("cool", "cool")}
"""By task: of `KINDS`, what makes an object so; and how the text calls it."""


@dataclasses.dataclass(frozen=True, eq=False)
class Errands:
    """The options of a kit, kind by kind, in the order of the list above."""

    kind: np.ndarray
    """i32[G]: LOOK, TAKE, MAKE, PUT or USE."""
    thing: np.ndarray
    """i32[G]: the object, 0 where there is none."""
    place: np.ndarray
    """i32[G]: the receptacle, 0 where there is none."""
    task: np.ndarray
    """i32[G]: of `kits.TASKS`, the one that asks for what an object is made; else CLEAN."""
    texts: tuple[str, ...]
    """`[G]`, each with a leading blank; they continue ">"."""


@functools.cache
def errands_of(room: str) -> Errands:
    """All that there are in a room, legal or not."""
    kit = kit_of(room)
    receptacles, objects = list(enumerate(kit.receptacles)), list(enumerate(kit.objects))
    rows = [
        *((LOOK, 0, r, CLEAN, f" look into {place}") for r, place in receptacles),
        *((TAKE, o, 0, CLEAN, f" take {thing}") for o, thing in objects),
        *(
            (MAKE, o, 0, task, f" make {thing} {word}")
            for o, thing in objects
            for task, (_, word) in _WORKS.items()
            if kit.able[task, o] and kit.station[task].any()
        ),
        *((PUT, 0, r, CLEAN, f" put it into {place}") for r, place in receptacles),
        *[(USE, 0, 0, CLEAN, f" use {LAMP}")] * kit.has_lamp,
    ]
    kind, thing, place, task, texts = zip(*rows, strict=True)
    columns = (np.array(column, np.int32) for column in (kind, thing, place, task))
    return Errands(*columns, texts=texts)


@functools.cache
def most_legal(room: str) -> int:
    """No state has more legal options: with an empty hand, or with something in it."""
    kit, errands = kit_of(room), errands_of(room)
    made = np.bincount(errands.thing[errands.kind == MAKE], minlength=1)
    puts = kit.contains.sum(axis=1)
    return kit.num_receptacles + kit.has_lamp + max(kit.num_objects, made.max() + puts.max())


@functools.cache
def _commands(room: str) -> dict[str, np.ndarray]:
    """The action of each kind, `i32[O, R]`; 0 where there is none."""
    kit, actions = kit_of(room), actions_of(room, COMMANDS)
    found = {name: np.zeros((kit.num_objects, kit.num_receptacles), np.int32) for name in KINDS}
    for number, (kind, o, r) in enumerate(
        zip(actions.kind, actions.thing, actions.place, strict=True)
    ):
        found[KINDS[kind]][o, r] = number
    return found


@dataclasses.dataclass(frozen=True)
class RoomOptions:
    """The options of the environment of a room."""

    room: str
    """Of `kits.ROOMS`."""

    @property
    def texts(self) -> tuple[str, ...]:
        """They continue ">"."""
        return errands_of(self.room).texts

    @property
    def max_actions(self) -> int:
        """Three."""
        return MAX_ACTIONS

    def is_legal(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Those that what the agent knows allows, and that change something."""
        kit, errands, row = kit_of(self.room), errands_of(self.room), _row(state, params)
        parts = [
            _allowed(kit, row, state, kind, *(x[errands.kind == kind] for x in columns))
            for kind in range(USE + kit.has_lamp)
            for columns in [(errands.thing, errands.place, errands.task)]
        ]
        return jnp.concatenate(parts)

    def next_action(self, state: EnvState, option: jax.Array, params: EnvParams) -> jax.Array:
        """To go where it is done, to open what is closed, to do it."""
        kit, row = kit_of(self.room), _row(state, params)
        kind, o, r, task = self._parts(option)
        held = jnp.argmax(state.where == kit.hand)
        station = _station(kit, row, state)[task]
        homes = [r, jnp.minimum(state.where[o], kit.num_receptacles - 1), station, r, row.lamp]
        place = jnp.stack(homes)[kind]
        action = {name: jnp.asarray(table) for name, table in _commands(self.room).items()}
        works = jnp.stack([action[name][o, station] for name, _ in _WORKS.values()])
        does = [
            jnp.int32(0),  # of a look, which is over
            action["take"][o, place],
            works[task - CLEAN],
            action["move"][held, place],
            action["use"][0, 0],
        ]
        is_closed = row.openable[place] & ~state.open[place] & ((kind != MAKE) & (kind != USE))
        there = jnp.where(is_closed, action["open"][0, place], jnp.stack(does)[kind])
        return jnp.where(state.at == place + 1, there, action["go"][0, place])

    def is_done(self, state: EnvState, option: jax.Array, params: EnvParams) -> jax.Array:
        """Whether what the text says is so; of what is put, whether the hand is empty."""
        kit, row = kit_of(self.room), _row(state, params)
        kind, o, r, task = self._parts(option)
        done = [
            _looked(row, state)[r],
            state.where[o] == kit.hand,
            _made(state)[task - CLEAN, o],
            ~jnp.any(state.where == kit.hand),
            state.lit & (state.at == row.lamp + 1),
        ]
        return jnp.stack(done)[kind]

    def _parts(self, option: jax.Array) -> list[jax.Array]:
        """Kind, object, receptacle and task, `i32[]` each."""
        errands = errands_of(self.room)
        columns = errands.kind, errands.thing, errands.place, errands.task
        return [jnp.asarray(column)[option] for column in columns]


def _row(state: EnvState, params: EnvParams) -> Rooms:
    """The state's instance."""
    return jax.tree.map(lambda leaf: leaf[state.instance], params.bank)


def _allowed(
    kit: Kit,
    row: Rooms,
    state: EnvState,
    kind: int,
    o: np.ndarray,
    r: np.ndarray,
    task: np.ndarray,
) -> jax.Array:
    """`bool[...]`: which options of a kind are legal, with those objects, receptacles, tasks."""
    is_held = state.where == kit.hand
    if kind == LOOK:
        return (row.present & ~_looked(row, state))[r]
    if kind == TAKE:
        return (known_objects(kit, state) & ~is_held & ~jnp.any(is_held))[o]
    if kind == MAKE:
        is_station = jnp.any(jnp.asarray(kit.station) & row.present[None], axis=1)
        return is_held[o] & is_station[task] & ~_made(state)[task - CLEAN, o]
    if kind == PUT:
        takes = jnp.asarray(kit.contains)[jnp.argmax(is_held)]
        return (jnp.any(is_held) & row.present & takes)[r]
    is_on = state.lit & (state.at == row.lamp + 1)
    return (lamp_is_known(row, state) & ~is_on)[None]


def _looked(row: Rooms, state: EnvState) -> jax.Array:
    """`bool[R]`: where the agent stands, if that shows what it holds."""
    places = jnp.arange(row.present.size, dtype=jnp.int32)
    return (state.at == places + 1) & (state.open | ~row.openable)


def _made(state: EnvState) -> jax.Array:
    """`bool[3, O]`: which objects are clean, hot, cold."""
    return jnp.stack([has_property(jnp.int32(task), state) for task in _WORKS])


def _station(kit: Kit, row: Rooms, state: EnvState) -> jax.Array:
    """`i32[6]`: by task, the receptacle that makes things so: the one here, or the first there."""
    places = jnp.arange(kit.num_receptacles, dtype=jnp.int32)
    can = jnp.asarray(kit.station) & row.present[None]
    rank = can.astype(jnp.int32) + (can & (state.at == places + 1)[None])
    return jnp.argmax(rank, axis=1).astype(jnp.int32)
