"""Overcooked as text: a cook who chops, fills a bowl and serves it, by macros of many steps.

Reference: TWOSOME (arXiv 2401.14151), whose kitchens *Efficient RL with LLM Priors* (arXiv
2410.07927) plays; the law is that of gym-macro-overcooked, MIT licence.

* A kitchen has a floor of 5 x 5 cells and counters around it. One each of every food, one bowl,
  boards, a delivery. The dish is a bowl with exactly the foods of the recipe, chopped.
* An action is a macro, as its wording names it in that state (`wordings`): 10 actions, of which 5
  are legal, in the tomato kitchen, 24 and 8 in the salad kitchen. An illegal action changes
  nothing.
* A macro of n primitive steps pays Σ_{i<n} .99^i r_i. A step costs .001; to chop food of the recipe
  pays .2; the dish 1, and anything else that is delivered -.1: it goes home, its food unchopped.
* The episode terminates when the dish is delivered. Time counts macros.

That reward can be farmed: chop, deliver the chopped food alone, which costs less than chopping
pays, and begin again. `reward="refund"` has a wrong delivery take back what chopping paid.

A state reads, in full:

    There are two fixed cutting boards in the room. Tomato n5, lettuce e1, [...] delivery w3. The
    dish is a bowl only containing chopped tomato and lettuce. You notice a tomato, a lettuce, an
    onion and a bowl on the different tables. Currently you don't have anything in hand. You are at
    d1. To serve the dish, you should first

Instances are in `kitchens`, states and their numbers in `states`, the law in `law`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from gymnax.environments import spaces

from lprl_envs import values
from lprl_envs.banks import choose_families, draw_bank, made_once
from lprl_envs.errors import require_one_of
from lprl_envs.observations import require_mode
from lprl_envs.overcooked import kitchens, law, states, text
from lprl_envs.overcooked.cells import EVERYTHING, NUM_CELLS
from lprl_envs.overcooked.kinds import KINDS
from lprl_envs.overcooked.kitchens import Kitchens
from lprl_envs.overcooked.picture import draw_kitchen
from lprl_envs.overcooked.rules import DELIVERED, configurations
from lprl_envs.overcooked.states import EnvParams, EnvState
from lprl_envs.overcooked.wordings import wordings_of
from lprl_envs.render import Picture
from lprl_envs.template import Template
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import Action, only_outcome


class Overcooked(TextEnv[EnvState, EnvParams]):
    """Overcooked, with one cook.

    Args:
        kitchen: `"salad"`, three foods and two boards; `"tomato"`, one of each.
        wording: `"full"` tells everything; `"paper"` what the agent sees, so that states may read
            alike (`texts_alias`), and names the paper's dish alone.
        reward: `"paper"`, which can be farmed; `"refund"`, which cannot.
        view: Rows and columns within which the agent sees, 1 to 5, which is everything: what the
            paper's wording tells, and how far the agent walks to find food that is in the bowl.
        illegal_reward: Added to the reward of an illegal action.
        observation: `"features"` f32[192] (f32[118] in the tomato kitchen), where everything is and
            is at home, and the recipe; `"tokens"` i32[num_slots], the words of the state's text,
            numbered by the template's vocabulary; `"index"` i32[] of the state; `"onehot"`
            f32[9950] of it (f32[325]).

    Raises:
        InvalidInput: on any argument out of these.
    """

    version = 0

    def __init__(
        self,
        kitchen: str = "salad",
        wording: str = "full",
        reward: str = "paper",
        view: int = 2,
        illegal_reward: float = 0.0,
        observation: str = "features",
    ):
        require_one_of("kitchen", values.text("kitchen", kitchen), KINDS)
        require_one_of("wording", values.text("wording", wording), text.WORDINGS)
        require_one_of("reward", values.text("reward", reward), law.REWARDS)
        self.view = values.whole("view", view)
        if not 1 <= self.view <= EVERYTHING:
            values.refuse("view", self.view, f"it must be 1 to {EVERYTHING}, which is everything")
        self.kitchen, self.wording, self.reward = kitchen, wording, reward
        self.kind = KINDS[kitchen]
        self.illegal_reward = values.finite("illegal_reward", illegal_reward)
        require_mode(observation, is_numbered=True, limit="")
        self.observation = observation
        self.config = (kitchen, wording, reward, self.view, self.illegal_reward, observation)
        paper = tuple(kitchens.PAPER[kitchen]["recipe"])
        self.suites = (f"paper-{kitchen}",)
        self.texts_alias = wording == "paper"
        # What differs between instances, but for what is in view, only the full wording tells.
        self.held_out_as = "content" if self.texts_alias else "text"
        self.recipes = (paper,) if self.texts_alias else kitchens.recipes_of(self.kind)
        self.families = tuple(map(kitchens.family_of, self.recipes))
        self.held_out_families = tuple({kitchens.HELD_OUT_FAMILY} & set(self.families))
        told = EVERYTHING if wording == "full" else self.view
        self.law = law.Law(self.kind, reward, self.view, told)
        self._template = text.template_of(self.kind, wording, paper)

    @property
    def name(self) -> str:
        """The registered id."""
        return "Overcooked-lprl"

    @property
    def num_actions(self) -> int:
        """Wordings: 24, or 10 in the tomato kitchen."""
        return len(self.macro_of)

    @property
    def macro_of(self) -> np.ndarray:
        """`i32[A]`: the macro that each action words, as `kind` numbers them."""
        return wordings_of(self.kind).macro_of

    @property
    def max_legal(self) -> int:
        """One wording of each macro: 8, or 5 in the tomato kitchen."""
        return self.kind.num_macros

    # -- instances -----------------------------------------------------------------------------

    @property
    @made_once
    def default_params(self) -> EnvParams:
        """The paper's kitchen."""
        return self.params_of([kitchens.PAPER[self.kitchen]])

    def params_of(self, instances: Sequence[Any]) -> EnvParams:
        """Parameters with these kitchens (see `kitchens.bank_of`) as the bank.

        Raises:
            InvalidInput: if one is not well-formed, or has a dish that the wording does not name.
        """
        bank = kitchens.bank_of(self.kind, instances)
        if self.texts_alias:
            kitchens.require_dish(self.kind, bank, self.recipes[0])
        return self._params(bank)

    def suite(self, name: str) -> EnvParams:
        """The paper's kitchen."""
        return self.default_params if name in self.suites else super().suite(name)

    def shortest_plans(self, name: str) -> jax.Array:
        """In macros."""
        return self.plan_lengths(self.suite(name))

    def plan_lengths(self, params: EnvParams) -> jax.Array:
        """`i32[M]`: macros of a shortest plan of each instance: 6, 10 or 16, by its recipe."""
        counts = jnp.sum(params.bank.recipe, axis=1, dtype=jnp.int32)
        return jnp.asarray(kitchens.PLAN_LENGTHS, jnp.int32)[counts]

    def sample_params(
        self,
        key: chex.PRNGKey,
        num_instances: int,
        split: str | None = None,
        families: Sequence[str] = (),
    ) -> EnvParams:
        """A bank of random kitchens, drawn in the graph.

        Args:
            key: Random key.
            num_instances: M.
            split: `"train"`, `"held-out"`, or None for both.
            families: Names of dishes to draw from, each as likely. None named: all, or with a split
                all that are not held out.
        """
        chosen = choose_families(self.families, self.held_out_families, families, split)
        return self._params(self._draw_bank(key, num_instances, split, chosen))

    @functools.partial(jax.jit, static_argnums=(0, 2, 3, 4))
    def _draw_bank(
        self, key: chex.PRNGKey, num_instances: int, split: str | None, families: tuple[int, ...]
    ) -> Kitchens:
        draw = kitchens.random_kitchen(self.kind, [self.recipes[i] for i in families])
        return draw_bank(key, num_instances, split, draw, self.held_out, kitchens.is_fit, self.name)

    def _params(self, bank: Kitchens) -> EnvParams:
        return EnvParams.of_all(bank, limit=self.kind.limit)

    def identity(self, instance: Kitchens) -> jax.Array:
        """Everything of the kitchen."""
        leaves = (jnp.ravel(leaf).astype(jnp.int32) for leaf in jax.tree.leaves(instance))
        return jnp.concatenate(list(leaves))

    def split_hash(self, instance: Kitchens) -> jax.Array:
        """Of places and dish: start, mirror images, turns and the boards' order go along."""
        return kitchens.kitchen_hash(instance)

    def held_out(self, instance: Kitchens) -> jax.Array:
        """`bool[]`: every dish of lettuce and onion; of the other kitchens one in five."""
        return kitchens.is_of_held_out_family(self.kind, instance) | super().held_out(instance)

    # -- gymnax --------------------------------------------------------------------------------

    def initial_state(self, key: chex.PRNGKey, instance: jax.Array, params: EnvParams) -> EnvState:
        """Everything at home, the hand empty."""
        del key
        return states.first_state(self.kind, params.bank.start[instance], instance)

    def step_env(
        self, key: chex.PRNGKey, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array, dict[Any, Any]]:
        """One macro, without auto-reset."""
        after, reward, terminated = self._act(state, jnp.asarray(action, jnp.int32), params)
        after = dataclasses.replace(after, time=state.time + 1)
        return self.observe(key, after, action, params), after, reward, terminated, {}

    def _act(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[EnvState, jax.Array, jax.Array]:
        """`(state, reward, terminated)` of an action."""
        found, is_legal = self.law.play(state, action, self._kitchen(state, params))
        reward = found.reward + jnp.where(is_legal, 0.0, jnp.float32(self.illegal_reward))
        return found.state, reward, self.is_terminated(found.state, params)

    def outcome(self, state: EnvState, macro: jax.Array | int, params: EnvParams) -> law.Outcome:
        """State, primitive steps and reward of a macro `i32[]` as `kind` numbers them, however it
        is worded.
        """
        return self.law.outcome(state, jnp.asarray(macro, jnp.int32), self._kitchen(state, params))

    def _kitchen(self, state: EnvState, params: EnvParams) -> Kitchens:
        """The state's instance, without M."""
        return jax.tree.map(lambda leaf: leaf[state.instance], params.bank)

    def is_terminated(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether the dish is delivered."""
        del params
        return state.bowl == DELIVERED

    def is_solved(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether the dish is delivered."""
        return self.is_terminated(state, params)

    @property
    def num_features(self) -> int:
        """Where everything is, and is at home."""
        return text.num_features(self.kind)

    def features(self, state: EnvState, params: EnvParams) -> jax.Array:
        """One-hots of cells and places, of the state and of its kitchen; 0 or 1."""
        return text.features_of(state, self._kitchen(state, params))

    def state_space(self, params: EnvParams) -> spaces.Dict:
        """The fields of `EnvState`."""
        fields = super().state_space(params).spaces
        return spaces.Dict({**fields, **states.spaces_of(self.kind)})

    # -- text ----------------------------------------------------------------------------------

    @property
    def template(self) -> Template:
        """The wording at the top of this file, or the paper's."""
        return self._template

    @property
    def action_texts(self) -> tuple[str, ...]:
        """They continue "you should first"."""
        return wordings_of(self.kind).texts

    def slots(self, state: EnvState, params: EnvParams) -> jax.Array:
        """The kitchen and its dish, if told; what is at home, on each board, in hand; the cell."""
        kitchen = self._kitchen(state, params)
        return text.slots_of(self.kind, self.wording, state, kitchen, self.law.told)

    def render(self, state: EnvState, params: EnvParams) -> Picture:
        """The kitchen from above, what the agent holds, and the dish."""
        kitchen = jax.tree.map(np.asarray, self._kitchen(state, params))
        return draw_kitchen(self.kind, kitchen, jax.tree.map(np.asarray, state))

    # -- law -----------------------------------------------------------------------------------

    def action_mask(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Of each macro one wording."""
        legal = self.law.legal(state, self._kitchen(state, params))
        return jnp.arange(self.num_actions, dtype=jnp.int32) == legal[jnp.asarray(self.macro_of)]

    def legal_actions(self, state: EnvState, params: EnvParams) -> tuple[jax.Array, jax.Array]:
        """Macro by macro; every macro is legal."""
        legal = self.law.legal(state, self._kitchen(state, params))
        return legal, jnp.ones(self.max_legal, jnp.bool)

    def transitions(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array]:
        """K = 1: nothing is left to chance."""
        return only_outcome(*self._act(state, action, params))

    @property
    def num_states(self) -> int:
        """A cell and a configuration: 9,950, or 325 in the tomato kitchen."""
        return NUM_CELLS * len(configurations(self.kind))

    def state_index(self, state: EnvState, params: EnvParams) -> jax.Array:
        """The state's number."""
        del params
        return states.number_of(self.kind, state)

    def state_at(
        self, instance: jax.Array | int, index: jax.Array | int, params: EnvParams
    ) -> EnvState:
        """The state of that number, at time 0."""
        del params
        return states.of_number(self.kind, index, instance)
