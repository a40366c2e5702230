"""PPO's returns on CartPole-v1, here and in purejaxrl, at equal steps and settings.

    python docs/experiments/cartpole.py                   # ours; theirs stay as they are
    PUREJAXRL=... PUREJAXRL_PYTHON=... python docs/experiments/cartpole.py --theirs

writes `docs/results/cartpole.json`. Both sides report what purejaxrl does,
`returned_episode_returns`: the return of the last finished episode, 0 before there is one, as a
mean over a run's environments at the end of an update. Theirs comes from a clone and an
interpreter, see `bench/suites/ppo_vs_purejaxrl.py`; the figures are kept, so that ours can be
measured again without them.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import prose
import written
from flax import struct
from lprl_envs import auto_reset
from lprl_envs.bridges.gymnax_env import EnvState, GymnaxEnv

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.policy_based import ppo
from lprl_jax.experiments import config
from lprl_jax.results import statistics
from lprl_jax.results.comparison import markdown

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "docs" / "results" / "cartpole.json"
RUNS = 32
SEED = 1
STEPS = (100_000, 200_000, 300_000, 400_000, 499_712)
SOLVED = 475.0
"""Gymnasium's threshold for CartPole-v1, as a mean over environments."""


@struct.dataclass(kw_only=True)
class LoggedState(EnvState):
    """With returns."""

    so_far: jax.Array
    """f32[]: return of the episode up to now."""
    last: jax.Array
    """f32[]: return of the last finished episode; 0 before."""


class Logged(GymnaxEnv):
    """An environment of gymnax's that keeps its returns over resets."""

    def initial_state(self, key: Any, instance: Any, params: Any) -> LoggedState:
        """Nothing finished yet."""
        state = super().initial_state(key, instance, params)
        none = jnp.float32(0.0)
        return LoggedState(**vars(state), so_far=none, last=none)

    def step(self, key: Any, state: Any, action: Any, params: Any = None) -> Any:
        """As before, with the returns carried on."""
        key_step, key_reset = jax.random.split(key)
        out = auto_reset.step(self, key_step, key_reset, state, action, params)
        obs, after, reward, terminated, truncated, info = out
        done, total = terminated | truncated, state.so_far + reward
        after = dataclasses.replace(
            after,
            so_far=jnp.where(done, 0.0, total),
            last=jnp.where(done, total, state.last),
        )
        return obs, after, reward, terminated, truncated, info


def main() -> None:
    """Train, and write the figures."""
    parser = argparse.ArgumentParser(description="PPO's returns on CartPole-v1.")
    parser.add_argument("--theirs", action="store_true", help="measure purejaxrl's again as well")
    options = parser.parse_args()
    figures = written.kept(FIGURES)
    if options.theirs:
        figures["purejaxrl"] = summary(theirs())
    figures["lprl-jax"] = summary(ours())
    written.write(FIGURES, figures)  # no language model takes part


def ours() -> np.ndarray:
    """`f32[R, updates]`: mean return of the environments' last episodes after each update."""
    experiment = config.read("cartpole_ppo")
    env = Logged(experiment.config.env)
    settings = experiment.algorithm
    algorithm = ppo.make(settings, env)
    data = Data((), env.default_params)
    updates = experiment.config.total_steps // settings.steps_per_update

    @jax.jit
    def train(keys: Any, data: Data) -> jax.Array:
        def update(state: Any, unused: None) -> Any:
            del unused
            state, _ = algorithm.update(state, data)
            return state, jnp.mean(state.env_state.last, axis=1)

        state = algorithm.init(keys, settings.hparams(len(keys)), data)
        return jax.lax.scan(update, state, None, length=updates)[1].T

    return np.asarray(train(jax.random.split(jax.random.key(SEED), RUNS), data))


def theirs() -> np.ndarray:
    """The same of purejaxrl.

    Raises:
        SystemExit: if its clone or its interpreter is missing.
    """
    sys.path.insert(0, str(ROOT / "bench"))
    from suites.ppo_vs_purejaxrl import CONTEST  # pyright: ignore[reportMissingImports]

    if why := CONTEST.peer.unavailable():
        raise SystemExit(why)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "curves.npy"
        options = ["--runs", str(RUNS), "--seed", str(SEED), "--curves", str(out)]
        subprocess.run([*CONTEST.command_of_theirs(), *options], check=True)
        return np.load(out)


def summary(curves: np.ndarray) -> dict[str, Any]:
    """IQM over the runs with intervals, at STEPS and over the whole training."""
    updates = curves.shape[1]
    per_update = STEPS[-1] / updates
    at = {str(s): np.clip(round(s / per_update) - 1, 0, updates - 1) for s in STEPS}
    solved = curves[:, -1] >= SOLVED
    return {
        "runs": curves.shape[0],
        "steps": {s: dataclasses.asdict(measured(curves[:, i])) for s, i in at.items()},
        "training": dataclasses.asdict(measured(curves.mean(axis=1))),
        "solved": int(solved.sum()),
        "curve": [round(float(x), 1) for x in curves.mean(axis=0)[:: updates // 61]],
    }


def measured(values: np.ndarray) -> statistics.Interval:
    """IQM with its 95 % interval."""
    return statistics.bootstrap_interval(values)


def tables(figures: dict[str, Any]) -> dict[str, str]:
    """Returns of both sides."""
    head = ["", "runs", *(f"{s:,} steps" for s in STEPS), "mean over training"]
    head.append(f"{SOLVED:g} or more at the end")

    def shown(found: dict[str, Any]) -> str:
        return f"{found['estimate']:.0f} [{found['low']:.0f}, {found['high']:.0f}]"

    cells = [
        [
            name,
            str(row["runs"]),
            *(shown(row["steps"][str(s)]) for s in STEPS),
            shown(row["training"]),
            f"{row['solved']}/{row['runs']}",
        ]
        for name, row in figures.items()
    ]
    return {"cartpole": markdown(head, cells)}


def numbers(figures: dict[str, Any]) -> prose.Numbers:
    """What sentences quote: `ours.training`, `purejaxrl.400000`, `ours.solved`."""
    found = {"most": "500", "threshold": f"{SOLVED:g}"}
    for side, name in (("ours", "lprl-jax"), ("purejaxrl", "purejaxrl")):
        row = figures[name]
        found |= {f"{side}.solved": f"{row['solved']}", f"{side}.runs": f"{row['runs']}"}
        for what, own in {**row["steps"], "training": row["training"]}.items():
            values = [own[x] for x in ("estimate", "low", "high")]
            found |= prose.estimate(f"{side}.{what}", values, prose.count)
    return found


if __name__ == "__main__":
    main()
