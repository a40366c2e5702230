"""LINVIT on held-out Frozen Lake 4x4 maps, over priors of many qualities.

    python docs/experiments/linvit.py

writes `docs/results/linvit.json`. 32 maps, a run each for every prior, all runs of a lake in one
program. A prior's quality is ε_LLM: the divergence from it of the nearest optimal policy, exact, of
each run's own map. λ = ε / (2 ε_LLM) as in the paper, run by run. After every episode the policy's
true return, which the law gives exactly, is held against the optimum; a run has reached ε when it
is within ε of it for the first time.

The bonus scale is chosen beforehand on training maps, for the uniform prior, among those above 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import prose
import written
from lprl_envs import FrozenLake

from lprl_jax import Data, LanguagePrior, tabulate
from lprl_jax.algorithms.tabular import habits, linvit, value_iteration
from lprl_jax.algorithms.tabular.linvit_problem import Problem, of_bank
from lprl_jax.lm import embedded
from lprl_jax.priors import UniformPrior
from lprl_jax.results import statistics
from lprl_jax.results.comparison import markdown

FIGURES = Path(__file__).parents[1] / "results" / "linvit.json"
MAPS, HORIZON, EPSILON = 32, 20, 0.1
EPISODES, EVERY = 1_000, 1
GOAL = "anywhere"
"""Of the maps, with their start."""
LAKES = {"firm": {"is_slippery": False}, "slippery": {"is_slippery": True, "success_rate": 0.8}}
SCALES = (0.0, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
MOST_TEMPERATURE = 1.0
"""λ of a prior that is nearly optimal itself."""
MIXED = (0.02, 0.1, 0.3, 0.7)
"""Shares of an optimal policy in the priors that are made of it and the uniform one."""


def main() -> None:
    """Choose the bonus scale, run all priors, write the figures."""
    figures: dict[str, Any] = {"maps": MAPS, "horizon": HORIZON, "epsilon": EPSILON, "lakes": {}}
    for lake, arguments in LAKES.items():
        env = FrozenLake("4x4", **arguments)
        tuned = tune(env, env.sample_params(jax.random.key(1), MAPS, "train", goal=GOAL))
        scale = best_scale(tuned)
        held_out = env.sample_params(jax.random.key(0), MAPS, "held-out", goal=GOAL)
        base, _ = of_bank(env, UniformPrior(env), Data((), held_out))
        figures["lakes"][lake] = {
            "bonus_scale": scale,
            "tuning": tuned,
            "rows": measure(env, held_out, base, priors(env, held_out, base), scale),
            "queries": int(len(embedded.LADDER) * MAPS * base.log_prior.shape[1]),
        }
    written.write(FIGURES, figures, list(embedded.LADDER))


def tune(env: Any, params: Any) -> dict[float, dict[str, Any]]:
    """Median episodes of the uniform prior to ε on training maps, by bonus scale."""
    problem, _ = of_bank(env, UniformPrior(env), Data((), params))
    runs = jax.tree.map(lambda x: jnp.tile(x, (len(SCALES), *[1] * (x.ndim - 1))), problem)
    steps, lost, _ = learn(env, params, runs, jnp.repeat(jnp.array(SCALES), MAPS))
    return {
        scale: reached(steps, part)
        for scale, part in zip(SCALES, np.split(lost, len(SCALES)), strict=True)
    }


def best_scale(tuned: dict[float, dict[str, Any]]) -> float:
    """Of the scales above 0 that with which ε is reached first."""
    return min(SCALES[1:], key=lambda scale: tuned[scale]["median"] or np.inf)


def measure(
    env: Any, params: Any, base: Problem, found: dict[str, jax.Array], scale: float
) -> list[dict[str, Any]]:
    """Every prior, from the best to the worst.

    Args:
        env: The lake.
        params: M maps, a run each.
        base: What is learned in them, with the uniform prior.
        found: Log-probabilities `[M, S, A]` by name, the uniform prior's among them.
        scale: Of the bonus.
    """
    runs = jax.tree.map(lambda x: jnp.tile(x, (len(found), *[1] * (x.ndim - 1))), base)
    runs = runs._replace(log_prior=jnp.concatenate(list(found.values())))
    kl = np.asarray(distance(runs))
    steps, lost, gaps = learn(env, params, runs, jnp.full(len(kl), scale))
    own = np.asarray(of_prior(runs))
    first, _ = statistics.first_passage(steps, -lost, -EPSILON)
    by_uniform = first[list(found).index("uniform") * MAPS :][:MAPS]
    rows = []
    for i, name in enumerate(found):
        part = slice(i * MAPS, (i + 1) * MAPS)
        times = statistics.summarize_steps(first[part] / by_uniform, np.ones(MAPS, bool))
        rows.append(
            {
                "prior": name,
                "epsilon_llm": interval(kl[part]),
                "lost_by_prior": interval(own[part]),
                **reached(steps, lost[part]),
                "times_uniform": f"{times:.2f}".rpartition(", ")[0],
                "lost_at_end": interval(lost[part, -1]),
                "gap_at_end": interval(gaps[part]),
            }
        )
    rows.sort(key=lambda row: row["epsilon_llm"]["iqm"])
    return rows


def priors(env: Any, params: Any, base: Problem) -> dict[str, jax.Array]:
    """Log-probabilities `[M, S, A]` by name."""
    uniform = base.log_prior
    plans = jax.jit(jax.vmap(lambda law: value_iteration.plan(law, HORIZON)))(base.law)
    best = plans >= jnp.max(plans, axis=-1, keepdims=True) - value_iteration.TIE
    optimal = jnp.log(best / jnp.sum(best, axis=-1, keepdims=True))
    told = {
        name: tabulate(LanguagePrior.from_pretrained(name, env, params), env, params).table
        for name in embedded.LADDER
    }
    adversarial = jax.nn.log_softmax(-told["embedded"], axis=-1)
    habit = habits.of_training(env, (("goal", GOAL),))
    return {
        **{f"{w:.0%} optimal, rest uniform": mixed(optimal, uniform, w) for w in MIXED},
        **{f"{name}, 2 % uniform": mixed(p, uniform, 0.98) for name, p in told.items()},
        "embedded, half uniform": mixed(told["embedded"], uniform, 0.5),
        "habit, 2 % uniform": mixed(tabulate(habit, env, params).table, uniform, 0.98),
        "uniform": uniform,
        "adversarial, half uniform": mixed(adversarial, uniform, 0.5),
        "adversarial, 10 % uniform": mixed(adversarial, uniform, 0.9),
    }


def mixed(one: jax.Array, other: jax.Array, share: float) -> jax.Array:
    """The mixture of two distributions, as log-probabilities."""
    return jnp.logaddexp(one + jnp.log(share), other + jnp.log1p(-share))


@jax.jit
def distance(runs: Problem) -> jax.Array:
    """ε_LLM `[R]`, from the start."""

    def one(run: Problem) -> jax.Array:
        return at_start(run, value_iteration.optimal_divergence(run.law, run.log_prior, HORIZON))

    return jax.vmap(one)(runs)


@jax.jit
def of_prior(runs: Problem) -> jax.Array:
    """What is lost `[R]` by acting as the prior does."""
    return jax.vmap(lambda run: lost_by(run, jnp.tile(run.log_prior, (HORIZON, 1, 1))))(runs)


def lost_by(run: Problem, log_policy: jax.Array) -> jax.Array:
    """The optimal return less the policy's, exact."""
    best = jnp.max(value_iteration.plan(run.law, HORIZON), axis=-1)
    gain = value_iteration.gain_of(run.law, log_policy, run.log_prior).total
    return jnp.sum(run.start * (best - gain[0]))


def at_start(run: Problem, values: jax.Array) -> jax.Array:
    """`[H, S]` values at the first step, where episodes begin."""
    return jnp.sum(jnp.where(run.start > 0, run.start * values[0], 0.0))


def learn(
    env: Any, params: Any, runs: Problem, scale: jax.Array
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Episodes `[T]`, what is lost then `[R, T]`, and the last gaps `[R]`."""
    config = linvit.LINVITConfig(horizon=HORIZON, episodes_per_update=EVERY)
    algorithm = linvit.make(config, env)
    num_runs = len(scale)
    temperature = jnp.minimum(EPSILON / (2 * distance(runs)), MOST_TEMPERATURE)
    hp = config.hparams(num_runs)._replace(temperature=temperature, bonus_scale=scale)
    keys = jax.vmap(jax.random.key)(jnp.arange(num_runs) % MAPS)
    data, own = Data((), params), jnp.arange(num_runs, dtype=jnp.int32)[:, None] % MAPS
    state = algorithm.init(keys, hp, data, own)._replace(problem=runs)

    @jax.jit
    def more(state: linvit.LINVITState) -> tuple[linvit.LINVITState, jax.Array]:
        state, _ = algorithm.update(state, data)

        def one(run: Problem, q: jax.Array, temperature: jax.Array) -> jax.Array:
            return lost_by(run, value_iteration.soft_policy(q, run.log_prior[None], temperature))

        return state, jax.vmap(one)(state.problem, state.params.last, state.hparams.temperature)

    curves = []
    for _ in range(EPISODES // EVERY):
        state, lost = more(state)
        curves.append(np.asarray(lost))
    steps = EVERY * np.arange(1, len(curves) + 1)
    return steps, np.stack(curves, axis=1), np.asarray(state.gap)


def reached(steps: np.ndarray, lost: np.ndarray) -> dict[str, Any]:
    """Episodes until within ε of the optimum: median over the runs, with interval."""
    first, found = statistics.first_passage(steps, -lost, -EPSILON)  # exact, without noise
    summary = statistics.summarize_steps(first, found)
    median = summary.median.estimate
    return {"episodes": str(summary), "median": median if np.isfinite(median) else None}


def interval(values: np.ndarray) -> dict[str, float | None]:
    """IQM with its interval."""
    found = statistics.bootstrap_interval(values)
    return {"iqm": found.estimate, "low": found.low, "high": found.high}


def tables(figures: dict[str, Any]) -> dict[str, str]:
    """A table a lake, and the tuning of the bonus."""
    out = {}
    for lake, found in figures["lakes"].items():
        head = ["prior", "ε_LLM", "lost by the prior alone", "episodes to ε", "times uniform's"]
        head += ["lost at the end"]
        cells = [
            [
                row["prior"],
                shown(row["epsilon_llm"], 2),
                shown(row["lost_by_prior"], 3),
                row["episodes"],
                row["times_uniform"],
                shown(row["lost_at_end"], 3),
            ]
            for row in found["rows"]
        ]
        out[f"linvit-{lake}"] = markdown(head, cells)
        scales = [[f"{float(s):g}", row["episodes"]] for s, row in found["tuning"].items()]
        out[f"linvit-{lake}-tuning"] = markdown(["bonus scale", "episodes to ε"], scales)
    return out


def numbers(figures: dict[str, Any]) -> prose.Numbers:
    """What sentences quote: `LAKE.PRIOR.episodes`, and what the worst and the best prior span."""
    found = {name: f"{figures[name]:g}" for name in ("maps", "horizon", "epsilon")}
    found |= {"most_temperature": f"{MOST_TEMPERATURE:g}"}
    for lake, own in figures["lakes"].items():
        found[f"{lake}.success_rate"] = f"{LAKES[lake].get('success_rate', 1.0):g}"
        for row in own["rows"]:
            name = f"{lake}.{prose.slug(row['prior'])}"
            times = row["times_uniform"].replace("0.", ".")
            found |= {f"{name}.times": times.partition(" [")[0], f"{name}.times.interval": times}
            found |= prose.reached(f"{name}.episodes", row["episodes"])
            for part, digits in (("epsilon_llm", 2), ("lost_by_prior", 2), ("lost_at_end", 3)):
                values = [row[part][x] for x in ("iqm", "low", "high")]
                found |= prose.estimate(
                    f"{name}.{part}", values, lambda x, digits=digits: prose.share(x, digits)
                )
        best, worst = own["rows"][0], own["rows"][-1]  # written from the best to the worst
        spans = worst["epsilon_llm"]["iqm"] / best["epsilon_llm"]["iqm"]
        found[f"{lake}.epsilon_llm.span"] = prose.count(spans)
        if worst["median"] and best["median"]:
            found[f"{lake}.episodes.span"] = prose.count(worst["median"] / best["median"])
        found[f"{lake}.lost_at_end.most"] = prose.share(
            max(row["lost_at_end"]["iqm"] for row in own["rows"]), 3
        )
    return found


def shown(found: dict[str, float], digits: int) -> str:
    """An interval, to be read."""
    return f"{found['iqm']:.{digits}f} [{found['low']:.{digits}f}, {found['high']:.{digits}f}]"


if __name__ == "__main__":
    main()
