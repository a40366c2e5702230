"""EncodedPrior: any prior, with the features of a frozen encoder beside its log-probabilities."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, Protocol

import jax
from lprl_envs import TextEnv
from lprl_envs.short_repr import short_repr

from lprl_jax.lm import identity
from lprl_jax.priors import fingerprint
from lprl_jax.priors.base import Counters, Prior, evaluate_where_needed
from lprl_jax.priors.fingerprint import Fingerprint


class Encoder(Protocol):
    """Reads a state with each of its actions; `lm.encoder.BertEncoder` is one."""

    @property
    def env(self) -> TextEnv[Any, Any]:
        """Whose states it reads."""
        ...

    @property
    def params(self) -> Any:
        """What `encode` takes as its first argument."""
        ...

    @property
    def num_features(self) -> int:
        """F."""
        ...

    def encode(self, params: Any, env_state: Any, env_params: Any) -> jax.Array:
        """Features `f32[B, A, F]` of B states with every action."""
        ...


class EncodedPriorParams(NamedTuple):
    """Arguments of the compiled functions."""

    prior: Any
    """Of the prior."""
    encoder: Any
    """Of the encoder."""
    fingerprint: Fingerprint
    """What the encoder's are of; a bank does not matter to it."""


@dataclasses.dataclass(frozen=True, eq=False)
class EncodedPrior:
    """A `FeaturePrior` of two parts: log-probabilities of a prior, features of an encoder."""

    __repr__ = short_repr

    prior: Prior
    """Proposes; the counters say what it was asked."""
    encoder: Encoder
    """Is run where the prior is asked. It is no prior: the counters leave it out."""
    chunk: int = 16
    """States that the encoder reads at a time, each with every action."""

    @property
    def name(self) -> str:
        """The prior's."""
        return self.prior.name

    @property
    def env(self) -> TextEnv[Any, Any]:
        """Whose texts the encoder reads."""
        return self.encoder.env

    @property
    def params(self) -> EncodedPriorParams:
        """Of both."""
        weights = self.encoder.params
        made_for = fingerprint.of(self.encoder.env, None, identity.of_arrays(weights))
        return EncodedPriorParams(self.prior.params, weights, made_for)

    @property
    def feature_shape(self) -> tuple[int, int]:
        """Features of a state with each action."""
        return self.encoder.env.num_actions, self.encoder.num_features

    def init(self) -> Counters:
        """Of the prior."""
        return self.prior.init()

    def log_probs(
        self,
        params: EncodedPriorParams,
        carry: Counters,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """See `Prior.log_probs`; the encoder is not run."""
        return self.prior.log_probs(params.prior, carry, env_state, env_params, needed)

    def log_probs_and_features(
        self,
        params: EncodedPriorParams,
        carry: Counters,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, jax.Array, Counters]:
        """See `FeaturePrior.log_probs_and_features`."""
        log_probs, carry = self.log_probs(params, carry, env_state, env_params, needed)
        num_actions, num_features = self.feature_shape

        def evaluate(states: Any) -> jax.Array:
            features = self.encoder.encode(params.encoder, states, env_params)
            return features.reshape(len(features), -1)

        width = num_actions * num_features
        rows = evaluate_where_needed(evaluate, env_state, needed, self.chunk, width)
        return log_probs, rows.reshape(-1, *self.feature_shape), carry
