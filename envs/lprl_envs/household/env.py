"""Household: a room in the manner of ALFWorld's text games, where much has to be looked for.

* The agent goes to receptacles, opens and closes them, takes and moves objects, cleans them with a
  sink basin, heats them with a microwave, cools them with a fridge, turns on a desk lamp. The law
  is that of ALFWorld's planning domain (arXiv 2010.03768), in `law`.
* Six tasks: bring an object of a type to a receptacle of a type; clean, heat or cool one first;
  bring two to one receptacle; look at one under the lamp.
* An illegal action leaves the state unchanged and adds `illegal_reward`; the mask forbids it.
* Reward 1, and the episode's end, where the goal holds. Time limit: 50 steps.
* A room's kit fixes the names of its things, and so the actions; an instance says which are there,
  where, which cabinets and drawers open, and the goal.

A state reads as what the agent knows, for instance:

    You are in a room of a house. You can carry one thing.
    Your task is to put a hot egg in countertop.
    In the room are a cabinet 1, a countertop 1, a drawer 1, a fridge 1, and a microwave 1.
    You are at countertop 1. On the countertop 1, you see a knife 1.
    You carry the egg 1, clean.
    You know of
     knife 1 on countertop 1
     mug 1 in fridge 1, cold
    Left to look at drawer 1, microwave 1
    Standing open fridge 1
    >

Names and actions are in `kits`, instances in `instances` and `by_hand`, the wording in `text`,
shortest plans in `plans`, what is best by what was seen in `expert`, SLINVIT's value in `search`,
ALFWorld's own sentences in `feedback`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
from gymnax.environments import spaces

from lprl_envs import values
from lprl_envs.banks import choose_families, content_hash, draw_bank, made_once
from lprl_envs.errors import require_one_of
from lprl_envs.household import expert, law, text
from lprl_envs.household.by_hand import bank_of, preset
from lprl_envs.household.instances import goal_hash, is_fit, random_room
from lprl_envs.household.kits import COMMANDS, TASKS, Actions, Kit, actions_of, kit_of
from lprl_envs.household.picture import draw_room
from lprl_envs.household.plans import steps_left
from lprl_envs.household.search import heuristic
from lprl_envs.household.states import EnvParams, EnvState, Rooms
from lprl_envs.observations import require_mode
from lprl_envs.render import Picture
from lprl_envs.template import Template
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import Action, only_outcome

LIMIT = 50
SPLITS_BY = {"goal": "text", "content": "content"}
"""What a split can go by, and what it then keeps apart."""
_CANNOT_NUMBER = "needs states that are numbered, of which a room has too many"


class Household(TextEnv[EnvState, EnvParams]):
    """A room of a house.

    Args:
        room: `"kitchen-small"`, `"kitchen"`, `"bathroom"`, `"bedroom"` or `"livingroom"`.
        commands: `"physical"`, those that change something; `"all"`, ALFWorld's others too: look,
            inventory, help, and to examine, which change nothing.
        split_by: `"goal"`: no goal that is held out, as types, is one to be trained on.
            `"content"`: no room, as it is with its goal; some texts of both sides are then equal,
            since a text lists only what was seen.
        illegal_reward: Added to the reward of an illegal action.
        observation: `"features"` f32[num_features], what the agent knows, as one-hots and flags;
            `"tokens"` i32[num_slots], the words of the state's text, numbered by the template's
            vocabulary.

    Raises:
        InvalidInput: on any argument out of these.
    """

    version = 0

    def __init__(
        self,
        room: str = "kitchen-small",
        commands: str = "physical",
        split_by: str = "goal",
        illegal_reward: float = 0.0,
        observation: str = "features",
    ):
        self.room = values.text("room", room)
        self.families = kit_of(self.room).tasks  # refuses other rooms
        self.commands = values.text("commands", commands)
        self.split_by = values.text("split_by", split_by)
        require_one_of("commands", commands, COMMANDS)
        require_one_of("split_by", split_by, SPLITS_BY)
        self.held_out_as = SPLITS_BY[split_by]
        self.illegal_reward = values.finite("illegal_reward", illegal_reward)
        limit = f"{_CANNOT_NUMBER}; valid: features, tokens"
        require_mode(observation, is_numbered=False, limit=limit)
        self.observation = observation
        self.config = (self.room, commands, split_by, self.illegal_reward, observation)

    @property
    def name(self) -> str:
        """The registered id."""
        return "Household-lprl"

    @property
    def kit(self) -> Kit:
        """The room's constants."""
        return kit_of(self.room)

    @property
    def actions(self) -> Actions:
        """What each action does, with what."""
        return actions_of(self.room, self.commands)

    @property
    def num_actions(self) -> int:
        """From 293 of the bathroom to 1,125 of the kitchen; more with `commands="all"`."""
        return len(self.action_texts)

    @property
    def max_legal(self) -> int:
        """R + O + 1, and 5 with `commands="all"`: one place may hold everything."""
        more = 5 if self.commands == "all" else 0
        return self.kit.num_receptacles + self.kit.num_objects + 1 + more

    # -- instances -----------------------------------------------------------------------------

    @property
    @made_once
    def default_params(self) -> EnvParams:
        """A room with all that its kit has."""
        return self.params_of([preset(self.room)])

    def params_of(self, instances: Sequence[Any]) -> EnvParams:
        """Parameters with these rooms (see `by_hand.bank_of`) as the bank.

        Raises:
            InvalidInput: if one is not well-formed, or no plan can meet its goal.
        """
        return EnvParams.of_all(bank_of(instances, self.kit), limit=LIMIT)

    def sample_params(
        self,
        key: chex.PRNGKey,
        num_instances: int,
        split: str | None = None,
        families: Sequence[str] = (),
        split_by: str | None = None,
    ) -> EnvParams:
        """A bank of random rooms (see `instances.random_room`), drawn in the graph.

        Args:
            key: Random key.
            num_instances: M.
            split: `"train"`, `"held-out"`, or None for both.
            families: The tasks to draw from; none for all of the room's.
            split_by: What the environment is made with, or None: a config says it once, of both.

        Raises:
            InvalidInput: on an unknown task, or if `split_by` is not the environment's.
        """
        if split_by is not None:
            require_one_of(f"split_by of {self.name} by {self.split_by}", split_by, [self.split_by])
        chosen = choose_families(self.families, (), families, split)
        tasks = tuple(TASKS.index(self.families[i]) for i in chosen)
        return EnvParams.of_all(self._draw(key, num_instances, split, tasks), limit=LIMIT)

    @functools.partial(jax.jit, static_argnums=(0, 2, 3, 4))  # op by op it takes long
    def _draw(self, key: chex.PRNGKey, num: int, split: str | None, tasks: tuple[int, ...]) -> Any:
        draw, fits = random_room(self.kit, tasks), functools.partial(is_fit, self.kit)
        return draw_bank(key, num, split, draw, self.held_out, fits, f"{self.name} {self.room}")

    def identity(self, instance: Rooms) -> jax.Array:
        """All of it, the wording of the goal too."""
        return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(instance)])

    def split_hash(self, instance: Rooms) -> jax.Array:
        """Of the goal's types and task; or of all, but for the wording, which goes along."""
        if self.split_by == "goal":
            return goal_hash(self.kit, instance)
        plain = dataclasses.replace(instance, phrasing=jnp.zeros_like(instance.phrasing))
        return content_hash(self.identity(plain))

    # -- gymnax --------------------------------------------------------------------------------

    def initial_state(self, key: chex.PRNGKey, instance: jax.Array, params: EnvParams) -> EnvState:
        """In the middle of the room, everything closed, nothing seen."""
        del key
        r, o = self.kit.num_receptacles, self.kit.num_objects
        return EnvState(
            time=jnp.int32(0),
            instance=instance,
            at=jnp.int32(0),
            where=params.bank.where[instance],
            open=jnp.zeros(r, bool),
            seen=jnp.zeros(r, bool),
            clean=jnp.zeros(o, bool),
            temperature=jnp.zeros(o, jnp.int32),
            lit=jnp.bool_(False),
        )

    def step_env(
        self, key: chex.PRNGKey, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array, dict[Any, Any]]:
        """One step, without auto-reset."""
        state, reward, terminated = self._act(state, jnp.asarray(action, jnp.int32), params)
        state = dataclasses.replace(state, time=state.time + 1)
        return self.observe(key, state, action, params), state, reward, terminated, {}

    def _room(self, state: EnvState, params: EnvParams) -> Rooms:
        """The state's instance."""
        return jax.tree.map(lambda leaf: leaf[state.instance], params.bank)

    def _act(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[EnvState, jax.Array, jax.Array]:
        """`(state, reward, terminated)` of an action."""
        room = self._room(state, params)
        state, legal = law.act(self.kit, self.actions, room, state, action)
        reached = law.is_reached(self.kit, room, state)
        penalty = jnp.where(legal, 0.0, self.illegal_reward)
        return state, (reached + penalty).astype(jnp.float32), reached

    def is_terminated(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether the goal holds."""
        return law.is_reached(self.kit, self._room(state, params), state)

    def is_solved(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether the goal holds."""
        return self.is_terminated(state, params)

    @property
    def num_features(self) -> int:
        """See `text.features_of`."""
        return text.num_features(self.kit)

    def features(self, state: EnvState, params: EnvParams) -> jax.Array:
        """What the agent knows, as one-hots and flags; see `text.features_of`."""
        return text.features_of(self.kit, self._room(state, params), state)

    def state_space(self, params: EnvParams) -> spaces.Dict:
        """The fields of `EnvState`."""
        fields = super().state_space(params).spaces
        r, o = self.kit.num_receptacles, self.kit.num_objects
        own = {
            "at": spaces.Discrete(r + 1),
            "where": spaces.Box(0, self.kit.absent, (o,), jnp.int32),
            "open": spaces.Box(0, 1, (r,), jnp.bool),
            "seen": spaces.Box(0, 1, (r,), jnp.bool),
            "clean": spaces.Box(0, 1, (o,), jnp.bool),
            "temperature": spaces.Box(0, 2, (o,), jnp.int32),
            "lit": spaces.Discrete(2),
        }
        return spaces.Dict({**fields, **own})

    # -- text ----------------------------------------------------------------------------------

    @property
    def template(self) -> Template:
        """The wording at the top of this file."""
        return text.template_of(self.room)

    @property
    def action_texts(self) -> tuple[str, ...]:
        """ALFWorld's commands; they continue ">"."""
        return self.actions.texts

    def slots(self, state: EnvState, params: EnvParams) -> jax.Array:
        """The goal, the receptacles, where the agent is, and all that it knows."""
        return text.slots_of(self.kit, self._room(state, params), state)

    def render(self, state: EnvState, params: EnvParams) -> Picture:
        """The receptacles and what is known to be in them, the hand, and the goal."""
        room = jax.device_get(self._room(state, params))
        goal = text.goal_of(self.kit, state, params)
        return draw_room(self.kit, room, jax.device_get(state), goal)

    # -- law -----------------------------------------------------------------------------------

    def action_mask(self, state: EnvState, params: EnvParams) -> jax.Array:
        """The actions whose preconditions hold."""
        return law.legal_mask(self.kit, self.actions, self._room(state, params), state)

    def heuristic(self, state: EnvState, params: EnvParams) -> jax.Array:
        """SLINVIT's count of the task's sub-goals that are met, over all; 1 in a solved state."""
        return heuristic(self.kit, self._room(state, params), state)

    def steps_left(self, state: EnvState, params: EnvParams) -> jax.Array:
        """`i32[]`: actions of a shortest plan for whoever knows where everything is; 0 if solved.

        `plans.NO_PLAN` where there is none, which no instance drawn or given has.
        """
        return steps_left(self.kit, self._room(state, params), state)

    def right_actions(self, state: EnvState, params: EnvParams) -> jax.Array:
        """`bool[num_actions]`: what is best by what was seen; see `expert`."""
        return expert.right_actions(self.kit, self.actions, self._room(state, params), state)

    def transitions(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array]:
        """K = 1: nothing is left to chance."""
        return only_outcome(*self._act(state, action, params))
