"""The figures of docs/experiments/kl_estimator.py, on divergences worked by hand."""

import importlib
import math
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "experiments"))
experiment: Any = importlib.import_module("kl_estimator")

LOG_PI = jnp.log(jnp.array([[0.5, 0.5, 0.0]]))
LOG_P = jnp.log(jnp.array([[0.25, 0.75, 0.0]]))
KL = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)


def test_deviations_by_hand() -> None:
    """ρ is 2 with probability 1/4 and 2/3 with 3/4; terms are binary, of deviation √3/4 |a - b|."""
    first, second = 2 * math.log(2), 2 / 3 * math.log(2 / 3)
    plain = math.sqrt(3) / 4 * (first - second)
    ours = math.sqrt(3) / 4 * ((first - 1) - (second + 1 / 3))
    for name, expected in (("plain", plain), ("ours", ours)):
        for k in (1, 4):
            found, _ = experiment._deviations(name, LOG_PI, LOG_P, k)
            np.testing.assert_allclose(found, abs(expected) / math.sqrt(k), rtol=1e-5)


def test_counts_by_hand() -> None:
    """Three proposals of the first action, one of the second, and each once more: 4/6 and 2/6."""
    found = experiment.counts(LOG_PI[0], LOG_P[0], jnp.array([0, 0, 1, 0]))
    assert float(found) == pytest.approx(0.5 * math.log(3 / 4) + 0.5 * math.log(3 / 2), rel=1e-5)


def test_measured_figures_agree_with_enumeration() -> None:
    found = experiment.measure(LOG_PI, LOG_P, draws=4_000)
    assert found["kl"] == pytest.approx(KL, rel=1e-3)
    of_one = found["k"]["1"]
    assert of_one["largest_share"] == 1.0
    assert of_one["from_rare_actions"] == 0.0  # both are proposed often enough
    for name in ("ours", "plain"):
        row = of_one["estimators"][name]
        assert abs(row["bias"]) < 5 * row["standard_error"]
    # One proposal counted once more than each: 1/3 and 2/3, in one order or the other.
    biased = 0.5 * math.log(0.25 / (1 / 3 * 2 / 3)) - KL
    assert of_one["estimators"]["counts"]["bias"] == pytest.approx(biased, abs=1e-3)
    # 2 log 2 and 2/3 log 2/3 lie on either side of half of the exact value: 3 in 4 are below.
    assert of_one["estimators"]["plain"]["below_half"] == pytest.approx(0.75, abs=0.04)
    # Of logits: exact π_j (log ρ_j - KL); of a proposal i ρ_i log ρ_i (1[i = j] - π_j), of two
    # actions ± half of that.
    slope = 0.5 * (math.log(2) - KL)
    errors = [(0.5 * w - slope) ** 2 for w in (2 * math.log(2), -2 / 3 * math.log(2 / 3))]
    expected = math.sqrt(0.25 * errors[0] + 0.75 * errors[1]) / slope
    found_error = of_one["estimators"]["ours"]["gradient_error"]
    assert found_error == pytest.approx(expected, rel=1e-3)


def test_gradients_deviate_as_drawn_ones_do() -> None:
    key_pi, key_p = jax.random.split(jax.random.key(0))
    log_pi = jax.nn.log_softmax(jax.random.normal(key_pi, (3, 4)))
    log_p = jax.nn.log_softmax(jax.random.normal(key_p, (3, 4)))
    drawn = jax.jit(experiment._draw, static_argnums=(2, 3))(log_pi, log_p, 2, 20_000)
    for name in ("ours", "plain"):
        deviation, slope_error = experiment._deviations(name, log_pi, log_p, 2)
        np.testing.assert_allclose(np.std(drawn[name]["values"], axis=1), deviation, rtol=0.1)
        np.testing.assert_allclose(np.sqrt(drawn[name]["slope_error"]), slope_error, rtol=0.1)
