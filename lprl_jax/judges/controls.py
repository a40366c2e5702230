"""The controls that a claim about a judge needs: empty ones, and worse versions of one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput, TextEnv, values
from lprl_envs.banks import content_hash
from lprl_envs.errors import require_one_of
from lprl_envs.short_repr import short_repr

from lprl_jax.judges.base import GOOD, UNSURE, Judge, among_legal, has_choice
from lprl_jax.priors.base import Counters, require_world

ERRORS = ("step", "state")
"""When a corrupted judge errs anew: at every step, or once and for ever in a state."""
_SHARES = 1 << 24
"""Steps into which a hash divides [0, 1)."""


@dataclasses.dataclass(frozen=True, eq=False)
class ConstantJudge:
    """The same verdict on every legal action. Asks no model."""

    __repr__ = short_repr

    env: TextEnv[Any, Any]
    """Tells which actions are legal."""
    verdict: float
    """In [-1, 1]."""
    name: str
    """For reports."""
    params: tuple[()] = ()
    """Nothing."""

    def __post_init__(self) -> None:
        """Raises InvalidInput if there is no environment, or the verdict is out of range."""
        require_world(self.env)
        verdict = values.number("verdict", self.verdict)
        if not -1 <= verdict <= 1:
            raise InvalidInput(f"verdict is {verdict:g}; it must lie in [-1, 1]")

    def init(self) -> Counters:
        """Nothing asked."""
        return Counters.zero()

    def verdicts(
        self,
        params: Any,
        carry: Counters,
        keys: chex.PRNGKey,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """See `Judge.verdicts`."""
        del params, keys
        every = jnp.full((*needed.shape, self.env.num_actions), self.verdict, jnp.float32)
        return among_legal(self.env, every, env_state, env_params), carry


def always_good(env: TextEnv[Any, Any]) -> ConstantJudge:
    """A judge that praises everything: a constant is added to every reward."""
    return ConstantJudge(env, GOOD, "always-good")


def uniform(env: TextEnv[Any, Any]) -> ConstantJudge:
    """A judge that says nothing: the verdict that a uniform prior implies."""
    return ConstantJudge(env, UNSURE, "uniform")


def corrupt(
    judge: Judge,
    *,
    accuracy: float = 1.0,
    errors: str = "step",
    lazy: float = 0.0,
    bias: float = 0.0,
    adversarial: bool = False,
    seed: int = 0,
    env: TextEnv[Any, Any] | None = None,
) -> CorruptJudge:
    """A worse version of a judge, to see how much of a result rests on its being right.

    In this order: `adversarial` turns every verdict round; with probability 1 - `accuracy` a
    verdict is wrong (turned round; "unsure" becomes good or bad, by a coin); a share `lazy` becomes
    "unsure"; a share `bias` becomes "good". Of the only legal action nothing is said.

    Args:
        judge: The one made worse.
        accuracy: In [0, 1].
        errors: `"step"` errs anew at every step, so that errors average out. `"state"` decides once
            for a text and an action, and repeats itself, as a model without sampling does.
        lazy: In [0, 1].
        bias: In [0, 1].
        adversarial: Whether all verdicts are turned round.
        seed: Of errors by state.
        env: Tells what a state reads; None for the judge's own `env`.

    Raises:
        InvalidInput: if a number is out of range, there is no such kind of errors, or the
            environment is missing.
    """
    env = getattr(judge, "env", None) if env is None else env
    return CorruptJudge(judge, accuracy, errors, lazy, bias, adversarial, seed, env)


@dataclasses.dataclass(frozen=True, eq=False)
class CorruptJudge:
    """See `corrupt`."""

    __repr__ = short_repr

    judge: Judge
    """The one made worse; it is asked as before."""
    accuracy: float
    """Probability that a verdict is kept."""
    errors: str
    """One of ERRORS."""
    lazy: float
    """Share that becomes "unsure"."""
    bias: float
    """Share that becomes "good"."""
    adversarial: bool
    """Whether verdicts are turned round."""
    seed: int
    """Of errors by state."""
    env: TextEnv[Any, Any] | None
    """Tells what a state reads."""

    def __post_init__(self) -> None:
        """See `corrupt`."""
        for name in ("accuracy", "lazy", "bias"):
            share = values.number(name, getattr(self, name))
            if not 0 <= share <= 1:
                raise InvalidInput(f"{name} is {share:g}; it must lie in [0, 1]")
            object.__setattr__(self, name, share)
        object.__setattr__(self, "adversarial", values.truth("adversarial", self.adversarial))
        object.__setattr__(self, "seed", values.whole("seed", self.seed))
        require_one_of("errors", self.errors, ERRORS)
        if self.env is None:
            raise InvalidInput(
                f"the judge {self.judge.name!r} does not tell its environment; right: "
                "corrupt(judge, env=the environment, ...), or a judge with an attribute `env`"
            )

    @property
    def name(self) -> str:
        """What was done, and to which judge."""
        parts = ["adversarial"] * self.adversarial
        parts += [f"{100 * self.accuracy:g} % right by {self.errors}"] * (self.accuracy < 1)
        parts += [f"lazy {self.lazy:g}"] * (self.lazy > 0)
        parts += [f"bias {self.bias:g}"] * (self.bias > 0)
        return f"{self.judge.name} ({', '.join(parts) or 'unchanged'})"

    @property
    def params(self) -> Any:
        """Of the judge underneath."""
        return self.judge.params

    def init(self) -> Counters:
        """Of the judge underneath."""
        return self.judge.init()

    def verdicts(
        self,
        params: Any,
        carry: Counters,
        keys: chex.PRNGKey,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """See `corrupt` and `Judge.verdicts`."""
        assert self.env is not None
        asked = keys, env_state, env_params, needed
        verdicts, carry = self.judge.verdicts(params, carry, *asked)
        chance = self._chance(keys, env_state, env_params)
        verdicts = -verdicts if self.adversarial else verdicts
        coin = jnp.where(chance(0) < 0.5, -GOOD, GOOD)
        turned = jnp.where(verdicts == UNSURE, coin, -verdicts)
        verdicts = jnp.where(chance(1) < 1 - self.accuracy, turned, verdicts)
        verdicts = jnp.where(chance(2) < self.lazy, UNSURE, verdicts)
        verdicts = jnp.where(chance(3) < self.bias, GOOD, verdicts)
        verdicts = among_legal(self.env, verdicts, env_state, env_params)
        choice = has_choice(self.env, env_state, env_params)
        return jnp.where(choice[:, None], verdicts, UNSURE), carry

    def _chance(
        self, keys: chex.PRNGKey, env_state: Any, env_params: Any
    ) -> Callable[[int], jax.Array]:
        """`purpose -> f32[B, A]` in [0, 1): by step, or by what the state reads."""
        assert self.env is not None
        env, num_actions = self.env, self.env.num_actions
        if self.errors == "step":

            def draw(purpose: int) -> jax.Array:
                own = jax.vmap(lambda key: jax.random.fold_in(key, purpose))(keys)
                return jax.vmap(lambda key: jax.random.uniform(key, (num_actions,)))(own)

            return draw
        slots = jax.vmap(env.slots, in_axes=(0, None))(env_state, env_params)

        def hashed(purpose: int) -> jax.Array:
            def one(slots: jax.Array, instance: jax.Array, action: jax.Array) -> jax.Array:
                own = jnp.stack([instance, action, jnp.int32(self.seed), jnp.int32(purpose)])
                word = content_hash(jnp.concatenate([slots.astype(jnp.int32), own]))
                return (word % jnp.uint32(_SHARES)).astype(jnp.float32) / _SHARES

            actions = jnp.arange(num_actions, dtype=jnp.int32)
            over_actions = jax.vmap(one, in_axes=(None, None, 0))
            return jax.vmap(over_actions, in_axes=(0, 0, None))(slots, env_state.instance, actions)

        return hashed
