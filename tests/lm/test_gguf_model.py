"""Models in GGUF files: torch's logits, every quantisation, and files that are refused."""

import functools
import json
import shutil

import gguf
import jax
import numpy as np
import pytest
from lm.gguf_writing import FIXTURES, Q, write
from lprl_envs import InvalidInput
from safetensors.numpy import save_file

from lprl_jax.lm import checkpoint, decoder, gguf_files

NAMES = (
    *("plain", "grouped-tied", "wide-heads", "narrow-heads", "deep-bfloat16", "llama-3"),
    *("mistral", "qwen2", "qwen3", "gpt2"),
)
ARRAY = gguf.GGUFValueType.ARRAY
logits_of = jax.jit(decoder.logits, static_argnums=0)


@functools.cache
def torch_of(name):
    with np.load(FIXTURES / name / "logits.npz") as file:
        return file["tokens"], file["logits"]


@pytest.mark.parametrize("name", NAMES)
def test_logits_equal_torch(tmp_path, name):
    write(tmp_path / "model.gguf", FIXTURES / name)
    model = checkpoint.load(tmp_path / "model.gguf")
    tokens, right = torch_of(name)
    np.testing.assert_allclose(logits_of(model.config, model.params, tokens), right, atol=1e-4)
    assert model.name == "model"


def test_metadata_are_read_as_the_package_reads_them(tmp_path):
    path = tmp_path / "values.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for kind, numpy in gguf.GGUFReader.gguf_scalar_to_np.items():
        numbers = np.array([1, 0, 1]).astype(numpy)
        writer.add_key_value(f"one.{kind.name}", numbers[0].item(), kind)
        writer.add_key_value(f"many.{kind.name}", numbers.tolist(), ARRAY, sub_type=kind)
    writer.add_array("texts", ["ein", "", "Wörter"])
    writer.add_string("text", "Wort")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    ours, right = gguf_files._Reader(path).fields, gguf.GGUFReader(path).fields
    assert len(ours) > 2 * len(gguf.GGUFReader.gguf_scalar_to_np)
    assert list(ours) == list(right)
    for key, field in right.items():
        assert ours[key].contents() == field.contents(), key
        assert (ours[key].types, ours[key].offset) == (field.types, field.offset)


@pytest.mark.parametrize("name", ["grouped-tied", "wide-heads", "qwen3"])
def test_the_model_is_the_directorys(tmp_path, name):
    write(tmp_path / "model.gguf", FIXTURES / name)
    found, right = checkpoint.load(tmp_path / "model.gguf"), checkpoint.load(FIXTURES / name)
    assert found.config == right.config
    jax.tree.map(np.testing.assert_array_equal, found.params, right.params)


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"])
@pytest.mark.parametrize("name", ["grouped-tied", "gpt2"])
def test_quantised_weights_are_those_that_come_back(tmp_path, name, kind):
    """The oracle: the same dequantised numbers in a Hugging Face directory."""
    back = write(tmp_path / "model.gguf", FIXTURES / name, Q[kind])
    folder = shutil.copytree(FIXTURES / name, tmp_path / "folder")
    each = {key: np.ascontiguousarray(value) for key, value in back.items()}
    save_file(each, folder / "model.safetensors")
    found, right = checkpoint.load(tmp_path / "model.gguf"), checkpoint.load(folder)
    jax.tree.map(np.testing.assert_array_equal, found.params, right.params)


def test_rows_are_read_a_slice_at_a_time(tmp_path):
    write(tmp_path / "model.gguf", FIXTURES / "grouped-tied", Q.Q8_0)
    tensor = gguf_files.opened(tmp_path / "model.gguf").tensors["blk.0.attn_q.weight"]
    rows = np.array([3, 1, 2, 0, *range(4, 32)])
    view = gguf_files.View(tensor.data, tensor.tensor_type, (32, 32), rows)
    whole = view[:]
    np.testing.assert_array_equal(view[1:3, 4:9], whole[1:3, 4:9])
    np.testing.assert_array_equal(view.T[4:9, 1:3], whole.T[4:9, 1:3])
    np.testing.assert_array_equal(view.T[4:9], whole.T[4:9])
    np.testing.assert_array_equal(whole[0], gguf_files.View(tensor.data, view.kind, (32, 32))[3])


def read(path, *args, **kwargs):
    write(path / "model.gguf", *args, **kwargs)
    return checkpoint.load(path / "model.gguf")


BAD = {
    "architecture": ({"arch": "gemma3"}, "architecture 'gemma3'; this decoder reads llama"),
    "part": (
        {"metadata": [("split.count", np.uint32(3)), ("split.no", np.uint32(1))]},
        "is part 2 of 3; one file is read",
    ),
    "pre-tokenizer": (
        {"metadata": [("tokenizer.ggml.pre", "falcon")]},
        "the pre-tokenizer 'falcon'; implemented: gpt-2, ",
    ),
    "tokenizer": (
        {"metadata": [("tokenizer.ggml.model", "bert")]},
        "a tokenizer of the kind 'bert'; implemented: gpt2, llama",
    ),
    "no tokenizer": ({"tokenizer": False}, "lacks tokenizer.ggml.tokens"),
    "experts": ({"metadata": [("llama.expert_count", np.uint32(8))]}, "expert_count = 8 is not"),
    "yarn": ({"metadata": [("llama.rope.scaling.type", "yarn")]}, "type = 'yarn' is not"),
    "partial": (
        {"metadata": [("llama.rope.dimension_count", np.uint32(4))]},
        "rope.dimension_count = 4 is not implemented with heads of 8",
    ),
    "unknown": ({"metadata": [("llama.logit_scale", np.float32(2))]}, "logit_scale = 2.0 is not"),
    "no width": ({"without": ["llama.embedding_length"]}, "lacks llama.embedding_length"),
    "layers": (
        {"metadata": [("llama.block_count", np.uint32(3))]},
        "model.layers.2.input_layernorm.weight is missing",
    ),
    "odd layers": (
        {"metadata": [("llama.block_count", np.uint32(1))]},
        "blk.1.attn_norm.weight has no place",
    ),
    "shape": (
        {"metadata": [("llama.feed_forward_length", np.uint32(48))]},
        "by the metadata [48, 32]",
    ),
    "merges": (
        {"metadata": [("tokenizer.ggml.merges", ["a z"])]},
        "is damaged: 'a z' merges to no token",
    ),
    "token number": (
        {"metadata": [("tokenizer.ggml.eos_token_id", np.uint32(99))]},
        "eos_token_id is 99; there are 30 tokens",
    ),
    "a layer": (
        {"metadata": [("llama.attention.head_count", ["4", "4"])]},
        "llama.attention.head_count is ['4', '4']; it must be a whole number",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_implemented_is_refused_by_name(tmp_path, name):
    options, message = BAD[name]
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, FIXTURES / "plain", **options)
    assert message in str(caught.value)
    assert "model.gguf" in str(caught.value)


def test_an_unknown_quantisation(tmp_path, monkeypatch):
    """Whole numbers stand for whatever the package does not turn into floats."""
    write(tmp_path / "model.gguf", FIXTURES / "plain")
    monkeypatch.setattr(gguf_files, "is_readable", lambda kind: False)
    with pytest.raises(InvalidInput, match="is quantised as F32, which is not implemented"):
        checkpoint.load(tmp_path / "model.gguf")


def test_which_quantisations_are_readable():
    assert all(gguf_files.is_readable(Q[kind]) for kind in ("F32", "BF16", "Q4_K", "IQ4_XS"))
    assert not any(gguf_files.is_readable(Q[kind]) for kind in ("I32", "Q8_K", "F64"))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short(tmp_path, share):
    path = tmp_path / "model.gguf"
    write(path, FIXTURES / "plain")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InvalidInput, match=r"model.gguf is (damaged|not a GGUF file)"):
        checkpoint.load(path)


def test_other_files_are_no_gguf(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(InvalidInput, match=r"model\.gguf is not a GGUF file; one begins with GGUF"):
        checkpoint.load(path)


def test_a_head_that_differs_from_what_it_is_tied_to(tmp_path):
    """A file with a head of its own is not tied; nothing is said twice."""
    model = read(tmp_path, FIXTURES / "plain")
    assert not model.config.tie_word_embeddings
