"""What a prior does to control by values: how to act, what to remember, what to bootstrap from.

And, where values are learnt from data alone, which actions' values have to be kept down.

Three kinds, by one signature, so that an algorithm reads the same with each of them:

* `without_prior`: ε-greedy, and the maximum over the legal actions.
* `among_proposals(k)`: both restricted to k actions drawn from the prior.
* `exact`: what the second tends to as k grows.

Reference: Yan et al. 2024, arXiv 2410.07927, sec. 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lprl_jax.algorithms import losses, policies
from lprl_jax.algorithms.base import EXACT
from lprl_jax.priors.base import Prior
from lprl_jax.priors.sampling import proposals_at, sample_proposals

Policy = Callable[[Any, Any, Any, Any, Any], jax.Array]
"""`(key, q, log_probs, legal, alpha) -> i32[N]`"""


class Control(NamedTuple):
    """Of one run. N states: `q f32[N, A]`, `log_probs f32[N, A]`, `legal bool[N, A]`.

    What is drawn to behave and to remember is drawn apart, of a whole roll-out at once: little by
    little it takes longer than a small network does.
    """

    chances: Callable[[Any, int], Any]
    """`(key, N) -> chances [N, ...]`: what `behave` takes."""
    behave: Callable[..., jax.Array]
    """`(chances, q, log_probs, legal, epsilon, alpha) -> i32[N]`: actions to learn from."""
    policies: Mapping[str, Policy]
    """How to act when nothing is learnt, the kind's own way first."""
    chances_kept: Callable[[Any, int], Any]
    """`(key, N) -> chances [N, ...]`: what `remember` takes."""
    remember: Callable[[Any, Any], Any]
    """`(chances, log_probs) -> kept [N, ...]`: what replay keeps of the prior at next states."""
    value: Callable[..., jax.Array]
    """`(q_t [A], kept, legal [A], alpha) -> f32[]`: the bootstrap, of one next state."""
    penalty: Callable[..., jax.Array]
    """`(q_tm1 [A], a_tm1, kept, legal [A], alpha) -> f32[]`: CQL's, of one state and its action."""


def of(prior: Prior | None, k: int | str) -> Control:
    """The kind that belongs to a prior, or to none, and to k."""
    if prior is None:
        return without_prior()
    return exact() if k == EXACT else among_proposals(int(k))


def without_prior() -> Control:
    """ε-greedy over the legal actions; `log_probs` is `()`."""
    return Control(
        chances=lambda key, num_states: policies.two_chances(key, num_states, 1),
        behave=lambda chances, q, log_probs, legal, epsilon, alpha: policies.epsilon_greedy_at(
            chances, q, legal, epsilon
        ),
        policies={"greedy": lambda key, q, log_probs, legal, alpha: policies.greedy(q, legal)},
        chances_kept=lambda key, num_states: key,  # there must be something to map over runs
        remember=lambda chances, log_probs: log_probs,
        value=lambda q_t, kept, legal, alpha: losses.greedy_value(q_t, legal),
        penalty=lambda q, a, kept, legal, alpha: losses.cql_penalty(q, a, legal),
    )


def among_proposals(k: int) -> Control:
    """Posterior sampling among k proposals; the greedy action is the best of k proposals."""

    def posterior(key: Any, q: Any, log_probs: Any, legal: Any, alpha: Any) -> jax.Array:
        return policies.sample_posterior(key, q, log_probs, alpha, k)

    def greedy(key: Any, q: Any, log_probs: Any, legal: Any, alpha: Any) -> jax.Array:
        proposals = sample_proposals(key, log_probs, k)
        best = jnp.argmax(jnp.take_along_axis(q, proposals, axis=-1), axis=-1, keepdims=True)
        return jnp.take_along_axis(proposals, best, axis=-1)[:, 0]

    return Control(
        chances=lambda key, num_states: policies.two_chances(key, num_states, k),
        behave=lambda chances, q, log_probs, legal, epsilon, alpha: policies.posterior_at(
            chances, q, log_probs, alpha
        ),
        policies={"posterior": posterior, "greedy": greedy},
        chances_kept=lambda key, num_states: jax.random.uniform(key, (num_states, k), jnp.float32),
        remember=proposals_at,
        value=lambda q_t, kept, legal, alpha: losses.proposals_value(q_t, kept),
        penalty=lambda q, a, kept, legal, alpha: losses.proposals_cql_penalty(q, a, kept),
    )


def exact() -> Control:
    """The posterior ∝ p(a|s) exp(q / α) itself; the greedy action is its mode."""

    def posterior(key: Any, q: Any, log_probs: Any, legal: Any, alpha: Any) -> jax.Array:
        return policies.sample_posterior_exact(key, q, log_probs, alpha)

    def greedy(key: Any, q: Any, log_probs: Any, legal: Any, alpha: Any) -> jax.Array:
        return jnp.argmax(log_probs + q / alpha, axis=-1).astype(jnp.int32)

    return Control(
        chances=lambda key, num_states: jax.random.uniform(key, (num_states, 1), jnp.float32),
        behave=lambda chances, q, log_probs, legal, epsilon, alpha: proposals_at(
            chances, log_probs + q / alpha
        )[:, 0],
        policies={"posterior": posterior, "greedy": greedy},
        chances_kept=lambda key, num_states: (),
        remember=lambda chances, log_probs: log_probs,
        value=lambda q_t, kept, legal, alpha: losses.soft_value(q_t, kept, alpha),
        penalty=lambda q, a, kept, legal, alpha: losses.soft_cql_penalty(q, a, kept, alpha),
    )
