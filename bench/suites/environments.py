"""Environment steps a second: all of ours, and the same worlds of gymnax and Gymnasium.

And what a reset costs, with a large bank of instances: see `ENDINGS`.
"""

from __future__ import annotations

import itertools
from typing import Any

import gymnasium
import gymnax
import jax
import jax.numpy as jnp
import lprl_envs  # noqa: F401  (registers the environments)
import numpy as np
from gymnax.environments import spaces
from tools.timing import Contender, Measured, Ratio, compiled, race, ratio, rows

STEPS = 200
NUM_ENVS = (64, 2_048, 16_384)
MAP_SIZES = ("4x4", "8x8", "16x16")
GYMNASIUM_ENVS = 16
OURS: dict[str, tuple[str, dict[str, Any]]] = {
    "FrozenLake-lprl": ("FrozenLake-lprl", {}),
    "BlocksWorld-lprl-4": ("BlocksWorld-lprl", {"num_blocks": 4}),
    "BlocksWorld-lprl-6": ("BlocksWorld-lprl", {"num_blocks": 6}),
    "BlocksWorld-lprl-12": ("BlocksWorld-lprl", {"num_blocks": 12}),
    "CubeStacking-lprl": ("CubeStacking-lprl", {}),
    "ImageCompletion-lprl": ("ImageCompletion-lprl", {}),
    "ObjectArrangement-lprl": ("ObjectArrangement-lprl", {}),
    "KeyRooms-lprl": ("KeyRooms-lprl", {}),
    "Blackjack-lprl": ("Blackjack-lprl", {}),
    "WatchRepair-lprl": ("WatchRepair-lprl", {}),
    "Overcooked-lprl": ("Overcooked-lprl", {}),
    "Household-lprl": ("Household-lprl", {}),
    "CartPole-lprl": ("CartPole-lprl", {}),
    "Pendulum-lprl": ("Pendulum-lprl", {}),
}
"""Name in the report to id and arguments."""
GYMNAXS = {"CartPole": "CartPole-v1", "Pendulum": "Pendulum-v1"}
"""Worlds of ours with gymnax's own law, and its ids of them."""
BESIDE_FROZEN_LAKE = {
    "KeyRooms": "key_rooms",
    "Blackjack": "blackjack",
    "WatchRepair": "watch_repair",
    "Overcooked": "overcooked",
    "Household": "household",
    "CartPole": "cartpole",
    "Pendulum": "pendulum",
}
"""Worlds that are held against gymnax's Frozen Lake, and their names in ratios."""
BANK = 10_000
"""Instances of a large bank."""
AUTO_RESET, NO_RESET, ALIVE = "", "-no_reset", "-alive"
ENDINGS = {
    AUTO_RESET: "an episode that ends, ends in a reset",
    NO_RESET: "an episode that has ended stays so",
    ALIVE: "an episode that would end stays as it was",
}
"""Of names, and what they mean. Where episodes are short, most of those that are never reset have
ended; steps of ended ones take less, in some worlds by half: they look up the same, and what is
chosen between never changes. Beside states that stay alive a reset alone is what costs."""


def random_play(env_id: str, num_envs: int, **arguments: Any) -> Contender:
    """Random actions in `num_envs` environments, `STEPS` steps in one scan, with auto-reset."""
    env, params = gymnax.make(env_id, **arguments)

    def step(key: jax.Array, state: Any, action: jax.Array, params: Any) -> tuple[Any, ...]:
        _, state, reward, terminated, truncated, _ = env.step(key, state, action, params)
        return state, reward, terminated | truncated

    return _scan(env, params, step, num_envs, "random actions, one scan")


def banked_play(env_id: str, num_envs: int, ending: str, **arguments: Any) -> Contender:
    """The same with a bank of `BANK` instances, and an `ending` of episodes, one of `ENDINGS`."""
    env, _ = gymnax.make(env_id, **arguments)
    params = jax.jit(env.sample_params, static_argnums=1)(jax.random.key(0), BANK)

    def step(key: jax.Array, state: Any, action: jax.Array, params: Any) -> tuple[Any, ...]:
        if ending == AUTO_RESET:
            _, state, reward, terminated, truncated, _ = env.step(key, state, action, params)
            return state, reward, terminated | truncated
        _, after, reward, terminated, _ = env.step_env(key, state, action, params)
        ended = terminated | env.is_truncated(after, params)
        if ending == ALIVE:
            after = jax.tree.map(lambda x, y: jnp.where(ended, x, y), state, after)
        return after, reward, ended

    return _scan(env, params, step, num_envs, f"bank of {BANK:,}; {ENDINGS[ending]}")


def _scan(env: Any, params: Any, step: Any, num_envs: int, note: str) -> Contender:
    reset = jax.vmap(env.reset, in_axes=(0, None))
    steps = jax.vmap(step, in_axes=(0, 0, 0, None))

    def play(key: jax.Array, params: Any) -> jax.Array:
        def body(carry: tuple[Any, jax.Array], drawn: tuple[Any, ...]) -> tuple[Any, jax.Array]:
            key, action = drawn
            keys = jax.random.split(key, num_envs)
            # Where nothing is reset, XLA would look up what an instance holds once for all steps.
            before = jax.lax.optimization_barrier(carry[0])
            state, reward, ended = steps(keys, before, action, params)
            # Keys are made whether or not a step draws from its own: whoever steps makes them.
            used = jnp.sum(jax.random.key_data(keys) == 0)
            return (state, carry[1] + jnp.sum(reward) + jnp.sum(ended) + used), reward[0]

        key_reset, key_actions, key_steps = jax.random.split(key, 3)
        _, state = reset(jax.random.split(key_reset, num_envs), params)
        # Actions are drawn before the first step. Drawn in the loop, XLA folds the constants of
        # the drawing for one environment and not for the other, which can decide the ratio.
        actions = _actions(env.action_space(params), key_actions, num_envs)
        drawn = jax.random.split(key_steps, STEPS), actions
        return jax.lax.scan(body, (state, jnp.float32(0)), drawn)[0][1]

    amount = num_envs * STEPS
    return compiled(play, jax.random.key(0), params, amount=amount, unit="steps/s", note=note)


def _actions(space: Any, key: jax.Array, num_envs: int) -> jax.Array:
    """Random ones: `i32[STEPS, num_envs]`, or points of a box, `f32[STEPS, num_envs, d]`."""
    if isinstance(space, spaces.Box):
        shape = STEPS, num_envs, *space.shape
        return jax.random.uniform(key, shape, jnp.float32, space.low, space.high)
    return jax.random.randint(key, (STEPS, num_envs), 0, space.n)


def gymnasium_play() -> Contender:
    """Gymnasium's own vectorised Frozen Lake."""
    envs = gymnasium.make_vec(
        "FrozenLake-v1", num_envs=GYMNASIUM_ENVS, vectorization_mode="sync", is_slippery=True
    )
    envs.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 4, (STEPS, GYMNASIUM_ENVS))

    def play() -> None:
        for action in actions:
            envs.step(action)

    return Contender(play, STEPS * GYMNASIUM_ENVS, "steps/s", note="SyncVectorEnv of 16")


def run(quick: bool) -> Measured:
    """Rows and ratios."""
    contenders: dict[str, Contender] = {}
    for ice, slippery in (("", True), ("-firm", False)):
        for count in NUM_ENVS if slippery or not quick else (2_048,):
            contenders[f"env/FrozenLake-lprl{ice}/{count}"] = random_play(
                "FrozenLake-lprl", count, is_slippery=slippery
            )
        contenders[f"env/gymnax-FrozenLake{ice}/2048"] = random_play(
            "FrozenLake-misc", 2_048, is_slippery=slippery
        )
    for name, env_id in GYMNAXS.items():
        contenders[f"env/gymnax-{name}/2048"] = random_play(env_id, 2_048)
    for size in MAP_SIZES[1:]:
        contenders[f"env/FrozenLake-lprl-{size}/2048"] = random_play(
            "FrozenLake-lprl", 2_048, map_name=size
        )
    contenders["env/gymnasium-FrozenLake/16"] = gymnasium_play()
    for name, (env_id, arguments) in OURS.items():
        for count in NUM_ENVS[1:2] if quick else NUM_ENVS[1:]:
            contenders.setdefault(f"env/{name}/{count}", random_play(env_id, count, **arguments))
            for ending in () if quick else ENDINGS:
                contenders[f"env/{name}-bank{ending}/{count}"] = banked_play(
                    env_id, count, ending, **arguments
                )
    seconds = race(contenders, repeats=20)

    def against(fast: str, slow: str) -> Ratio:
        return ratio(contenders, seconds, fast, slow)

    ours = "env/FrozenLake-lprl/2048"
    ratios: dict[str, Ratio | None] = {
        "frozen_lake/ours_vs_gymnax": against(ours, "env/gymnax-FrozenLake/2048"),
        "frozen_lake/ours_vs_gymnax_firm": against(
            "env/FrozenLake-lprl-firm/2048", "env/gymnax-FrozenLake-firm/2048"
        ),
        "frozen_lake/ours_vs_gymnasium": against(ours, "env/gymnasium-FrozenLake/16"),
    }
    for name, key in BESIDE_FROZEN_LAKE.items():
        pair = f"env/{name}-lprl/2048", "env/gymnax-FrozenLake-firm/2048"
        ratios[f"{key}/ours_vs_gymnax_frozen_lake"] = against(*pair)
    for name in GYMNAXS:
        pair = f"env/{name}-lprl/2048", f"env/gymnax-{name}/2048"
        ratios[f"{name.lower()}/ours_vs_gymnax"] = against(*pair)
    for name, count in () if quick else itertools.product(OURS, NUM_ENVS[1:]):
        size = "" if count == NUM_ENVS[1] else f"/{count}"
        for other, ending in (("none", NO_RESET), ("alive", ALIVE)):
            pair = f"env/{name}-bank/{count}", f"env/{name}-bank{ending}/{count}"
            ratios[f"env/{name}/auto_reset_vs_{other}{size}"] = against(*pair)
    return rows(contenders, seconds), ratios
