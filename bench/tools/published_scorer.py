"""A published model as a prior on Frozen Lake, to be timed.

    python bench/tools/published_scorer.py MODEL --windows 10

times `LanguagePrior.log_probs` in a process of its own, which may be pinned; a JSON line is
printed. The texts of the maps are run once and kept, as a prior keeps them: they are not in the
rates.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import lprl_jax
from lprl_jax import LanguagePrior, Wording
from lprl_jax.lm import checkpoint
from lprl_jax.lm.checkpoint import LanguageModel
from lprl_jax.lm.scoring import Answers

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.published_work import Work
from tools.timing import Contender, compiled, print_windows


class Sizes(NamedTuple):
    """Of what is asked."""

    map_name: str = "8x8"
    """Size of a map."""
    maps: int = 16
    """Of which there are so many."""
    batch: int = 256
    """States, of each map equally many; they are run at once."""


class Asked(NamedTuple):
    """States of a bank."""

    env: Any
    params: Any
    states: Any


def draw(sizes: Sizes) -> Asked:
    """Random solvable maps; cells of each that are ice, no cell twice."""
    env, _ = lprl_jax.make("FrozenLake-lprl", map_name=sizes.map_name)
    params = env.sample_params(jax.random.key(0), sizes.maps)
    tiles, rng = np.asarray(params.bank.tiles), np.random.default_rng(0)
    each = sizes.batch // sizes.maps
    instances = jnp.repeat(jnp.arange(sizes.maps, dtype=jnp.int32), each)
    at = jax.vmap(env.state_at, in_axes=(0, 0, None))
    ends = jax.jit(jax.vmap(env.is_terminated, in_axes=(0, None)))
    rows, columns = jnp.indices(tiles.shape, dtype=jnp.int32).reshape(2, -1)
    is_ice = ~np.asarray(ends(at(rows, columns, params), params)).reshape(tiles.shape)
    cells = [rng.choice(np.flatnonzero(row), each, replace=False) for row in is_ice]
    positions = jnp.asarray(np.concatenate(cells), jnp.int32)
    return Asked(env, params, at(instances, positions, params))


def prior_of(model: LanguageModel, asked: Asked, wording: Wording | str = "bare") -> LanguagePrior:
    """The model as a prior that runs all states at once."""
    chunk = len(asked.states.instance)
    return LanguagePrior.of_model(model, asked.env, asked.params, wording=wording, chunk=chunk)


def contender(prior: LanguagePrior, asked: Asked, note: str = "") -> Contender:
    """Log-probabilities `f32[B, A]` of all states."""
    score, *arguments = _asking(prior, asked)
    amount = len(asked.states.instance)
    return compiled(score, *arguments, amount=amount, unit="states/s", note=note)


def products(prior: LanguagePrior, work: Work) -> Contender:
    """The products of all layers' matrices with as many rows as a batch runs, and nothing else."""
    layers, nodes = prior.params.weights["layers"], prior.scorer.num_branches
    rows = work.suffixes.size + len(work.instances) * nodes
    x = jax.random.normal(jax.random.key(0), (rows, prior.scorer.config.hidden_size))

    def run(layers: Any, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        def layer(x: jax.Array, own: Any) -> tuple[jax.Array, jax.Array]:
            def times(x: jax.Array, name: str) -> jax.Array:
                return x @ own[name]["kernel"]

            kept = jnp.sum(times(x, "k")) + jnp.sum(times(x, "v"))
            wide = times(x, "up") + times(x, "gate") if "gate" in own else times(x, "up")
            x = times(times(x, "q"), "o") + times(wide, "down")
            return x / jnp.max(jnp.abs(x)), kept

        return jax.lax.scan(layer, x, layers)

    matrices = (leaf for leaf in jax.tree.leaves(layers) if leaf.ndim == 3)
    operations = 2 * rows * sum(matrix.size for matrix in matrices)
    note = f"{rows:,} rows, {x.shape[1]} numbers each"
    return compiled(run, layers, x, amount=operations / 1e9, unit="GFLOP/s", note=note)


def held(prior: LanguagePrior, asked: Asked) -> int:
    """Bytes of temporaries of the same."""
    score, *arguments = _asking(prior, asked)
    sizes = jax.jit(score).lower(*arguments).compile().memory_analysis()
    assert sizes is not None
    return sizes.temp_size_in_bytes


def _asking(prior: LanguagePrior, asked: Asked) -> tuple[Any, ...]:
    """A function, and its arguments."""

    def score(params: Any, states: Any, env_params: Any, needed: jax.Array) -> jax.Array:
        return prior.log_probs(params, prior.init(), states, env_params, needed)[0]

    needed = jnp.ones(len(asked.states.instance), bool)
    return score, prior.params, asked.states, asked.params, needed


def work_of(prior: LanguagePrior, asked: Asked) -> Work:
    """The same as tokens."""
    table = prior.scorer.table
    prefixes = prior.scorer.render(prior.name, asked.params)
    slots = jax.vmap(asked.env.slots, in_axes=(0, None))(asked.states, asked.params)
    suffixes = jax.jit(jax.vmap(table.suffix.render))(slots)
    rows = Answers.build(table.answers)
    own = (*prefixes, *suffixes, asked.states.instance, rows.tokens, rows.valid)
    return Work(*map(np.asarray, own))


def main() -> None:
    parser = argparse.ArgumentParser(description="Time our scorer.")
    parser.add_argument("model", type=Path, help="a GGUF file or a Hugging Face directory")
    parser.add_argument("--windows", type=int, default=10, help="repeats")
    for name, default in Sizes()._asdict().items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=type(default), default=default, help="see Sizes")
    options = parser.parse_args()
    asked = draw(Sizes(options.map_name, options.maps, options.batch))
    side = contender(prior_of(checkpoint.load(options.model), asked), asked)
    print_windows(side, options.windows)


if __name__ == "__main__":
    main()
