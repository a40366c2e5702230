"""The controls that a claim about a completer needs: always right, never right, and worse ones."""

from __future__ import annotations

import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput, TextEnv, values
from lprl_envs.short_repr import short_repr

from lprl_jax.completers.base import Answers, Completer
from lprl_jax.completers.memory import prompt_hash, question_keys
from lprl_jax.completers.recorded import Recorded, require_wrong_values, wrong_of
from lprl_jax.priors.base import Counters

_COIN = (1 << 31) + 1
"""Folded into a question's key, beyond any number that a split takes: the coin is another than
what the completer underneath draws by that key."""


def perfect(env: TextEnv[Any, Any]) -> Recorded:
    """A completer that is always right."""
    return Recorded(env, (1.0,), "perfect")


def never_right(env: TextEnv[Any, Any]) -> Recorded:
    """A completer that is always wrong."""
    return Recorded(env, (0.0,), "never-right")


def degrade(
    completer: Completer, epsilon: float, env: TextEnv[Any, Any] | None = None
) -> DegradedCompleter:
    """A worse version of a completer: with probability epsilon its answer is a wrong one.

    The wrong answers are frozen as the others are: a question that got one gets it again.

    Args:
        completer: The one made worse.
        epsilon: In [0, 1].
        env: Has the patterns; None for the completer's own `env`, which all of this package have.

    Raises:
        InvalidInput: if epsilon is not in [0, 1], or there is no environment with a pattern.
    """
    env = getattr(completer, "env", None) if env is None else env
    return DegradedCompleter(completer, epsilon, env)


@dataclasses.dataclass(frozen=True, eq=False)
class DegradedCompleter:
    """See `degrade`."""

    __repr__ = short_repr

    completer: Completer
    """The one made worse; it is asked as before."""
    epsilon: float
    """Share of the questions whose answer is a wrong one."""
    env: Any
    """Has the patterns."""

    def __post_init__(self) -> None:
        """Raises InvalidInput if epsilon is no share, or the environment is missing."""
        object.__setattr__(self, "epsilon", checked_epsilon(self.epsilon))
        if self.env is None:
            raise InvalidInput(
                f"the completer {self.completer.name!r} does not tell its environment; right: "
                "degrade(completer, epsilon, env), or a completer with an attribute `env`"
            )
        require_wrong_values(self.env)

    @property
    def name(self) -> str:
        """What was done, and to which completer."""
        return f"{self.completer.name} (ε = {self.epsilon:g})"

    @property
    def params(self) -> Any:
        """Of the completer underneath."""
        return self.completer.params

    def init(self) -> Counters:
        """Of the completer underneath."""
        return self.completer.init()

    def complete(
        self,
        params: Any,
        carry: Counters,
        keys: chex.PRNGKey,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[Answers, Counters]:
        """See `degrade` and `Completer.complete`."""
        asked = env_state, env_params, needed
        answers, carry = self.completer.complete(params, carry, keys, *asked)
        own = question_keys(keys, prompt_hash(self.env, env_state, env_params))

        def one(key: chex.PRNGKey, state: Any) -> tuple[jax.Array, jax.Array]:
            spoilt = jax.random.uniform(jax.random.fold_in(key, _COIN)) < self.epsilon
            right = self.env.target(state.instance, env_params)
            return spoilt, wrong_of(self.env, right)

        spoilt, wrong = jax.vmap(one)(own, env_state)
        completion = jnp.where(spoilt[:, None], wrong, answers.completion)
        return Answers(completion, needed & (spoilt | answers.readable)), carry


def checked_epsilon(epsilon: Any) -> float:
    """The share, if it is one; otherwise raises InvalidInput."""
    epsilon = values.number("epsilon", epsilon)
    if not 0 <= epsilon <= 1:
        raise InvalidInput(f"epsilon is {epsilon:g}; it must lie in [0, 1]")
    return epsilon
