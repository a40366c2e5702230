"""What ALFWorld answers, on the host: the intro, the feedback to a command, what is admissible.

No learner reads it, since a state's text here is what the agent remembers (see `text`). It says the
same as ALFWorld's own grammar does, command by command, and so what this world is faithful to.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from lprl_envs.household.kits import KINDS, LAMP, type_of
from lprl_envs.household.states import COLD, HOT, EnvParams, EnvState
from lprl_envs.household.text import goal_of

if TYPE_CHECKING:
    from lprl_envs.household.env import Household

NOTHING = "Nothing happens."
HELP = "(help)"
"""In place of a page on the kinds of commands."""
_CONTAINERS = ("bowl", "box", "cup", "mug", "plate", "pan", "pot")
"""What ALFWorld examines as a receptacle, always an empty one."""
_MIDDLE = "You are in the middle of a room. Looking quickly around you, you see"
_WORKED = {(HOT, True): "hot and clean", (COLD, True): "cool and clean", (0, True): "clean"}
_WORKED |= {(HOT, False): "hot", (COLD, False): "cold"}


def intro(env: Household, state: EnvState, params: EnvParams) -> str:
    """The first observation of an episode."""
    present = np.asarray(params.bank.present[state.instance])
    names = [name for name, there in zip(env.kit.receptacles, present, strict=True) if there]
    goal = goal_of(env.kit, state, params)
    welcome = "-= Welcome to TextWorld, ALFRED! =-"
    return f"{welcome}\n\n{_MIDDLE} {_listed(names)}.\n\nYour task is to: {goal}."


def admissible(env: Household, state: EnvState, params: EnvParams) -> list[str]:
    """The legal commands, sorted."""
    mask = np.asarray(_mask(env, state, params))
    return sorted(env.action_texts[a].strip() for a in np.flatnonzero(mask))


@functools.partial(jax.jit, static_argnums=0)  # op by op it takes long
def _mask(env: Household, state: EnvState, params: EnvParams) -> jax.Array:
    return env.action_mask(state, params)


@functools.partial(jax.jit, static_argnums=0)
def _after(env: Household, state: EnvState, action: Any, params: EnvParams) -> EnvState:
    return jax.tree.map(lambda x: x[0], env.transitions(state, action, params)[1])


def feedback(env: Household, state: EnvState, action: int, params: EnvParams) -> str:
    """The answer to an action in a state."""
    if not bool(_mask(env, state, params)[action]):
        return NOTHING
    after = jax.device_get(_after(env, state, np.int32(action), params))
    kind = KINDS[env.actions.kind[action]]
    thing = env.kit.objects[env.actions.thing[action]]
    r = int(env.actions.place[action])
    place = env.kit.receptacles[r]
    seen = _view(env, r, after, params)
    answers = {
        "go": f"You arrive at {place}. {seen}",
        "open": f"You open the {place}. {seen}",
        "close": f"You close the {place}.",
        "take": f"You pick up the {thing} from the {place}.",
        "move": f"You move the {thing} to the {place}.",
        "use": f"You turn on the {LAMP}.",
        "look": _surroundings(env, state),
        "inventory": _inventory(env, state),
        "help": HELP,
        "examine_place": seen,
        "examine_object": _examined(env, int(env.actions.thing[action]), state),
    }
    return answers.get(kind, f"You {kind} the {thing} using the {place}.")


def _view(env: Household, r: int, state: EnvState, params: EnvParams) -> str:
    """What shows at a receptacle."""
    name = env.kit.receptacles[r]
    opens = bool(params.bank.openable[state.instance, r])
    if opens and not state.open[r]:
        return f"The {name} is closed."
    where = np.asarray(state.where)
    inside = [x for x, place in zip(env.kit.objects, where, strict=True) if place == r]
    if int(params.bank.lamp[state.instance]) == r:
        inside = sorted([*inside, LAMP])
    if opens:
        return f"The {name} is open. In it, you see {_listed(inside)}."
    return f"On the {name}, you see {_listed(inside)}."


def _surroundings(env: Household, state: EnvState) -> str:
    if int(state.at) == 0:
        return f"{_MIDDLE} nothing."
    place = env.kit.receptacles[int(state.at) - 1]
    return f"You are facing the {place}. Next to it, you see nothing."


def _inventory(env: Household, state: EnvState) -> str:
    (held,) = np.nonzero(np.asarray(state.where) == env.kit.hand)
    if not held.size:
        return "You are not carrying anything."
    return f"You are carrying: a {env.kit.objects[held[0]]}."


def _examined(env: Household, o: int, state: EnvState) -> str:
    name = env.kit.objects[o]
    if type_of(name) in _CONTAINERS:
        return f"This is a normal {name}. In it, you see nothing."
    worked = _WORKED.get((int(state.temperature[o]), bool(state.clean[o])))
    return f"This is a {worked} {name}." if worked else f"There's nothing special about {name}."


def _listed(names: list[str]) -> str:
    """`"a x, a y, and a z"`."""
    if not names:
        return "nothing"
    found = [f"a {name}" for name in names]
    return ", ".join([*found[:-1], f"and {found[-1]}"]) if len(found) > 1 else found[0]
