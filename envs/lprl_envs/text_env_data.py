"""What every `TextEnv` has as data: an episode's state, parameters with a bank, a successor."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Self

import jax
import jax.numpy as jnp
from flax import struct
from gymnax.environments import environment

Action = jax.Array | int | float
"""An action's number; in a continuous world f32[d], a point in its box."""


@struct.dataclass(kw_only=True)
class TextEnvState(environment.EnvState):
    """What every state has. Leaves have explicit dtypes."""

    time: jax.Array  # pyright: ignore[reportIncompatibleVariableOverride]
    """i32[]: steps since reset."""
    instance: jax.Array
    """i32[]: which instance of the bank this episode plays."""


@struct.dataclass(kw_only=True)
class TextEnvParams(environment.EnvParams):
    """Instances, and the time limit. Arguments of the compiled functions, never constants.

    Another bank is put in by `with_bank`: what else depends on it goes along.
    """

    derived: ClassVar[tuple[str, ...]] = ()
    """Fields that follow from the others: no part of what tells parameters apart."""

    max_steps_in_episode: jax.Array  # pyright: ignore
    """i32[]: the episode is truncated when `state.time` reaches it."""
    bank: Any
    """A pytree of `[M, ...]` arrays: M instances."""
    instances: jax.Array
    """i32[m]: the instances of the bank that `reset` draws from, uniformly."""

    @classmethod
    def of_all(cls, bank: Any, limit: int | jax.Array, **more: Any) -> Self:
        """With a bank, of which `reset` draws from all instances, a limit in steps, and more."""
        num_instances = jax.tree.leaves(bank)[0].shape[0]
        return cls(
            max_steps_in_episode=jnp.int32(limit),
            bank=bank,
            instances=jnp.arange(num_instances, dtype=jnp.int32),
            **more,
        )

    def with_bank(self, bank: Any) -> Self:
        """The same with another bank, of which `reset` draws from all instances."""
        return self.of_all(bank, self.max_steps_in_episode)


class Successor(NamedTuple):
    """Where a legal action leads, in an environment whose law leaves nothing to chance."""

    action: jax.Array
    """i32[]"""
    state: Any
    reward: jax.Array
    """f32[]"""
    is_solved: jax.Array
    """bool[]"""
    is_over: jax.Array
    """bool[]: solved, or terminal."""


def only_outcome(
    state: Any, reward: jax.Array, terminated: jax.Array
) -> tuple[jax.Array, Any, jax.Array, jax.Array]:
    """The law of a step without chance, as `transitions` returns it: K = 1."""
    after = jax.tree.map(lambda x: x[None], state)
    return jnp.ones(1, jnp.float32), after, reward[None], terminated[None]
