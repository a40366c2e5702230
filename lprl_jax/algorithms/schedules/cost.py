"""A learned gate that pays for each query out of the environment's reward, after When2Ask.

The gate reads what changed between the last two observations. Its reward is the environment's, less
a price where it asked:

    r_gate = r - (price + .1 ρ) [asked]

with ρ = 0 at an environment's first query, ½ if the answer is the last one's again, and -.1 if it
is another. An answer belongs to its prompt, so that a prompt that has not changed is what brings
the same again.

The released code trains its gate by PPO, ten episodes at a time. This one is a one-step
actor-critic: a gradient step at every step, by δ = r_gate + γ v(o') - v(o), with the released
discount, entropy bonus and price. It asks by its gate alone: while nothing is followed the primary
learner acts, and so there is no plan whose end would have to be asked about.

Reference: Hu et al. 2023, Enabling Intelligent Interactions between an Agent and an LLM: A
Reinforcement Learning Approach, arXiv 2306.03604; its code.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from lprl_envs import InvalidInput

from lprl_jax.algorithms import descent
from lprl_jax.algorithms.networks import TanhNetwork
from lprl_jax.algorithms.schedules.base import Asked, Schedule, Seen, uniforms

GAMMA = 0.99
ENTROPY_WEIGHT = 0.01
VALUE_WEIGHT = 0.5
MAX_GRAD_NORM = 0.5
SAME, OTHER, REPETITION_WEIGHT = 0.5, -0.1, 0.1


class Step(NamedTuple):
    """What the gate did in a step, and what came of it. Of N environments of one run, or [R, N]."""

    change: jax.Array
    """f32[N, F]: what the gate read."""
    wanted: jax.Array
    """bool[N]"""
    weight: jax.Array
    """f32[N]: 1 where the decision counted, for it could have been asked; 0 elsewhere, and before
    the first step."""
    reward: jax.Array
    """f32[N]: r_gate; until the environment has made its step, what asking cost alone."""
    done: jax.Array
    """bool[N]: whether the episode ended, so that nothing follows."""


class Gate(NamedTuple):
    """The gate of each run."""

    params: Any
    """[R]: of the policy's logit and of the values."""
    opt_state: Any
    """[R]: Adam's."""
    observation: jax.Array
    """f32[R, N, F]: the last."""
    has_asked: jax.Array
    """bool[R, N]: whether there was a query before."""
    step: Step
    """[R, N]: the last, which is learnt from once its successor is seen."""


def when2ask(price: float, hidden_sizes: tuple[int, ...], learning_rate: float) -> Schedule:
    """Asks by a learned gate that trades the environment's reward for queries.

    What the primary has learnt shows in its reward alone. A fresh gate's logit is near 0: it asks
    in half of the steps, wherever it is. So does one that reads no change.

    Args:
        price: λ, of a query.
        hidden_sizes: Of the gate's two networks.
        learning_rate: Of Adam.
    """
    actor = TanhNetwork(hidden_sizes, 1, 0, scale=0.01)
    critic = TanhNetwork(hidden_sizes, 1, 0, scale=1.0)
    optimizer = descent.optimizer(MAX_GRAD_NORM)

    def logit(params: Any, change: jax.Array) -> jax.Array:
        """`f32[N]`: of asking, of one run."""
        found: Any = actor.apply({"params": params["actor"]}, change)
        return found[..., 0]

    def value(params: Any, change: jax.Array) -> jax.Array:
        """`f32[N]`: of one run."""
        found: Any = critic.apply({"params": params["critic"]}, change)
        return found[..., 0]

    def init(keys: chex.PRNGKey, seen: Seen) -> Gate:
        observation = seen.observation
        if not jnp.issubdtype(observation.dtype, jnp.floating):
            raise InvalidInput(
                "the schedule 'when2ask' reads the difference of two observations, and here they "
                "are indices; right: an environment whose observations are vectors"
            )

        def init_of_run(key: chex.PRNGKey) -> Any:
            key_actor, key_critic = jax.random.split(key)
            return {
                "actor": actor.init(key_actor, observation[0])["params"],
                "critic": critic.init(key_critic, observation[0])["params"],
            }

        params = jax.vmap(init_of_run)(keys)
        no, zero = jnp.zeros_like(seen.known), jnp.zeros_like(seen.revealed)
        # Nothing is taken over from before the first step, as from before an episode's first.
        step = Step(jnp.zeros_like(observation), no, zero, zero, jnp.ones_like(no))
        opt_state = jax.vmap(optimizer.init)(params)
        return Gate(params, opt_state, jnp.zeros_like(observation), no, step)

    def learn_of_run(params: Any, opt_state: Any, step: Step, change: jax.Array) -> Any:
        """One gradient step on the last step's decisions, now that `change` follows them."""
        v_t = jnp.where(step.done, 0.0, value(params, change))
        target = step.reward + GAMMA * v_t

        def loss(params: Any) -> jax.Array:
            of_asking, v_tm1 = logit(params, step.change), value(params, step.change)
            delta = target - v_tm1
            cross = optax.sigmoid_binary_cross_entropy
            surprise = cross(of_asking, step.wanted.astype(jnp.float32))
            entropy = cross(of_asking, jax.nn.sigmoid(of_asking))
            of_actor = jax.lax.stop_gradient(delta) * surprise - ENTROPY_WEIGHT * entropy
            return jnp.mean(step.weight * of_actor + 0.5 * VALUE_WEIGHT * jnp.square(delta))

        rate = jnp.float32(learning_rate)
        return descent.descend(loss, optimizer, rate, params, opt_state)[:2]

    def ask(carry: Gate, keys: chex.PRNGKey, seen: Seen) -> tuple[jax.Array, Gate]:
        begins = carry.step.done[..., None]
        change = jnp.where(begins, 0.0, seen.observation - carry.observation)
        params, opt_state = jax.vmap(learn_of_run)(
            carry.params, carry.opt_state, carry.step, change
        )
        chance = jax.nn.sigmoid(jax.vmap(logit)(params, change))
        wanted = uniforms(keys, seen) < chance
        none = jnp.zeros_like(chance)
        step = Step(change, wanted, none, none, jnp.zeros_like(wanted))
        return wanted, Gate(params, opt_state, seen.observation, carry.has_asked, step)

    def learn(carry: Gate, seen: Seen, asked: Asked) -> Gate:
        repetition = jnp.where(carry.has_asked, jnp.where(seen.changed, OTHER, SAME), 0.0)
        cost = (price + REPETITION_WEIGHT * repetition) * asked.asked
        # A decision that was not carried out, and yet was no skip, teaches the gate nothing.
        counts = seen.can_ask & (asked.asked == asked.wanted)
        step = carry.step._replace(reward=-cost, weight=counts.astype(jnp.float32))
        return carry._replace(has_asked=carry.has_asked | asked.asked, step=step)

    def after(carry: Gate, reward: jax.Array, done: jax.Array) -> Gate:
        step = carry.step._replace(reward=carry.step.reward + reward, done=done)
        return carry._replace(step=step)

    return Schedule(f"when2ask, price {price:g}", init, ask, learn, after)
