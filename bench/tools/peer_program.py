"""What programs of peers share, which run under interpreters of their own, without our package."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def add_options(parser: argparse.ArgumentParser, steps: int | None) -> None:
    """How many runs of how many steps, and how they are seen to have learnt."""
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--steps", type=int, default=steps, help="of the environment, a run")
    parser.add_argument("--episodes", type=int, default=0, help="that runs play at the end")


def compiled(train: Callable[[Any], Any], keys: Any) -> tuple[Callable[[], Any], float]:
    """A call that trains from these keys and waits for the result; seconds of compilation."""
    start = time.perf_counter()
    program = jax.jit(train).lower(keys).compile()
    compiling = time.perf_counter() - start
    return lambda: jax.block_until_ready(program(keys)), compiling


def played(
    play: Callable[[Any], Any], learnt: Any, options: argparse.Namespace
) -> list[float] | None:
    """Mean return of every run, by a function of what one has learnt; None without episodes."""
    if not options.episodes:
        return None
    found = jax.jit(jax.vmap(play) if options.runs > 1 else play)(learnt)
    return np.asarray(found).reshape(options.runs, -1).mean(-1).tolist()


def cartpole_returns(act: Callable[[Any, Any], Any], episodes: int) -> jax.Array:
    """`f32[episodes]`, of gymnax's CartPole; `act(obs f32[4], key) -> action i32[]`."""
    import gymnax  # not all of these interpreters have it

    env, env_params = gymnax.make("CartPole-v1")

    def episode(key: jax.Array) -> jax.Array:
        def step(now: Any, key: jax.Array) -> Any:
            obs, state, playing = now
            keys = jax.random.split(key)
            obs, state, reward, done, _ = env.step(keys[0], state, act(obs, keys[1]), env_params)
            return (obs, state, playing & ~done), playing * reward

        start = (*env.reset(key, env_params), jnp.bool_(True))
        keys = jax.random.split(key, env_params.max_steps_in_episode)
        return jax.lax.scan(step, start, keys)[1].sum()

    return jax.vmap(episode)(jax.random.split(jax.random.PRNGKey(1), episodes))


def adam_counts(tree: Any) -> list[int]:
    """Gradient steps of a run, as every Adam in a state counted them, each number once, sorted."""
    found = set()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        of_adam = path and getattr(path[-1], "name", "") == "count"
        if of_adam and np.issubdtype(np.asarray(leaf).dtype, np.integer):
            found.add(int(np.max(leaf)))
    return sorted(found)


def versions(*packages: str) -> dict[str, str]:
    """Of Python, JAX and these packages."""
    found = {name: importlib.metadata.version(name) for name in ("jax", "jaxlib", *packages)}
    return {**found, "python": platform.python_version()}
