"""transformers' Flax models: their logits are torch's, and what would not be right is refused."""

import functools
import json
import os
import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
import transformers
from lm.flax_folders import DECODERS, TENSORS, folder, refusal, retensor, spoil, torch_results

from lprl_jax.lm import flax_weights
from lprl_jax.lm.flax_models import load_bert, load_decoder, logits


@functools.cache
def loaded(name):
    return load_decoder(folder(name))


def run(model, tokens, valid, columns):
    compiled = jax.jit(functools.partial(logits, model.module, columns=columns))
    return np.asarray(compiled(model.params, tokens, valid))


# -- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DECODERS)
def test_logits_are_those_of_torch(name):
    """Whole sequences, padded on the left, with holes, and both: positions are what torch takes."""
    right = torch_results(name)
    tokens, valid = right["tokens"], right["valid"]
    assert sorted(valid.sum(1)) == [9, 9, 11, 14]
    found = run(loaded(name), tokens, valid, tokens.shape[1])
    np.testing.assert_allclose(found[valid], right["logits"][valid], atol=1e-4)


@pytest.mark.parametrize("name", DECODERS)
def test_logits_of_the_last_columns(name):
    right = torch_results(name)
    found = run(loaded(name), right["tokens"], right["valid"], 3)
    assert found.shape == (4, 3, 61)
    np.testing.assert_allclose(found, right["logits"][:, -3:], atol=1e-4)


def test_torch_is_not_needed_and_transformers_is_imported_late():
    program = f"""
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
hide = lambda name, *rest: None if name.split(".")[0] == "torch" else find(name, *rest)
PathFinder.find_spec = staticmethod(hide)
import lprl_jax.lm.encoder, lprl_jax.lm.flax_models, lprl_jax.priors.flax_language
assert "transformers" not in sys.modules
import numpy as np
from lprl_jax.lm import flax_models
model = flax_models.load_decoder({str(folder("opt"))!r})
flax_models.load_bert({str(folder("bert"))!r})
right = np.load({str(folder("opt") / "torch.npz")!r})
found = flax_models.logits(model.module, model.params, right["tokens"], right["valid"], 3)
assert not any(name.split(".")[0] == "torch" for name in sys.modules)
print(np.abs(found - right["logits"][:, -3:]).max())
"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("USE_")}
    out = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert float(out.stdout) < 1e-4
    assert out.stderr == ""


# -- weights -------------------------------------------------------------------------------------


def assert_same(found, name):
    jax.tree.map(np.testing.assert_array_equal, found.params, loaded(name).params)


def test_a_file_without_the_heads_name_space_and_with_constants(tmp_path):
    """As GPT-2 is published: no `transformer.`, and causal masks as tensors."""

    def change(tensors):
        tensors = {key.removeprefix("transformer."): value for key, value in tensors.items()}
        constants = {"h.0.attn.bias": np.ones((1, 1, 96, 96)), "h.0.attn.masked_bias": np.ones(1)}
        copied = {"lm_head.weight": tensors["wte.weight"]}
        return tensors | constants | copied

    assert_same(load_decoder(retensor(spoil(tmp_path, "gpt2"), change)), "gpt2")


@pytest.mark.parametrize(
    ("name", "constant"),
    [
        ("gpt_neo", "transformer.h.0.attn.attention.bias"),
        ("xglm", "model.embed_positions.weights"),
        ("llama", "model.layers.0.self_attn.rotary_emb.inv_freq"),
    ],
)
def test_constants_that_older_files_hold(tmp_path, name, constant):
    path = retensor(spoil(tmp_path, name), lambda tensors: tensors | {constant: np.ones(3)})
    assert_same(load_decoder(path), name)


def test_a_bert_without_heads_and_with_the_older_names(tmp_path):
    """As BERT is published: `gamma` and `beta`."""
    right = load_bert(folder("bert"))
    older = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}

    def change(tensors):
        assert any(key.startswith("cls.") for key in tensors)
        kept = {k.removeprefix("bert."): v for k, v in tensors.items() if k.startswith("bert.enc")}
        kept |= {k: v for k, v in tensors.items() if k.startswith("bert.emb")}
        for new, old in older.items():
            kept = {key.replace(new, old): value for key, value in kept.items()}
        return kept | {"embeddings.position_ids": np.arange(96)[None]}

    found = load_bert(retensor(spoil(tmp_path, "bert"), change))
    jax.tree.map(np.testing.assert_array_equal, found.params, right.params)


def test_half_precision_is_read_as_float32(tmp_path):
    def change(tensors):
        return {key: value.astype(jnp.bfloat16) for key, value in tensors.items()}

    found = load_decoder(retensor(spoil(tmp_path, "gptj"), change)).params
    rounded = jax.tree.map(
        lambda x: x.astype(jnp.bfloat16).astype(jnp.float32), loaded("gptj").params
    )
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype(np.float32)}
    jax.tree.map(np.testing.assert_array_equal, found, rounded)


def test_wrong_weights_are_all_named_at_once(tmp_path):
    """Transformers would draw the missing ones at random, and leave the others out."""

    def change(tensors):
        del tensors["transformer.h.1.ln_1.weight"]
        tensors["transformer.h.2.ln_1.weight"] = np.ones(32, np.float32)
        tensors["transformer.wpe.weight"] = tensors["transformer.wpe.weight"][:64]
        tensors["transformer.ln_f.weight"] = np.ones(32, np.int8)
        return tensors

    path = retensor(spoil(tmp_path, "gpt2"), change)
    assert refusal(load_decoder, path) == (
        f"{path}: transformer.h.2.ln_1.weight has no place in the model of config.json; "
        "transformer.ln_f.weight is I8; weights are F64, F32, F16, BF16; "
        "transformer.wpe.weight is [64, 32], by config.json [96, 32]; "
        "transformer.h.1.ln_1.scale is missing"
    )


def test_of_many_wrong_weights_the_first_are_named(tmp_path):
    path = spoil(tmp_path, "gpt2", n_layer=3)
    message = refusal(load_decoder, path)
    assert message.startswith(f"{path}: transformer.h.2.attn.c_attn.bias is missing; ")
    assert message.endswith("; and 7 more")


def test_a_bert_that_lacks_weights(tmp_path):
    path = retensor(spoil(tmp_path, "bert"), lambda t: {k: v for k, v in t.items() if "cls" in k})
    assert "embeddings.LayerNorm.bias is missing" in refusal(load_bert, path)


# -- refusals ------------------------------------------------------------------------------------

LLAMA_ROPE = {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 32}
LLAMA_ROPE |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
WRONG = [
    ("gpt2", {"scale_attn_weights": False}, "none"),
    ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "none"),
    ("gpt2", {"add_cross_attention": True}, "none"),
    ("gptj", {"add_cross_attention": True}, "none"),
    ("opt", {"enable_bias": False}, "none"),
    ("opt", {"layer_norm_elementwise_affine": False}, "none"),
    ("xglm", {"add_cross_attention": True}, "none"),
    ("gpt_neo", {"quantization_config": {"bits": 8}}, "none"),
    ("llama", {"rope_theta": 5e5}, "own"),
    ("llama", {"rope_scaling": LLAMA_ROPE | {"rope_theta": 1e4}}, "own"),
    ("llama", {"rope_parameters": {"rope_theta": 5e5}}, "own"),
    ("llama", {"head_dim": 16}, "own"),
    ("llama", {"mlp_bias": True}, "own"),
    ("llama", {"tie_word_embeddings": True}, "own"),
    ("mistral", {"rope_theta": 1e6}, "own"),
    ("mistral", {"head_dim": 4}, "own"),
    ("mistral", {"tie_word_embeddings": True}, "own"),
    ("mistral", {"sliding_window": None}, "own"),
    ("gemma", {"rope_theta": 1e6}, "none"),
    ("gemma", {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}, "none"),
    ("gemma", {"hidden_act": "gelu"}, "none"),
    ("gemma", {"hidden_activation": "relu"}, "none"),
]
INSTEAD = {
    "none": "no other code here runs it",
    "own": "LanguagePrior runs llama and mistral with its own decoder",
}


@pytest.mark.parametrize(("name", "fields", "instead"), WRONG)
def test_what_flax_gets_wrong_is_refused(tmp_path, name, fields, instead):
    path = spoil(tmp_path, name, **fields)
    ((field, value),) = fields.items()
    message = refusal(load_decoder, path)
    assert message.startswith(f"{path}: {field} = {repr(value)[:-1]}")
    assert f"transformers' Flax {name} " in message
    assert message.endswith(f"; {INSTEAD[instead]}")


@pytest.mark.parametrize(
    "fields",
    [
        {"position_embedding_type": "relative_key"},
        {"is_decoder": True},
        {"add_cross_attention": True},
        {"type_vocab_size": 1},
    ],
)
def test_a_bert_that_flax_gets_wrong_is_refused(tmp_path, fields):
    ((field, value),) = fields.items()
    message = refusal(load_bert, spoil(tmp_path, "bert", **fields))
    assert f"{field} = {value!r}, which transformers' Flax bert gets wrong" in message


@pytest.mark.parametrize("kind", ["t5", "mt5", "longt5"])
def test_t5_does_not_run(tmp_path, kind):
    message = refusal(load_decoder, spoil(tmp_path, "gpt2", model_type=kind))
    assert f"the Flax code of {kind} does not run: it calls jnp.clip(a_max=)" in message
    assert "valid: gpt2, gpt_neo, gptj, opt, xglm" in message


@pytest.mark.parametrize("kind", ["qwen2", "bart", "bert", "mine", None])
def test_other_types_are_refused(tmp_path, kind):
    message = refusal(load_decoder, spoil(tmp_path, "gpt2", model_type=kind))
    assert f"no Flax decoder of model_type {kind!r} that is known to be right" in message
    assert "valid: gpt2, gpt_neo, gptj, opt, xglm, llama, mistral, gemma, and what Langu" in message


def test_only_a_bert_is_a_bert():
    message = refusal(load_bert, folder("gpt2"))
    assert message == f"{folder('gpt2')}: model_type is 'gpt2'; valid: bert"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"activation_function": "mish"}, "transformers cannot build it: KeyError 'mish'"),
        ({"n_head": 5}, "transformers cannot build it: "),
        ({"n_head": 0}, "transformers cannot build it: ZeroDivisionError"),
        ({"n_embd": "wide"}, "transformers cannot build it: TypeError"),
    ],
)
def test_a_config_that_cannot_be_built(tmp_path, fields, message):
    assert message in refusal(load_decoder, spoil(tmp_path, "gpt2", **fields))


def test_a_config_that_transformers_refuses(tmp_path):
    path = spoil(tmp_path, "gpt_neo", num_layers=3)
    assert f"{path / 'config.json'} is no gpt_neo: ValueError" in refusal(load_decoder, path)


def test_a_llama_without_heads(tmp_path):
    path = spoil(tmp_path, "llama", num_attention_heads=0)
    assert f"{path / 'config.json'} is no llama: ZeroDivisionError" in refusal(load_decoder, path)


def test_without_flax(monkeypatch):
    monkeypatch.setattr(transformers, "is_flax_available", lambda: False)
    assert "unset USE_FLAX" in refusal(load_decoder, folder("gpt2"))
    assert "unset USE_FLAX" in refusal(load_bert, folder("bert"))


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "; a model is a Hugging Face directory with config.json, tokenizer"),
        ("tokenizer.json", "; a model is a Hugging Face directory with config.json, token"),
        (TENSORS, ", nor model.safetensors.index.json; they hold the weights"),
    ],
)
def test_a_missing_file(tmp_path, missing, message):
    path = spoil(tmp_path, "gpt2")
    (path / missing).unlink()
    assert refusal(load_decoder, path).startswith(f"no {missing} in {path}{message}")


def test_pickled_weights_are_refused(tmp_path):
    path = spoil(tmp_path, "gpt2")
    (path / TENSORS).rename(path / "pytorch_model.bin")
    assert "has pickled weights only" in refusal(load_decoder, path)


def test_weights_in_several_files(tmp_path):
    path = spoil(tmp_path, "gpt2")
    tensors = sorted(safetensors.numpy.load_file(path / TENSORS).items())
    (path / TENSORS).unlink()
    index = {}
    for number, part in enumerate((tensors[::2], tensors[1::2])):
        safetensors.numpy.save_file(dict(part), path / f"{number}.safetensors")
        index |= {key: f"{number}.safetensors" for key, _ in part}
    (path / f"{TENSORS}.index.json").write_text(json.dumps({"weight_map": index}))
    assert_same(load_decoder(path), "gpt2")


def test_nothing_is_read_before_all_fits(tmp_path, monkeypatch):
    class Unreadable(flax_weights.TensorFiles):
        def __init__(self, path):
            super().__init__(path)
            self.file_of = {
                key: types.SimpleNamespace(get_slice=file.get_slice)
                for key, file in self.file_of.items()
            }

    path = retensor(spoil(tmp_path, "gpt2"), lambda tensors: tensors | {"more": np.ones(3)})
    monkeypatch.setattr(flax_weights, "TensorFiles", Unreadable)
    assert "more has no place" in refusal(load_decoder, path)


def test_damaged_files(tmp_path):
    path = spoil(tmp_path, "gpt2")
    (path / TENSORS).write_bytes(b"cut")
    assert f"{path / TENSORS} is damaged" in refusal(load_decoder, path)
    (path / "config.json").write_text('{"model_type": "gpt2"')
    assert f"{path / 'config.json'} is not JSON" in refusal(load_decoder, path)


def test_fixtures_are_what_torch_saved():
    with safetensors.safe_open(str(folder("gpt2") / TENSORS), "np") as file:
        assert file.metadata() == {"format": "pt"}
