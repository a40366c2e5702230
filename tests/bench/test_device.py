"""The suite of a device: its parts' rows and ratios, and what happens without time or memory."""

import importlib
from typing import Any

import jax
import pytest

from lprl_jax.lm.decoder import DecoderConfig

suite: Any = importlib.import_module("suites.device")
timing: Any = importlib.import_module("tools.timing")


def test_a_part_that_comes_too_late_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured() -> Any:
        raise AssertionError("it was measured")

    monkeypatch.setattr(suite, "_START", suite.time.monotonic() - suite.LIMIT_SECONDS - 1)
    (row,), ratios = suite.in_time("env", measured)(False)
    assert (row.name, row.value, row.note) == ("device/env", None, "no time was left")
    assert ratios == {}


def test_a_part_that_does_not_fit_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured() -> Any:
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory\nmore")

    monkeypatch.setattr(suite, "_START", suite.time.monotonic())
    (row,), _ = suite.in_time("env", measured)(False)
    assert (row.value, row.note) == (None, "RESOURCE_EXHAUSTED: Out of memory")


def test_rates_beside_gymnaxs(monkeypatch: pytest.MonkeyPatch) -> None:
    def play(env_id: str, num_envs: int, **arguments: Any) -> Any:
        slippery = arguments.get("is_slippery", True)
        rate = 1.0 if env_id == "FrozenLake-misc" else 3.0 if slippery else 2.0
        return timing.Contender(lambda: None, num_envs * rate, "steps/s")

    def race(contenders: dict[str, Any]) -> dict[str, list[float]]:
        return {name: [1.0] * 3 for name in contenders}

    monkeypatch.setattr(suite.environments, "random_play", play)
    monkeypatch.setattr(suite, "race", race)
    monkeypatch.setattr(suite, "NUM_ENVS", (2, 8))
    rows, ratios = suite.env()
    assert {row.name: row.value for row in rows} == {
        "env/FrozenLake-lprl/2": 6.0, "env/gymnax-FrozenLake/2": 2.0,
        "env/FrozenLake-lprl-firm/2": 4.0, "env/gymnax-FrozenLake-firm/2": 2.0,
        "env/BlocksWorld-lprl-4/2": 6.0,
        "env/FrozenLake-lprl/8": 24.0, "env/gymnax-FrozenLake/8": 8.0,
        "env/FrozenLake-lprl-firm/8": 16.0, "env/gymnax-FrozenLake-firm/8": 8.0,
        "env/BlocksWorld-lprl-4/8": 24.0,
    }  # fmt: skip
    assert timing.medians(ratios) == {
        "frozen_lake/ours_vs_gymnax": 3.0,
        "frozen_lake/ours_vs_gymnax_firm": 2.0,
        "frozen_lake/ours_vs_gymnax/8": 3.0,
        "frozen_lake/ours_vs_gymnax_firm/8": 2.0,
    }


def test_scores_beside_the_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = DecoderConfig(
        vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, tie_word_embeddings=True,
    )  # fmt: skip
    monkeypatch.setattr(suite, "LLAMA", tiny)
    monkeypatch.setattr(suite.floor, "MATRIX", 64)
    monkeypatch.setattr(suite, "STATES", (4, 8))
    monkeypatch.setattr(suite, "race", lambda found: {name: [1.0] for name in found})
    rows, ratios = suite.scoring()
    names = ["scoring/llama_B4", "scoring/llama_B8", "scoring/product", "scoring/copy"]
    assert [row.name for row in rows] == names
    a_state = int(rows[0].note.split()[0].replace(",", ""))
    weights = sum(x.nbytes for x in jax.tree.leaves(suite.suites_scoring.random_weights(tiny)))
    moved = weights + 4 * 2 * suite.FIRST.prefix * 2 * 8  # keys and values of two layers
    for ending, states in (("", 4), ("/8", 8)):
        least = states * a_state / (2 * 64**3) + moved / (2 * (moved // 4 * 4))
        assert ratios[f"scoring/fraction_of_floor{ending}"].median == pytest.approx(least)


def test_of_few_runs_and_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "RUNS", (suite.training.RUNS, 48))
    monkeypatch.setattr(suite, "UPDATES", (1, 1))
    rows, ratios = suite.learners()
    assert [row.name for row in rows] == [
        "training/dqn", "training/dqn_prior_table",
        "training/dqn/R48", "training/dqn_prior_table/R48",
    ]  # fmt: skip
    assert [*ratios] == ["dqn_prior_table/dqn", "dqn_prior_table/dqn/R48"]
