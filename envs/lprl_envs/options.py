"""Options: longer steps of a world, each with a text, as a world of their own.

An option is a text and a way to act until something is so: "put the red block on the table", "look
into fridge 1". A world says what its options are (`Options`, pure functions), and `OverOptions` is
the world over that world whose actions they are: search, learners and priors take it as any other.

* One step is one option: its actions are executed one after the other until it is done or the
  episode is over, `max_actions` of them at most, and their rewards are added up.
* All else is of the world underneath: instances and which are held out, text, features, heuristic,
  picture, when an episode is over and what solves it.
* The clock counts options, not actions: `time` is steps since reset, as in every world, and who
  discounts does so by the steps that a learner takes. So that nobody is given more than the world
  gives, the limit is the world's divided by `max_actions`, one option at least: no episode has more
  actions over options than without, but for that one.
* An illegal option changes nothing and pays `illegal_reward`; the mask forbids it.
* Where an episode is over nobody acts, yet the law is defined: an option is then carried out whole
  and pays what its last action does, an illegal one what standing there does, 1 where that solves.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import chex
import jax
import jax.numpy as jnp
import numpy as np
from gymnax.environments import spaces

from lprl_envs import values
from lprl_envs.banks import made_once
from lprl_envs.errors import InvalidInput, NotNumbered
from lprl_envs.observations import require_mode
from lprl_envs.render import Picture
from lprl_envs.template import Template
from lprl_envs.text_env import TextEnv, TParams, TState
from lprl_envs.text_env_data import Action, only_outcome

Act = Callable[[Any, TState, jax.Array], tuple[TState, jax.Array, jax.Array]]
"""One action of the world underneath: `(key, state, action) -> (state, reward, terminated)`."""


class Options(Protocol):
    """G options of a world: pure functions of one state; hashable, equal if they do the same.

    What is legal may be asked where an option can be chosen; what to do, also on the way.
    """

    @property
    def texts(self) -> tuple[str, ...]:
        """`[G]`: they continue the state's text, as those of actions do."""
        ...

    @property
    def max_actions(self) -> int:
        """No legal option takes more."""
        ...

    def is_legal(self, state: Any, params: Any) -> jax.Array:
        """`bool[G]`: those that can be carried out and that change something; one at least."""
        ...

    def next_action(self, state: Any, option: jax.Array, params: Any) -> jax.Array:
        """`i32[]`: the world's action to take now on the way of a legal option."""
        ...

    def is_done(self, state: Any, option: jax.Array, params: Any) -> jax.Array:
        """`bool[]`: whether what the option's text says is so; never of a legal one."""
        ...


class OverOptions(TextEnv[TState, TParams]):
    """A world whose actions are options of the world underneath.

    Args:
        world: The world underneath, whose actions are numbers.
        options: Its options.
        name: The id.
        illegal_reward: Of an illegal option.
        decisions: Numbers of the world's states in which options can be chosen, ascending; these
            are then numbered here. None: states have no numbers.

    Raises:
        InvalidInput: if the world is continuous, or observes numbers and there are none, or
            `illegal_reward` is no finite number; if decisions are no ascending numbers of states.
        NotNumbered: if there are decisions, and the world's states have no numbers.
    """

    def __init__(
        self,
        world: TextEnv[TState, TParams],
        options: Options,
        name: str,
        illegal_reward: float = 0.0,
        decisions: Sequence[int] | np.ndarray | None = None,
    ):
        if world.is_continuous:
            raise InvalidInput(f"{world.name} is continuous; options are of numbered actions")
        limit = (
            "needs numbered states: name decisions, or have the world observe features or tokens"
        )
        require_mode(world.observation, decisions is not None, limit)
        self.world, self.options, self._name = world, options, name
        self.illegal_reward = values.finite("illegal_reward", illegal_reward)
        chosen = None if decisions is None else _ascending(decisions, world)
        self.observation, self.version = world.observation, world.version
        self.suites, self.families = world.suites, world.families
        self.held_out_families, self.held_out_as = world.held_out_families, world.held_out_as
        self.texts_alias, self.reward_noise = world.texts_alias, world.reward_noise
        self.planning_discount = world.planning_discount
        self._numbers = None if chosen is None else np.array(chosen, np.int32)
        self.config = (name, world.name, world.config, options, self.illegal_reward, chosen)

    @property
    def name(self) -> str:
        """As given."""
        return self._name

    @property
    def num_actions(self) -> int:
        """G."""
        return len(self.options.texts)

    # -- instances -----------------------------------------------------------------------------

    @property
    @made_once
    def default_params(self) -> TParams:
        """The world's."""
        return self.limited(self.world.default_params)

    def params_of(self, instances: Sequence[Any]) -> TParams:
        """Parameters with these instances as the bank, written as for the world underneath."""
        return self.limited(self.world.params_of(instances))

    def suite(self, name: str) -> TParams:
        """Parameters with a published set of the world's instances as the bank."""
        return self.limited(self.world.suite(name))

    def sample_params(
        self, key: chex.PRNGKey, num_instances: int, split: str | None = None
    ) -> TParams:
        """A bank of random instances: those of the world underneath with this key.

        Args:
            key: Random key.
            num_instances: M.
            split: `"train"`, `"held-out"`, or None for both. What else the world's takes, such as
                `families`, a class of its own passes on, and has the clock count options by
                `limited`: `household.over_options` does.
        """
        return self.limited(self.world.sample_params(key, num_instances, split))

    def limited(self, params: TParams) -> TParams:
        """The world's parameters, with the limit in options."""
        limit = jnp.int32(params.max_steps_in_episode) // self.options.max_actions
        return dataclasses.replace(params, max_steps_in_episode=jnp.maximum(limit, 1))

    def identity(self, instance: Any) -> jax.Array:
        """The world's."""
        return self.world.identity(instance)

    def split_hash(self, instance: Any) -> jax.Array:
        """The world's, so that the same instances are held out."""
        return self.world.split_hash(instance)

    def held_out(self, instance: Any) -> jax.Array:
        """The world's."""
        return self.world.held_out(instance)

    # -- gymnax --------------------------------------------------------------------------------

    def initial_state(self, key: chex.PRNGKey, instance: jax.Array, params: TParams) -> TState:
        """The world's."""
        return self.world.initial_state(key, instance, params)

    def step_env(
        self, key: chex.PRNGKey, state: TState, action: Action, params: TParams
    ) -> tuple[jax.Array, TState, jax.Array, jax.Array, dict[Any, Any]]:
        """One option, without auto-reset."""

        def act(key: Any, state: TState, action: jax.Array) -> Any:
            _, after, reward, terminated, _ = self.world.step_env(key, state, action, params)
            return dataclasses.replace(after, time=state.time), reward, terminated

        keys, option = jax.random.split(key, self.options.max_actions), jnp.int32(action)
        after, reward, terminated = self._carry_out(act, keys, state, option, params)
        after = dataclasses.replace(after, time=state.time + 1)
        return self.observe(key, after, action, params), after, reward, terminated, {}

    def _carry_out(
        self, act: Act[TState], keys: Any, state: TState, option: jax.Array, params: TParams
    ) -> tuple[TState, jax.Array, jax.Array]:
        """`(state, reward, terminated)` of an option, at the state's time."""
        begun_over = self.world.is_terminated(state, params)
        legal = self.options.is_legal(state, params)[option]
        standing = self.illegal_reward + (begun_over & self.is_solved(state, params))
        reward = jnp.where(legal, 0.0, standing).astype(jnp.float32)

        def step(carry: Any, key: Any) -> tuple[Any, None]:
            state, reward, over = carry
            goes_on = legal & ~self.options.is_done(state, option, params) & (~over | begun_over)
            action = self.options.next_action(state, option, params)
            after, more, ends = act(key, state, action)
            reached = after, jnp.where(begun_over, 0.0, reward) + more, ends
            return jax.tree.map(lambda x, y: jnp.where(goes_on, x, y), reached, carry), None

        start = state, reward, begun_over
        return jax.lax.scan(step, start, keys, length=self.options.max_actions)[0]

    def is_terminated(self, state: TState, params: TParams) -> jax.Array:
        """The world's."""
        return self.world.is_terminated(state, params)

    def is_solved(self, state: TState, params: TParams) -> jax.Array:
        """The world's."""
        return self.world.is_solved(state, params)

    @property
    def num_features(self) -> int:
        """The world's."""
        return self.world.num_features

    def features(self, state: TState, params: TParams) -> jax.Array:
        """The world's."""
        return self.world.features(state, params)

    def state_space(self, params: TParams) -> spaces.Dict:
        """The world's."""
        return self.world.state_space(params)

    # -- text ----------------------------------------------------------------------------------

    @property
    def template(self) -> Template:
        """The world's."""
        return self.world.template

    @property
    def action_texts(self) -> tuple[str, ...]:
        """The options'."""
        return self.options.texts

    def slots(self, state: TState, params: TParams) -> jax.Array:
        """The world's."""
        return self.world.slots(state, params)

    def render(self, state: TState, params: TParams) -> Picture:
        """The world's."""
        return self.world.render(state, params)

    # -- law -----------------------------------------------------------------------------------

    def action_mask(self, state: TState, params: TParams) -> jax.Array:
        """The legal options."""
        return self.options.is_legal(state, params)

    def heuristic(self, state: TState, params: TParams) -> jax.Array:
        """The world's."""
        return self.world.heuristic(state, params)

    def transitions(
        self, state: TState, action: jax.Array, params: TParams
    ) -> tuple[jax.Array, TState, jax.Array, jax.Array]:
        """K = 1.

        Raises:
            InvalidInput: if the world underneath leaves something to chance.
        """

        def act(key: None, state: TState, action: jax.Array) -> Any:
            del key
            prob, *outcome = self.world.transitions(state, action, params)
            if prob.shape[0] > 1 or self.reward_noise:
                raise InvalidInput(
                    f"{self.world.name} leaves something to chance: the law of its options is not "
                    "listed; play them by step"
                )
            return jax.tree.map(lambda x: x[0], tuple(outcome))

        return only_outcome(*self._carry_out(act, None, state, action, params))

    @property
    def num_states(self) -> int | None:
        """The states in which options can be chosen, where it was said which these are."""
        return None if self._numbers is None else self._numbers.size

    @functools.cached_property
    def _below(self) -> np.ndarray:
        """`i32[S]`: how many of these come before each of the world's S states."""
        is_one = np.zeros(self.world.numbered_states, bool)
        is_one[self._numbers] = True
        return (np.cumsum(is_one) - is_one).astype(np.int32)

    def state_index(self, state: TState, params: TParams) -> jax.Array:
        """How many states in which options can be chosen come before it among the world's."""
        if self._numbers is None:
            raise NotNumbered(self.name)
        return jnp.asarray(self._below)[self.world.state_index(state, params)]

    def state_at(
        self, instance: jax.Array | int, index: jax.Array | int, params: TParams
    ) -> TState:
        """The state of that number, at time 0."""
        if self._numbers is None:
            raise NotNumbered(self.name)
        return self.world.state_at(instance, jnp.asarray(self._numbers)[index], params)


def _ascending(decisions: Sequence[int] | np.ndarray, world: TextEnv[Any, Any]) -> tuple[int, ...]:
    """The numbers, if they are states of the world, each once, in order."""
    chosen = tuple(int(number) for number in decisions)
    last = world.numbered_states - 1
    if not chosen or list(chosen) != sorted(set(chosen)) or chosen[0] < 0 or chosen[-1] > last:
        raise InvalidInput(
            f"decisions are {list(chosen[:8])}...; right: ascending numbers of {world.name}'s "
            f"states, 0 to {last}"
        )
    return chosen
