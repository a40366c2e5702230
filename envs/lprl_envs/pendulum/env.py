"""Pendulum: gymnax's Pendulum-v1, with a bank of physics as data and a text for every state.

Reference: `gymnax.environments.classic_control.pendulum`, whose own step is taken, so that the law
is gymnax's to the bit. Length, mass and gravity differ from instance to instance.

* An action is a torque in [-2, 2] Nm, f32[1]; positive turns right. Beyond, it is clipped. It has
  five words: hard left -2, left -1, none 0, right 1, hard right 2.
* Reward a step is -(angle^2 + .1 turning^2 + .001 torque^2), of the state before it; the angle is
  that from upright, in [-pi, pi).
* An episode begins at any angle, turning by at most 1 rad/s, and has 200 steps; nothing ends it.

A state reads, with words for ranges of its two numbers:

    Swing the pole up by a torque and keep it up.
    Pole medium, medium; gravity medium
    Pole raised left, turning slow right
    Torque

So many states read alike: 144 texts an instance, numbered by `text_cell`. Instances and the law are
in `physics`, the wording is in `text`.

From one key `reset`, `reset_env` and `step_env` do what gymnax's do. `step` does where no episode
ends; the next one begins by the whole key, and in gymnax by the second half of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from gymnax.environments import spaces
from gymnax.environments.classic_control.pendulum import angle_normalize

from lprl_envs.banks import content_hash, draw_bank, draw_instance, made_once
from lprl_envs.observations import require_mode
from lprl_envs.pendulum import text
from lprl_envs.pendulum.physics import (
    INNER,
    OWN,
    QUANTITIES,
    Physics,
    bank_of,
    random_physics,
    turn,
)
from lprl_envs.pendulum.picture import draw_pole
from lprl_envs.render import Picture
from lprl_envs.template import Template
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import Action, TextEnvParams, TextEnvState, only_outcome
from lprl_envs.threefry import written_out

LIMIT = 200
"""Steps an episode, gymnax's."""
UPRIGHT = text.SECTOR / 2, text.EDGES[4]
"""A pole stands that leans and turns by less: it reads "up" and "none"."""


@struct.dataclass(kw_only=True)
class EnvState(TextEnvState):
    """How the pole stands and turns; positive is right."""

    theta: jax.Array
    """f32[]: from upright, in rad; it counts turns."""
    theta_dot: jax.Array
    """f32[]: in rad/s."""


@struct.dataclass(kw_only=True)
class EnvParams(TextEnvParams):
    """`bank` is a `Physics`."""


class Pendulum(TextEnv[EnvState, EnvParams]):
    """Pendulum with physics to draw.

    Args:
        observation: `"features"` f32[3], gymnax's observation, which does not tell the physics;
            `"tokens"` i32[5], the words of the state's text, numbered by the template's
            vocabulary, which does.

    Raises:
        InvalidInput: on another observation.
    """

    def __init__(self, observation: str = "features"):
        require_mode(observation, False, "needs numbered states; use features or tokens")
        self.observation = observation
        self.config = (observation,)
        self._template = text.template()

    @property
    def name(self) -> str:
        """The registered id."""
        return "Pendulum-lprl"

    @property
    def num_actions(self) -> int:
        """The words for torques."""
        return len(text.ACTION_TEXTS)

    @property
    def action_words(self) -> np.ndarray:
        """`f32[5, 1]`: the torques that the words mean, in Nm."""
        return text.TORQUES

    def action_space(self, params: EnvParams | None = None) -> spaces.Box:
        """Torques; gymnax's, in every instance."""
        del params
        return INNER.action_space(OWN)

    # -- instances -----------------------------------------------------------------------------

    @property
    @made_once
    def default_params(self) -> EnvParams:
        """Gymnax's physics."""
        return self.params_of([{}])

    def params_of(self, instances: Sequence[Any]) -> EnvParams:
        """Parameters with these instances as the bank.

        Args:
            instances: A mapping each, such as `{"g": 5.0}`, of what differs from gymnax's
                defaults: `l`, `m` and `g`, each within the range of those drawn.

        Raises:
            InvalidInput: if a name is unknown, or a value out of range.
        """
        return EnvParams.of_all(bank_of(instances, self.name), LIMIT)

    def sample_params(
        self, key: chex.PRNGKey, num_instances: int, split: str | None = None
    ) -> EnvParams:
        """A bank of random physics, of 27 there are, drawn in the graph."""
        bank = draw_bank(key, num_instances, split, random_physics, self.held_out, name=self.name)
        return EnvParams.of_all(bank, LIMIT)

    def identity(self, instance: Physics) -> jax.Array:
        """The physics' bits."""
        return QUANTITIES.bits(instance)

    def split_hash(self, instance: Physics) -> jax.Array:
        """Of the words for the physics."""
        return content_hash(QUANTITIES.words(instance))

    # -- law -----------------------------------------------------------------------------------

    def initial_state(self, key: chex.PRNGKey, instance: jax.Array, params: EnvParams) -> EnvState:
        """As gymnax's `reset_env` draws it."""
        del params
        most = jnp.array([np.pi, 1.0], jnp.float32)
        start = jax.random.uniform(written_out(key), (2,), jnp.float32, -most, most)
        return EnvState(
            time=jnp.int32(0),
            instance=jnp.int32(instance),
            theta=start[0],
            theta_dot=start[1],
        )

    def reset_env(self, key: chex.PRNGKey, params: EnvParams) -> tuple[jax.Array, EnvState]:
        """Draw an instance and start an episode in it, from gymnax's own key."""
        state = self.initial_state(key, draw_instance(key, params.instances), params)
        return self.observe(key, state, None, params), state

    def step_env(
        self, key: chex.PRNGKey, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array, dict[Any, Any]]:
        """One step, without auto-reset."""
        after, reward, terminated = self._turn(state, action, params)
        after = dataclasses.replace(after, time=state.time + 1)
        return self.observe(key, after, action, params), after, reward, terminated, {}

    def _turn(
        self, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[EnvState, jax.Array, jax.Array]:
        """What a torque `f32[1]` does: `(state, reward, terminated)`."""
        physics = jax.tree.map(lambda x: x[state.instance], params.bank)
        torque = jnp.asarray(action, jnp.float32).reshape(())
        theta, theta_dot, reward = turn(physics, state.theta, state.theta_dot, torque)
        after = dataclasses.replace(state, theta=theta, theta_dot=theta_dot)
        return after, reward, self.is_terminated(after, params)

    def is_terminated(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Never."""
        del state, params
        return jnp.bool_(False)

    def is_solved(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether the time is up and the pole stands: it reads "up" and turns by none."""
        lean, turning = UPRIGHT
        stands = jnp.abs(angle_normalize(state.theta)) < lean
        return self.is_truncated(state, params) & stands & (jnp.abs(state.theta_dot) < turning)

    def action_mask(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Every word may be said."""
        del state, params
        return jnp.ones(self.num_actions, bool)

    def transitions(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array]:
        """K = 1: there is no chance."""
        return only_outcome(*self._turn(state, action, params))

    # -- observations --------------------------------------------------------------------------

    @property
    def num_features(self) -> int:
        """Cosine and sine of the angle, turning."""
        return 3

    def features(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Gymnax's observation: cosine and sine of the angle, and the turning in rad/s."""
        del params
        return jnp.stack([jnp.cos(state.theta), jnp.sin(state.theta), state.theta_dot])

    def observation_space(self, params: EnvParams) -> spaces.Space:
        """Gymnax's, or of the words."""
        if self.observation != "features":
            return super().observation_space(params)
        return INNER.observation_space(OWN)

    def state_space(self, params: EnvParams) -> spaces.Dict:
        """The fields of `EnvState`; angle and turning lie where gymnax's do."""
        fields = super().state_space(params).spaces
        own = INNER.state_space(OWN).spaces
        return spaces.Dict({**fields, **{name: own[name] for name in ("theta", "theta_dot")}})

    # -- text ----------------------------------------------------------------------------------

    @property
    def template(self) -> Template:
        """The wording at the top of this file."""
        return self._template

    @property
    def action_texts(self) -> tuple[str, ...]:
        """They continue "Torque"."""
        return text.ACTION_TEXTS

    def slots(self, state: EnvState, params: EnvParams) -> jax.Array:
        """A word for length, mass and gravity each, and for the state's two numbers."""
        physics = jax.tree.map(lambda x: x[state.instance], params.bank)
        now = text.state_words(state.theta, state.theta_dot)
        return jnp.concatenate([QUANTITIES.words(physics), now])

    def render(self, state: EnvState, params: EnvParams) -> Picture:
        """The pole in its length about its axle, and how it turns."""
        length = float(params.bank.l[state.instance])
        return draw_pole(float(state.theta), float(state.theta_dot), length)
