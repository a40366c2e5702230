"""How well KL(π ‖ p) is estimated from k proposals, for policies and states met in training.

    python docs/experiments/kl_estimator.py [--tables DIR]

KL-PPO with the exact divergence and the settings of `configs/`, 32 held-out instances, one a run.
Before training, after a tenth of it and at its end, the 256 states that the policies then reach by
acting are kept, with π and p. Of every state, k proposals are drawn 10,000 times. Deviations are
worked out from π and p, not from the draws, which miss what is rare. Writes
`docs/results/kl_estimator.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={os.cpu_count() or 1}")

import jax
import jax.numpy as jnp
import kl_ppo
import numpy as np

from lprl_jax import comparison, runner, sharding
from lprl_jax.algorithms import actor_critic, policy_losses
from lprl_jax.priors.base import sample_proposals

RESULTS = Path(__file__).parents[1] / "results" / "kl_estimator.json"
KS = (1, 5, 20)
DRAWS = 10_000
STAGES = {"start": 0.0, "a tenth": 0.1, "end": 1.0}
"""Shares of the training."""


class Met(NamedTuple):
    """States that training meets, S of them."""

    log_pi: jax.Array
    """f32[S, A]"""
    log_p: jax.Array
    """f32[S, A]"""


def main() -> None:
    """Measure all worlds and write the figures."""
    parser = argparse.ArgumentParser(description="The divergence, estimated from proposals.")
    parser.add_argument("--tables", type=Path, help="keep the models' tables in this directory")
    folder = parser.parse_args().tables
    figures: dict[str, Any] = {"draws": DRAWS}
    with tempfile.TemporaryDirectory() as other:
        for world in kl_ppo.WORLDS:
            met = train(world, folder or Path(other))
            figures[world] = {stage: measure(*found) for stage, found in met.items()}
            print(world, json.dumps(figures[world], indent=1), flush=True)
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n")


def train(world: str, folder: Path) -> dict[str, Met]:
    """What is met at every stage."""
    table = kl_ppo.table_of(world, "embedded", "held-out", folder)
    experiment = kl_ppo.read(world, "kl_ppo", {"prior": table})
    setup = runner.set_up(experiment)
    policy = actor_critic.of_observations(setup.env, experiment.algorithm.hidden_sizes)

    def judge(params: Any, states: Any, data: Any) -> jax.Array:
        def of_one_run(params: Any, states: Any) -> jax.Array:
            return policy.apply(params, (), policy.read(states, data), data).log_probs

        return jax.vmap(of_one_run)(params, states)

    total = experiment.config.total_steps // experiment.algorithm.steps_per_update
    state, updates, met = setup.initial_state(), 0, {}
    act = sharding.compile_chunk(setup.algorithm, setup.mesh, 1, state, setup.data)
    for stage, share in STAGES.items():
        wanted = round(share * total)
        for _ in range(wanted - updates):
            state, _ = act(state, setup.data)
        params = jax.device_get(state.params)
        state, _ = act(state, setup.data)  # these policies act, then they learn
        updates = wanted + 1
        log_pi = judge(params, jax.device_get(state.env_state), setup.data)
        num_actions = log_pi.shape[-1]
        met[stage] = Met(log_pi.reshape(-1, num_actions), state.log_probs.reshape(-1, num_actions))
    return jax.device_get(met)


def measure(log_pi: Any, log_p: Any, draws: int = DRAWS) -> dict[str, Any]:
    """Of one stage: the exact divergence, and every estimator's figures for every k."""
    log_pi, log_p = jnp.asarray(log_pi), jnp.asarray(log_p)
    exact = jax.vmap(policy_losses.kl)(log_pi, log_p)
    slope = jax.vmap(jax.grad(_exact_of_logits), in_axes=(0, 0))(log_pi, log_p)
    probs = np.exp(np.asarray(log_p, np.float64))
    at_stake = np.exp(log_pi) * np.where(log_pi > -np.inf, log_pi - log_p, 0.0)
    found: dict[str, Any] = {"states": len(exact), "kl": _round(np.mean(exact)), "k": {}}
    for k in KS:
        drawn = jax.jit(_draw, static_argnums=(2, 3))(log_pi, log_p, k, draws)
        rare = (1 - probs) ** k > 0.95
        found["k"][str(k)] = {
            # Parts of the sum below 0 are not at stake.
            "from_rare_actions": _round(np.sum(np.where(rare, np.abs(at_stake), 0.0))
                                        / np.sum(np.abs(at_stake))),
            "largest_share": _round(np.mean(drawn["largest"])),
            "estimators": {
                name: _figures(name, exact, slope, drawn[name], log_pi, log_p, k)
                for name in ESTIMATORS
            },
        }  # fmt: skip
    return found


def _draw(log_pi: jax.Array, log_p: jax.Array, k: int, draws: int) -> dict[str, Any]:
    """Of every state: estimates `[S, draws]`, gradients' errors, the largest ratio's share."""

    def of_state(inputs: tuple[jax.Array, jax.Array, jax.Array]) -> dict[str, Any]:
        key, log_pi, log_p = inputs
        every = jnp.broadcast_to(log_p, (draws, log_p.shape[0]))
        actions = sample_proposals(key, every, k)
        ratio = jnp.exp(log_pi[actions] - log_p[actions])
        exact = jax.grad(_exact_of_logits)(log_pi, log_p)
        out: dict[str, Any] = {"largest": jnp.mean(jnp.max(ratio, 1) / jnp.sum(ratio, 1))}
        for name, estimate in ESTIMATORS.items():
            value, slope = jax.vmap(jax.value_and_grad(_of_logits(estimate)), (None, None, 0))(
                log_pi, log_p, actions
            )
            error = jnp.mean(jnp.sum(jnp.square(slope - exact[None]), axis=-1))
            out[name] = {"values": value, "slope_error": error}
        return out

    keys = jax.random.split(jax.random.key(0), log_pi.shape[0])
    return jax.lax.map(of_state, (keys, log_pi, log_p))


def _figures(
    name: str, exact: Any, slope: Any, drawn: Any, log_pi: Any, log_p: Any, k: int
) -> dict[str, Any]:
    values = np.asarray(drawn["values"], np.float64)
    deviation = _deviation(name, log_pi, log_p, k)
    if deviation is None:  # in no closed form
        deviation = np.std(values, axis=1)
    exact, states = np.asarray(exact, np.float64), len(values)
    squared_slope = np.mean(np.sum(np.square(slope), axis=-1))
    return {
        "bias": _round(np.mean(values.mean(1) - exact)),
        "standard_error": _round(np.sqrt(np.sum(deviation**2) / values.shape[1]) / states),
        "deviation": _round(np.sqrt(np.mean(deviation**2))),
        "below_half": _round(np.mean(values < 0.5 * exact[:, None])),
        "gradient_error": _round(np.sqrt(np.mean(drawn["slope_error"]) / squared_slope)),
    }


def _deviation(name: str, log_pi: Any, log_p: Any, k: int) -> np.ndarray | None:
    """Standard deviation of a mean of k independent terms, by summing over the actions: `[S]`."""
    if name not in TERMS:
        return None
    p, legal = np.exp(np.asarray(log_p, np.float64)), np.asarray(log_p) > -np.inf
    log_ratio = np.where(legal, np.asarray(log_pi, np.float64), 0.0) - np.where(legal, log_p, 0.0)
    term = np.where(legal, TERMS[name](np.exp(log_ratio), log_ratio), 0.0)
    mean = np.sum(p * term, axis=1, keepdims=True)
    return np.sqrt(np.sum(p * (term - mean) ** 2, axis=1) / k)


def ours(log_pi: jax.Array, log_p: jax.Array, actions: jax.Array) -> jax.Array:
    """What KL-PPO takes: the mean of ρ log ρ - (ρ - 1)."""
    return policy_losses.kl_from_proposals(log_pi[actions], log_p[actions])


def plain(log_pi: jax.Array, log_p: jax.Array, actions: jax.Array) -> jax.Array:
    """Without the control variate: the mean of ρ log ρ."""
    log_ratio = log_pi[actions] - log_p[actions]
    return jnp.mean(jnp.exp(log_ratio) * log_ratio)


def counts(log_pi: jax.Array, log_p: jax.Array, actions: jax.Array) -> jax.Array:
    """The exact divergence from how often each legal action was proposed, and once more."""
    legal = log_p > -jnp.inf
    seen = jnp.sum(actions[:, None] == jnp.arange(len(log_p))[None], axis=0) + 1.0
    log_seen = jnp.log(seen) - jnp.log(len(actions) + jnp.sum(legal))
    return policy_losses.kl(log_pi, jnp.where(legal, log_seen, -jnp.inf))


ESTIMATORS = {"ours": ours, "plain": plain, "counts": counts}
TERMS: dict[str, Callable[[Any, Any], Any]] = {
    "ours": lambda ratio, log_ratio: ratio * log_ratio - (ratio - 1.0),
    "plain": lambda ratio, log_ratio: ratio * log_ratio,
}
"""Whose mean over the proposals an estimator is."""


def _of_logits(estimate: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """The same, of logits, so that gradients keep a policy a policy."""
    return lambda logits, log_p, actions: estimate(jax.nn.log_softmax(logits), log_p, actions)


def _exact_of_logits(logits: jax.Array, log_p: jax.Array) -> jax.Array:
    return policy_losses.kl(jax.nn.log_softmax(logits), log_p)


def _round(value: Any) -> float:
    return float(f"{float(value):.4g}")


def tables(figures: dict[str, Any]) -> dict[str, str]:
    """One table, by the name of its place on the page."""
    head = ["", "policies", "exact", "k", "rare", "largest", "estimator"]
    head += ["bias ± s.e.", "deviation", "below half", "gradient's error"]
    rows = []
    for world, title in ((name, world.title) for name, world in kl_ppo.WORLDS.items()):
        for stage, found in figures[world].items():
            for k, of_k in found["k"].items():
                for name, row in of_k["estimators"].items():
                    first = [title, stage, f"{found['kl']:.3g}", k]
                    first += [f"{100 * of_k['from_rare_actions']:.0f} %"]
                    first += [f"{100 * of_k['largest_share']:.0f} %"]
                    if name != "ours":
                        first = [""] * len(first)
                    rows.append([
                        *first, name, f"{row['bias']:.2g} ± {row['standard_error']:.1g}",
                        f"{row['deviation']:.3g}", f"{100 * row['below_half']:.0f} %",
                        f"{row['gradient_error']:.2g}",
                    ])  # fmt: skip
    return {"kl_estimator": comparison.markdown(head, rows)}


if __name__ == "__main__":
    main()
