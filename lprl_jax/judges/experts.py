"""Judges that know the physics: what the experts of cart pole and pendulum say of every action."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput, TextEnv, TextEnvParams, values
from lprl_envs.cartpole import expert as cartpole
from lprl_envs.cartpole.env import CartPole
from lprl_envs.pendulum import expert as pendulum
from lprl_envs.pendulum.env import Pendulum
from lprl_envs.short_repr import short_repr

from lprl_jax.judges.base import BAD, GOOD, UNSURE, among_legal, of_values
from lprl_jax.priors import fingerprint
from lprl_jax.priors.base import Counters, require_world
from lprl_jax.priors.fingerprint import Fingerprint

GOOD_WITHIN, BAD_BEYOND, ALIKE_BELOW = 0.15, 0.5, 0.05
"""Of a torque's loss against the best, as shares of what the worst loses; see `of_values`."""


class ExpertParams(NamedTuple):
    """Arguments of the compiled functions."""

    expert: Any
    """What was worked out for the bank."""
    fingerprint: Fingerprint
    """Whose bank that is."""


@dataclasses.dataclass(frozen=True, eq=False)
class ExpertJudge:
    """Verdicts of an expert on a state; asks no model. Make one with `expert_judge`."""

    __repr__ = short_repr

    env: TextEnv[Any, Any]
    """A world that has an expert."""
    says: Callable[[Any, Any, Any], jax.Array]
    """`(expert, state, env_params) -> f32[A]`"""
    params: ExpertParams
    """The expert of a bank."""
    name: str = "perfect"
    """For reports."""

    def init(self) -> Counters:
        """Nothing asked."""
        return Counters.zero()

    def verdicts(
        self,
        params: ExpertParams,
        carry: Counters,
        keys: chex.PRNGKey,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """See `Judge.verdicts`."""
        del keys
        found = jax.vmap(self.says, (None, 0, None))(params.expert, env_state, env_params)
        return among_legal(self.env, found, env_state, env_params), carry.after_looking_up(needed)


def has_expert(env: TextEnv[Any, Any]) -> bool:
    """Whether `expert_judge` knows this world."""
    return isinstance(env, CartPole | Pendulum)


def expert_judge(
    env: TextEnv[Any, Any], env_params: TextEnvParams, *, dead_zone: float = 0.0
) -> ExpertJudge:
    """The judge that knows the physics of every instance of a bank.

    On the cart pole the side that the regulator pushes to is good and the other bad. On the
    pendulum a torque is judged by what it loses against the best one: little is good, much is bad.

    Args:
        env: CartPole-lprl or Pendulum-lprl.
        env_params: The bank.
        dead_zone: Cart pole alone: forces, in N, below which it is unsure.

    Raises:
        InvalidInput: if the world has no expert, or the dead zone is below 0.
    """
    require_world(env, env_params)
    dead_zone = values.finite("dead_zone", dead_zone)
    if dead_zone < 0:
        raise InvalidInput(f"dead_zone is {dead_zone:g}; it must be 0 or above")

    if isinstance(env, CartPole):
        says = functools.partial(on_cart, dead_zone=dead_zone)
        expert = cartpole.expert_of(env_params)  # pyright: ignore[reportArgumentType]
    elif isinstance(env, Pendulum):
        says, expert = on_pendulum, pendulum.expert_of(env_params)  # pyright: ignore[reportArgumentType]
    else:
        raise InvalidInput(f"{env.name} has no expert; valid: CartPole-lprl, Pendulum-lprl")
    return ExpertJudge(env, says, ExpertParams(expert, fingerprint.of(env, env_params)))


def on_cart(
    expert: cartpole.Expert, state: Any, env_params: Any, dead_zone: float = 0.0
) -> jax.Array:
    """`f32[2]`: the side that the regulator pushes to is good, the other bad.

    Args:
        expert: Of the bank.
        state: One.
        env_params: The bank.
        dead_zone: Forces, in N, below which nothing is said.
    """
    margin = expert.margin(state, env_params)
    right = jnp.where(margin > 0, GOOD, BAD)
    both = jnp.stack([-right, right])
    return jnp.where(jnp.abs(margin) < dead_zone, UNSURE, both)


def on_pendulum(expert: pendulum.Expert, state: Any, env_params: Any) -> jax.Array:
    """`f32[5]`: a torque is judged by what it loses against the best one."""
    losses = expert.advantages(state, env_params)
    every = jnp.ones(losses.shape, bool)
    return of_values(losses, every, GOOD_WITHIN, BAD_BEYOND, ALIKE_BELOW)
