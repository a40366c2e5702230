"""How well KL(π ‖ p) is estimated from k proposals, for policies and states met in training.

    python docs/experiments/kl_estimator.py [--tables DIR]

KL-PPO with the exact divergence and the settings of `configs/`, 32 held-out instances, one a run;
and once more with a sharper prior, p ∝ p⁴. Before training, after a tenth of it and at its end, the
states that the policies then reach by acting, one an environment, are kept, with π and p. Of every
state, k proposals are drawn 2,000 times. Deviations, of gradients too, are worked out from π and p
where that can be done, for draws miss what is rare. Writes `docs/results/kl_estimator.json`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={os.cpu_count() or 1}")

import jax
import jax.numpy as jnp
import kl_estimator_numbers
import kl_ppo
import numpy as np
import prose
import written

from lprl_jax.algorithms.policy_based import actor_critic, policy_losses
from lprl_jax.experiments import runner, sharding
from lprl_jax.priors.sampling import sample_proposals
from lprl_jax.results import comparison

RESULTS = Path(__file__).parents[1] / "results" / "kl_estimator.json"
KS = (1, 5, 20)
TEMPERATURES = {"embedded": 1.0, "embedded, sharpened": 0.25}
DRAWS = 2_000
RARE = 0.95
"""Probability from which on actions count as missed by the proposals."""
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
            figures[world] = {}
            for prior, temperature in TEMPERATURES.items():
                met = train(world, temperature, folder or Path(other))
                figures[world][prior] = {stage: measure(*met[stage]) for stage in STAGES}
                print(world, prior, json.dumps(figures[world][prior]), flush=True)
    written.write(RESULTS, figures, ["embedded"])


def train(world: str, temperature: float, folder: Path) -> dict[str, Met]:
    """What is met at every stage."""
    table = kl_ppo.table_of(world, "embedded", "held-out", folder)
    prior = {"prior": table, "prior_temperature": temperature}
    experiment = kl_ppo.read(world, "kl_ppo", prior)
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
        rare = (1 - probs) ** k > RARE
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
    if name in TERMS:
        deviation, slope_error = _deviations(name, log_pi, log_p, k)
    else:  # in no closed form
        deviation, slope_error = np.std(values, axis=1), np.sqrt(drawn["slope_error"])
    exact, states = np.asarray(exact, np.float64), len(values)
    squared_slope = np.mean(np.sum(np.square(slope), axis=-1))
    return {
        "bias": _round(np.mean(values.mean(1) - exact)),
        "standard_error": _round(np.sqrt(np.sum(deviation**2) / values.shape[1]) / states),
        "deviation": _round(np.sqrt(np.mean(deviation**2))),
        "below_half": _round(np.mean(values < 0.5 * exact[:, None])),
        "gradient_error": _round(np.sqrt(np.mean(slope_error**2) / squared_slope)),
    }


def _deviations(name: str, log_pi: Any, log_p: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Of a mean over k proposals, and of its gradient, by summing over the actions: `[S]` each.

    A proposal i moves the logits by w(ρ_i) (1_i - π).
    """
    term_of, weight_of = TERMS[name]
    log_pi, log_p = np.asarray(log_pi, np.float64), np.asarray(log_p, np.float64)
    legal = log_p > -np.inf
    pi, p = np.exp(log_pi), np.exp(log_p)
    log_ratio = np.where(legal, log_pi, 0.0) - np.where(legal, log_p, 0.0)
    term = term_of(np.exp(log_ratio), log_ratio)
    weight = weight_of(np.exp(log_ratio), log_ratio)

    def mean(x: np.ndarray) -> np.ndarray:
        return np.sum(p * x, axis=1)

    deviation = np.sqrt(mean((term - mean(term)[:, None]) ** 2) / k)
    length = 1.0 - 2.0 * pi + np.sum(pi**2, axis=1, keepdims=True)
    centre = p * weight - pi * mean(weight)[:, None]
    squared = mean(weight**2 * length) - np.sum(centre**2, axis=1)
    return deviation, np.sqrt(np.maximum(squared, 0.0) / k)


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
TERMS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    "ours": (
        lambda ratio, log_ratio: ratio * log_ratio - (ratio - 1.0),
        lambda ratio, log_ratio: ratio * log_ratio,
    ),
    "plain": (
        lambda ratio, log_ratio: ratio * log_ratio,
        lambda ratio, log_ratio: ratio * (log_ratio + 1.0),
    ),
}
"""Whose mean over the proposals an estimator is, and its derivative by log ρ."""


def _of_logits(estimate: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """The same, of logits, so that gradients keep a policy a policy."""
    return lambda logits, log_p, actions: estimate(jax.nn.log_softmax(logits), log_p, actions)


def _exact_of_logits(logits: jax.Array, log_p: jax.Array) -> jax.Array:
    return policy_losses.kl(jax.nn.log_softmax(logits), log_p)


def _round(value: Any) -> float:
    return float(f"{float(value):.4g}")


def tables(figures: dict[str, Any]) -> dict[str, str]:
    """By the names of their places on the page: every k; five proposals from a sharper prior."""
    return {
        "kl_estimator": _table(figures, "embedded", KS),
        "kl_estimator_sharpened": _table(figures, "embedded, sharpened", (kl_ppo.K,)),
    }


def _table(figures: dict[str, Any], prior: str, ks: Sequence[int]) -> str:
    head = ["", "policies", "k", "exact", "from rare actions", "largest ratio's share"]
    head += ["bias ± s.e.", "deviation", "below half", "gradient's error"]
    head += ["plain: deviation", "gradient's error"]
    head += ["counts: bias", "deviation", "gradient's error"]
    rows = []
    for world, stage, k in itertools.product(kl_ppo.WORLDS, STAGES, ks):
        found = figures[world][prior][stage]
        of_k = found["k"][str(k)]
        ours, plain, counts = (of_k["estimators"][name] for name in ("ours", "plain", "counts"))
        first = [kl_ppo.WORLDS[world].title, stage, f"{k}", f"{found['kl']:.3g}"]
        first += [_percent(of_k["from_rare_actions"]), _percent(of_k["largest_share"])]
        cells = [f"{ours['bias']:.2g} ± {ours['standard_error']:.1g}", f"{ours['deviation']:.3g}"]
        cells += [_percent(ours["below_half"]), f"{ours['gradient_error']:.2g}"]
        cells += [f"{plain['deviation']:.3g}", f"{plain['gradient_error']:.2g}"]
        cells += [f"{counts['bias']:.2g}", f"{counts['deviation']:.2g}"]
        rows.append([*first, *cells, f"{counts['gradient_error']:.2g}"])
    return comparison.markdown(head, rows)


def numbers(figures: dict[str, Any]) -> prose.Numbers:
    """What sentences quote."""
    return kl_estimator_numbers.numbers(figures, kl_ppo.K) | {"rare": prose.percent(RARE)}


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


if __name__ == "__main__":
    main()
