"""What a prior is, and the one primitive that asks a model: evaluate where needed."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, Protocol, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv, TextEnvParams
from lprl_envs.errors import shown


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Count:
    """A whole number up to 2^64 - 1 in two words: a day's queries pass 2^31.

    `int` of one tells it on the host; of several, along leading axes, their sum.
    """

    low: jax.Array
    """u32[...]"""
    high: jax.Array
    """u32[...]: of 2^32 each."""

    @staticmethod
    def of(value: Any) -> Count:
        """A number: from Python, as an array below 2^32, or as it is."""
        if isinstance(value, Count):
            return value
        if isinstance(value, int):
            return Count(jnp.uint32(value & 0xFFFFFFFF), jnp.uint32(value >> 32))
        return Count(jnp.asarray(value, jnp.uint32), jnp.zeros(jnp.shape(value), jnp.uint32))

    def plus(self, other: Count) -> Count:
        """The sum, in the graph."""
        low = self.low + other.low
        carried = (low < other.low).astype(jnp.uint32)
        return Count(low, self.high + other.high + carried)

    def minus(self, other: Count) -> Count:
        """What was counted since `other`, in the graph."""
        borrowed = (self.low < other.low).astype(jnp.uint32)
        return Count(self.low - other.low, self.high - other.high - borrowed)

    def __int__(self) -> int:
        low, high = (int(np.sum(np.asarray(x), dtype=np.uint64)) for x in (self.low, self.high))
        return low + (high << 32)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Count):
            return int(self) == int(other)
        try:
            return int(self) == operator.index(other)  # pyright: ignore[reportArgumentType]
        except TypeError:
            return False


class Counters(NamedTuple):
    """What a prior has been asked."""

    queries: Count
    """Prompts sent to the model."""
    evaluations: Count
    """Prompts actually run through it; fewer, where answers are remembered."""

    @staticmethod
    def zero(evaluations: int = 0) -> Counters:
        """Nothing asked yet; `evaluations` were run beforehand."""
        return Counters(Count.of(0), Count.of(evaluations))

    def after_running(self, needed: jax.Array) -> Counters:
        """Every needed row was a query, and was run."""
        asked = Count.of(jnp.sum(needed, dtype=jnp.uint32))
        return Counters(Count.of(self.queries).plus(asked), Count.of(self.evaluations).plus(asked))

    def after_looking_up(self, needed: jax.Array) -> Counters:
        """Every needed row was a query, whose answer was known."""
        asked = Count.of(jnp.sum(needed, dtype=jnp.uint32))
        return self._replace(queries=Count.of(self.queries).plus(asked))

    def plus(self, other: Counters) -> Counters:
        """Both together."""
        return Counters(*(x.plus(y) for x, y in zip(self, other, strict=True)))

    def minus(self, other: Counters) -> Counters:
        """What was asked since `other`."""
        return Counters(*(x.minus(y) for x, y in zip(self, other, strict=True)))


class Prior(Protocol):
    """A distribution over the legal actions of every state, from outside the learner.

    `params` (weights, prefixes, tables) is an argument of every compiled function: it is never
    closed over, so another bank of instances does not recompile anything. With a
    `fingerprint.Fingerprint` in it, it is refused where it does not belong. The batch axis is
    explicit; B states are asked about at once.
    """

    @property
    def name(self) -> str:
        """For reports."""
        ...

    @property
    def params(self) -> Any:
        """What `log_probs` takes as its first argument."""
        ...

    def init(self) -> Counters:
        """The carry before anything was asked."""
        ...

    def log_probs(
        self, params: Any, carry: Counters, env_state: Any, env_params: Any, needed: jax.Array
    ) -> tuple[jax.Array, Counters]:
        """Log-probabilities of the actions.

        Args:
            params: `self.params`.
            carry: What `init` or the last call returned.
            env_state: B states, `[B, ...]` leaves.
            env_params: Of the environment, unbatched.
            needed: `bool[B]`: the rows that are asked. The others cost no evaluation, and what is
                returned for them means nothing (it is finite for some action, so that it can be
                sampled from).

        Returns:
            `f32[B, A]`, normalised over the legal actions and -inf elsewhere; and the new carry.
        """
        ...


@dataclasses.dataclass(frozen=True)
class Stateless:
    """A prior without its parameters, a static argument of a compiled function.

    A prior may have one as `stateless`. Those of two priors are equal if the same program serves
    both, each with its own `params`; it holds none of these, so that a program keeps none alive.
    """

    key: Hashable
    """All that the program depends on."""
    prior: Any = dataclasses.field(compare=False)
    """Its methods are called; its `params` are not there."""


class FeaturePrior(Prior, Protocol):
    """A prior that also tells what it reads in a state, as numbers that a network can start from.

    A model that is run for its log-probabilities has them at no extra cost.
    """

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """`(F,)`: features of a state; or `(A, F)`: of a state with each action."""
        ...

    def log_probs_and_features(
        self, params: Any, carry: Counters, env_state: Any, env_params: Any, needed: jax.Array
    ) -> tuple[jax.Array, jax.Array, Counters]:
        """As `log_probs`, asked once for both.

        Returns:
            Log-probabilities `f32[B, A]`; features `f32[B, *feature_shape]`, 0 in rows that are not
            needed; and the new carry.
        """
        ...


class TextPrior(Prior, Protocol):
    """A prior that reads a state's text and nothing else, and can be asked about a text alone."""

    def log_probs_of_slots(
        self,
        params: Any,
        carry: Counters,
        instance: jax.Array,
        slots: jax.Array,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """As `log_probs`, of texts behind which every action is legal.

        Args:
            params: `self.params`.
            carry: What `init` or the last call returned.
            instance: `i32[B]`: of the bank.
            slots: `i32[B, num_slots]`: as `env.slots` gives them, or such as no state has.
            needed: `bool[B]`: the rows that are asked.
        """
        ...


def has_features(prior: Prior | None) -> TypeGuard[FeaturePrior]:
    """Whether a prior is a `FeaturePrior`; a wrapper has features if what it wraps has."""
    return hasattr(prior, "feature_shape")


def evaluate_where_needed(
    evaluate: Callable[[Any], jax.Array],
    rows: Any,
    needed: jax.Array,
    chunk: int,
    width: int,
    few: int = 0,
    rank: jax.Array | None = None,
) -> jax.Array:
    """Run `evaluate` on the needed rows only, `chunk` rows at a time.

    A loop looks the needed rows up and runs as many chunks as hold them: cost follows the number
    that is needed, shapes stay fixed.

    Args:
        evaluate: `chunk` rows to `f32[chunk, width]`.
        rows: Pytree of `[B, ...]` arrays.
        needed: `bool[B]`.
        chunk: Rows an evaluation.
        width: Of a result.
        few: So many rows, or fewer, that are left are run one at a time; a chunk would cost more.
            `evaluate` is compiled for both sizes then.
        rank: `i32[B]`: rows of a lower one are run first, so that a chunk holds rows that are
            alike; the last chunk may be a short one. Without it they are run as they stand.

    Returns:
        `f32[B, width]`; 0 where not needed.
    """
    batch = needed.shape[0]
    chunk = min(chunk, batch)
    few = few if few < chunk else 0
    so_far = jnp.cumsum(needed, dtype=jnp.int32)
    count = so_far[-1]
    order = None
    if rank is not None:  # the needed rows first, by rank; those that are not needed are not met
        order = jnp.lexsort((rank, ~needed)).astype(jnp.int32)

    def more(carry: tuple[jax.Array, jax.Array]) -> jax.Array:
        return carry[0] < count

    def run(carry: tuple[jax.Array, jax.Array], size: int) -> tuple[jax.Array, jax.Array]:
        start, out = carry
        # The needed rows by their place; past the last one stands a row that does not exist, and
        # the first of the chunk is run again, which makes no chunk longer than it is.
        place = start + jnp.arange(size, dtype=jnp.int32)
        if order is None:
            index = jnp.searchsorted(so_far, place + 1)
        else:
            index = jnp.where(place < count, order.at[place].get(mode="clip"), batch)
        taken = jnp.where(index < batch, index, index[0])
        result = evaluate(jax.tree.map(lambda x: x[taken], rows))
        return start + size, out.at[index].set(result, mode="drop")

    def next_rows(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        if not few:
            return run(carry, chunk)
        are_few = count - carry[0] <= few
        return jax.lax.cond(are_few, lambda c: run(c, 1), lambda c: run(c, chunk), carry)

    nothing = jnp.zeros((batch, width), jnp.float32)
    out = jax.lax.while_loop(more, next_rows, (jnp.int32(0), nothing))[1]
    return jnp.where(needed[:, None], out, 0.0)


def require_world(env: Any, env_params: Any = None) -> None:
    """Raise InvalidInput unless this is an environment, with parameters of one or without."""
    if not isinstance(env, TextEnv):
        raise InvalidInput(
            f"env is {shown(env)}; right: an environment, the first of what lprl_jax.make(...) "
            "returns"
        )
    if env_params is not None and not isinstance(env_params, TextEnvParams):
        raise InvalidInput(
            f"env_params is {shown(env_params)}; right: parameters with a bank, the second of what "
            "lprl_jax.make(...) returns, or of env.sample_params"
        )


def normalize(scores: jax.Array, legal: jax.Array) -> jax.Array:
    """Log-softmax of `scores [..., A]` over the legal actions, -inf elsewhere."""
    return jax.nn.log_softmax(jnp.where(legal, scores, -jnp.inf), axis=-1)
