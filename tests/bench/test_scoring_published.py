"""The suite of a published model, with the embedded one: operations, packing, peers, absence."""

import importlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import gguf
import jax
import numpy as np
import pytest
from lm.gguf_writing import FIXTURES, write

from lprl_jax.lm import checkpoint, embedded
from lprl_jax.lm.scoring import Trie
from lprl_jax.priors import LanguagePrior

suite: Any = importlib.import_module("suites.scoring_published")
dequantised: Any = importlib.import_module("tools.dequantised")
peers: Any = importlib.import_module("tools.published_peers")
scorer: Any = importlib.import_module("tools.published_scorer")
published_work: Any = importlib.import_module("tools.published_work")
processes: Any = importlib.import_module("tools.processes")
timing: Any = importlib.import_module("tools.timing")

SIZES = scorer.Sizes("4x4", maps=2, batch=4)
ROWS = [
    "scoring/smollm2", "scoring/smollm2/flops", "scoring/smollm2/matmul",
    "scoring/smollm2/layers_products", "scoring/smollm2/few_shot_2",
    "scoring/smollm2/few_shot_2_temporaries",
    "scoring/smollm2_first_score", "scoring/smollm2_pinned", "scoring/smollm2_torch",
    "scoring/smollm2_torch_whole", "scoring/smollm2_llama_cpp",
]  # fmt: skip
RATIOS = [
    "scoring/smollm2_floor_share", "scoring/smollm2_layers_floor_share",
    "scoring/few_shot_2_vs_bare", "scoring/smollm2_vs_torch",
    "scoring/smollm2_vs_torch_whole", "scoring/smollm2_vs_llama_cpp",
]  # fmt: skip


@pytest.fixture(scope="module")
def asked() -> Any:
    return scorer.draw(SIZES)


@pytest.fixture(scope="module")
def prior(asked: Any) -> LanguagePrior:
    return scorer.prior_of(checkpoint.load(embedded.path_of("embedded")), asked)


@pytest.fixture(scope="module")
def work(prior: LanguagePrior, asked: Any) -> Any:
    return scorer.work_of(prior, asked)


@pytest.fixture(scope="module")
def scores(prior: LanguagePrior, asked: Any) -> np.ndarray:
    return np.asarray(scorer.contender(prior, asked).call())


def test_without_the_model_rows_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    rows, ratios = suite.run(quick=True)
    assert [row.name for row in rows] == ROWS
    assert json.loads(json.dumps(ratios)) == dict.fromkeys(RATIOS)
    assert {row.value for row in rows} == {None}
    assert all("lprl fetch smollm2" in row.note for row in rows)


def test_work_is_what_the_tokenizer_writes(prior: LanguagePrior, asked: Any, work: Any) -> None:
    encode = prior.model.tokenizer.encode
    assert work.instances.tolist() == [0, 0, 1, 1]
    for state in range(4):
        one = jax.tree.map(lambda x, state=state: x[state], asked.states)
        slots = asked.env.slots(one, asked.params)
        text = prior.scorer.prompt.template.render(np.asarray(slots).tolist())
        found = work.prefix(work.instances[state]) + work.suffix(state)
        assert found == encode(text)
        for number, action in enumerate(asked.env.action_texts):
            assert found + work.answer(number) == encode(text + action + "\n")


def test_work_is_written_and_read(work: Any, tmp_path: Path) -> None:
    work.save(tmp_path / "work.npz")
    for own, read in zip(work, published_work.Work.load(tmp_path / "work.npz"), strict=True):
        np.testing.assert_array_equal(own, read)


def test_operations_by_hand(prior: LanguagePrior, work: Any) -> None:
    config = prior.scorer.config
    trie = prior.scorer.answers
    assert isinstance(trie, Trie)
    nodes = len(trie.tokens)
    assert [len(work.answer(number)) for number in range(4)] == [2] * 4
    assert nodes == 4
    width = config.hidden_size
    queries, keys = (
        n * config.head_dim for n in (config.num_attention_heads, config.num_key_value_heads)
    )
    total = 0
    for state in range(4):
        before, own = len(work.prefix(work.instances[state])), len(work.suffix(state))
        seen = [before + i + 1 for i in range(own)] + [before + own + 1] * nodes
        for layer in range(config.num_hidden_layers):
            is_last = layer == config.num_hidden_layers - 1
            read = seen[own - 1 :] if is_last else seen
            products = len(seen) * 2 * width * keys + len(read) * 2 * width * queries
            products += len(read) * 3 * width * config.intermediate_size
            total += 2 * products + 2 * 2 * queries * sum(read)
        total += 2 * nodes * width * config.vocab_size
    assert suite.needed(prior, work) == total


def test_a_batch_packed_by_hand() -> None:
    token = published_work.Token
    answers = [[7, 8, 9], [7, 6, 9], [5, 9]]
    tokens, places = published_work.pack(10, [[1, 2], [3]], answers)
    every, other = (1, 2, 3), (4, 5, 6)
    assert {*tokens} == {
        token(1, 10, every, False), token(2, 11, every, True),
        token(5, 12, (3,), True), token(7, 12, (1, 2), True),
        token(8, 13, (1,), True), token(6, 13, (2,), True),
        token(3, 10, other, True),
        token(5, 11, (6,), True), token(7, 11, (4, 5), True),
        token(8, 12, (4,), True), token(6, 12, (5,), True),
    }  # fmt: skip
    assert len(tokens) == 11
    for found, last in zip(places, ((2, 11), (3, 10)), strict=True):
        assert {*found} == {(), (5,), (7,), (7, 8), (7, 6)}
        assert tokens[found[()]][:2] == last
        assert [tokens[found[node]].token for node in ((5,), (7,), (7, 8), (7, 6))] == [5, 7, 8, 6]
    for sequence, answer in zip(every, answers, strict=True):
        own = [x for x in tokens if sequence in x.sequences]
        assert [x.token for x in own] == [1, 2, *answer[:-1]]  # in order, without the last
        assert [x.position for x in own] == list(range(10, 10 + len(own)))


def test_floor_and_examples_in_turns(
    prior: LanguagePrior, asked: Any, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "MATRIX", 32)
    monkeypatch.setattr(suite, "PRODUCTS", 2)
    rows, ratios = suite.in_turns(prior, asked, work, repeats=1)
    assert [row.name for row in rows] == ROWS[:6]
    states, operations, product, layers, few, held = rows
    assert operations.value == pytest.approx(states.value * suite.needed(prior, work) / 4 / 1e9)
    share = operations.value / product.value
    assert timing.medians(ratios) == {
        RATIOS[0]: pytest.approx(share),
        RATIOS[1]: pytest.approx(layers.value / product.value),
        RATIOS[2]: pytest.approx(few.value / states.value),
    }
    many, alone = (int(x) for x in re.findall(r"(\d+) MB", held.note))
    assert held.value == pytest.approx(many - alone, abs=1)


def test_a_process_scores_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "STARTS", 1)
    row = suite.first_score(embedded.path_of("embedded"))
    assert (row.name, row.unit, row.repeats) == ("scoring/smollm2_first_score", "s", 1)
    assert row.value > 0
    assert 1e8 < row.memory_bytes < 4e9


def test_our_process_scores_as_we_do(scores: np.ndarray) -> None:
    command = [sys.executable, str(suite.BENCH / "tools" / "published_scorer.py")]
    command += [str(embedded.path_of("embedded")), "--windows", "2"]
    report = processes.report([*command, "--map-name", "4x4", "--maps", "2", "--batch", "4"])
    assert len(report["rates"]) == 2
    np.testing.assert_allclose(report["scores"], scores, atol=1e-5)


@pytest.mark.parametrize("whole", [False, True], ids=["cached", "whole"])
def test_torch_agrees(work: Any, scores: np.ndarray, whole: bool, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    work.save(tmp_path / "work.npz")
    command = [sys.executable, str(suite.BENCH / "peers" / "torch_published.py")]
    command += [str(embedded.path_of("embedded")), str(tmp_path / "work.npz"), "--windows", "2"]
    report = processes.report([*command, *["--whole"] * whole], USE_TORCH="1")
    assert len(report["rates"]) == 2
    assert len(report["scores"]) == 4
    np.testing.assert_allclose(report["scores"], scores, atol=1e-4)


def test_both_ways_of_torch_agree_on_texts_and_answers_of_any_length(
    work: Any, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    suffixes, answers = work.suffixes_valid.copy(), work.answers_valid.copy()
    suffixes[0, :2] = suffixes[3, 0] = answers[1, 1] = False
    cut = work._replace(suffixes_valid=suffixes, answers_valid=answers)
    assert (len(cut.suffix(0)) + 2, len(cut.answer(1))) == (len(cut.suffix(1)), 1)
    cut.save(tmp_path / "work.npz")
    command = [sys.executable, str(suite.BENCH / "peers" / "torch_published.py")]
    command += [str(embedded.path_of("embedded")), str(tmp_path / "work.npz"), "--windows", "1"]
    ways = [processes.report([*command, *more], USE_TORCH="1") for more in ([], ["--whole"])]
    np.testing.assert_allclose(ways[0]["scores"], ways[1]["scores"], atol=1e-4)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no pinning here")
def test_turns_of_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    turns: list[str] = []

    def report(command: list[str], **environment: str) -> dict[str, Any]:
        program = Path(command[1]).name + "".join(x for x in command if x == "--whole")
        turns.append(program)
        if program.endswith("--whole"):
            raise RuntimeError("python torch_published.py --whole: no room")
        ours = program == "published_scorer.py"
        known = [[-1.0, -2.0]] * (2 if ours else 1)  # a peer may have scored the first states only
        rates = [6.0, 6.0] if ours else [2.0, 3.0]
        return {"rates": rates, "scores": known, "compile_seconds": 1.0, "note": "n"}

    monkeypatch.setattr(peers.processes, "report", report)
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: name == "torch" or None)
    path = embedded.path_of("embedded")
    rows, ratios = peers.measure(tmp_path, path, None, SIZES, turns=2, windows=2)
    side = ["published_scorer.py", "torch_published.py"]
    assert turns == [*side, "torch_published.py--whole", *side]
    assert {row.name for row in rows} == {*ROWS[7:]}
    notes = {row.name: row.note for row in rows}
    assert notes[ROWS[8]].endswith("; scores within 0e+00; n")
    assert notes[ROWS[9]] == "it failed: no room"
    assert notes[ROWS[10]] == "llama_cpp is not installed"
    assert timing.medians(ratios) == dict(zip(RATIOS[3:], [2.5, None, None], strict=True))
    apart = peers.PEERS[0]._replace(tolerance=-1.0)
    monkeypatch.setattr(peers, "PEERS", (apart,))
    rows, ratios = peers.measure(tmp_path, path, None, SIZES, turns=2, windows=2)
    assert [row.value for row in rows] == [6.0, None]
    assert "scoring/smollm2_torch differ by" in rows[1].note
    assert ratios == {apart.ratio: None}
    monkeypatch.undo()
    with pytest.raises(AssertionError, match="scoring/smollm2_torch differ by"):
        peers.agree([[0.0]], [[2e-4]], peers.PEERS[0])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no pinning here")
def test_a_peer_that_rounds_must_agree_with_f32_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[list[str]] = []
    exact = [[-1.01, -2.0]]

    def report(command: list[str], **environment: str) -> dict[str, Any]:
        if Path(command[1]).name == "published_scorer.py":
            return {"rates": [6.0], "scores": [[-1.0, -2.0]], "compile_seconds": 1.0}
        asked.append(command)
        in_f32 = command[2].endswith("f32.gguf")
        scores = exact if in_f32 else [[-1.0, -2.3]]
        return {"rates": [] if in_f32 else [2.0], "scores": scores, "note": ""}

    monkeypatch.setattr(peers.processes, "report", report)
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: name == "llama_cpp" or None)
    monkeypatch.setattr(peers.checkpoint, "save", lambda *_: None)
    monkeypatch.setattr(peers.dequantised, "write", lambda path, out: out.write_bytes(b""))
    model = tmp_path / "model.gguf"
    model.write_bytes(b"")
    rows, ratios = peers.measure(tmp_path, model, None, SIZES, turns=2, windows=1)
    llama = rows[1]
    assert llama.name == "scoring/smollm2_llama_cpp"
    assert llama.note.endswith(
        "scores within 1e-02 with f32 weights, within 0.3 with activations rounded"
    )
    assert ratios["scoring/smollm2_vs_llama_cpp"].median == 3.0
    f32 = str(tmp_path / "f32.gguf")
    assert [command[2] for command in asked] == [f32, str(model), str(model)]
    assert asked[0][-4:] == ["--windows", "0", "--states", "4"]
    exact[0][0] = -1.03
    rows, ratios = peers.measure(tmp_path, model, None, SIZES, turns=2, windows=1)
    assert "scoring/smollm2_llama_cpp differ by" in rows[-1].note
    assert ratios["scoring/smollm2_vs_llama_cpp"] is None


def test_a_dequantised_file_is_the_same_model(tmp_path: Path) -> None:
    write(tmp_path / "model.gguf", FIXTURES / "grouped-tied", gguf.GGMLQuantizationType.Q8_0)
    dequantised.write(tmp_path / "model.gguf", tmp_path / "f32.gguf")
    before, after = (gguf.GGUFReader(tmp_path / f"{name}.gguf") for name in ("model", "f32"))
    kinds = {tensor.tensor_type for tensor in after.tensors}
    assert kinds == {gguf.GGMLQuantizationType.F32} != {t.tensor_type for t in before.tensors}
    told = {name for name in before.fields if not name.startswith("GGUF.")}
    for name in told & {*after.fields}:
        assert after.fields[name].contents() == before.fields[name].contents(), name
    assert told - {*after.fields} <= {"general.file_type", "general.quantization_version"}
    models = (checkpoint.load(tmp_path / f"{name}.gguf") for name in ("model", "f32"))
    leaves = (jax.tree.leaves(model.params) for model in models)
    for own, back in zip(*leaves, strict=True):
        np.testing.assert_array_equal(own, back)
