"""Cart pole: gymnax's CartPole-v1, with a bank of physics as data and a text for every state.

Reference: `gymnax.environments.classic_control.cartpole`, whose own step is taken, so that the law
is gymnax's to the bit. Physics differ from instance to instance; `total_mass` and
`polemass_length`, which gymnax keeps as parameters of their own, always follow from the others.

* Actions: 0 and 1, the left and the right button. They push left and right, or where an instance is
  `swapped` right and left.
* Reward 1 a step, the one that falls included; 0 from where it has fallen already.
* The end is a lean of more than 12 degrees or a cart more than 2.4 m off the middle.
* An episode begins with position, speed, lean and turning uniform in +-.05, and has 500 steps.

A state reads, with words for ranges of its four numbers:

    Keep the pole upright and the cart on the track by pressing buttons.
    Pole medium, light; cart medium; push medium; gravity medium
    The left button pushes left, the right button right
    Cart middle, speed none; pole lean little left, turning slow right
    Press

So many states read alike: 1,225 texts an instance, numbered by `text_cell`. They are enough to
balance by. Instances are in `physics`, the wording is in `text`.

From one key `reset`, `reset_env` and `step_env` do what gymnax's do. `step` does where no episode
ends; the next one begins by the whole key, and in gymnax by the second half of it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import struct
from gymnax.environments import spaces
from gymnax.environments.classic_control import cartpole

from lprl_envs.banks import choose_families, content_hash, draw_bank, draw_instance, made_once
from lprl_envs.cartpole import text
from lprl_envs.cartpole.physics import (
    FAMILIES,
    QUANTITIES,
    Physics,
    bank_of,
    bits_of,
    of_gymnax,
    random_physics,
)
from lprl_envs.cartpole.picture import draw_cart
from lprl_envs.observations import require_mode
from lprl_envs.render import Picture
from lprl_envs.template import Template
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import Action, TextEnvParams, TextEnvState, only_outcome
from lprl_envs.threefry import written_out

LEFT, RIGHT = range(2)
LIMIT = 500
"""Steps an episode, gymnax's."""
START = 0.05
"""An episode's first numbers are at most so far from 0."""


@struct.dataclass(kw_only=True)
class EnvState(TextEnvState):
    """Where the cart is and how the pole leans; positive is right."""

    x: jax.Array
    """f32[]: of the cart, in m."""
    x_dot: jax.Array
    """f32[]: in m/s."""
    theta: jax.Array
    """f32[]: of the pole, in rad."""
    theta_dot: jax.Array
    """f32[]: in rad/s."""


@struct.dataclass(kw_only=True)
class EnvParams(TextEnvParams):
    """`bank` is a `Physics`."""


class CartPole(TextEnv[EnvState, EnvParams]):
    """Cart pole with physics to draw.

    Args:
        observation: `"features"` f32[4], gymnax's observation, which does not tell the physics;
            `"tokens"` i32[10], the words of the state's text, numbered by the template's
            vocabulary, which does.

    Raises:
        InvalidInput: on another observation.
    """

    families = FAMILIES

    def __init__(self, observation: str = "features"):
        require_mode(observation, False, "needs numbered states; use features or tokens")
        self.observation = observation
        self.config = (observation,)
        self._template = text.template()
        self._inner = cartpole.CartPole()

    @property
    def name(self) -> str:
        """The registered id."""
        return "CartPole-lprl"

    @property
    def num_actions(self) -> int:
        """Left and right."""
        return 2

    # -- instances -----------------------------------------------------------------------------

    @property
    @made_once
    def default_params(self) -> EnvParams:
        """Gymnax's physics."""
        return self.params_of([{}])

    def params_of(self, instances: Sequence[Any]) -> EnvParams:
        """Parameters with these instances as the bank.

        Args:
            instances: A mapping each, such as `{"gravity": 3.7, "swapped": True}`, of what differs
                from gymnax's defaults: `length`, `masspole`, `masscart`, `force_mag`, `gravity`,
                each within the range of those drawn, and `swapped`.

        Raises:
            InvalidInput: if a name is unknown, or a value out of range.
        """
        return EnvParams.of_all(bank_of(instances, self.name), LIMIT)

    def sample_params(
        self,
        key: chex.PRNGKey,
        num_instances: int,
        split: str | None = None,
        families: Sequence[str] = (),
    ) -> EnvParams:
        """A bank of random physics, of 2,250 there are, drawn in the graph.

        Args:
            key: Random key.
            num_instances: M.
            split: `"train"`, `"held-out"`, or None for both.
            families: `"plain"`, `"swapped"`, or both, each as likely; none named means both.
        """
        chosen = choose_families(self.families, self.held_out_families, families, split)
        draw = functools.partial(random_physics, families=chosen)
        bank = draw_bank(key, num_instances, split, draw, self.held_out, name=self.name)
        return EnvParams.of_all(bank, LIMIT)

    def identity(self, instance: Physics) -> jax.Array:
        """The physics' bits."""
        return bits_of(instance)

    def split_hash(self, instance: Physics) -> jax.Array:
        """Of the words for the physics: with the buttons exchanged it goes along."""
        return content_hash(QUANTITIES.words(instance))

    # -- law -----------------------------------------------------------------------------------

    def initial_state(self, key: chex.PRNGKey, instance: jax.Array, params: EnvParams) -> EnvState:
        """As gymnax's `reset_env` draws it."""
        del params
        start = jax.random.uniform(written_out(key), (4,), jnp.float32, -START, START)
        return EnvState(
            time=jnp.int32(0),
            instance=jnp.int32(instance),
            x=start[0],
            x_dot=start[1],
            theta=start[2],
            theta_dot=start[3],
        )

    def reset_env(self, key: chex.PRNGKey, params: EnvParams) -> tuple[jax.Array, EnvState]:
        """Draw an instance and start an episode in it, from gymnax's own key."""
        state = self.initial_state(key, draw_instance(key, params.instances), params)
        return self.observe(key, state, None, params), state

    def step_env(
        self, key: chex.PRNGKey, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array, dict[Any, Any]]:
        """One step, without auto-reset."""
        after, reward, terminated = self._push(key, state, action, params)
        after = dataclasses.replace(after, time=state.time + 1)
        return self.observe(key, after, action, params), after, reward, terminated, {}

    def _push(
        self, key: chex.PRNGKey, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[EnvState, jax.Array, jax.Array]:
        """Gymnax's step: `(state, reward, terminated)`; it draws nothing from the key."""
        physics = jax.tree.map(lambda x: x[state.instance], params.bank)
        direction = jnp.asarray(action, jnp.int32) ^ physics.swapped.astype(jnp.int32)
        _, found, reward, terminated, _ = self._inner.step_env(
            key, _inner(state), direction, of_gymnax(physics)
        )
        after = dataclasses.replace(
            state, x=found.x, x_dot=found.x_dot, theta=found.theta, theta_dot=found.theta_dot
        )
        return after, jnp.float32(reward), terminated

    def is_terminated(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether the pole leans too far or the cart has left the track, by gymnax's thresholds."""
        physics = jax.tree.map(lambda x: x[state.instance], params.bank)
        return self._inner.is_terminated(_inner(state), of_gymnax(physics))

    def is_solved(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether the time is up and the pole still stands: balanced for a whole episode."""
        return self.is_truncated(state, params) & ~self.is_terminated(state, params)

    def action_mask(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Both buttons are always legal."""
        del state, params
        return jnp.ones(2, bool)

    def transitions(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array]:
        """K = 1: there is no chance."""
        return only_outcome(*self._push(jax.random.key(0), state, action, params))

    # -- observations --------------------------------------------------------------------------

    @property
    def num_features(self) -> int:
        """Position, speed, lean, turning."""
        return 4

    def features(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Gymnax's observation: the four numbers, in m, m/s, rad and rad/s."""
        del params
        return jnp.stack([state.x, state.x_dot, state.theta, state.theta_dot])

    def observation_space(self, params: EnvParams) -> spaces.Space:
        """Gymnax's, or of the words."""
        if self.observation != "features":
            return super().observation_space(params)
        return self._inner.observation_space(self._inner.default_params)

    def state_space(self, params: EnvParams) -> spaces.Dict:
        """The fields of `EnvState`; the four numbers lie where gymnax's do."""
        fields = super().state_space(params).spaces
        own = self._inner.state_space(self._inner.default_params).spaces
        return spaces.Dict({**fields, **{name: own[name] for name in own if name != "time"}})

    # -- text ----------------------------------------------------------------------------------

    @property
    def template(self) -> Template:
        """The wording at the top of this file."""
        return self._template

    @property
    def action_texts(self) -> tuple[str, ...]:
        """They continue "Press"."""
        return text.ACTION_TEXTS

    def slots(self, state: EnvState, params: EnvParams) -> jax.Array:
        """A word for each of the physics, the buttons, a word for each of the state's numbers."""
        physics = jax.tree.map(lambda x: x[state.instance], params.bank)
        buttons = physics.swapped.astype(jnp.int32)[None]
        now = text.state_words(self.features(state, params))
        return jnp.concatenate([QUANTITIES.words(physics), buttons, now])

    def render(self, state: EnvState, params: EnvParams) -> Picture:
        """The track, the cart and the pole, from the front."""
        physics = jax.tree.map(lambda x: x[state.instance], params.bank)
        return draw_cart(float(state.x), float(state.theta), float(physics.length))


def _inner(state: EnvState) -> cartpole.EnvState:
    """Gymnax's state."""
    return cartpole.EnvState(
        time=state.time,  # pyright: ignore[reportArgumentType]
        x=state.x,
        x_dot=state.x_dot,
        theta=state.theta,
        theta_dot=state.theta_dot,
    )
