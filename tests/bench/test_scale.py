"""The suite of sizes at tiny ones: names, amounts counted by hand, and what a table holds."""

import importlib
import time
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from priors.tiny import tiny_model

import lprl_jax
from lprl_jax.lm import decoder, named
from lprl_jax.lm.decoder import DecoderConfig

suite: Any = importlib.import_module("suites.scale")
scoring: Any = importlib.import_module("suites.scoring")
throughput: Any = importlib.import_module("throughput")
work: Any = importlib.import_module("tools.scoring_work")
memo_training: Any = importlib.import_module("suites.memo_training")

TINY = DecoderConfig(
    vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
    num_attention_heads=2, num_key_value_heads=1, head_dim=8, tie_word_embeddings=True,
)  # fmt: skip


@pytest.fixture
def raced(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What was raced, by name; each contender takes two seconds and is not called."""
    found: dict[str, Any] = {}

    def race(contenders: dict[str, Any], repeats: int) -> dict[str, list[float]]:
        found.update(contenders)
        return {name: [2.0] * repeats for name in contenders}

    monkeypatch.setattr(suite, "race", race)
    return found


def test_random_play_is_of_as_many_environments_as_it_says(raced: dict[str, Any]) -> None:
    rows = suite.environments((1, 3), 2)
    assert [row.name for row in rows] == [
        "scale/env/FrozenLake-8x8/N1", "scale/env/FrozenLake-8x8/N3",
        "scale/env/BlocksWorld-4/N1", "scale/env/BlocksWorld-4/N3",
    ]  # fmt: skip
    assert [row.value for row in rows] == [100, 300, 100, 300]  # 200 steps each, in two seconds
    assert all(row.memory_bytes > 0 for row in rows)


def test_learners_have_as_many_runs_and_environments_as_they_say(
    raced: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named, "load", lambda *_: tiny_model())
    monkeypatch.setattr(suite, "RUNS", 2)
    rows = suite.learners([(3, 1), (1, 2_000)], 90, 1)
    assert [row.name for row in rows] == [
        "scale/dqn/R3_N1", "scale/dqn_prior_table/R3_N1",
        "scale/dqn/R1_N2000", "scale/dqn_prior_table/R1_N2000",
    ]  # fmt: skip
    # 90 steps are three updates of 3 runs, ten steps each; of 2,000 environments two are least.
    assert [row.value * 2 for row in rows] == [90, 90, 40_000, 40_000]
    for name, shape in (("scale/dqn/R3_N1", (3, 10_000)), ("scale/dqn/R1_N2000", (1, 20_000))):
        state, _ = raced[name].call()
        assert state.replay.items.action.shape == shape
        assert int(state.num_steps) == raced[name].amount / shape[0]
    # The program takes the state and gives one: twice the replay's bytes, and more.
    assert rows[2].memory_bytes > 2 * 20_000 * (2 * 12 + 4 + 4 + 1)


def test_a_repeat_has_about_as_many_steps_as_are_asked_for() -> None:
    assert suite.updates_of(40_000, 8, 1) * 10 * 8 == 40_000
    assert suite.updates_of(40_000, 4, 16_384) == 2
    assert suite.updates_of(40_000, 1, 1) == suite.MOST_UPDATES
    quick, whole = suite._pairs(True), suite._pairs(False)
    assert set(quick) < set(whole) | {(128, 1)}
    assert len(whole) == len(set(whole)) == 11


def test_a_table_and_a_memory_of_the_same_lake(
    raced: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named, "load", lambda *_: tiny_model())
    for module in (suite, memo_training):
        monkeypatch.setattr(module, "RUNS", 2)
    made, table, warm, cold = suite.lakes([("3x3", 2)], "tiny", 2, 1)
    assert [row.name for row in (made, table, warm, cold)] == [
        f"scale/lake/3x3/M2/{x}" for x in ("table", "dqn_prior_table", "dqn_prior_memo",
                                           "dqn_prior_cold")
    ]  # fmt: skip
    assert made.unit == "s"
    assert made.memory_bytes == 4 * 2 * 9 * 4  # f32 of two maps, nine states, four actions
    asked = int(made.note.split(", ")[1].split()[0])
    assert made.note.startswith("18 states, ")
    assert 2 <= asked <= 2 * 8  # but goals and holes
    assert warm.note.endswith("40 questions, 0 run through the model")
    assert ", 0 run" not in cold.note
    for row in (table, warm, cold):
        assert row.value == 2 * 2 * 10 / 2
        assert row.memory_bytes > 0
    state, _ = raced["scale/lake/3x3/M2/dqn_prior_table"].call()
    assert state.run_instances.tolist() == [[0, 1], [0, 1]]  # all runs play all maps
    assert warm.memory_bytes == cold.memory_bytes > table.memory_bytes


def test_a_long_making_is_repeated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds stand still but for the makings: the first takes five more, to compile."""
    now, calls = [0.0], []

    def tabulate(*_: Any) -> Any:
        calls.append(1)
        now[0] += 7.0 if len(calls) == 1 else 2.0
        return SimpleNamespace(table=jnp.zeros((1, 4, 2)), evaluations=3)

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(suite, "tabulate", tabulate)
    world, params = lprl_jax.make("FrozenLake-lprl", map_name="2x2")
    made, _ = suite.making(world, params, None, 3)
    assert (made.value, made.repeats, made.compile_seconds) == (2.0, 3, 5.0)
    assert made.memory_bytes == 4 * 4 * 2
    monkeypatch.setattr(suite, "PATIENCE", 6.0)
    calls.clear()
    made, _ = suite.making(world, params, None, 3)
    assert (made.value, made.repeats) == (2.0, 1)


def test_models_are_as_large_as_they_say() -> None:
    for name, config in suite.LLAMAS.items():
        shapes = jax.eval_shape(lambda c=config: decoder.init(jax.random.key(0), c))
        count = sum(leaf.size for leaf in jax.tree.leaves(shapes))
        assert count / 1e6 == pytest.approx(float(name.removesuffix("M")), rel=0.06), name
        assert config.num_attention_heads * config.head_dim == config.hidden_size


def test_a_models_share_of_the_floor(
    raced: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "LLAMAS", {"tiny": TINY})
    monkeypatch.setattr(suite.floor, "MATRIX", 64)
    point = work.Point(prefix=5, suffix=3, candidates=4, length=3, batch=6)
    rows, ratios = suite.models(["tiny"], point, 2)
    states, product, _ = rows
    name = "scale/llama/tiny"
    assert [row.name for row in rows] == [name, f"{name}/product", f"{name}/copy"]
    assert (states.value, states.unit) == (3.0, "states/s")
    assert product.value == 2 * 64**3 / 1e9 / 2
    a_state = int(states.note.split()[0].replace(",", ""))
    weights = sum(x.nbytes for x in jax.tree.leaves(work.random_weights(TINY)))
    moved = weights + 4 * 2 * 5 * TINY.num_hidden_layers * TINY.num_key_value_heads * TINY.head_dim
    share = 6 * a_state / (2 * 64**3) + moved / (2 * (moved // 4 * 4))
    assert ratios[f"{name}/fraction_of_floor"].median == pytest.approx(share)
    monkeypatch.setattr(suite.jax, "default_backend", lambda: "gpu")
    assert suite.models(["tiny"], point, 1)[1] == {f"{name}/fraction_of_floor": None}


def test_the_suite_is_one_of_throughputs() -> None:
    assert throughput.SUITES["scale"] is suite.run
