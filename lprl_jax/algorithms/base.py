"""What an algorithm is: pure functions over R independent runs at once."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn, TypeVar

import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput, TextEnv, threefry, values
from lprl_envs.short_repr import short_repr

from lprl_jax.algorithms.arguments import require_count

Env = TextEnv[Any, Any]
HParams = TypeVar("HParams", bound=tuple[Any, ...])

EXACT = "exact"
"""The k of a prior that is not sampled from."""


FOR_BOXES = ("sac", "td3")
"""Names, in the registry, of the algorithms that act in continuous worlds; others take numbers."""


class Data(NamedTuple):
    """Arguments of every compiled function: another bank, with a prior for it, does not recompile.

    What does not belong together is refused; see `ties`.
    """

    prior_params: Any
    """`prior.params`, or () without a prior."""
    env_params: Any
    """Of the environment."""
    dataset: Any = ()
    """A `Dataset` that is learnt from; () where learning is from acting."""
    policy_params: Any = ()
    """`LanguagePolicy.params`, where a language model acts."""
    completer_params: Any = ()
    """`completer.params`, where patterns are completed."""
    judge_params: Any = ()
    """`judge.params`, where verdicts shift the reward."""


def _cannot_act(*arguments: Any) -> NoReturn:
    raise InvalidInput("this algorithm was made without `act`; `evaluate` plays whole episodes")


@dataclasses.dataclass(frozen=True, eq=False)
class Algorithm:
    """Pure functions over a state whose leaves lead with the run axis."""

    __repr__ = short_repr

    init: Callable[..., Any]
    """`(keys [R], hparams, data, run_instances=None) -> state`"""
    restart: Callable[..., Any]
    """`(state, data, run_instances=None) -> state`: the same learners in a new bank.

    A state belongs to the bank that it was begun in: to be trained in another it is restarted.
    """
    update: Callable[[Any, Data], tuple[Any, dict[str, jax.Array]]]
    """`(state, data) -> (state, metrics)`: act, then learn, once."""
    evaluate: Callable[..., dict[str, jax.Array]]
    """`(state, data, num_episodes, policy=policies[0]) -> metrics [R]`: play without learning."""
    policies: tuple[str, ...]
    """The ways in which `evaluate` and `act` can act; the first is the algorithm's own."""
    asks_in_play: bool = True
    """Whether playing asks the prior, if there is one, in every state that it meets."""
    means: tuple[str, ...] = ("loss",)
    """Metrics of `update` that are averaged over a chunk of training; others are summed."""
    from_data: bool = False
    """Whether it learns from `Data.dataset`."""
    act: Callable[..., jax.Array] = _cannot_act
    """`(state, data, env_state, key, policy=policies[0]) -> actions`: what is done in these states.

    States lead with R or with R, N, of a single run with nothing; so do the actions. The key is
    one, or one a run.
    """
    require: Callable[[Any, Data], None] = lambda state, data: None
    """`(state, data)`: raises InvalidInput unless they may be trained on; see `ties`."""

    def train(self, state: Any, data: Data, num_updates: int) -> tuple[Any, dict[str, jax.Array]]:
        """A compiled scan of `update`; metrics are stacked, `[num_updates, ...]`.

        Raises:
            InvalidInput: if there are no updates, or prior, bank and environment do not belong
                together.
        """
        count = require_count("num_updates", num_updates)
        self.require(state, data)
        return self.scan(state, data, count)

    @functools.partial(jax.jit, static_argnames=("self", "num_updates"))
    def scan(self, state: Any, data: Data, num_updates: int) -> tuple[Any, dict[str, jax.Array]]:
        """What `train` compiles."""
        state = state._replace(key=threefry.written_out(state.key))
        state, metrics = jax.lax.scan(lambda s, _: self.update(s, data), state, None, num_updates)
        return state._replace(key=threefry.as_given(state.key)), metrics


def same_for_all(kind: type[HParams], config: Any, num_runs: int) -> HParams:
    """Hyper-parameters of R runs, `f32[R]` each, from a config's fields of the same names."""
    named: Any = kind
    return named(*(jnp.full(num_runs, getattr(config, x), jnp.float32) for x in named._fields))


def require_above_0(config: Any, *names: str) -> None:
    """Raise InvalidInput unless these fields of a config are above 0, in float32 too."""
    for name in names:
        values.require_above_0(name, getattr(config, name))


def require_finite(config: Any, *names: str) -> None:
    """Raise InvalidInput unless these fields of a config are finite."""
    for name in names:
        values.finite(name, getattr(config, name))


def require_fraction(config: Any, *names: str) -> None:
    """Raise InvalidInput unless these fields of a config lie in [0, 1]."""
    for name in names:
        if not 0 <= getattr(config, name) <= 1:
            raise InvalidInput(f"{name} is {getattr(config, name)}; it must lie in [0, 1]")


def require_not_below_0(config: Any, *names: str) -> None:
    """Raise InvalidInput unless these fields of a config are 0 or above."""
    for name in names:
        if not getattr(config, name) >= 0:
            raise InvalidInput(f"{name} is {getattr(config, name)}; it must be 0 or above")


def require_k(k: int | str) -> None:
    """Raise InvalidInput unless this is a number of proposals, or "exact"."""
    is_number = type(k) is int and k >= 1
    if not (is_number or (isinstance(k, str) and k == EXACT)):
        values.refuse("k", k, f'valid: a whole number from 1, or "{EXACT}"')
