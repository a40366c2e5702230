"""States a second asked live of a model where few of a text's columns are filled.

Household's small kitchen, in which random play meets texts of very different lengths, asked of the
embedded model: in as many columns as each chunk needs, and in all of them. Both answer the same.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import lprl_envs
import numpy as np
from tools.timing import Contender, Measured, Ratio, Row, compiled, race, ratio, rows

from lprl_jax import LanguagePrior
from lprl_jax.priors.base import evaluate_where_needed

BATCHES = (32, 256)
"""States that are asked about at once, and as many rooms."""
CHUNK = 32
"""States that are run at a time: with all columns, more of them take gigabytes."""
STEPS = 40
"""Of random play, at most, before a state is asked about."""
REPEATS = 3
"""A call with all columns takes a minute."""


def played(env: Any, params: Any, count: int) -> Any:
    """States that random legal actions meet, each after another number of steps."""

    def play(instance: jax.Array, steps: jax.Array, key: jax.Array) -> Any:
        def step(number: jax.Array, state: Any) -> Any:
            own = jax.random.fold_in(key, number)
            legal = jnp.where(env.action_mask(state, params), 0.0, -jnp.inf)
            action = jax.random.categorical(own, legal)
            return env.step_env(own, state, action, params)[1]

        return jax.lax.fori_loop(0, steps, step, env.initial_state(key, instance, params))

    instances = jnp.arange(count, dtype=jnp.int32)
    keys = jax.random.split(jax.random.key(1), count)
    return jax.jit(jax.vmap(play))(instances, instances * STEPS // count, keys)


def contenders(model: str, room: str, batch: int) -> dict[str, Contender]:
    """Both sides by their names' endings, once they are seen to answer the same."""
    env = lprl_envs.Household(room)
    params = env.sample_params(jax.random.key(0), batch)
    prior = LanguagePrior.from_pretrained(model, env, params, chunk=CHUNK)
    states, needed = played(env, params, batch), jnp.ones(batch, bool)

    def narrow(own: Any, states: Any, params: Any) -> jax.Array:
        return prior.log_probs(own, prior.init(), states, params, needed)[0]

    def every(own: Any, states: Any, params: Any) -> jax.Array:
        def evaluate(states: Any) -> jax.Array:
            behind = own.prefix, own.prefix_valid, states.instance
            return prior.scorer.score(own.weights, *behind, states, params).log_likelihoods

        scores = evaluate_where_needed(evaluate, states, needed, CHUNK, env.num_actions)
        return prior.scorer.normalize(scores, states, params)

    *_, largest = sizes = prior.scorer.sizes(prior.params.width)
    notes = {
        "narrow": ", ".join(f"{size.tokens:,}" for size in sizes),
        "all": f"{largest.tokens:,}",
    }
    sides = {
        name: compiled(
            side, prior.params, states, params, amount=batch, unit="states/s",
            note=f"{notes[name]} tokens a state, chunks of {min(CHUNK, batch)}",
        )
        for name, side in (("narrow", narrow), ("all", every))
    }  # fmt: skip
    found, expected = (np.asarray(side.call()) for side in sides.values())
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
    return sides


def measure(model: str, room: str, batches: tuple[int, ...], repeats: int) -> Measured:
    """Rows and ratios."""
    found: list[Row] = []
    ratios: dict[str, Ratio | None] = {}
    for batch in batches:
        sides = {
            f"wide_texts/{name}_B{batch}": side
            for name, side in contenders(model, room, batch).items()
        }
        seconds = race(sides, repeats)
        found += rows(sides, seconds)
        ratios[f"wide_texts/narrow_vs_all_B{batch}"] = ratio(sides, seconds, *sides)
    return found, ratios


def run(quick: bool) -> Measured:
    """Rows and ratios."""
    return measure("embedded", "kitchen-small", BATCHES[:1] if quick else BATCHES, REPEATS)
