"""Make the tables that come with the package: what SmolLM2 says in every state of a few worlds.

    lprl fetch smollm2
    python docs/experiments/shipped_tables.py

writes `lprl_jax/priors/shipped_tables/` anew, and `docs/results/shipped_tables.json`: seconds and
bytes of each. What was left out is listed there with its cost, reckoned from states and seconds a
state.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import prose
import written

from lprl_jax.experiments import build, config
from lprl_jax.experiments.asking import Asking
from lprl_jax.priors import shipped, tabulate
from lprl_jax.results import comparison

FIGURES = written.ROOT / "docs/results/shipped_tables.json"
SAMPLED = 32
"""States by which the cost of what is left out is reckoned."""
LEFT_OUT = {
    "BlocksWorld planbench-4": ("BlocksWorld-lprl", {"num_blocks": 5, "suite": "planbench-4"}),
    "BlocksWorld planbench-6": ("BlocksWorld-lprl", {"num_blocks": 5, "suite": "planbench-6"}),
}


def make(world: str, wording: str, path: Path) -> dict[str, Any]:
    """Write one table; its seconds, states and bytes."""
    env_id, env_params = shipped.WORLDS[world]
    env, params = build.make_env(env_id, *config.parse_env_params(env_id, env_params))
    begun = time.perf_counter()
    prior = build.language_prior(shipped.MODEL, env, params, Asking(wording=wording))
    table = tabulate(prior, env, params, **prior.settings)
    table.save(path, params, "float16")
    seconds = round(time.perf_counter() - begun, 1)
    return {"seconds": seconds, "states": table.evaluations, "bytes": path.stat().st_size}


def cost_of(env_id: str, env_params: dict[str, Any]) -> dict[str, Any]:
    """What a table would take: its states, and hours by the pace of a few of them."""
    env, params = build.make_env(env_id, *config.parse_env_params(env_id, env_params))
    prior = build.language_prior(shipped.MODEL, env, params, Asking())
    num_instances = jax.tree.leaves(params.bank)[0].shape[0]
    states = jax.vmap(lambda i: env.state_at(0, i, params))(jax.numpy.arange(SAMPLED))
    needed = jax.numpy.ones(SAMPLED, bool)
    ask = jax.jit(prior.log_probs)
    jax.block_until_ready(ask(prior.params, prior.init(), states, params, needed))
    begun = time.perf_counter()
    jax.block_until_ready(ask(prior.params, prior.init(), states, params, needed))
    pace = SAMPLED / (time.perf_counter() - begun)
    total = num_instances * env.numbered_states
    return {"states": total, "states_per_second": round(pace, 1), "hours": total / pace / 3600}


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """What was left out, and what it would cost."""
    rows = []
    for name, cost in figures["left_out"].items():
        pace = f"{cost['states_per_second']:g}"
        rows.append([name, prose.count(cost["states"]), pace, f"{cost['hours']:.1f}"])
    return {
        "shipped_left_out": comparison.markdown(
            ["world", "states", "states a second", "hours"], rows
        )
    }


def numbers(figures: Mapping[str, Any]) -> prose.Numbers:
    """How many tables there are, and what they take together."""
    made = figures["tables"].values()
    return {
        "tables": f"{len(made)}",
        "states": prose.count(sum(table["states"] for table in made)),
        "minutes": f"{sum(table['seconds'] for table in made) / 60:.0f}",
        "kilobytes": prose.count(sum(table["bytes"] for table in made) / 1e3),
    }


def main() -> None:
    """Write all of it."""
    figures: dict[str, Any] = {"tables": {}, "left_out": {}}
    with tempfile.TemporaryDirectory() as folder:
        made = {name: Path(folder) / f"{name}.npz" for name in shipped.TABLES}
        for name, path in made.items():
            world = shipped.TABLES[name]
            wording = name.removeprefix(f"{shipped.MODEL}-{world}-")
            figures["tables"][name] = make(world, wording, path)
            print(name, figures["tables"][name], flush=True)
        for name, (env_id, env_params) in LEFT_OUT.items():
            figures["left_out"][name] = cost_of(env_id, env_params)
            print(name, figures["left_out"][name], flush=True)
        shipped.FOLDER.mkdir(exist_ok=True)
        for name, path in made.items():
            shipped.path_of(name).write_bytes(path.read_bytes())
    written.write(FIGURES, figures, [shipped.MODEL])


if __name__ == "__main__":
    main()
