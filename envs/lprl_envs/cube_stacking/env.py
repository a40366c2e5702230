"""Cube stacking: build a hidden pattern of coloured cubes that the stack so far gives away.

Reference: LaGR-SEQ (arXiv 2308.13542), whose 8 cubes are the default instance.

* Actions: 0 removes the top, i stacks the i-th cube. A cube that does not come next in the target
  is undone at once, so the stack is always the first cubes of the target.
* A stack of L cubes scores F = L * (number of its cubes in their place). The reward of a step is
  the change of F, and 1 more on every step whose state before or after is the complete target.
* Illegal are cubes that are stacked and removing from nothing: they change nothing.
* An episode never terminates.

A state reads, with edges in cm:

    Stack all the cubes. Their colours and sizes make a hidden pattern.
    Cubes a red 5, b red 4, c red 3, d red 2, e blue 10, f blue 8, g blue 6, h blue 2
    The stack from the bottom e f g
    Next

Instances and families are in `cubes`, states in `states`, the law in `law`, wording in `text`.
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
from lprl_envs.banks import choose_families, content_hash, draw_bank, made_once
from lprl_envs.cube_stacking import text
from lprl_envs.cube_stacking.cubes import (
    COLORS,
    FAMILIES,
    MOST_CUBES,
    PERIODIC,
    PRESETS,
    Cubes,
    bank_of,
    counts_of,
    features_of,
    random_cubes,
)
from lprl_envs.cube_stacking.law import REWARDS, act
from lprl_envs.cube_stacking.picture import draw_cubes
from lprl_envs.cube_stacking.states import EnvParams, EnvState, cubes_of
from lprl_envs.errors import InvalidInput, require_one_of
from lprl_envs.observations import OBSERVATIONS
from lprl_envs.render import Picture
from lprl_envs.template import Template
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import Action, only_outcome


class CubeStacking(TextEnv[EnvState, EnvParams]):
    """Cube stacking with n cubes, named a, b, c, ...

    Args:
        num_cubes: n, from 2 to 12.
        reward: `"exact"` pays for the stack that stays; `"paper"` for the stack with the new cube
            on top, before a wrong one is undone, which can be farmed.
        observation: `"features"` f32[n * (7 + n)], a cube's colour and edge, and its place in the
            stack; `"tokens"` i32[num_slots], the words of the state's text, numbered by the
            template's vocabulary; `"index"` i32[] of the height; `"onehot"` f32[n + 1] of it.

    Raises:
        InvalidInput: on any argument out of these.
    """

    version = 2
    suites = tuple(PRESETS)
    families = FAMILIES
    held_out_families = (FAMILIES[PERIODIC],)

    def __init__(self, num_cubes: int = 8, reward: str = "exact", observation: str = "features"):
        self.num_cubes = values.whole("num_cubes", num_cubes)
        if not 2 <= self.num_cubes <= MOST_CUBES:
            raise InvalidInput(f"num_cubes is {self.num_cubes}; it must be 2 to {MOST_CUBES}")
        require_one_of("reward", values.text("reward", reward), REWARDS)
        require_one_of("observation", values.text("observation", observation), OBSERVATIONS)
        self.reward = reward
        self.observation = observation
        self.config = (self.num_cubes, reward, observation)
        self._template = text.template_of(self.num_cubes)

    @property
    def name(self) -> str:
        """The registered id."""
        return "CubeStacking-lprl"

    @property
    def num_actions(self) -> int:
        """Remove, and a cube each."""
        return self.num_cubes + 1

    @property
    @made_once
    def default_params(self) -> EnvParams:
        """The paper's instance of 8 or 11 cubes, or one random instance."""
        preset = f"paper-{self.num_cubes}"
        return self.suite(preset) if preset in PRESETS else self.sample_params(jax.random.key(0), 1)

    def params_of(self, instances: Sequence[Any]) -> EnvParams:
        """Parameters with these instances (see `cubes.bank_of`) as the bank."""
        return self._params(bank_of(instances, self.num_cubes))

    def suite(self, name: str) -> EnvParams:
        """The paper's 8 cubes, or 11."""
        return self.params_of([PRESETS[name]]) if name in PRESETS else super().suite(name)

    def sample_params(
        self,
        key: chex.PRNGKey,
        num_instances: int,
        split: str | None = None,
        families: Sequence[str] = (),
    ) -> EnvParams:
        """A bank of random instances, drawn in the graph.

        Args:
            key: Random key.
            num_instances: M.
            split: `"train"`, `"held-out"`, or None for both.
            families: Names of those to draw from, each as likely. None named: all, or with a split
                all that are not held out.
        """
        if split is not None and self.num_cubes < 3:  # three colours tell the held-out family
            raise InvalidInput("two cubes are too few to split; use 3 or more, or no split")
        chosen = choose_families(self.families, self.held_out_families, families, split)
        return self._params(self._draw_bank(key, num_instances, split, chosen))

    @functools.partial(jax.jit, static_argnums=(0, 2, 3, 4))  # one by one its operations take long
    def _draw_bank(
        self, key: chex.PRNGKey, num_instances: int, split: str | None, families: tuple[int, ...]
    ) -> Cubes:
        draw = random_cubes(self.num_cubes, families)
        name = f"{self.name} of {self.num_cubes} cubes"
        return draw_bank(key, num_instances, split, draw, self.held_out, name=name)

    def _params(self, cubes: Cubes) -> EnvParams:
        """The limit is 50 steps for 8 cubes: to try every cube everywhere, and 14 to spare."""
        return EnvParams.of_all(cubes, limit=self.num_cubes * (self.num_cubes + 1) // 2 + 14)

    def identity(self, instance: Cubes) -> jax.Array:
        """The pattern in colours and edges."""
        return jnp.stack([instance.color, instance.size])[:, instance.target]

    def split_hash(self, instance: Cubes) -> jax.Array:
        """Of which cubes there are: other letters, orders and colours in their place go along."""
        counts = counts_of(instance)
        return jnp.sum(jax.vmap(content_hash)(counts), dtype=jnp.uint32)  # colours in any order

    def held_out(self, instance: Cubes) -> jax.Array:
        """`bool[]`: cubes of three colours or more, as the family `periodic` has; one in five."""
        colors = jnp.sum(jnp.any(counts_of(instance) > 0, axis=1))
        return (colors >= 3) | super().held_out(instance)

    # -- gymnax --------------------------------------------------------------------------------

    def initial_state(self, key: chex.PRNGKey, instance: jax.Array, params: EnvParams) -> EnvState:
        """Nothing is stacked."""
        del key, params
        return EnvState(time=jnp.int32(0), instance=instance, height=jnp.int32(0))

    def step_env(
        self, key: chex.PRNGKey, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array, dict[Any, Any]]:
        """One step, without auto-reset."""
        action = jnp.asarray(action, jnp.int32)
        state, reward, terminated = self._act(state, action, params)
        state = dataclasses.replace(state, time=state.time + 1)
        return self.observe(key, state, action, params), state, reward, terminated, {}

    def _act(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[EnvState, jax.Array, jax.Array]:
        """What an action does: `(state, reward, terminated)`."""
        place = params.bank.place[state.instance]
        height, reward = act(state.height, action, place, self.reward)
        state = dataclasses.replace(state, height=height)
        return state, reward.astype(jnp.float32), self.is_terminated(state, params)

    def is_terminated(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Never."""
        del state, params
        return jnp.bool_(False)

    def is_solved(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether the target is complete."""
        del params
        return state.height == self.num_cubes

    @property
    def num_features(self) -> int:
        """Colour, edge and place of every cube."""
        return self.num_cubes * (len(COLORS) + 1 + self.num_cubes)

    def features(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Of each cube: its colour as one-hot, its edge / 12, its place in the stack as one-hot."""
        return features_of(cubes_of(state, params), state.height)

    def state_space(self, params: EnvParams) -> spaces.Dict:
        """The fields of `EnvState`."""
        fields = super().state_space(params).spaces
        return spaces.Dict({**fields, "height": spaces.Discrete(self.num_states)})

    # -- text ----------------------------------------------------------------------------------

    @property
    def template(self) -> Template:
        """The wording at the top of this file."""
        return self._template

    @property
    def action_texts(self) -> tuple[str, ...]:
        """They continue "Next"."""
        return text.action_texts(self.num_cubes)

    def slots(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Colour and size of each cube, then the cube on each place of the stack, 0 for none."""
        return text.slots_of(cubes_of(state, params), state.height)

    def render(self, state: EnvState, params: EnvParams) -> Picture:
        """The stack, the cubes that are left beside it, and an outline of the target."""
        return draw_cubes(jax.tree.map(np.asarray, cubes_of(state, params)), int(state.height))

    # -- completion ----------------------------------------------------------------------------

    @property
    def completion_prompt(self) -> Template:
        """The same text, with the question for the whole stack."""
        return text.completion_prompt_of(self.num_cubes)

    @property
    def completion(self) -> Template:
        """A cube for every place, bottom first."""
        return text.completion_of(self.num_cubes)

    def target(self, instance: jax.Array, params: EnvParams) -> jax.Array:
        """`i32[n]`: the cubes from the bottom to the top."""
        return params.bank.target[instance]

    def revealed(self, state: EnvState, params: EnvParams) -> jax.Array:
        """`f32[]`: the part of the target that is stacked."""
        del params
        return state.height.astype(jnp.float32) / self.num_cubes

    def accepts(self, completion: jax.Array, state: EnvState, params: EnvParams) -> jax.Array:
        """`bool[]`: whether a completion `i32[n]` is exactly the target."""
        return jnp.all(completion == self.target(state.instance, params))

    def question(self, state: EnvState, params: EnvParams) -> EnvState:
        """The same stack at time 0."""
        del params
        return dataclasses.replace(state, time=jnp.int32(0))

    def follow(self, completion: jax.Array, state: EnvState, params: EnvParams) -> jax.Array:
        """Its next cube. On a full stack its last, which is illegal: the stack stays, and pays."""
        del params
        return completion[jnp.minimum(state.height, self.num_cubes - 1)] + 1

    # -- law -----------------------------------------------------------------------------------

    def action_mask(self, state: EnvState, params: EnvParams) -> jax.Array:
        """To remove from a stack, and the cubes that are not in it."""
        left = params.bank.place[state.instance] >= state.height
        return jnp.append(state.height > 0, left)

    @property
    def max_legal(self) -> int:
        """Every cube; or with some stacked the others, and remove."""
        return self.num_cubes

    def transitions(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array]:
        """K = 1: there is no chance."""
        return only_outcome(*self._act(state, action, params))

    @property
    def num_states(self) -> int:
        """A height each, from 0 to n."""
        return self.num_cubes + 1

    def state_index(self, state: EnvState, params: EnvParams) -> jax.Array:
        """The height."""
        del params
        return state.height

    def state_at(
        self, instance: jax.Array | int, index: jax.Array | int, params: EnvParams
    ) -> EnvState:
        """A stack of that height, at time 0."""
        del params
        return EnvState(time=jnp.int32(0), instance=jnp.int32(instance), height=jnp.int32(index))
