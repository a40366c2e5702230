"""GymnaxEnv: an environment of gymnax's own, CartPole-v1, Pendulum-v1 or another, as ours.

Law, episodes and observations are gymnax's, to the bit and from the same keys. What gymnax calls
environment parameters is an instance here: a bank holds M of them, by default one, gymnax's own.

Gymnax says of no state how it reads, nor what an episode is for. So there is no text, which a
language model could read, and no state is solved: `success` stays 0, returns tell how well it goes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import chex
import gymnax
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from gymnax.environments import environment, spaces

from lprl_envs import auto_reset, observations, values
from lprl_envs.banks import draw_instance
from lprl_envs.bridges import gymnax_values
from lprl_envs.bridges.no_text import NoText
from lprl_envs.errors import InvalidInput, shown
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import Action, TextEnvParams, TextEnvState
from lprl_envs.threefry import written_out

LIMIT = "max_steps_in_episode"
"""The parameter of gymnax's that is one for the whole bank."""


@struct.dataclass(kw_only=True)
class EnvState(TextEnvState):
    """Gymnax's state, and what was seen of it."""

    inner: Any
    """Gymnax's own."""
    seen: jax.Array
    """The observation: kept, since some hold noise that is drawn in a step."""


@struct.dataclass(kw_only=True)
class EnvParams(TextEnvParams):
    """`bank` is gymnax's parameters, with `[M, ...]` leaves."""


class GymnaxEnv(TextEnv[EnvState, EnvParams]):
    """An environment that gymnax has registered, as the algorithms here take one.

    Every action is legal. There are no words for continuous ones: `num_actions` is then 0. An
    observation that is a whole number becomes a one-hot vector. States after an auto-reset are
    `reset_env`'s; counters that DeepSea carries over episodes start anew.

    Args:
        env_id: Such as `"CartPole-v1"`.
        arguments: Of the environment's constructor.

    Raises:
        InvalidInput: if gymnax cannot make it so, or its actions are neither discrete nor in a box.
    """

    observation = "features"

    def __init__(self, env_id: str, **arguments: Any):
        defaults = gymnax_values.arguments_of(type(GymnaxEnv(env_id).inner)) if arguments else {}
        for name, value in arguments.items():
            arguments[name] = values.check_like(defaults.get(name))(name, value)
        self.config = (env_id, *sorted(arguments.items()))
        try:
            hash(self.config)
            self.inner, self._own = gymnax.make(env_id, **arguments)
            space = self.inner.action_space(self._own)
            self._seen = self.inner.observation_space(self._own)
            jax.eval_shape(self.inner.reset_env, jax.random.key(0), self._own)
        except Exception as error:  # whatever gymnax raises is about its arguments
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            named = (f"{name}={shown(value)}" for name, value in arguments.items())
            given = ", ".join(named) or "no arguments"
            raise InvalidInput(f"gymnax cannot make {env_id} with {given}: {reason}") from error
        if isinstance(space, spaces.Box) and len(space.shape) == 1:
            self._num_actions = 0
            return
        if not isinstance(space, spaces.Discrete):
            raise InvalidInput(
                f"{env_id} has the actions {space}; they must be discrete, or numbers in a box"
            )
        self._num_actions = int(space.n)
        if self._num_actions < 1:
            raise InvalidInput(f"{env_id} has no actions so; it needs one or more")

    @property
    def name(self) -> str:
        """Gymnax's id."""
        return self.config[0]

    @property
    def num_actions(self) -> int:
        """A; 0 where actions are continuous, gymnax having no words for them."""
        return self._num_actions

    @property
    def action_words(self) -> np.ndarray:
        """`f32[0, d]` where actions are continuous."""
        if not self.is_continuous:
            return super().action_words
        return np.zeros((0, *self.action_space().shape), np.float32)

    def action_space(self, params: EnvParams | None = None) -> spaces.Discrete | spaces.Box:
        """Gymnax's; a box is that of the bank's first instance, and so of all."""
        own = self._own if params is None else self._inner_params(jnp.int32(0), params)
        space = self.inner.action_space(own)
        return space if isinstance(space, spaces.Box) else spaces.Discrete(self.num_actions)

    # -- law -----------------------------------------------------------------------------------

    def initial_state(self, key: chex.PRNGKey, instance: jax.Array, params: EnvParams) -> EnvState:
        """As gymnax's `reset_env` draws it."""
        own = self._inner_params(instance, params)
        seen, inner = self.inner.reset_env(self._sooner(key), own)
        return EnvState(
            time=jnp.int32(0),
            instance=jnp.int32(instance),
            inner=gymnax_values.strong(inner),
            seen=self._vector(seen),
        )

    def reset_env(self, key: chex.PRNGKey, params: EnvParams) -> tuple[jax.Array, EnvState]:
        """Draw an instance and start an episode in it, from gymnax's own key."""
        state = self.initial_state(key, draw_instance(key, params.instances), params)
        return state.seen, state

    def step_env(
        self, key: chex.PRNGKey, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array, dict[Any, Any]]:
        """Gymnax's."""
        seen, inner, reward, terminated, info = self.inner.step_env(
            self._sooner(key), state.inner, action, self._inner_params(state.instance, params)
        )
        after = dataclasses.replace(
            state, time=state.time + 1, inner=gymnax_values.strong(inner), seen=self._vector(seen)
        )
        return after.seen, after, jnp.float32(reward), jnp.bool_(terminated), info

    def step(
        self,
        key: chex.PRNGKey,
        state: EnvState,
        action: Action,
        params: EnvParams | None = None,
    ) -> tuple[Any, EnvState, jax.Array, jax.Array, jax.Array, dict[Any, Any]]:
        """One step with auto-reset, each from the half of the key that gymnax's `step` gives it."""
        params = self.default_params if params is None else params
        key_step, key_reset = jax.random.split(self._sooner(key))
        return auto_reset.step(self, key_step, key_reset, state, action, params)

    def _sooner(self, key: chex.PRNGKey) -> chex.PRNGKey:
        """Written out, for the laws of gymnax itself, which take any kind of key and keep none."""
        is_gymnaxs = type(self.inner).__module__.startswith("gymnax.")
        return written_out(key) if is_gymnaxs else key

    def is_truncated(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Gymnax's: whether the time is up."""
        own = self._inner_params(state.instance, params)
        return jnp.bool_(self.inner.is_truncated(state.inner, own))

    def is_terminated(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Gymnax's."""
        own = self._inner_params(state.instance, params)
        return jnp.bool_(self.inner.is_terminated(state.inner, own))

    def is_solved(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Never: gymnax says nothing of success."""
        del state, params
        return jnp.bool_(False)

    def action_mask(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Every action is legal."""
        del state, params
        return jnp.ones(self.num_actions, bool)

    def transitions(self, state: EnvState, action: jax.Array, params: EnvParams) -> NoReturn:
        """Unknown: gymnax draws a step, and tells no probabilities."""
        raise InvalidInput(f"{self.name} is gymnax's own, of which no exact law is known")

    # -- observations --------------------------------------------------------------------------

    def observe(
        self, key: chex.PRNGKey, state: EnvState, action: Any, params: EnvParams
    ) -> jax.Array:
        """What gymnax showed of the state when it was reached."""
        del key, action, params
        return state.seen

    def observation_space(self, params: EnvParams) -> spaces.Space:
        """Gymnax's; of one-hot vectors, where that is a whole number's."""
        if isinstance(self._seen, spaces.Discrete):
            return spaces.Box(0.0, 1.0, (int(self._seen.n),), jnp.float32)
        return self.inner.observation_space(self._inner_params(jnp.int32(0), params))

    def state_space(self, params: EnvParams) -> spaces.Dict:
        """Ours, with gymnax's in it."""
        own = self._inner_params(jnp.int32(0), params)
        inner, seen = self.inner.state_space(own), self.observation_space(params)
        fields = observations.state_space(params).spaces
        return spaces.Dict({**fields, "inner": inner, "seen": seen})

    @property
    def num_features(self) -> int:
        """Numbers in an observation."""
        shape = (self._seen.n,) if isinstance(self._seen, spaces.Discrete) else self._seen.shape
        return int(np.prod(shape))

    def features(self, state: EnvState, params: EnvParams) -> jax.Array:
        """The observation, flat; its range is gymnax's."""
        del params
        return jnp.ravel(state.seen).astype(jnp.float32)

    def _vector(self, seen: Any) -> jax.Array:
        if isinstance(self._seen, spaces.Discrete):
            return jax.nn.one_hot(seen, int(self._seen.n), dtype=jnp.float32)
        return gymnax_values.strong(seen)

    # -- instances -----------------------------------------------------------------------------

    @property
    def default_params(self) -> EnvParams:
        """One instance: gymnax's default parameters."""
        return self.params_of([{}])

    def params_of(self, instances: Sequence[Any]) -> EnvParams:
        """A bank of gymnax's parameters.

        Args:
            instances: A mapping each, such as `{"gravity": 1.6}`, of what differs from gymnax's
                defaults. The time limit is one for all, and so is the box of continuous actions.

        Raises:
            InvalidInput: if a name, a type or a shape is wrong.
        """
        own = [self._instance(fields) for fields in values.instances(instances)]
        if not own:
            raise InvalidInput(f"a bank of no instances of {self.name}; it needs at least one")
        limits = sorted({int(getattr(params, LIMIT)) for params in own})
        if limits[0] < 1:
            raise InvalidInput(f"{LIMIT} is {limits[0]}; it must be 1 or more")
        if len(limits) > 1:
            raise InvalidInput(f"{LIMIT} is {limits}; the instances of {self.name} share one")
        if self.is_continuous:
            boxes = sorted({str(self.inner.action_space(params)) for params in own})
            if len(boxes) > 1:
                raise InvalidInput(
                    f"actions lie in {' and in '.join(boxes)}; the instances of {self.name} share "
                    "one box"
                )
        bank = jax.tree.map(
            lambda *leaves: jnp.stack([gymnax_values.strong(x) for x in leaves]), *own
        )
        return EnvParams.of_all(bank, limits[0])

    def _instance(self, fields: Any) -> environment.EnvParams:
        """Gymnax's parameters with these in place of the defaults."""
        valid = {
            field.name: getattr(self._own, field.name) for field in dataclasses.fields(self._own)
        }
        if not isinstance(fields, Mapping):
            raise InvalidInput(
                f"an instance of {self.name} is {shown(fields)}; right: a mapping, of "
                f"{', '.join(valid)} to numbers"
            )
        for name in fields:
            if name not in valid:
                raise InvalidInput(
                    f"unknown parameter {shown(name)} of {self.name}; valid: {', '.join(valid)}"
                )
        return dataclasses.replace(
            self._own,
            **{
                name: gymnax_values.like(name, value, valid[name]) for name, value in fields.items()
            },
        )

    def sample_params(
        self, key: chex.PRNGKey, num_instances: int, split: str | None = None
    ) -> NoReturn:
        """None: gymnax does not say which parameters one might draw."""
        raise InvalidInput(
            f"{self.name} is gymnax's own and has no instances to draw; leave num_instances away, "
            "or write some by hand: env_params.instances=[{name: number}, ...]"
        )

    def identity(self, instance: Any) -> jax.Array:
        """The parameters' bits."""
        return jnp.concatenate([gymnax_values.bits(leaf) for leaf in jax.tree.leaves(instance)])

    def _inner_params(self, instance: jax.Array, params: EnvParams) -> Any:
        """Gymnax's parameters of an instance, with our time limit."""
        is_alone = jax.tree.leaves(params.bank)[0].shape[0] == 1  # nothing to be gathered
        own = jax.tree.map(lambda x: x[0 if is_alone else instance], params.bank)
        return dataclasses.replace(own, **{LIMIT: params.max_steps_in_episode})

    # -- text ----------------------------------------------------------------------------------

    @property
    def template(self) -> NoReturn:
        """None."""
        raise NoText(self.name)

    def slots(self, state: EnvState, params: EnvParams) -> NoReturn:
        """None."""
        raise NoText(self.name)

    @property
    def action_texts(self) -> NoReturn:
        """None."""
        raise NoText(self.name)
