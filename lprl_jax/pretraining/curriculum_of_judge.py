"""What `embedded-judge` is taught: to judge, and to act, in five worlds.

What is right is known exactly: by planning where states are numbered, from the physics of each
instance otherwise. Experts of all the physics that can be drawn are worked out once, on the host.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import (
    Blackjack,
    CartPole,
    KeyRooms,
    Pendulum,
    TextEnv,
    TextEnvParams,
    WatchRepair,
)
from lprl_envs.blackjack.dealer import STANDS, TENS
from lprl_envs.cartpole import env as cartpole
from lprl_envs.cartpole import expert as cartpole_expert
from lprl_envs.cartpole.physics import QUANTITIES as CART
from lprl_envs.parts.quantities import Quantities
from lprl_envs.pendulum import env as pendulum
from lprl_envs.pendulum import expert as pendulum_expert
from lprl_envs.pendulum.physics import OWN
from lprl_envs.pendulum.physics import QUANTITIES as POLE
from lprl_envs.watch_repair.brands import MOST_PRICE, NUM_BRANDS, margins_of

from lprl_jax.algorithms.tabular.perfect_judge import perfect_judge
from lprl_jax.algorithms.tabular.value_iteration import law_of, plan
from lprl_jax.judges.base import BAD, GOOD, UNSURE, of_values
from lprl_jax.judges.experts import on_cart, on_pendulum
from lprl_jax.pretraining.verdicts import Anyhow, Judged, VerdictTask

DEAD_ZONE = 2.0
"""N: pushes of the cart's regulator below this are worth neither side."""
BLACKJACK_ALIKE = 0.02
"""Returns of stick and hit that differ by less are alike."""
WATCH_ALIKE = 1.0
"""Margins below this are worth neither answer."""
BEHIND_ONE_TEXT = 64
"""Instances of watch repair a lesson: what comes before their texts tells none of them."""
DISCOUNT = 0.9
"""Of the plans through rooms: shorter is better."""

_BLACKJACK: TextEnv[Any, Any] = Blackjack()
_WATCHES: TextEnv[Any, Any] = WatchRepair()


def _numbered(env: TextEnv[Any, Any]) -> Anyhow:
    """All states of an instance that are not over, each as likely."""

    def draw(key: chex.PRNGKey, params: TextEnvParams, instance: jax.Array, num: int) -> Any:
        index = jnp.arange(env.numbered_states, dtype=jnp.int32)
        states = jax.vmap(lambda i: env.state_at(instance, i, params))(index)
        over = jax.vmap(env.is_terminated, (0, None))(states, params)
        drawn = jax.random.categorical(key, jnp.where(over, -jnp.inf, 0.0), shape=(num,))
        return jax.vmap(lambda i: env.state_at(instance, i, params))(drawn.astype(jnp.int32))

    return draw


def _every(quantities: Quantities, names: tuple[str, ...]) -> list[Mapping[str, float]]:
    """All that can be drawn of some quantities, by number: mixed radix of their words."""
    several = [quantities.drawn[name] for name in names]
    return [dict(zip(names, row, strict=True)) for row in itertools.product(*several)]


def _number(quantities: Quantities, names: tuple[str, ...], bank: Any) -> jax.Array:
    """`i32[M]`: which of `_every` each instance is."""
    words = jax.vmap(quantities.words)(bank)
    number = jnp.zeros(words.shape[0], jnp.int32)
    for name in names:
        word = words[:, list(quantities.drawn).index(name)]
        number = number * len(quantities.drawn[name]) + word
    return number


_OF_CART = ("length", "masspole", "masscart", "gravity")
"""What the regulator depends on."""


@functools.cache
def _gains() -> np.ndarray:
    """`f32[450, 4]`: regulators of all carts."""
    with jax.ensure_compile_time_eval():
        params = CartPole().params_of(_every(CART, _OF_CART))
        return np.asarray(cartpole_expert.expert_of(params).gains)


def _of_cart(params: TextEnvParams, instance: jax.Array) -> Callable[[Any], jax.Array]:
    del instance  # a state knows its own
    expert = cartpole_expert.Expert(jnp.asarray(_gains())[_number(CART, _OF_CART, params.bank)])
    return lambda state: on_cart(expert, state, params, DEAD_ZONE)


_CART_RANGE = np.array([2.4, 1.5, 0.209, 1.8], np.float32)
"""Of position, speed, lean and turning, either way, in m, m/s, rad and rad/s."""


def _cart_anyhow(key: chex.PRNGKey, params: TextEnvParams, instance: jax.Array, num: int) -> Any:
    del params
    x = jax.random.uniform(key, (num, 4), jnp.float32, -1, 1) * _CART_RANGE[None]

    def state(now: jax.Array) -> cartpole.EnvState:
        own = dict(zip(("x", "x_dot", "theta", "theta_dot"), now, strict=True))
        return cartpole.EnvState(time=jnp.int32(0), instance=jnp.int32(instance), **own)

    return jax.vmap(state)(x)


@functools.cache
def _pole_values() -> np.ndarray:
    """`f32[27, points]`: values of all poles on a grid; this takes a minute."""
    with jax.ensure_compile_time_eval():
        params = Pendulum().params_of(_every(POLE, tuple(POLE.drawn)))
        expert = pendulum_expert.expert_of(params)
        return np.asarray(expert.values)[np.asarray(expert.which)]


def _of_pole(params: TextEnvParams, instance: jax.Array) -> Callable[[Any], jax.Array]:
    del instance
    which = _number(POLE, tuple(POLE.drawn), params.bank)
    expert = pendulum_expert.Expert(jnp.asarray(_pole_values()), which)
    return lambda state: on_pendulum(expert, state, params)


def _pole_anyhow(key: chex.PRNGKey, params: TextEnvParams, instance: jax.Array, num: int) -> Any:
    del params
    most = jnp.array([np.pi, OWN.max_speed], jnp.float32)
    x = jax.random.uniform(key, (num, 2), jnp.float32, -1, 1) * most[None]

    def state(now: jax.Array) -> pendulum.EnvState:
        at = {"theta": now[0], "theta_dot": now[1]}
        return pendulum.EnvState(time=jnp.int32(0), instance=jnp.int32(instance), **at)

    return jax.vmap(state)(x)


@functools.cache
def _blackjack_verdicts() -> np.ndarray:
    """`f32[15, 293, 2]`: of all dealers and decks."""
    env = Blackjack()
    every = [{"stands": s, "tens": t} for s in STANDS for t in TENS]
    with jax.ensure_compile_time_eval():
        judge = perfect_judge(env, env.params_of(every), alike_below=BLACKJACK_ALIKE)
        return np.asarray(judge.params.verdicts)


def _of_blackjack(params: TextEnvParams, instance: jax.Array) -> Callable[[Any], jax.Array]:
    which = params.bank.stands[instance] * len(TENS) + params.bank.tens[instance]
    table = jnp.asarray(_blackjack_verdicts())[which]
    return lambda state: table[_BLACKJACK.state_index(state, params)]


def _of_watch(params: TextEnvParams, instance: jax.Array) -> Callable[[Any], jax.Array]:
    del instance  # a state knows its own
    margins = margins_of(params.bank)

    def says(state: Any) -> jax.Array:
        margin = margins[state.instance, state.brand]
        repair = jnp.where(margin > 0, GOOD, BAD)
        is_open = (state.clock == 0) & (jnp.abs(margin) >= WATCH_ALIKE)
        return jnp.where(is_open, jnp.stack([repair, -repair]), UNSURE)

    return says


def _watches(key: chex.PRNGKey, num_instances: int, split: str) -> TextEnvParams:
    """As many instances a lesson as fit behind one text, which tells none of them.

    To be trained on, half of them sell at any price: where a margin is far from 0 it is easier
    learnt what numbers mean. What is held out goes by costs alone.
    """
    key_bank, key_price, key_half = jax.random.split(key, 3)
    params = _WATCHES.sample_params(key_bank, BEHIND_ONE_TEXT * num_instances, split)
    if split != "train":
        return params
    price = params.bank.price
    anything = jax.random.randint(key_price, price.shape, 1, 2 * MOST_PRICE + 1, price.dtype)
    is_any = jax.random.bernoulli(key_half, 0.5, price.shape)
    bank = dataclasses.replace(params.bank, price=jnp.where(is_any, anything, price))
    return dataclasses.replace(params, bank=bank)


def _watch_anyhow(key: chex.PRNGKey, params: TextEnvParams, instance: jax.Array, num: int) -> Any:
    """Before the decision, any brand of any instance."""
    del instance
    key_brand, key_instance = jax.random.split(key)
    brand = jax.random.randint(key_brand, (num,), 0, NUM_BRANDS, jnp.int32)
    which = jax.random.randint(key_instance, (num,), 0, len(params.instances), jnp.int32)
    return jax.vmap(lambda i, number: _WATCHES.state_at(i, number, params))(which, brand)


def _of_rooms(env: TextEnv[Any, Any]) -> Judged:
    """The moves on a shortest way are good, the others bad."""

    def judged(params: TextEnvParams, instance: jax.Array) -> Callable[[Any], jax.Array]:
        law = law_of(env, params, instance)
        q = plan(law, env.numbered_states, DISCOUNT)
        table = of_values(q, law.legal)
        return lambda state: table[env.state_index(state, params)]

    return judged


def _rooms(rooms: int, instances: int) -> VerdictTask:
    env = KeyRooms(rooms, 2)
    drawn = env.sample_params, _of_rooms(env), _numbered(env)
    return VerdictTask(f"KeyRooms {rooms}", env, *drawn, 40, instances, 15)


def _task(
    env: TextEnv[Any, Any],
    judged: Judged,
    anyhow: Anyhow,
    horizon: int,
    instances: int,
    states: int,
) -> VerdictTask:
    name, size = env.name.removesuffix("-lprl"), (horizon, instances, states)
    return VerdictTask(name, env, env.sample_params, judged, anyhow, *size)


_WATCH = VerdictTask(
    "WatchRepair",
    _WATCHES,
    _watches,
    _of_watch,
    _watch_anyhow,
    horizon=2,
    instances=2,
    states=90,
    ways=(0.1, 0.0, 0.9),
)

JUDGE_TASKS: tuple[VerdictTask, ...] = (
    _task(CartPole(), _of_cart, _cart_anyhow, 60, 10, 15),
    _task(Pendulum(), _of_pole, _pole_anyhow, 60, 8, 18),
    _task(_BLACKJACK, _of_blackjack, _numbered(_BLACKJACK), 3, 4, 12),
    _WATCH,
    _rooms(2, 4),
    _rooms(3, 4),
    _rooms(4, 4),
)
"""Of worlds that judge alike, the most states are asked about where most is to be learnt."""
