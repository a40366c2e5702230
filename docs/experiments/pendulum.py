"""SAC's and TD3's returns on Pendulum-v1, along 20,000 steps, beside what others published.

    python docs/experiments/pendulum.py            # about ten minutes on two cores

writes `docs/results/pendulum.json`. Settings are those of `configs/pendulum_sac.yaml` and
`configs/pendulum_td3.yaml`. What is measured is how a policy plays without noise, from the same
starts for all runs at all times: an episode's return depends on its start far more than on a good
policy. At the end there are as many starts as Stable-Baselines3's zoo has episodes.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import prose
import written

from lprl_jax.algorithms import streams
from lprl_jax.algorithms.base import Data
from lprl_jax.experiments import build, config
from lprl_jax.results import statistics
from lprl_jax.results.comparison import markdown

FIGURES = Path(__file__).parents[1] / "results" / "pendulum.json"
LEARNERS = {"sac": "SAC", "td3": "TD3"}
STEPS = (1_000, 2_000, 3_000, 4_000, 5_000, 7_000, 10_000, 20_000)
CHUNK = 1_000
"""Steps that are compiled as one program; a part of each number above."""
STARTS = 100
ENDS = 750
"""Starts at the end."""
PUBLISHED = {"sac": -157.0, "td3": -151.9}
"""Mean return over 750 episodes after 20,000 steps, of one run each: benchmark.md of
rl-baselines3-zoo, commit 22e3ff2, whose networks are larger and whose other settings differ."""


def main() -> None:
    """Train both, and write the figures."""
    figures: dict[str, Any] = {"starts": STARTS, "ends": ENDS, "published": PUBLISHED}
    for name in LEARNERS:
        figures[name] = measured(name)
        print(name, figures[name], flush=True)
    written.write(FIGURES, figures)  # no language model takes part


def measured(name: str) -> dict[str, Any]:
    """Quartiles over the runs at STEPS, and the mean at the end, with its interval."""
    experiment = config.read(f"pendulum_{name}")
    env, params = build.make_env(experiment.config.env, {}, experiment.bank)
    algorithm = build.make_algorithm(experiment, env, None)
    data, settings = Data((), params), experiment.algorithm
    keys = build.keys(experiment)
    state = algorithm.init(keys, settings.hparams(len(keys)), data)
    train = jax.jit(algorithm.train, static_argnums=2, donate_argnums=0)
    same = jnp.broadcast_to(
        streams.of(jax.random.key(0), "evaluation of a finished run"), keys.shape
    )

    def play(num_episodes: int) -> np.ndarray:
        of_all = state._replace(key=same)  # by which starts are drawn
        return np.asarray(algorithm.evaluate(of_all, data, num_episodes)["return"])

    found = {}
    for before, after in itertools.pairwise((0, *STEPS)):
        for _ in range((after - before) // CHUNK):
            state, _ = train(state, data, CHUNK // settings.steps_per_update)
        found[str(after)] = dict(
            zip(("low", "median", "high"), quartiles(play(STARTS)), strict=True)
        )
        print(name, after, found[str(after)], flush=True)
    end = play(ENDS)
    return {
        "runs": len(keys),
        "steps": found,
        "end": dataclasses.asdict(statistics.bootstrap_interval(end, np.mean)),
        "worst": float(end.min()),
    }


def quartiles(returns: np.ndarray) -> list[float]:
    """Of runs, `[R]`: the lower, the median, the upper."""
    return [round(float(x), 1) for x in np.quantile(returns, (0.25, 0.5, 0.75))]


def tables(figures: dict[str, Any]) -> dict[str, str]:
    """Medians and quartiles along the training, and the means at the end."""
    head = ["steps", *LEARNERS.values()]
    rows = [
        [f"{step:,}", *(_with_quartiles(figures[name]["steps"][str(step)]) for name in LEARNERS)]
        for step in STEPS
    ]
    ends = ["mean at the end"]
    for name in LEARNERS:
        end = figures[name]["end"]
        ends.append(f"{end['estimate']:.1f} [{end['low']:.1f}, {end['high']:.1f}]")
    return {"pendulum": markdown(head, [*rows, ends])}


def _with_quartiles(found: dict[str, float]) -> str:
    return f"{found['median']:,.0f} ({found['low']:,.0f} to {found['high']:,.0f})"


def numbers(figures: dict[str, Any]) -> prose.Numbers:
    """What sentences quote: `sac.5000`, `td3.end.interval`, `sac.published`."""
    found = {name: f"{figures[name]}" for name in ("starts", "ends")}
    found["runs"] = f"{figures['sac']['runs']}"
    for name in LEARNERS:
        own = figures[name]
        found |= {f"{name}.{step}": f"{x['median']:,.0f}" for step, x in own["steps"].items()}
        ends = [own["end"][x] for x in ("estimate", "low", "high")]
        found |= prose.estimate(f"{name}.end", ends, "{:.1f}".format)
        found[f"{name}.worst"] = f"{own['worst']:.1f}"
        found[f"{name}.published"] = f"{figures['published'][name]:.1f}"
    return found


if __name__ == "__main__":
    main()
