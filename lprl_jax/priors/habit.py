"""HabitPrior: what can be answered without looking at the state. The control of reading.

A prior may owe its worth to a habit: on maps whose goal is in the corner, "right or down" is a good
answer in most states, whatever they say. The habit is the best of all priors that do not look:

    p(a | s) = w_a / Σ_b w_b,    over the actions b that are legal in s

with the weights w under which the right answers of training instances are likeliest. Where every
action is legal, w is the mean of the right answers. It is a choice model after Luce, whose
log-likelihood is concave in log w; `fit` climbs it by Newton's method, since the minorising steps
of Hunter 2004 are slow where one action is nearly always better than another.

References: Luce 1959, Individual Choice Behavior; Hunter 2004, MM Algorithms for Generalized
Bradley-Terry Models, Annals of Statistics 32.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv, TextEnvParams
from lprl_envs.short_repr import short_repr
from numpy.typing import NDArray

from lprl_jax.lm import identity
from lprl_jax.priors import fingerprint, tabular
from lprl_jax.priors.base import Counters, Prior, normalize, require_world
from lprl_jax.priors.fingerprint import Fingerprint

Floats = NDArray[np.float64]

SMOOTHING = 1e-6
"""To the states there is added this share of one in which all actions are legal and right, so that
no action gets probability 0, and weights that would grow without bound do not."""
MOST_STEPS = 200
"""Of Newton's method; twenty is many."""
FURTHEST = 5.0
"""A step changes no log-weight by more, against overflow."""
ENOUGH = 1e-10
"""The climb ends where the gradient, a state, is smaller."""
ROUNDING = 1e-12
"""Of the log-likelihood, a state: a step may seem to lose so much."""


class Habit(NamedTuple):
    """Arguments of the compiled functions."""

    log_weights: jax.Array
    """f32[A]"""
    fingerprint: Fingerprint
    """Of the environment; a habit is of no bank."""


@dataclasses.dataclass(frozen=True, eq=False)
class HabitPrior:
    """The same preferences in every state, over what is legal there. Asks no model."""

    __repr__ = short_repr

    env: TextEnv[Any, Any]
    """Tells which actions are legal."""
    log_weights: jax.Array
    """f32[A], finite; as `fit` returns them."""
    name: str = "habit"
    """For reports."""

    def __post_init__(self) -> None:
        """Raises InvalidInput if there is no environment, or not a weight for each action."""
        require_world(self.env)
        weights = jnp.asarray(self.log_weights, jnp.float32)
        right = (self.env.num_actions,)
        if weights.shape != right or not bool(jnp.all(jnp.isfinite(weights))):
            found = f"f32{list(weights.shape)}" if weights.shape != right else str(weights)
            raise InvalidInput(
                f"log_weights is {' '.join(found.split())}; right: {right[0]} finite numbers, one "
                f"an action of {self.env.name}"
            )
        object.__setattr__(self, "log_weights", weights)

    @property
    def params(self) -> Habit:
        """The weights, and of which environment they are."""
        return Habit(self.log_weights, fingerprint.of(self.env))

    @property
    def settings(self) -> dict[str, Any]:
        """A digest of the weights: by it datasets and tables tell habits of one name apart."""
        return {"habit": identity.of_arrays(self.log_weights)}

    def init(self) -> Counters:
        """Nothing asked."""
        return Counters.zero()

    def log_probs(
        self, params: Habit, carry: Counters, env_state: Any, env_params: Any, needed: jax.Array
    ) -> tuple[jax.Array, Counters]:
        """See `Prior.log_probs`."""
        del needed
        legal = jax.vmap(self.env.action_mask, in_axes=(0, None))(env_state, env_params)
        return normalize(params.log_weights, legal), carry

    @staticmethod
    def of_prior(
        prior: Prior, env: TextEnv[Any, Any], env_params: TextEnvParams, name: str = ""
    ) -> HabitPrior:
        """What is left of a prior if it does not look: its mean, over all states of a bank.

        Args:
            prior: Whose answers stand in the place of right ones.
            env: The environment, whose states are numbered.
            env_params: A bank of training instances, the prior's.
            name: For reports; by default that of the prior, with what was made of it.

        Raises:
            NotNumbered: if the environment has too many states.
            InvalidInput: if an instance is held out, or the prior is of another environment or
                bank.
        """
        require_training(env, env_params)
        log_probs = tabular.tabulate(prior, env, env_params).table

        @jax.jit
        def looked_at(env_params: Any) -> tuple[jax.Array, jax.Array]:
            """Whether an episode goes on there, and what is legal; `[M, S, ...]`."""

            def look(instance: jax.Array, index: jax.Array) -> tuple[jax.Array, jax.Array]:
                state = env.state_at(instance, index, env_params)
                return ~env.is_terminated(state, env_params), env.action_mask(state, env_params)

            instances, states = (jnp.arange(n, dtype=jnp.int32) for n in log_probs.shape[:2])
            return jax.vmap(jax.vmap(look, (None, 0)), (0, None))(instances, states)

        goes_on, legal = looked_at(env_params)
        asked = np.asarray(goes_on).ravel()
        rows = (np.asarray(x).reshape(asked.size, -1)[asked] for x in (jnp.exp(log_probs), legal))
        return HabitPrior(env, fit(*rows), name or f"{prior.name} (its habit)")


def require_training(
    env: TextEnv[Any, Any], env_params: TextEnvParams, what: str = "a habit is fitted"
) -> None:
    """Check that something may be fitted on a bank, by `env.held_out`.

    A bank that was split by something else (`split_by`) is not told from another.

    Args:
        env: The environment.
        env_params: The bank.
        what: Is done on it, for the message.

    Raises:
        InvalidInput: if one of its instances is held out.
    """
    require_world(env, env_params)
    held_out = np.asarray(jax.jit(jax.vmap(env.held_out))(env_params.bank))
    if held_out.any():
        raise InvalidInput(
            f"{what} on training instances; instance {int(np.argmax(held_out))} is held out; draw "
            "them with split='train'"
        )


def fit(right: Any, legal: Any) -> jax.Array:
    """The weights, the same in all states, under which right answers are likeliest.

    They maximise Σ_s Σ_a q(a|s) log p(a|s), where q is `right` over its sum in a state. States with
    nothing right do not count.

    Args:
        right: `bool[N, A]`, the right actions, or `f32[N, A]`, how right they are; none that is
            illegal.
        legal: `bool[N, A]`.

    Returns:
        Log-weights `f32[A]`, whose exponentials sum to 1.

    Raises:
        InvalidInput: if the shapes do not agree, an illegal action is right, or nothing is.
    """
    shares, allowed = np.asarray(right, np.float64), np.asarray(legal, bool)
    if shares.ndim != 2 or shares.shape != allowed.shape:
        found = f"right is {list(shares.shape)} and legal {list(allowed.shape)}"
        raise InvalidInput(f"{found}; both are [states, actions]")
    if not (shares >= 0).all() or (shares[~allowed] > 0).any():
        raise InvalidInput("right holds numbers below 0, or an illegal action that is right")
    totals = shares.sum(axis=1)
    asked = totals > 0
    if not asked.any():
        raise InvalidInput(f"nothing is right in any of {len(shares):,} states; no habit fits them")
    chosen = np.where(asked, 1.0 / np.where(asked, totals, 1.0), 0.0) @ shares
    # States in which the same is legal are one; and one is added in which everything is.
    packed, group = np.unique(np.packbits(allowed[asked], axis=1), axis=0, return_inverse=True)
    num_actions = allowed.shape[1]
    masks = np.unpackbits(packed, axis=1, count=num_actions).astype(bool)
    counts = np.bincount(group.ravel(), minlength=len(masks)).astype(np.float64)
    extra = SMOOTHING * counts.sum()
    masks = np.concatenate([masks, np.ones((1, num_actions), bool)])
    counts, chosen = np.append(counts, extra), chosen + extra / num_actions
    scale = counts.sum()
    return jnp.asarray(_climb(chosen / scale, counts / scale, masks), jnp.float32)


def _climb(chosen: Floats, counts: Floats, masks: NDArray[np.bool_]) -> Floats:
    """The log-weights that maximise Σ_a chosen_a log w_a - Σ_g counts_g log Σ_{b legal in g} w_b.

    Args:
        chosen: `[A]`, above 0.
        counts: `[G]`, with the sum of `chosen`.
        masks: `[G, A]`; in one group everything is legal.
    """

    def value_at(theta: Floats) -> float:
        return float(chosen @ theta - counts @ np.log(masks @ np.exp(theta)))

    # How often an action is right where it is legal; if everything always is, this is the end.
    theta = np.log(chosen / (counts @ masks))
    for _ in range(MOST_STEPS):
        weights = masks * np.exp(theta)
        probs = weights / weights.sum(axis=1, keepdims=True)
        mean = counts @ probs
        gradient = chosen - mean
        if np.abs(gradient).max() < ENOUGH:
            break
        # To raise all weights alike changes nothing; the ones keep the curvature invertible.
        curvature = np.diag(mean) - (probs.T * counts) @ probs + 1.0 / len(theta)
        step = np.linalg.solve(curvature, gradient)
        step *= min(1.0, FURTHEST / np.abs(step).max())
        before = value_at(theta) - ROUNDING
        while value_at(theta + step) < before:
            step /= 2.0
        theta = theta + step
    return theta - np.log(np.exp(theta).sum())
