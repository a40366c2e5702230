"""Model directories as transformers 5 and other tools write them: read right or refused by name."""

import json
import shutil

import jax
import numpy as np
import pytest
import safetensors.numpy
from lm.flax_folders import refusal, retensor, spoil
from lprl_envs import InvalidInput
from tokenizers import Tokenizer

from lprl_jax.lm import checkpoint, embedded, families, flax_models, hugging_face

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
TEXTS = ("Go left\n", " go, and, 12 345", "Move", "")


@pytest.fixture
def copy(tmp_path, folder):
    """`copy(name, **fields)`: a tiny model's directory, with fields of its config changed."""

    def make(name, **fields):
        path = shutil.copytree(folder(name), tmp_path / name)
        config = json.loads((path / "config.json").read_text()) | fields
        config = {key: value for key, value in config.items() if value is not ...}
        (path / "config.json").write_text(json.dumps(config))
        return path

    return make


# -- tokenizers ----------------------------------------------------------------------------------

TRANSFORMERS_5 = {"backend": "tokenizers", "is_local": True, "model_max_length": 2048}
CONFIGS = {
    "its own class": {**TRANSFORMERS_5, "tokenizer_class": "TokenizersBackend"},
    "only its class": {"tokenizer_class": "TokenizersBackend"},
    "llama": {
        **TRANSFORMERS_5,
        "tokenizer_class": "LlamaTokenizer",
        "from_slow": True,
        "add_prefix_space": None,
    },
    "qwen": {**TRANSFORMERS_5, "tokenizer_class": "Qwen2Tokenizer", "add_prefix_space": True},
    "no class": {"model_max_length": 2048},
    "no file": None,
}


def written(path, tokenizer, config):
    """A directory with a tokenizer.json, and this tokenizer_config.json."""
    tokenizer.save_pretrained(path)
    (path / "special_tokens_map.json").unlink()
    (path / "tokenizer_config.json").unlink()
    (path / "config.json").write_text('{"model_type": "llama"}')
    if config is not None:
        (path / "tokenizer_config.json").write_text(json.dumps(config))
    return path


@pytest.mark.parametrize("kind", ["gpt-2", "llama-2", "llama-3", "begins"])
@pytest.mark.parametrize("config", CONFIGS)
def test_a_tokenizer_is_read_as_it_is_written(tmp_path, tokenizer, kind, config):
    path = written(tmp_path, tokenizer(kind), CONFIGS[config])
    right = Tokenizer.from_file(str(path / "tokenizer.json"))
    found = hugging_face.read_tokenizer(path)
    assert found.get_vocab() == right.get_vocab()
    for text in TEXTS:
        assert found.encode(text) == right.encode(text).ids


@pytest.mark.parametrize("kind", ["TokenizersBackend", "PreTrainedTokenizerFast"])
def test_special_tokens_in_a_list(tmp_path, tokenizer, kind):
    listed = ["<|begin|>", {"content": "<|end|>", "lstrip": False, "__type": "AddedToken"}]
    fields = {"tokenizer_class": kind, "extra_special_tokens": listed, "eos_token": "<|end|>"}
    path = written(tmp_path, tokenizer("gpt-2"), fields)
    found = hugging_face.read_tokenizer(path)
    assert found.additional_special_tokens == ["<|begin|>", "<|end|>"]
    assert found.eos_token == "<|end|>"
    assert found.get_vocab() == tokenizer("gpt-2").get_vocab()


@pytest.mark.parametrize("listed", [[3], [{"text": "<|end|>"}]])
@pytest.mark.parametrize("kind", ["TokenizersBackend", "PreTrainedTokenizerFast"])
def test_special_tokens_that_are_none(tmp_path, tokenizer, kind, listed):
    fields = {"tokenizer_class": kind, "extra_special_tokens": listed}
    path = written(tmp_path, tokenizer("gpt-2"), fields)
    message = refusal(hugging_face.read_tokenizer, path)
    assert message.startswith(f"{path} has no tokenizer that transformers reads: ")


def test_the_embedded_model_without_its_tokenizer_config(tmp_path):
    path = shutil.copytree(embedded.path_of("embedded"), tmp_path / "model")
    right = hugging_face.read_tokenizer(path)
    (path / "tokenizer_config.json").unlink()
    found = hugging_face.read_tokenizer(path)
    assert found.get_vocab() == right.get_vocab()
    assert found.encode("Go left\n") == right.encode("Go left\n")
    assert found.eos_token == right.eos_token  # from special_tokens_map.json


# -- positions -----------------------------------------------------------------------------------


@pytest.fixture
def fields(folder):
    """Of Llama 3's config.json, without what says where its tokens stand; and that."""
    old = json.loads((folder("llama-3") / "config.json").read_text())
    return old, {**old.pop("rope_scaling"), "rope_theta": old.pop("rope_theta")}


def test_positions_in_one_object(fields, tiny):
    rest, rope = fields
    right = tiny("llama-3")[0].config
    older = {"rope_scaling": {**rope, "type": "llama3"}}
    for layout in ({}, {"rope_theta": None}, {"torch_dtype": "bfloat16"}, older):
        assert families.parse({**rest, **layout, "rope_parameters": rope}) == right
    whole = {**rope, "partial_rotary_factor": 1.0}
    assert families.parse({**rest, "rope_parameters": whole}) == right


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor = 0.5 is not implemented"),
        ({"full_attention": {"rope_type": "default"}}, "full_attention = .* each kind of layer"),
        ({"rope_theta": None}, "rope_theta is None; it must be a number above 0"),
    ],
)
def test_positions_that_are_not_implemented(fields, changed, message):
    rest, rope = fields
    with pytest.raises(InvalidInput, match=message):
        families.parse({**rest, "rope_parameters": {**rope, **changed}})


def test_two_accounts_of_positions(fields):
    rest, rope = fields
    both = {"rope_parameters": rope, "rope_scaling": {**rope, "factor": 2.0}}
    with pytest.raises(InvalidInput, match=r"rope_scaling is .* and rope_parameters .*; which is"):
        families.parse({**rest, **both})


def test_flax_reads_plain_positions_in_either_layout(tmp_path):
    rope = {"rope_theta": 10000.0, "rope_type": "default"}
    path = spoil(tmp_path, "gemma", rope_theta=..., rope_parameters=rope)
    assert flax_models.load_decoder(path).name == "gemma"
    other = {**rope, "rope_theta": 5e5}
    (path / "config.json").write_text(
        json.dumps(json.loads((path / "config.json").read_text()) | {"rope_parameters": other})
    )
    assert "rope_parameters = " in refusal(flax_models.load_decoder, path)


# -- tensors -------------------------------------------------------------------------------------


def rename(old, new):
    return lambda tensors: {new if key == old else key: t for key, t in tensors.items()}


def same(path, model):
    jax.tree.map(np.testing.assert_array_equal, checkpoint.load(path).params, model.params)


@pytest.mark.parametrize("name", ["grouped-tied", "gpt2"])
def test_tied_embeddings_under_either_name(copy, tiny, name):
    own = {"gpt2": "transformer.wte.weight"}.get(name, EMBEDDING)
    path = copy(name)
    retensor(path, lambda tensors: {**tensors, HEAD: tensors[own]})
    same(path, tiny(name)[0])
    retensor(path, lambda tensors: {key: t for key, t in tensors.items() if key != own})
    same(path, tiny(name)[0])
    retensor(path, lambda tensors: {**tensors, own: 2 * tensors[HEAD]})
    message = refusal(checkpoint.load, path)
    assert f"{own} and {HEAD} differ, and config.json says that they are tied" in message


def test_flax_refuses_a_head_that_is_not_the_embeddings(tmp_path):
    path = spoil(tmp_path, "gpt2")
    retensor(path, lambda tensors: {**tensors, HEAD: tensors["transformer.wte.weight"]})
    flax_models.load_decoder(path)
    retensor(path, lambda tensors: {**tensors, HEAD: 2 * tensors[HEAD]})
    message = refusal(flax_models.load_decoder, path)
    assert f"{HEAD} is not transformer.wte.weight, to which config.json ties it" in message


def test_shards_left_beside_a_single_file(copy, tiny):
    """Transformers reads the single file, whether it is the older or the newer."""
    path = copy("qwen2")
    shards = sorted(path.glob("model-*.safetensors"))
    tensors = {}
    for shard in shards:
        tensors |= safetensors.numpy.load_file(shard)
        shard.write_bytes(b"of another model")
    safetensors.numpy.save_file(tensors, path / SINGLE)
    same(path, tiny("qwen2")[0])


def test_a_shard_with_more_than_its_index_says(copy):
    """As when a model is saved anew in fewer shards over its older ones."""
    path = copy("qwen2")
    first, second = sorted(path.glob("model-*.safetensors"))[:2]
    key = sorted(safetensors.numpy.load_file(first))[0]
    safetensors.numpy.save_file(
        {**safetensors.numpy.load_file(second), key: np.zeros(3, np.float32)}, second
    )
    message = refusal(checkpoint.load, path)
    assert message == f"{path}: {second.name} holds {key}, which {INDEX} does not place there"


def test_an_index_of_no_names(copy):
    path = copy("qwen2")
    (path / INDEX).write_text(json.dumps({"weight_map": {EMBEDDING: 3}}))
    assert f"{INDEX} is not an index" in refusal(checkpoint.load, path)
