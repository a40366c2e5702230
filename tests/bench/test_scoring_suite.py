"""Scoring's suite at tiny sizes: who agrees with whom, names, and what cannot be measured."""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lprl_jax.lm import decoder
from lprl_jax.lm.decoder import DecoderConfig

scoring: Any = importlib.import_module("suites.scoring")
scorers: Any = importlib.import_module("tools.scorers")
scoring_gpu: Any = importlib.import_module("suites.scoring_gpu")
scoring_grid: Any = importlib.import_module("suites.scoring_grid")
scoring_work: Any = importlib.import_module("tools.scoring_work")
processes: Any = importlib.import_module("tools.processes")

POINT = scoring_work.Point(prefix=5, suffix=3, candidates=4, length=3, batch=6)
TINY = DecoderConfig(
    vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
    num_attention_heads=2, num_key_value_heads=1, head_dim=8, tie_word_embeddings=True,
)  # fmt: skip
BENCH = Path(scoring.__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2, and work for it."""
    path = tmp_path_factory.mktemp("gpt2")
    scoring_work.write_gpt2(path, vocab_size=50, width=24, layers=2, heads=2)
    POINT.draw(50).save(path / "work.npz")
    return path


def test_work_is_written_and_read(folder: Path) -> None:
    work = POINT.draw(50)
    read = scoring_work.Work.load(folder / "work.npz")
    for drawn, found in zip(work, read, strict=True):
        np.testing.assert_array_equal(drawn, found)
    sequences = work.sequences()
    assert sequences.shape == (6 * 4, 5 + 3 + 3)
    expected = np.concatenate([work.prompt, work.suffixes[1], work.answers[2]])
    np.testing.assert_array_equal(sequences[1 * 4 + 2], expected)
    assert len(set(work.answers[:, 0].tolist())) == 4
    assert len(set(work.answers[:, -1].tolist())) == 1


def test_the_gpt2_has_three_million_weights_and_scores_differ(folder: Path, tmp_path: Path) -> None:
    scoring_work.write_gpt2(tmp_path)
    config, params = scorers.load_gpt2(tmp_path)
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert 2.8e6 < count < 3.1e6
    assert config.max_position_embeddings >= sum((256, 32, 3))
    scores = scorers.shared_prefix(*scorers.load_gpt2(folder), POINT.draw(50)).call()
    assert np.min(np.std(scores, axis=0)) > 0.1
    assert np.min(np.std(scores, axis=1)) > 0.1


def test_flax_agrees_and_a_difference_is_refused(folder: Path) -> None:
    with jax.numpy_rank_promotion("allow"):  # theirs relies on it
        rows, ratios = scoring.against_flax(folder, POINT, "_tiny", repeats=1)
    assert [row.name for row in rows] == ["scoring/ours_gpt2_tiny", "scoring/flax_gpt2_tiny"]
    assert rows[1].note == "batches of 16 sequences"  # there are no 64
    assert list(ratios) == ["scoring/ours_vs_flax_gpt2_tiny"]
    with pytest.raises(AssertionError, match="those of them differ by"):
        scoring.agree(np.zeros(2), np.array([0.0, 2e-4]), "them")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no pinning here")
def test_torch_agrees(folder: Path) -> None:
    pytest.importorskip("torch")
    rows, ratios = scoring.against_torch(folder, POINT, turns=1, windows=2)
    assert [row.name for row in rows] == ["scoring/ours_gpt2_pinned", "scoring/torch_gpt2"]
    assert {row.repeats for row in rows} == {2}
    assert rows[1].note.endswith(("turns: 16", "turns: 64", "turns: 256"))
    assert list(ratios) == ["scoring/ours_vs_torch"]


def test_our_process_scores_as_we_do(folder: Path) -> None:
    command = [sys.executable, str(BENCH / "tools" / "scorers.py"), str(folder), "--windows", "2"]
    report = processes.report(command)
    assert len(report["rates"]) == 2
    expected = scorers.shared_prefix(*scorers.load_gpt2(folder), POINT.draw(50)).call()
    np.testing.assert_allclose(report["scores"], expected, atol=1e-5)


def test_without_torch_its_ratio_is_null(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "unavailable", lambda: "torch is not installed")
    rows, ratios = scoring.against_torch(folder, POINT, 1, 1)
    assert json.loads(json.dumps(ratios)) == {"scoring/ours_vs_torch": None}
    assert [(row.value, row.note) for row in rows] == [(None, "torch is not installed")] * 2


def test_a_share_of_the_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "LLAMA", TINY)
    monkeypatch.setattr(scoring.floor, "MATRIX", 64)
    rows, ratios = scoring.against_floor(POINT, batch=8, repeats=1)
    states, product, copy = rows
    names = ["scoring/llama_B8", "scoring/product", "scoring/copy"]
    assert [row.name for row in rows] == names
    assert [row.unit for row in rows] == ["states/s", "GFLOP/s", "GB/s"]
    a_state = int(states.note.split()[0].replace(",", ""))
    weights = sum(x.nbytes for x in jax.tree.leaves(scoring_work.random_weights(TINY)))
    prompt = 4 * 2 * POINT.prefix * TINY.num_hidden_layers * TINY.num_key_value_heads
    moved = weights + prompt * TINY.head_dim
    least = 8 * a_state / (1e9 * product.value) + moved / (1e9 * copy.value)
    share = ratios["scoring/fraction_of_floor"].median
    assert share == pytest.approx(least * states.value / 8)
    monkeypatch.setattr(scoring.jax, "default_backend", lambda: "gpu")
    assert scoring.against_floor(POINT, 8, 1)[1] == {"scoring/fraction_of_floor": None}


def test_one_prompt_and_fifty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "LLAMA", TINY)
    # Enough states that some are behind the first prompt, where the two must agree.
    rows = scoring.prompts(scoring.dataclasses.replace(POINT, batch=200), repeats=1)
    assert [row.name for row in rows] == ["scoring/shared_prefix", "scoring/instance_prefix_50"]


def test_names_of_the_grid() -> None:
    names = [scoring_grid.name(point) for point in scoring_grid.GRID]
    assert len(set(names)) == len(names) == 36
    assert names[0] == "scoring/grid/P64_S16_C4_B256"
    assert names[-1] == "scoring/grid/P512_S64_C32_B1024"
    assert set(scoring_grid.CORNERS) < set(scoring_grid.GRID)


def test_a_point_of_the_grid_states_both_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring_grid, "LLAMA", TINY)
    contender = scoring_grid.contender(POINT, scoring_work.random_weights(TINY))
    assert " MB planned (weights " in contender.note
    assert contender.note.endswith(f"; {contender.memory_bytes / 1e6:.1f} MB by XLA")


def test_without_a_gpu_rows_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = scoring_gpu.run(POINT)
    assert [row.name for row in rows] == [
        f"scoring/gpu/{model}_B{batch}" for model in ("0.6B", "1B") for batch in (256, 1024, 4096)
    ]
    assert {(row.value, row.note) for row in rows} == {(None, "no GPU")}


def test_what_a_gpu_would_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring_gpu, "BATCHES", (2, 4))
    monkeypatch.setattr(scoring_gpu, "MATRIX", 64)
    product, *models = scoring_gpu.measure("tiny", TINY, POINT)
    assert [row.name for row in models] == ["scoring/gpu/tiny_B2", "scoring/gpu/tiny_B4"]
    assert product.unit == "GFLOP/s"
    assert all(row.note.endswith("% of the product's rate") for row in models)


def test_models_for_a_gpu_are_as_large_as_they_say() -> None:
    def size(config: Any) -> int:
        shapes = jax.eval_shape(lambda: decoder.init(jax.random.key(0), config))
        return sum(leaf.size for leaf in jax.tree.leaves(shapes))

    sizes = [size(config) for config in scoring_gpu.SHAPES.values()]
    assert sizes == pytest.approx([0.6e9, 1.24e9], rel=0.02)


def test_weights_are_made_in_their_dtype() -> None:
    params = scoring_work.random_weights(TINY, jnp.bfloat16)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype(jnp.bfloat16)}
    assert jnp.all(params["norm"]["scale"] == 1)
    assert 0.2 < jnp.std(params["layers"]["down"]["kernel"].astype(jnp.float32)) * 24**0.5 < 2
