"""p_map against p_dist at equal cost: what is known of the right action, tokens and seconds.

    python docs/experiments/p_map.py [MODEL ...] [--instances M] [--states S]

Of states of held-out instances, drawn as the model card draws them, the right actions are planned.
p_dist scores every action's text; p_map writes k answers and finds actions in them (`FreeForm`). A
state's tokens are those that are run for it alone: what an instance's states share is run
beforehand. Models are `embedded` and `smollm2`; those that are not named are kept. The embedded
model is timed, alone on the machine: the median of three runs of a compiled program. Writes
`docs/results/p_map.json`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import prose
import written
from lprl_envs import TextEnv, TextEnvParams

from lprl_jax import FreeForm, FreeFormPrior, LanguagePrior
from lprl_jax.pretraining.curriculum import TASKS
from lprl_jax.pretraining.tasks import ActionTask
from lprl_jax.priors.base import normalize
from lprl_jax.priors.free_form import FIGURES
from lprl_jax.priors.judging import judge
from lprl_jax.results import comparison

OUT = Path(__file__).parents[1] / "results" / "p_map.json"
TIMED = "embedded"
MODELS = (TIMED, "smollm2")
P_DIST, UNIFORM, DEVICE = "p_dist", "uniform", "device"
MAX_TOKENS = 10
"""The paper's; more, where the longest action's text is longer."""
FORMS = {
    "p_map, k = 1": FreeForm(samples=1),
    "p_map, k = 5": FreeForm(samples=5),
    "p_map, k = 15": FreeForm(samples=15),
    "p_map, k = 15, T .8, top-p .95": FreeForm(samples=15, temperature=0.8, top_p=0.95),
}
"""The last is how the paper asks at evaluation."""
SIZES = dict(zip(MODELS, ((64, 16), (32, 4)), strict=True))
"""Instances, and states of each, by model."""
CHUNK = 64
RUNS = 3


class World(NamedTuple):
    """Where it is measured."""

    title: str
    """For tables."""
    task: str
    """Of the curriculum."""
    population: str
    """Which instances of it."""


WORLDS = {
    "frozen_lake": World(
        "Frozen Lake 8×8, goal anywhere", "FrozenLake 8x8, firm", "start and goal anywhere"
    ),
    "blocks_world": World("Blocks World, 4 blocks", "BlocksWorld 4", "random goals"),
}


class Asked(NamedTuple):
    """States of held-out instances."""

    env: TextEnv[Any, Any]
    """Their world."""
    bank: TextEnvParams
    """The instances."""
    states: Any
    """`[N, ...]`"""
    right: jax.Array
    """bool[N, A]"""
    legal: jax.Array
    """bool[N, A]"""


def main() -> None:
    """Write the figures."""
    parser = argparse.ArgumentParser(description="p_map against p_dist.")
    parser.add_argument("models", nargs="*", choices=[[], *MODELS], help="by default, all")
    parser.add_argument("--instances", type=int, help="of each world")
    parser.add_argument("--states", type=int, help="of each instance")
    options = parser.parse_args()
    figures = written.kept(OUT, MODELS)
    for model in options.models or MODELS:
        size = SIZES[model]
        size = options.instances or size[0], options.states or size[1]
        figures[model] = {world: measure(model, world, *size) for world in WORLDS}
        if model == TIMED:
            kind = jax.devices()[0].device_kind
            figures[DEVICE] = f"{jax.device_count()} {kind}, {os.cpu_count()} cores"
        written.write(OUT, {x: figures[x] for x in (DEVICE, *MODELS) if x in figures}, MODELS)


def measure(model: str, world: str, num_instances: int, num_states: int) -> dict[str, Any]:
    """All priors of a model in a world."""
    asked = ask_about(world, num_instances, num_states)
    language = LanguagePrior.from_pretrained(model, asked.env, asked.bank, chunk=CHUNK)
    answers = language.scorer.table.answers
    longest = max(MAX_TOKENS, *map(len, answers))
    found: dict[str, Any] = {
        "states": len(asked.right),
        "max_tokens": longest,
        UNIFORM: _quality(normalize(jnp.zeros(asked.legal.shape), asked.legal), asked),
    }
    text = _text_tokens(language, asked)
    runs = RUNS if model == TIMED else 1
    log_probs, seconds = run(language, asked, runs)
    branches = language.scorer.num_branches

    def cost(tokens: float, seconds: float) -> dict[str, float]:
        return {"tokens": tokens, **({"seconds": seconds} if model == TIMED else {})}

    found[P_DIST] = {**_quality(log_probs, asked), **cost(text + branches, seconds)}
    print(model, world, P_DIST, json.dumps(found[P_DIST]), flush=True)
    for name, form in FORMS.items():
        prior = FreeFormPrior.of(language, dataclasses.replace(form, max_tokens=longest))
        (log_probs, figures), seconds = run(prior, asked, runs)
        shares = dict(zip(FIGURES, np.mean(figures, axis=0).tolist(), strict=True))
        # The last token of an answer is not run.
        tokens = text + form.samples * (shares.pop("tokens") - 1.0)
        found[name] = {**_quality(log_probs, asked), **shares}
        found[name] |= cost(tokens, seconds)
        print(model, world, name, json.dumps(found[name]), flush=True)
    return found


def ask_about(world: str, num_instances: int, num_states: int) -> Asked:
    """States in which something is right, and what."""
    task = next(task for task in TASKS if task.name == WORLDS[world].task)
    assert isinstance(task, ActionTask)
    key_bank, key_states = jax.random.split(jax.random.key(11))
    draw = task.exam or task.draw
    kind = next(x for x in task.measured if x.name == WORLDS[world].population)
    bank = kind.sample(key_bank, num_instances, "held-out")

    @jax.jit
    def drawn(bank: TextEnvParams) -> tuple[Any, jax.Array]:
        keys = jax.random.split(key_states, num_instances)
        each = jax.vmap(lambda key, i: draw(key, bank, i, num_states))
        return each(keys, jnp.arange(num_instances, dtype=jnp.int32))

    flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), drawn(bank))
    states, right = jax.tree.map(lambda x: x[np.asarray(jnp.any(flat[1], axis=-1))], flat)
    legal = jax.vmap(task.env.action_mask, (0, None))(states, bank)
    return Asked(task.env, bank, states, right, legal)


def run(prior: LanguagePrior | FreeFormPrior, asked: Asked, runs: int) -> tuple[Any, float]:
    """What a prior says of all states, and its seconds a state, without those of compiling."""
    needed = jnp.ones(len(asked.right), bool)
    given = prior.params, prior.init(), asked.states, asked.bank, needed
    free = isinstance(prior, FreeFormPrior)
    ask = jax.jit(prior.log_probs_and_figures if free else prior.log_probs)
    program = ask.lower(*given).compile()
    seconds, answer = [], []
    for _ in range(runs):
        started = time.perf_counter()
        *answer, _ = jax.block_until_ready(program(*given))
        seconds.append(time.perf_counter() - started)
    return (answer if free else answer[0]), statistics.median(seconds) / len(asked.right)


def _text_tokens(language: LanguagePrior, asked: Asked) -> float:
    """Of a state's own text, on average."""
    slots = jax.vmap(asked.env.slots, (0, None))(asked.states, asked.bank)
    _, valid = jax.vmap(language.scorer.table.suffix.render)(slots)
    return float(jnp.mean(jnp.sum(valid, axis=1)))


def _quality(log_probs: jax.Array, asked: Asked) -> dict[str, float]:
    """As the model card's: top-1, coverage by five proposals, and KL(π* ‖ p) in nats."""
    return judge(log_probs[None], asked.right[None])._asdict()


def _models(figures: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """What was measured of each."""
    return [(model, worlds) for model, worlds in figures.items() if model != DEVICE]


def tables(figures: dict[str, Any]) -> dict[str, str]:
    """Every prior of every model in every world."""
    head = ["", "model", "prior", "top-1", "covered by 5", "KL"]
    head += ["answers: exact", "contained", "none", "tokens a state", "ms a state"]
    rows = []
    for model, worlds in _models(figures):
        for world, found in worlds.items():
            for name in (P_DIST, *FORMS, UNIFORM):
                own = found[name]
                cells = [WORLDS[world].title, model, name]
                cells += [prose.share(own["top1"]), prose.share(own["covered"])]
                cells += [f"{own['kl']:.2f}"]
                cells += [prose.percent(own[x]) if x in own else "" for x in FIGURES[:3]]
                if "tokens" in own:
                    cells.append(f"{own['tokens']:.1f}")
                if "seconds" in own:
                    cells.append(f"{1e3 * own['seconds']:.3g}")
                rows.append(cells + [""] * (len(head) - len(cells)))
    return {"p_map": comparison.markdown(head, rows)}


def numbers(figures: dict[str, Any]) -> prose.Numbers:
    """What sentences quote: `embedded.frozen_lake.p_map-k-5.top1`, `.times` of p_dist's seconds."""
    found: prose.Numbers = {DEVICE: figures[DEVICE]}
    for model, worlds in _models(figures):
        for world, own in worlds.items():
            place = f"{model}.{world}"
            found[f"{place}.states"] = prose.count(own["states"])
            for name in (P_DIST, *FORMS, UNIFORM):
                row, prior = own[name], f"{place}.{prose.slug(name.replace('=', ''))}"
                found[f"{prior}.top1"] = prose.share(row["top1"])
                found[f"{prior}.covered"] = prose.share(row["covered"])
                found[f"{prior}.kl"] = f"{row['kl']:.2f}"
                if "tokens" in row:
                    found[f"{prior}.tokens"] = f"{row['tokens']:.1f}"
                if "seconds" in row:
                    times = row["seconds"] / own[P_DIST]["seconds"]
                    found[f"{prior}.times"] = f"{times:.1f}"
                found |= {f"{prior}.{x}": prose.percent(row[x]) for x in FIGURES[:3] if x in row}
    return found


if __name__ == "__main__":
    main()
