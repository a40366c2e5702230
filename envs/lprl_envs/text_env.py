"""TextEnv: what every environment here offers beyond gymnax.

Three things are added to gymnax's contract:

* **Instances are data.** `params.bank` holds M instances (maps, goals) as `[M, ...]` arrays, and
  `params.instances` the indices that `reset` draws from, by a gather.
* **A state reads as text.** `slots` is jittable, `describe` is the same on the host.
* **The exact law**: `transitions`, and where an instance has few enough states `num_states`,
  `state_index` and `state_at`. Priors become tables and planners exact.

Actions are numbers, or in a continuous world points in a box. `action_words` then says where in it
the action words lie: priors speak of words, learners take points.

`step` also reports `final_state`, by which a learner bootstraps through a time limit. It does not
split its key, as gymnax's `step` does.

A world needs six members: `template`, `slots`, `action_texts`, `initial_state`, `is_solved` and
`transitions`, and `draw` for its instances (`docs/own-environment.md`). All else has a default,
which `parts/defaults` makes of these.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar, cast

import chex
import jax
import jax.numpy as jnp
import numpy as np
from gymnax.environments import environment, spaces

from lprl_envs import auto_reset, observations, values
from lprl_envs.banks import content_hash, draw_bank, draw_instance, made_once, set_apart
from lprl_envs.errors import InvalidInput, NotNumbered, shown
from lprl_envs.parts import defaults, looking
from lprl_envs.render import Picture, picture_of_text
from lprl_envs.template import Template
from lprl_envs.text_env_data import Action, Successor, TextEnvParams, TextEnvState

HELD_OUT_ONE_IN = 5
"""One instance in five is held out: never to be trained or tuned on."""

TState = TypeVar("TState", bound=TextEnvState)
TParams = TypeVar("TParams", bound=TextEnvParams)


class TextEnv(environment.Environment[TState, TParams], abc.ABC):
    """gymnax's `Environment` with text, instances as data and an exact law.

    Two of equal `config`, which subclasses set, are equal, so that compiled functions are found.
    """

    config: tuple[Any, ...] = ()
    """What tells it from others of its class, hashable: its arguments, unless it sets this."""
    observation: str = "features"
    """One of `observations.OBSERVATIONS`."""
    time_limit: int = 100
    """Steps after which an episode is truncated, in parameters that `params_of` makes."""
    version: int = 0
    """Raised when law, text, instance format or split changes: tables of others are refused."""
    suites: tuple[str, ...] = ()
    """Names of published sets of instances, for `suite`."""
    families: tuple[str, ...] = ()
    """Kinds of instances that `sample_params` draws; none where there is one kind."""
    held_out_families: tuple[str, ...] = ()
    """Families of which every instance is held out."""
    held_out_as: str = "text"
    """What the split keeps apart, in environments of one `config`. `"text"`: no text of a held-out
    instance, in whatever state, is one of an instance to be trained on. `"content"`: where the text
    hides the instance, no held-out `identity` is one of those, though some texts may be equal."""
    texts_alias: bool = False
    """Whether states of an instance read alike by design; who sees texts alone is partly blind."""
    planning_discount: float = 0.97
    """Of whoever plans what is right here; below 1, shorter is better."""
    reward_noise: bool = False
    """Whether a step draws its reward; `transitions` then gives each outcome's mean."""

    def __init_subclass__(cls, **named: Any) -> None:
        """Have constructors keep their arguments."""
        super().__init_subclass__(**named)
        if "__init__" in vars(cls):
            cls.__init__ = defaults.keeping_arguments(cls.__init__, _require_draw)

    def __init__(self) -> None:
        """Of a world without arguments."""
        _require_draw(self)

    @property
    def name(self) -> str:
        """What messages and files call it: the registered id; default, the class."""
        return type(self).__name__

    def __repr__(self) -> str:
        return defaults.as_made(self)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.config == other.config  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), self.config))

    # -- text ----------------------------------------------------------------------------------

    @property
    @abc.abstractmethod
    def template(self) -> Template:
        """How a state reads."""

    @abc.abstractmethod
    def slots(self, state: TState, params: TParams) -> jax.Array:
        """`i32[num_slots]`: which value each slot of the template takes."""

    def describe(self, state: TState, params: TParams) -> str:
        """The state's text, on the host."""
        return self.template.render(np.asarray(self.slots(state, params)).tolist())

    def render(self, state: TState, params: TParams) -> Picture:
        """The state as a picture, on the host; its text, where nothing else is drawn."""
        return picture_of_text(self.describe(state, params))

    @property
    @abc.abstractmethod
    def action_texts(self) -> tuple[str, ...]:
        """`[A]`: one text an action; it continues the state's text."""

    @property
    def num_actions(self) -> int:
        """A: one a text."""
        return len(self.action_texts)

    @property
    def is_continuous(self) -> bool:
        """Whether an action is a point in a box, f32[d], and not one of A numbers."""
        return isinstance(self.action_space(), spaces.Box)

    @property
    def action_words(self) -> np.ndarray:
        """`f32[A, d]`: where in the box of a continuous world each action word lies.

        In a box of one dimension they ascend. `num_actions` is then the number of words, which may
        be 0, `action_mask` is True of all of them, and `legal_actions` are words too.

        Raises:
            InvalidInput: if actions are discrete, the words being the actions.
        """
        raise InvalidInput(f"{self.name} has discrete actions, which are its words")

    # -- law -----------------------------------------------------------------------------------

    @abc.abstractmethod
    def initial_state(self, key: chex.PRNGKey, instance: jax.Array, params: TParams) -> TState:
        """An episode's first state in an instance."""

    def action_mask(self, state: TState, params: TParams) -> jax.Array:
        """`bool[A]`: legal actions; at least one is. Default, and of a continuous world's: all."""
        del state, params
        return jnp.ones(self.num_actions, bool)

    @abc.abstractmethod
    def is_solved(self, state: TState, params: TParams) -> jax.Array:
        """`bool[]`: whether this is what an episode is for: success, illegal actions or not."""

    def is_terminated(self, state: TState, params: TParams) -> jax.Array:
        """`bool[]`: whether the episode has ended in this state; default, where it is solved."""
        return self.is_solved(state, params)

    @property
    def max_legal(self) -> int:
        """No state has more legal actions; where they are few, a prior scores only these."""
        return self.num_actions

    def legal_actions(self, state: TState, params: TParams) -> tuple[jax.Array, jax.Array]:
        """The legal actions in the order in which a search tries them, and which of these are any.

        Returns:
            `i32[max_legal]` and `bool[max_legal]`; an action whose flag is False means nothing.
        """
        return looking.legal_actions(self, state, params)

    def heuristic(self, state: TState, params: TParams) -> jax.Array:
        """`f32[]`, finite: how promising a state is, by the environment's own rule; more is better.

        Raises:
            InvalidInput: if it has none.
        """
        raise InvalidInput(f"{self.name} has no heuristic; roll-outs of a prior value any state")

    def successor(self, state: TState, place: jax.Array, params: TParams) -> Successor:
        """Where the action at a place of `legal_actions` leads, if there is one."""
        return looking.successor(self, state, place, params)

    def look_ahead(self, state: TState, params: TParams) -> tuple[jax.Array, jax.Array]:
        """The heuristic of where each legal action leads, and whether that is a solved state.

        Returns:
            `f32[max_legal]`, -inf of none, and `bool[max_legal]`.
        """
        return looking.look_ahead(self, state, params)

    @abc.abstractmethod
    def transitions(
        self, state: TState, action: jax.Array, params: TParams
    ) -> tuple[jax.Array, TState, jax.Array, jax.Array]:
        """The exact law: `(prob[K], state[K], reward[K], terminated[K])`.

        The action is what `step_env` takes: i32[], or f32[d] in a continuous world.
        With `reward_noise` the rewards are means.
        """

    @property
    def num_states(self) -> int | None:
        """Size of an instance's state space, time left out; None if it cannot be numbered."""
        return None

    def state_index(self, state: TState, params: TParams) -> jax.Array:
        """`i32[]` in `[0, num_states)`."""
        raise NotNumbered(self.name)

    def state_at(
        self, instance: jax.Array | int, index: jax.Array | int, params: TParams
    ) -> TState:
        """The state of that index at time 0: the inverse of `state_index`."""
        raise NotNumbered(self.name)

    @property
    def numbered_states(self) -> int:
        """`num_states`, for whoever needs one.

        Raises:
            NotNumbered: if there are too many.
        """
        if self.num_states is None:
            raise NotNumbered(self.name)
        return self.num_states

    # -- instances -----------------------------------------------------------------------------

    def draw(self, key: chex.PRNGKey) -> Any:
        """A random instance: a row of the bank, without the axis M; jittable.

        Not needed where `sample_params` draws banks otherwise.
        """
        raise InvalidInput(f"{self.name} draws no instance alone; `sample_params` draws a bank")

    def is_fit(self, instance: Any) -> jax.Array:
        """`bool[]`: whether an instance may be played; one that may not is drawn anew."""
        del instance
        return jnp.bool_(True)

    def identity(self, instance: Any) -> jax.Array:
        """Integers that tell an instance (a row of the bank) apart; default, all its numbers."""
        return defaults.identity(instance)

    def split_hash(self, instance: Any) -> jax.Array:
        """`uint32[]`: decides on which side of the split an instance is.

        Equal for all instances that must be on one side: those that read alike, and those that are
        alike but for a symmetry.
        """
        return content_hash(self.identity(instance))

    def held_out(self, instance: Any) -> jax.Array:
        """`bool[]`: whether the instance is held out; what that means, `held_out_as` says."""
        return self.split_hash(instance) % HELD_OUT_ONE_IN == 0

    def params_of(self, instances: Sequence[Any]) -> TParams:
        """Parameters with these instances, as one writes them by hand (in a config), as the bank.

        Raises:
            InvalidInput: if one is not well-formed.
        """
        right = jax.eval_shape(self.draw, jax.random.key(0))
        bank = defaults.bank_of(values.instances(instances), right)
        for number, one in enumerate(instances):
            if not self.is_fit(jax.tree.map(lambda leaf, i=number: leaf[i], bank)):
                raise InvalidInput(f"{self.name} cannot be played in the instance {shown(one)}")
        return self._of_bank(bank)

    def _of_bank(self, bank: Any) -> TParams:
        return cast(TParams, TextEnvParams.of_all(bank, self.time_limit))

    def suite(self, name: str) -> TParams:
        """Parameters with a published set of instances, one of `suites`, as the bank."""
        valid = f"valid: {', '.join(self.suites)}" if self.suites else f"{self.name} has none"
        raise InvalidInput(f"unknown suite {name!r}; {valid}")

    def shortest_plans(self, name: str) -> jax.Array:
        """`i32[M]`: actions of a shortest plan of each instance of a suite.

        Raises:
            InvalidInput: if they are not known.
        """
        raise InvalidInput(f"lengths of shortest plans are not known of {self.name}'s {name!r}")

    def sample_params(
        self, key: chex.PRNGKey, num_instances: int, split: str | None = None
    ) -> TParams:
        """Parameters with a new bank of random instances, drawn in the graph.

        An environment with `families` also takes `families`, the names of those to draw from.

        Args:
            key: Random key.
            num_instances: M.
            split: `"train"`, `"held-out"`, or None for both.
        """
        is_fit = None if type(self).is_fit is TextEnv.is_fit else self.is_fit
        drawn = draw_bank(key, num_instances, split, self.draw, self.held_out, is_fit, self.name)
        return self._of_bank(drawn)

    # -- gymnax --------------------------------------------------------------------------------

    @property
    @made_once
    def default_params(self) -> TParams:
        """The preset instance; default, one that is drawn."""
        return self.sample_params(jax.random.key(0), 1)

    @property
    def num_features(self) -> int:
        """Length of `features`."""
        return defaults.num_features(self.template)

    def features(self, state: TState, params: TParams) -> jax.Array:
        """`f32[num_features]` in [0, 1]: what may be known of the state and of its instance.

        Default: a one-hot a slot of the text.
        """
        return defaults.features(self.template, self.slots(state, params))

    def observe(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, key: chex.PRNGKey, state: TState, action: Any, params: TParams
    ) -> jax.Array:
        """The observation in the mode chosen at construction."""
        del key, action
        return observations.observe(self, state, params)

    def observation_space(self, params: TParams) -> spaces.Space:
        """Of the observation mode."""
        del params
        return observations.space_of(self)

    def action_space(self, params: TParams | None = None) -> spaces.Discrete | spaces.Box:
        """The actions: A numbers; a continuous world gives `Box(low, high, (d,), float32)`, finite.

        A box is one for all instances of a bank. What lies outside it the world clips.
        """
        del params
        return spaces.Discrete(self.num_actions)

    def reset_env(self, key: chex.PRNGKey, params: TParams) -> tuple[Any, TState]:
        """Draw an instance and start an episode in it.

        What is drawn does not depend on what `step_env` draws from the same key.
        """
        instance = draw_instance(key, params.instances)
        state = self.initial_state(set_apart(key), instance, params)
        return self.observe(key, state, None, params), state

    def state_space(self, params: TParams) -> spaces.Dict:
        """Of the fields of a state; default, its own are as wide as their type."""
        first = jax.eval_shape(self.initial_state, jax.random.key(0), jnp.int32(0), params)
        own = {field.name: getattr(first, field.name) for field in dataclasses.fields(first)}
        return spaces.Dict({**defaults.state_space(own), **observations.state_space(params).spaces})

    def step_env(
        self, key: chex.PRNGKey, state: TState, action: Action, params: TParams
    ) -> tuple[Any, TState, jax.Array, jax.Array, dict[Any, Any]]:
        """One step, without auto-reset; default, an outcome of the law."""
        own = jnp.asarray(action, jnp.float32 if self.is_continuous else jnp.int32)
        prob, states, rewards, terminated = self.transitions(state, own, params)
        row = defaults.draw_outcome(key, prob)
        after = jax.tree.map(lambda x: x[row], states)
        after = dataclasses.replace(after, time=state.time + 1)
        return self.observe(key, after, own, params), after, rewards[row], terminated[row], {}

    def reset(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, key: chex.PRNGKey, params: TParams | None = None
    ) -> tuple[Any, TState]:
        """Start an episode: `(observation, state)`."""
        return self.reset_env(key, self.default_params if params is None else params)

    def step(  # pyright: ignore[reportIncompatibleVariableOverride]
        self,
        key: chex.PRNGKey,
        state: TState,
        action: Action,
        params: TParams | None = None,
    ) -> tuple[Any, TState, jax.Array, jax.Array, jax.Array, dict[Any, Any]]:
        """One step with auto-reset, both by this key, which is not split; see `auto_reset.step`."""
        params = self.default_params if params is None else params
        return auto_reset.step(self, key, key, state, action, params)


def _require_draw(env: TextEnv[Any, Any]) -> None:
    """Raises TypeError if a world's instances cannot be had, singly or as a bank."""
    own = type(env)
    if own.draw is TextEnv.draw and own.sample_params is TextEnv.sample_params:
        raise TypeError(f"{own.__name__} lacks draw(key), a random instance, or sample_params")
