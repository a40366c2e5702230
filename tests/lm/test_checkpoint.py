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

from lprl_jax.experiments import sharding
from lprl_jax.lm import checkpoint, weights

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
    ("name", "field", "value"),
    [
        ("plain", "model_type", "gemma"),
        ("plain", "hidden_act", "quick_gelu"),
        ("plain", "rope_scaling", {"rope_type": "yarn", "factor": 8.0}),
        ("plain", "rope_scaling", {"type": "dynamic", "factor": 2.0}),
        ("plain", "partial_rotary_factor", 0.5),
        ("plain", "quantization_config", {"quant_method": "gptq"}),
        ("gpt2", "activation_function", "quick_gelu"),
        ("gpt2", "scale_attn_weights", False),
        ("gpt2", "scale_attn_by_inverse_layer_idx", True),
        ("gpt2", "add_cross_attention", True),
    ],
)
def test_what_is_not_implemented_is_refused(copy, name, field, value):
    message = refusal(copy(name, **{field: value}))
    assert field in message
    found = repr(value)
    if field == "rope_scaling":
        found = value.get("rope_type") or value["type"]
    assert found in message


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("plain", {"num_attention_heads": 0}, "num_attention_heads is 0; it must be a whole"),
        ("gpt2", {"n_head": 0}, "n_head is 0; it must be a whole number above 0"),
        ("plain", {"num_key_value_heads": 3}, "a multiple of num_key_value_heads, 3"),
        ("plain", {"num_key_value_heads": 0}, "num_key_value_heads is 0; it must be a whole"),
        ("plain", {"vocab_size": None}, "vocab_size is None; it must be a whole number above 0"),
        ("plain", {"hidden_size": 32.0}, "hidden_size is 32.0; it must be a whole number"),
        ("plain", {"num_hidden_layers": 0}, "num_hidden_layers is 0; it must be a whole"),
        ("plain", {"max_position_embeddings": None}, "max_position_embeddings is None; it"),
        ("mistral", {"sliding_window": 0}, "sliding_window is 0; it must be a whole"),
        ("plain", {"head_dim": 5}, "head_dim is 5; it must be even"),
        ("plain", {"rope_theta": None}, "rope_theta is None; it must be a number above 0"),
        ("plain", {"rms_norm_eps": "small"}, "norm_eps is 'small'; it must be a number above"),
        ("mistral", {"rope_scaling": {"type": "linear"}}, "of type 'linear' lacks factor"),
        ("mistral", {"rope_scaling": "linear"}, "rope_scaling is 'linear'; it is an object"),
        ("mistral", {"rope_scaling": {"type": "linear", "factor": 0}}, "factor is 0; it must be"),
        (
            "plain",
            {"rope_parameters": {"rope_type": "llama3", "factor": 8.0}},
            "of type 'llama3' lacks original_max_position_embeddings, low_freq_factor, high_freq",
        ),
        ("plain", {"hidden_act": ["silu"]}, "hidden_act = ['silu'] is not implemented"),
    ],
)
def test_a_value_that_makes_no_model_is_named(copy, name, fields, message):
    path = copy(name, **fields)
    found = refusal(path)
    assert found.startswith(f"{path / 'config.json'}: ")
    assert message in found


def test_no_quantization_is_none(copy, tiny):
    path = copy("plain", quantization_config=None)
    assert checkpoint.load(path).config == tiny("plain")[0].config


def test_an_unknown_family_names_those_that_are_known(copy):
    message = refusal(copy("plain", model_type="mamba"))
    assert "model_type is 'mamba'" in message
    for family in ("gpt2", "llama", "mistral", "qwen2", "qwen3"):
        assert family in message


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
    assert "model.norm.weight is [31], by config.json [32]" in message
    assert up in message
    assert message.count(";") == 3  # and nothing else


def test_tensors_that_have_no_place_are_named(copy):
    """Biases that the config does not speak of: without them another model would be run."""
    message = refusal(copy("llama-linear", attention_bias=False))
    for name in "qkvo":
        assert f"model.layers.0.self_attn.{name}_proj.bias has no place" in message
    assert message.endswith("; and 3 more")  # on one line that can be read
    path = copy("gpt2")
    tensors = safetensors.numpy.load_file(path / TENSORS)
    buffer = np.tril(np.ones((1, 1, 64, 64), bool))
    safetensors.numpy.save_file({**tensors, "transformer.h.0.attn.bias": buffer}, path / TENSORS)
    checkpoint.load(path)  # masks of old files are no weights


def test_quantized_tensors_are_named(copy):
    path, key = copy("plain"), "model.layers.0.mlp.up_proj.weight"
    tensors = safetensors.numpy.load_file(path / TENSORS)
    safetensors.numpy.save_file({**tensors, key: tensors[key].astype(np.int8)}, path / TENSORS)
    assert f"{key} is I8" in refusal(path)


# -- several files -------------------------------------------------------------------------------

INDEX = "model.safetensors.index.json"


def test_shards_are_one_model(copy, tiny, tmp_path):
    model, _, _ = tiny("qwen2")
    path = copy("qwen2")
    assert len(list(path.glob("model-*.safetensors"))) > 2
    tensors = {}
    for file in path.glob("model-*.safetensors"):
        tensors |= safetensors.numpy.load_file(file)
        file.unlink()
    safetensors.numpy.save_file(tensors, path / TENSORS)
    jax.tree.map(np.testing.assert_array_equal, checkpoint.load(path).params, model.params)


def test_a_missing_shard_is_named(copy):
    path = copy("qwen2")
    shard = sorted(path.glob("model-*.safetensors"))[1]
    shard.unlink()
    assert f"lacks {shard.name}, 1 of the" in refusal(path)


def test_a_truncated_shard_is_named(copy):
    path = copy("qwen2")
    shard = sorted(path.glob("model-*.safetensors"))[1]
    shard.write_bytes(shard.read_bytes()[:-100])
    message = refusal(path)
    assert f"{shard.name} is damaged" in message
    assert "download it again" in message


def test_a_shard_of_another_model_is_noticed(copy, folder):
    path = copy("qwen2")
    shards = sorted(path.glob("model-*.safetensors"))
    shutil.copy(shards[0], shards[1])
    assert "is missing" in refusal(path)


def test_an_index_that_is_none(copy):
    path = copy("qwen2")
    (path / INDEX).write_text("{}")
    assert f"{INDEX} is not an index" in refusal(path)


def test_pickled_weights_are_refused(copy):
    path = copy("plain")
    (path / TENSORS).rename(path / "pytorch_model.bin")
    message = refusal(path)
    assert "pickled" in message
    assert "model.safetensors is needed" in message


@pytest.mark.parametrize("name", ["gpt2", "plain"])
def test_a_file_of_the_bare_model_is_read(copy, tiny, name):
    """As the first GPT-2 checkpoints are: keys without the name of the model inside."""
    model, _, _ = tiny(name)
    path = copy(name)
    tensors = safetensors.numpy.load_file(path / TENSORS)
    bare = {
        key.removeprefix("transformer.").removeprefix("model."): t for key, t in tensors.items()
    }
    assert bare.keys() != tensors.keys()
    safetensors.numpy.save_file(bare, path / TENSORS)
    jax.tree.map(np.testing.assert_array_equal, checkpoint.load(path).params, model.params)


def test_windows_shorten_the_context(tiny, copy):
    """Texts within a sliding window are those that full attention gets right."""
    assert tiny("mistral")[0].config.max_position_embeddings == 16
    window = {"sliding_window": 8, "use_sliding_window": True, "max_window_layers": 1}
    assert checkpoint.load(copy("qwen2", **window)).config.max_position_embeddings == 8
    window["use_sliding_window"] = False
    assert checkpoint.load(copy("qwen3", **window)).config.max_position_embeddings == 256
    # torch's Mistral does not read the flag, and its Llama does not read the window.
    assert checkpoint.load(copy("mistral", **window)).config.max_position_embeddings == 8
    window["use_sliding_window"] = True
    assert checkpoint.load(copy("plain", **window)).config.max_position_embeddings == 256


# -- what is read --------------------------------------------------------------------------------


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


def test_weights_in_bfloat16(folder, tiny):
    half = checkpoint.load(folder("gpt2"), dtype=jnp.bfloat16).params
    assert {leaf.dtype for leaf in jax.tree.leaves(half)} == {jnp.dtype(jnp.bfloat16)}
    rounded = jax.tree.map(lambda x: x.astype(jnp.bfloat16), tiny("gpt2")[0].params)
    jax.tree.map(np.testing.assert_array_equal, half, rounded)


@pytest.mark.parametrize("dtype", ["int8", "bf16", jnp.int32, "float16"])
def test_a_dtype_for_no_weights_is_refused(folder, dtype):
    with pytest.raises(InvalidInput, match=r"unknown dtype .*; valid: float32, bfloat16"):
        checkpoint.load(folder("plain"), dtype)


def test_a_mesh_without_an_axis_for_weights_is_refused(folder):
    mesh = jax.make_mesh((2,), ("data",), (jax.sharding.AxisType.Auto,))
    with pytest.raises(InvalidInput, match="the mesh has the axes data; weights are split over"):
        checkpoint.load(folder("plain"), mesh=mesh)


@pytest.mark.parametrize("name", ["gpt2", "qwen2"])
def test_a_device_reads_and_holds_its_part(folder, tiny, monkeypatch, name):
    """Of a matrix half, also of a third of a fused one and of a transposed one."""
    (model, _, _), read, whole = tiny(name), [], weights.read

    def recorded(files, tensor, index):
        part = whole(files, tensor, index)
        read.append((tensor.path, tensor.key, part.shape))
        return part

    monkeypatch.setattr(weights, "read", recorded)
    mesh = sharding.make_mesh(1, model_parallel=2)
    split = checkpoint.load(folder(name), mesh=mesh).params
    jax.tree.map(np.testing.assert_array_equal, split, model.params)
    shapes: dict[tuple[str, ...], tuple[int, ...]] = {}
    for path, _, shape in read:
        assert shapes.setdefault(path, shape) == shape, path  # nothing is read whole before
    width, inside = model.config.hidden_size, model.config.intermediate_size
    assert shapes["layers", "q", "kernel"] == (width, width // 2)
    assert shapes["layers", "q", "bias"] == (width // 2,)
    assert shapes["layers", "down", "kernel"] == (inside // 2, width)
    assert shapes["embedding",] == (61, width // 2)  # 61 rows cannot be halved
    for path, leaf in jax.tree_util.tree_leaves_with_path(split):
        names = tuple(key.key for key in path)
        for shard in leaf.addressable_shards:
            assert shard.data.shape[-len(shapes[names]) :] == shapes[names], names


@pytest.mark.parametrize("name", ["plain", "wide-heads", "deep-bfloat16"])
def test_saved_and_loaded_is_the_same_model(tmp_path, tiny, name):
    model, _, _ = tiny(name)
    checkpoint.save(tmp_path / name, model)
    again = checkpoint.load(tmp_path / name)
    assert again.config == model.config
    assert again.name == name
    assert again.tokenizer.get_vocab() == model.tokenizer.get_vocab()
    jax.tree.map(np.testing.assert_array_equal, again.params, model.params)


@pytest.mark.parametrize("part", ["weights", "tokenizer"])
def test_a_full_disk_is_an_error_of_the_system(tmp_path, tiny, monkeypatch, part):
    model, _, _ = tiny("plain")

    def full(*_, **__):
        if part == "weights":
            raise safetensors.SafetensorError("IoError(Os { code: 28, kind: StorageFull })")
        raise Exception("No space left on device (os error 28)")  # as the tokenizers library does

    if part == "weights":
        monkeypatch.setattr(safetensors.numpy, "save_file", full)
    else:
        monkeypatch.setattr(type(model.tokenizer), "save_pretrained", full)
    with pytest.raises(OSError, match="No space left on device"):
        checkpoint.save(tmp_path / "model", model)


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


@pytest.mark.parametrize("name", ["gpt2", "qwen3", "llama-3"])
def test_only_plain_llamas_are_saved(tmp_path, tiny, name):
    with pytest.raises(InvalidInput, match="Llama"):
        checkpoint.save(tmp_path / "there", tiny(name)[0])
    assert not (tmp_path / "there").exists()


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
