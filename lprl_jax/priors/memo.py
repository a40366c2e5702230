"""A memory of a prior's answers, for worlds with too many states to ask about beforehand.

A state is asked about when it is met and not remembered; answers stand in a table on the device.
Runs and environments share it, and under a mesh each share of the runs has its own. What is
remembered is told apart by the whole text and by which actions are legal, so a table serves any
bank. A state belongs to a few cells; where these are taken one is forgotten, and asked about again
when it is met. So an answer is the prior's own, however small the table is.

The table is carried from step to step beside the counters. XLA updates it in place as long as it is
read before it is written, and not after (`MemoPrior._answer`).
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput, TextEnv, values
from lprl_envs.banks import content_hash
from lprl_envs.short_repr import short_repr

from lprl_jax import memory
from lprl_jax.priors.base import (
    Count,
    Counters,
    FeaturePrior,
    Prior,
    has_features,
    require_world,
)
from lprl_jax.priors.tabular import TabularPrior
from lprl_jax.priors.tabular_features import TabularFeaturePrior

SLOTS = 65_536
"""Cells of a table, by default."""
CHUNK = 4
"""States that a model behind a memory runs at a time, by default: few are new at a step."""
_WORD = 16
"""Bits of a word of a key."""
_WAYS = 8
"""Cells to which a state belongs: with one, states that share it would push each other out."""


class Memo(NamedTuple):
    """What was asked, and what is remembered in C cells; the carry of a `MemoPrior`."""

    queries: Count
    """Rows that were asked."""
    evaluations: Count
    """Those that the prior underneath was asked about."""
    tag: jax.Array
    """u32[C]: a hash of the key, odd; 0 in a cell that is free."""
    key: jax.Array
    """u16[C, K]: the words of the text, then which actions are legal."""
    answer: jax.Array
    """f32[C, W]: log-probabilities of the legal actions in their order, then features, if kept."""

    @property
    def counters(self) -> Counters:
        """Without the table."""
        return Counters(self.queries, self.evaluations)

    def plus(self, other: Any) -> Memo:
        """What either was asked, and what this one remembers."""
        total = self.counters.plus(Counters(other.queries, other.evaluations))
        return self._replace(queries=total.queries, evaluations=total.evaluations)

    def minus(self, other: Any) -> Counters:
        """What was asked since `other`."""
        return self.counters.minus(Counters(other.queries, other.evaluations))


def remember(
    prior: Prior, env: TextEnv[Any, Any], slots: int = SLOTS, with_features: bool = False
) -> MemoPrior:
    """The same prior with a memory.

    What is met in training is remembered. Evaluation begins with that, and forgets what it meets.

    Args:
        prior: Asked about what is not remembered. Its answer depends on a state's text and legal
            actions alone, as a model's does: states that read alike share one.
        env: Its environment.
        slots: Cells of the table, rounded up to whole groups of eight.
        with_features: Whether the prior's features are remembered too.

    Raises:
        InvalidInput: if there are no cells, the table takes more memory than there is, features are
            to be remembered of a prior that has none, the prior is a table or a memory itself, or a
            slot has more than 2^16 values.
    """
    require_world(env)
    if values.whole("memo_slots", slots) < 1:
        raise InvalidInput(f"memo_slots is {slots}; a memory has 1 or more")
    if isinstance(prior, MemoPrior | TabularPrior | TabularFeaturePrior):
        kind = "a memory" if isinstance(prior, MemoPrior) else "a table"
        raise InvalidInput(f"the prior {prior.name!r} is {kind}, which needs none; right: a model")
    most = max((len(slot.values) for slot in env.template.slots), default=0)
    if most > 1 << _WORD:
        raise InvalidInput(f"a slot of {env.name} has {most:,} values; a memory tells 65,536 apart")
    if with_features and not has_features(prior):
        raise InvalidInput(f"the prior {prior.name!r} has no features to remember")
    memo = MemoPrior(prior, env, slots, with_features)
    num_bytes = memory.num_bytes(jax.eval_shape(memo.init))
    memory.require(
        "what is remembered", [memory.Part(("memo_slots",), num_bytes)], {"memo_slots": slots}
    )
    return memo


@dataclasses.dataclass(frozen=True, eq=False)
class MemoPrior:
    """See `remember`."""

    __repr__ = short_repr

    prior: Prior
    """Asked about what is not remembered."""
    env: TextEnv[Any, Any]
    """Writes the texts."""
    slots: int
    """C, cells of the table."""
    with_features: bool
    """Whether it has the features of the prior underneath."""

    @property
    def name(self) -> str:
        """The prior's own: it answers."""
        return self.prior.name

    @property
    def params(self) -> Any:
        """Of the prior underneath."""
        return self.prior.params

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """Of the prior underneath; an AttributeError, as `has_features` expects, without them."""
        if not self.with_features:
            raise AttributeError("feature_shape")
        return cast("FeaturePrior", self.prior).feature_shape

    def init(self) -> Any:
        """A `Memo`: nothing asked, nothing remembered."""
        texts = len(self.env.template.slots)
        legal = -(-self.env.num_actions // _WORD)
        features = math.prod(self.feature_shape) if self.with_features else 0
        return Memo(
            *self.prior.init(),
            tag=jnp.zeros(self._cells, jnp.uint32),
            key=jnp.zeros((self._cells, texts + legal), jnp.uint16),
            answer=jnp.zeros((self._cells, self.env.max_legal + features), jnp.float32),
        )

    def log_probs(
        self, params: Any, carry: Any, env_state: Any, env_params: Any, needed: jax.Array
    ) -> tuple[jax.Array, Any]:
        """See `Prior.log_probs`."""
        log_probs, _, carry = self._answer(params, carry, env_state, env_params, needed)
        return log_probs, carry

    def log_probs_and_features(
        self, params: Any, carry: Any, env_state: Any, env_params: Any, needed: jax.Array
    ) -> tuple[jax.Array, jax.Array, Any]:
        """See `FeaturePrior`."""
        log_probs, kept, carry = self._answer(params, carry, env_state, env_params, needed)
        features = jnp.where(needed[:, None], kept, 0.0).reshape(len(kept), *self.feature_shape)
        return log_probs, features, carry

    @property
    def _ways(self) -> int:
        return min(_WAYS, self.slots)

    @property
    def _groups(self) -> int:
        return -(-self.slots // self._ways)

    @property
    def _cells(self) -> int:
        return self._groups * self._ways

    @property
    def _are_few(self) -> bool:
        """Whether an answer is kept of legal actions alone."""
        return self.env.max_legal < self.env.num_actions

    def _answer(
        self, params: Any, memo: Memo, env_state: Any, env_params: Any, needed: jax.Array
    ) -> tuple[jax.Array, jax.Array, Memo]:
        """Log-probabilities `[B, A]`, features `[B, F]` in a row, and the new carry."""
        env = self.env
        legal = jax.vmap(env.action_mask, in_axes=(0, None))(env_state, env_params)
        slots = jax.vmap(env.slots, in_axes=(0, None))(env_state, env_params)
        key = self._key(slots, legal)
        tag = jax.vmap(content_hash)(key.astype(jnp.uint32)) | jnp.uint32(1)
        group = ((tag >> 1) % jnp.uint32(self._groups)).astype(jnp.int32)
        cells = group[:, None] * self._ways + jnp.arange(self._ways, dtype=jnp.int32)[None]
        tags = memo.tag[cells]
        is_own = tags == tag[:, None]
        cell = jnp.take_along_axis(cells, jnp.argmax(is_own, axis=1)[:, None], axis=1)[:, 0]
        known = jnp.any(is_own, axis=1) & jnp.all(memo.key[cell] == key, axis=1)
        remembered = memo.answer[cell]

        # Of the rows that are missing the last one of a group is kept, and answers all like it.
        missing = needed & ~known
        row = jnp.arange(len(needed), dtype=jnp.int32)
        place = jnp.where(missing, group, self._groups)
        last = jnp.zeros(self._groups, jnp.int32).at[place].max(row, mode="drop")[group]
        is_like = jnp.all(key[last] == key, axis=1)
        asks = missing & ((last == row) | ~is_like)
        found, carry = self._ask(params, memo, env_state, env_params, asks, legal)
        found = found[jnp.where(missing & is_like, last, row)]
        answer = jnp.where(known[:, None], remembered, found)

        # The cell of another key with this tag, a free one, or one by turns. What is written
        # depends on all that was read, so that the table is not copied.
        turn = ((Count.of(memo.evaluations).low + row) % self._ways).astype(jnp.int32)
        suits = jnp.where(jnp.any(is_own, axis=1)[:, None], is_own, tags == 0)
        way = jnp.where(jnp.any(suits, axis=1), jnp.argmax(suits, axis=1), turn)
        own = jnp.take_along_axis(cells, way[:, None], axis=1)[:, 0]
        place = jnp.where(missing & (last == row), own, self._cells)
        # All needed rows are queries, also those that the prior underneath was not asked.
        others = Count.of(jnp.sum(needed & ~asks, dtype=jnp.uint32))
        memo = Memo(
            Count.of(carry.queries).plus(others),
            carry.evaluations,
            memo.tag.at[place].set(tag, mode="drop"),
            memo.key.at[place].set(key, mode="drop"),
            memo.answer.at[place].set(answer, mode="drop"),
        )
        log_probs, features = self._spread(answer, legal)
        return log_probs, features, memo

    def _key(self, slots: jax.Array, legal: jax.Array) -> jax.Array:
        """`u16[B, K]` of words `i32[B, n]` and legal actions `bool[B, A]`."""
        bits = jnp.pad(legal, ((0, 0), (0, -legal.shape[1] % _WORD)))
        bits = bits.reshape(len(legal), -1, _WORD)
        value = jnp.left_shift(jnp.uint16(1), jnp.arange(_WORD, dtype=jnp.uint16))
        packed = jnp.sum(bits * value[None, None], axis=-1, dtype=jnp.uint16)
        return jnp.concatenate([slots.astype(jnp.uint16), packed], axis=1)

    def _ask(
        self,
        params: Any,
        memo: Memo,
        env_state: Any,
        env_params: Any,
        asks: jax.Array,
        legal: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """What the prior answers, `f32[B, W]` as cells hold it."""
        asked = params, memo.counters, env_state, env_params, asks
        if not self.with_features:
            log_probs, carry = self.prior.log_probs(*asked)
            return self._legal_first(log_probs, legal), carry
        prior = cast("FeaturePrior", self.prior)
        log_probs, features, carry = prior.log_probs_and_features(*asked)
        features = features.reshape(len(asks), -1)
        return jnp.concatenate([self._legal_first(log_probs, legal), features], axis=1), carry

    def _legal_first(self, log_probs: jax.Array, legal: jax.Array) -> jax.Array:
        """`f32[B, max_legal]`: of the legal actions alone, in their order, then 0."""
        if not self._are_few:
            return log_probs
        rank = jnp.where(legal, jnp.cumsum(legal, axis=1) - 1, self.env.max_legal)
        row = jnp.arange(len(legal))[:, None]
        room = jnp.zeros((len(legal), self.env.max_legal), jnp.float32)
        return room.at[row, rank].set(log_probs, mode="drop")

    def _spread(self, answer: jax.Array, legal: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Log-probabilities `[B, A]` and features `[B, F]`, of what cells hold."""
        kept = answer[:, : self.env.max_legal]
        if self._are_few:
            rank = jnp.clip(jnp.cumsum(legal, axis=1) - 1, 0, self.env.max_legal - 1)
            kept = jnp.take_along_axis(kept, rank, axis=1)
        return jnp.where(legal, kept, -jnp.inf), answer[:, self.env.max_legal :]
