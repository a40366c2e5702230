"""Hugging Face directories: refused when they are not what is implemented; saved as they are read.

That numbers are right is in `test_decoder.py`.
"""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from lprl_envs import InvalidInput

from lprl_jax.lm import checkpoint

TENSORS = "model.safetensors"


@pytest.fixture
def copy(tmp_path, folder):
    """`copy(name, **fields)`: a tiny model's directory, with fields of its config changed."""

    def make(name, **fields):
        path = shutil.copytree(folder(name), tmp_path / name)
        config = json.loads((path / "config.json").read_text())
        config = {key: value for key, value in (config | fields).items() if value is not ...}
        (path / "config.json").write_text(json.dumps(config))
        return path

    return make


def refusal(path) -> str:
    with pytest.raises(InvalidInput) as caught:
        checkpoint.load(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", TENSORS])
def test_a_missing_file_is_named(copy, name):
    path = copy("plain")
    (path / name).unlink()
    assert f"no {name} in {path}" in refusal(path)


def test_no_directory(tmp_path):
    assert "no config.json" in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_type", "gpt2"),
        ("hidden_act", "gelu"),
        ("attention_bias", True),
        ("mlp_bias", True),
        ("rope_scaling", {"rope_type": "llama3", "factor": 8.0}),
    ],
)
def test_what_is_not_implemented_is_refused(copy, field, value):
    message = refusal(copy("plain", **{field: value}))
    assert field in message
    assert repr(value) in message


def test_a_scaled_rope_in_the_newer_layout_is_refused(copy):
    path = copy("plain", rope_parameters={"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0})
    assert "'yarn'" in refusal(path)


def test_wrong_tensors_are_all_named_at_once(copy):
    path = copy("plain")
    tensors = safetensors.numpy.load_file(path / TENSORS)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    del tensors["lm_head.weight"]
    tensors["model.norm.weight"] = np.ones(31, np.float32)
    up = "model.layers.0.mlp.gate_proj.weight"
    tensors[up] = np.ascontiguousarray(tensors[up].T)
    safetensors.numpy.save_file(tensors, path / TENSORS)
    message = refusal(path)
    assert "model.layers.1.mlp.up_proj.weight is missing" in message
    assert "lm_head.weight is missing" in message
    assert "model.norm.weight gives (31,), the config (32,)" in message
    assert up in message
    assert message.count(";") == 3  # and nothing else


def test_a_config_of_another_shape_names_the_tensors(copy):
    message = refusal(copy("plain", num_key_value_heads=2, num_hidden_layers=3))
    assert "model.layers.0.self_attn.k_proj.weight" in message
    assert "model.layers.2.self_attn.q_proj.weight is missing" in message


def test_both_layouts_of_rope_theta_are_read(copy, tiny):
    rope = {"rope_type": "default", "rope_theta": 5e5}
    path = copy("grouped-tied", rope_theta=..., rope_parameters=rope)
    assert checkpoint.load(path).config == tiny("grouped-tied")[0].config


def test_optional_fields_have_the_defaults_of_transformers(copy, tiny):
    fields = ("head_dim", "num_key_value_heads", "rope_theta", "rope_scaling", "hidden_act")
    fields += ("rms_norm_eps", "tie_word_embeddings", "attention_bias", "mlp_bias")
    path = copy("plain", **dict.fromkeys(fields, ...))
    assert checkpoint.load(path).config == tiny("plain")[0].config


def test_bfloat16_tensors_are_read_as_float32(tiny, folder):
    model, _, _ = tiny("deep-bfloat16")
    with safetensors.safe_open(str(folder("deep-bfloat16") / TENSORS), "np") as file:
        assert file.get_tensor("model.norm.weight").dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(model.params)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("name", ["plain", "wide-heads", "deep-bfloat16"])
def test_saved_and_loaded_is_the_same_model(tmp_path, tiny, name):
    model, _, _ = tiny(name)
    checkpoint.save(tmp_path / name, model)
    again = checkpoint.load(tmp_path / name)
    assert again.config == model.config
    assert again.name == name
    assert again.tokenizer.get_vocab() == model.tokenizer.get_vocab()
    jax.tree.map(np.testing.assert_array_equal, again.params, model.params)


def test_saving_in_bfloat16_rounds_once(tmp_path, tiny):
    model, _, _ = tiny("grouped-tied")
    checkpoint.save(tmp_path / "once", model, jnp.bfloat16)
    once = checkpoint.load(tmp_path / "once")
    rounded = jax.tree.map(lambda x: x.astype(jnp.bfloat16).astype(jnp.float32), model.params)
    jax.tree.map(np.testing.assert_array_equal, once.params, rounded)
    assert not np.array_equal(once.params["embedding"], model.params["embedding"])
    checkpoint.save(tmp_path / "twice", once, jnp.bfloat16)
    assert (tmp_path / "twice" / TENSORS).read_bytes() == (tmp_path / "once" / TENSORS).read_bytes()


@pytest.mark.parametrize("name", ["plain", "grouped-tied", "narrow-heads"])
def test_a_saved_directory_is_the_one_that_transformers_writes(tmp_path, tiny, folder, name):
    """The tensors byte for byte, and a config that means the same."""
    from transformers import LlamaConfig

    model, _, _ = tiny(name)
    checkpoint.save(tmp_path, model)
    theirs = safetensors.numpy.load_file(folder(name) / TENSORS)
    ours = safetensors.numpy.load_file(tmp_path / TENSORS)
    assert ours.keys() == theirs.keys()
    for key, tensor in theirs.items():
        np.testing.assert_array_equal(ours[key], tensor, err_msg=key)
    with safetensors.safe_open(str(tmp_path / TENSORS), "np") as file:
        assert file.metadata() == {"format": "pt"}  # transformers refuses a file without

    config = LlamaConfig.from_pretrained(tmp_path)
    expected = LlamaConfig.from_pretrained(folder(name)).to_dict()
    free = ("max_position_embeddings", "transformers_version", "_name_or_path", "dtype")
    for field in expected.keys() - set(free):
        assert config.to_dict()[field] == expected[field], field
    assert config.architectures == ["LlamaForCausalLM"]
    assert (tmp_path / "tokenizer.json").is_file()
    assert (tmp_path / "tokenizer_config.json").is_file()


def test_damaged_files_are_refused(copy):
    path = copy("plain")
    (path / "model.safetensors").write_bytes(b"cut")
    assert "model.safetensors is damaged" in refusal(path)
    fields = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**fields, "vocab_size": 1})[:-20])
    assert "is not JSON" in refusal(path)
    del fields["hidden_size"]
    (path / "config.json").write_text(json.dumps(fields))
    assert "lacks hidden_size" in refusal(path)
