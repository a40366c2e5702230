"""Adapters: that they are x W + scale (x A) B, that they learn so, and how peft keeps them."""

import functools
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from lprl_envs import InvalidInput

from lprl_jax.lm import decoder, lora, lora_files, partition, scoring
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.lm.layers import Linear
from lprl_jax.lm.lora import LoraConfig
from lprl_jax.lm.scoring import Trie

MODEL = DecoderConfig(97, 16, 24, 3, 4, 2, 4)
EVERY = LoraConfig(rank=3, targets=("down", "up", "gate", "o", "v", "k", "q"), alpha=5.0)
TOKENS = jnp.asarray(np.random.default_rng(0).integers(0, 97, (3, 7)), jnp.int32)


@functools.cache
def base() -> Any:
    return decoder.init(jax.random.key(0), MODEL)


def of(config: LoraConfig, seed: int = 1) -> Any:
    """Adapters that change something."""
    found = lora.init(jax.random.key(seed), config, base())
    numbers = np.random.default_rng(seed)
    return jax.tree.map(lambda x: jnp.float32(numbers.normal(size=x.shape) / 4), found)


logits = jax.jit(decoder.logits, static_argnums=0)


@functools.partial(jax.jit, static_argnums=0)
def scores(config: DecoderConfig, params: Any) -> scoring.Scores:
    """Answers behind texts with a prefix, as policies and priors read them."""
    valid = jnp.ones((1, 4), bool)
    prefix = decoder.encode_prefix(config, params, TOKENS[:1, :4], valid)
    texts, there = TOKENS[None, :, 4:], jnp.ones((1, 3, 3), bool)
    trie = Trie.build([(5, 6), (5, 7, 8), (9,)])
    return scoring.score(config, params, prefix, valid, texts, there, trie)


def test_a_layer_adds_the_scaled_product_of_both() -> None:
    """Against NumPy in f64."""
    numbers = np.random.default_rng(3)
    x, w, a, b, bias = (
        numbers.normal(size=shape) for shape in ((2, 4, 6), (6, 5), (6, 2), (2, 5), (5,))
    )
    plain = {"layers": {"q": {"kernel": w, "bias": bias}}}
    joined = lora.join(plain, {"layers": {"q": {"lora_a": a, "lora_b": b}}}, scale=0.7)
    params = jax.tree.map(jnp.float32, joined["layers"]["q"])
    found: Any = Linear(5, use_bias=True).apply({"params": params}, jnp.float32(x))
    np.testing.assert_allclose(found, x @ w + 0.7 * (x @ a) @ b + bias, atol=1e-5)


def test_new_adapters_are_of_the_matrices_and_change_nothing() -> None:
    found = lora.init(jax.random.key(4), EVERY, base())
    assert list(found["layers"]) == list(lora.TARGETS)
    for name, own in found["layers"].items():
        count, size, out = base()["layers"][name]["kernel"].shape
        assert own["lora_a"].shape == (count, size, 3)
        assert own["lora_b"].shape == (count, 3, out)
        assert np.abs(own["lora_a"]).max() <= size**-0.5
        assert np.std(own["lora_a"]) > 0.4 * size**-0.5  # of a uniform one: 1/√3
        assert not np.any(own["lora_b"])
    joined = lora.join(base(), found, EVERY.scale)
    np.testing.assert_array_equal(logits(MODEL, joined, TOKENS), logits(MODEL, base(), TOKENS))
    for one, other in zip(scores(MODEL, joined), scores(MODEL, base()), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_order_of_targets_does_not_matter_and_keys_do() -> None:
    ordered = LoraConfig(rank=3, targets=lora.TARGETS, alpha=5.0)
    one, same, other = (
        lora.init(jax.random.key(seed), config, base())["layers"]["o"]["lora_a"]
        for seed, config in ((0, EVERY), (0, ordered), (1, EVERY))
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1


def test_the_base_is_not_copied() -> None:
    joined = lora.join(base(), of(EVERY), EVERY.scale)
    kept = jax.tree.leaves(base())
    assert {id(leaf) for leaf in jax.tree.leaves(joined)} >= {id(leaf) for leaf in kept}


def test_merged_it_is_the_same_model() -> None:
    adapters = of(EVERY)
    merged = lora.merge(base(), adapters, EVERY.scale)
    assert jax.tree.structure(merged) == jax.tree.structure(base())
    joined = lora.join(base(), adapters, EVERY.scale)
    found = logits(MODEL, joined, TOKENS)
    np.testing.assert_allclose(found, logits(MODEL, merged, TOKENS), atol=1e-5)
    assert np.abs(found - logits(MODEL, base(), TOKENS)).max() > 0.5
    for one, other in zip(scores(MODEL, joined), scores(MODEL, merged), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_gradient_is_that_of_the_merged_weights() -> None:
    """W' = W + s A B, so ∂A = s G Bᵀ and ∂B = s Aᵀ G, of the gradient G that W' has."""
    adapters, s = of(EVERY), EVERY.scale

    def loss(params: Any) -> jax.Array:
        found = scores(MODEL, params)
        weights = jnp.sin(jnp.arange(found.log_likelihoods.size, dtype=jnp.float32))
        return jnp.sum(found.log_likelihoods.reshape(-1) * weights) + jnp.sum(found.readout)

    found = jax.jit(jax.grad(lambda own: loss(lora.join(base(), own, s))))(adapters)
    whole = jax.jit(jax.grad(loss))(lora.merge(base(), adapters, s))
    for name, own in adapters["layers"].items():
        g = np.asarray(whole["layers"][name]["kernel"], np.float64)
        a, b = (np.asarray(own[leaf], np.float64) for leaf in ("lora_a", "lora_b"))
        of_a, of_b = s * g @ b.swapaxes(1, 2), s * a.swapaxes(1, 2) @ g
        for leaf, right in (("lora_a", of_a), ("lora_b", of_b)):
            size = np.abs(right).max()
            assert size > 1e-3
            np.testing.assert_allclose(found["layers"][name][leaf], right, atol=2e-4 * size)


def test_many_learners_hold_the_base_once() -> None:
    """In the memory that a gradient takes: of eight it is less than another copy above one's."""
    wide = DecoderConfig(97, 128, 256, 6, 4, 4, 32)
    weights = decoder.init(jax.random.key(0), wide)
    config = LoraConfig(rank=2)
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(weights))

    def temporary(learners: int) -> int:
        keys = jax.random.split(jax.random.key(0), learners)
        own = jax.vmap(lambda key: lora.init(key, config, weights))(keys)

        def loss(own: Any, weights: Any) -> jax.Array:
            found = scores(wide, lora.join(weights, own, config.scale))
            return jnp.sum(found.log_likelihoods)

        program = jax.jit(jax.vmap(jax.grad(loss), in_axes=(0, None)))
        sizes = program.lower(own, weights).compile().memory_analysis()
        assert sizes is not None
        return sizes.temp_size_in_bytes

    one, eight = temporary(1), temporary(8)
    assert one < size / 2
    assert eight < one + size / 2


def test_an_adapter_is_split_with_its_matrix() -> None:
    """Only where both have the axis that is split."""
    model, whole = partition.MODEL, jax.sharding.PartitionSpec()
    split = {
        ("q", "lora_b"): jax.sharding.PartitionSpec(None, None, model),
        ("down", "lora_a"): jax.sharding.PartitionSpec(None, model, None),
        ("q", "lora_a"): whole,
        ("down", "lora_b"): whole,
    }
    for path, right in split.items():
        assert partition.spec(("layers", *path), (3, 8, 8), 2) == right


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rank": 0}, "rank is 0; it must be above 0"),
        ({"alpha": float("inf")}, "alpha is inf"),
        ({"targets": ("q", "w")}, "some of q, k, v, o, gate, up, down"),
        ({"targets": ("q", "q")}, "each once"),
        ({"targets": ()}, "some of q"),
    ],
    ids=["rank", "alpha", "unknown", "twice", "none"],
)
def test_configs_that_make_no_adapters(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        LoraConfig(**fields)


# -- files -----------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "adapters"
    lora_files.save(path, of(EVERY), EVERY, MODEL, "some/base")
    return path


def test_they_are_read_as_they_were_written(saved: Path) -> None:
    config, adapters = lora_files.load(saved, MODEL)
    assert (config.rank, config.alpha, set(config.targets)) == (3, 5.0, set(EVERY.targets))
    jax.tree.map(np.testing.assert_array_equal, adapters, of(EVERY))


def test_they_are_named_and_turned_as_peft_has_them(saved: Path) -> None:
    fields = json.loads((saved / "adapter_config.json").read_text())
    assert fields == {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "some/base",
        "r": 3,
        "lora_alpha": 5,
        "target_modules": [
            "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"
        ],
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }  # fmt: skip
    tensors = safetensors.numpy.load_file(saved / "adapter_model.safetensors")
    merged = lora.merge(base(), of(EVERY), EVERY.scale)["layers"]
    places = {f"self_attn.{name}_proj": name for name in "qkvo"}
    places |= {f"mlp.{name}_proj": name for name in ("gate", "up", "down")}
    expected = set()
    for layer in range(3):
        for module, name in places.items():
            stem = f"base_model.model.model.layers.{layer}.{module}"
            a, b = tensors[f"{stem}.lora_A.weight"], tensors[f"{stem}.lora_B.weight"]
            expected |= {f"{stem}.lora_A.weight", f"{stem}.lora_B.weight"}
            # peft's rule, of a weight [out, in]: W + lora_alpha / r · B A
            weight = base()["layers"][name]["kernel"][layer].T + 5 / 3 * b @ a
            np.testing.assert_allclose(weight, merged[name]["kernel"][layer].T, atol=1e-5)
    assert set(tensors) == expected


def test_a_directory_by_hand_is_read(tmp_path: Path) -> None:
    """As a newer peft writes it, with fields that change nothing, in half precision."""
    fields = {
        "peft_type": "LORA",
        "r": 1,
        "lora_alpha": 2,
        "target_modules": ["v_proj"],
        "use_rslora": False,
        "rank_pattern": {},
        "modules_to_save": None,
        "init_lora_weights": True,
    }
    (tmp_path / "adapter_config.json").write_text(json.dumps(fields))
    stem = "base_model.model.model.layers.{}.self_attn.v_proj.lora_{}.weight"
    tensors = {}
    for layer in range(3):
        tensors[stem.format(layer, "A")] = np.full((1, 16), layer + 1, np.float16)
        tensors[stem.format(layer, "B")] = np.full((8, 1), 0.5, np.float16)
    safetensors.numpy.save_file(tensors, tmp_path / "adapter_model.safetensors")
    config, adapters = lora_files.load(tmp_path, MODEL)
    assert config == LoraConfig(1, ("v",), 2.0)
    own = adapters["layers"]["v"]
    np.testing.assert_array_equal(own["lora_a"][:, :, 0], [[1.0] * 16, [2.0] * 16, [3.0] * 16])
    np.testing.assert_array_equal(own["lora_b"], np.full((3, 1, 8), 0.5, np.float32))


def _edit(path: Path, **fields: Any) -> None:
    file = path / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def _without(path: Path, name: str) -> None:
    file = path / "adapter_config.json"
    fields = json.loads(file.read_text())
    del fields[name]
    file.write_text(json.dumps(fields))


def _tensors(path: Path, change: Any) -> None:
    file = path / "adapter_model.safetensors"
    tensors = safetensors.numpy.load_file(file)
    change(tensors)
    safetensors.numpy.save_file(tensors, file)


KEY = "base_model.model.model.layers.1.mlp.up_proj.lora_A.weight"
DAMAGE: dict[str, tuple[Any, list[str]]] = {
    "no config": (lambda p: (p / "adapter_config.json").unlink(), ["no adapter_config.json"]),
    "no weights": (
        lambda p: (p / "adapter_model.safetensors").unlink(),
        ["no adapter_model.safetensors"],
    ),
    "no json": (lambda p: (p / "adapter_config.json").write_text("{"), ["is not JSON"]),
    "no object": (lambda p: (p / "adapter_config.json").write_text("[]"), ["no JSON object"]),
    "cut short": (
        lambda p: (p / "adapter_model.safetensors").write_bytes(b"\x99" * 40),
        ["adapter_model.safetensors is damaged"],
    ),
    "another kind": (lambda p: _edit(p, peft_type="IA3"), ["peft_type = 'IA3'", "'LORA'"]),
    "of no kind": (lambda p: _without(p, "peft_type"), ["peft_type = None"]),
    "no rank": (lambda p: _without(p, "r"), ["lacks r"]),
    "rank a text": (lambda p: _edit(p, r="3"), ["rank is '3'"]),
    "another rank": (lambda p: _edit(p, r=2), ["lora_A.weight is [3, 16]", "[2, 16]"]),
    "another scale": (lambda p: _edit(p, use_rslora=True), ["use_rslora = True"]),
    "scales of layers": (lambda p: _edit(p, alpha_pattern={"q_proj": 1}), ["alpha_pattern"]),
    "biases": (lambda p: _edit(p, bias="all"), ["bias = 'all'", "'none'"]),
    "a pattern": (lambda p: _edit(p, target_modules="all-linear"), ["'all-linear'", "q_proj"]),
    "unknown module": (lambda p: _edit(p, target_modules=["c_attn"]), ["c_attn", "q_proj"]),
    "module no text": (lambda p: _edit(p, target_modules=[["q_proj"]]), ["q_proj", "list"]),
    "no module": (lambda p: _edit(p, target_modules=[]), ["some of"]),
    "fewer modules": (lambda p: _edit(p, target_modules=["q_proj"]), ["has no place", "and "]),
    "a tensor less": (lambda p: _tensors(p, lambda t: t.pop(KEY)), [f"{KEY} is missing"]),
    "whole numbers": (
        lambda p: _tensors(p, lambda t: t.update({KEY: np.zeros((3, 16), np.int32)})),
        [f"{KEY} is I32", "F32"],
    ),
    "a tensor more": (
        lambda p: _tensors(p, lambda t: t.update({"x.lora_A.weight": np.zeros(3)})),
        ["x.lora_A.weight has no place"],
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_directories_that_do_not_fit_are_refused(saved: Path, name: str) -> None:
    damage, words = DAMAGE[name]
    damage(saved)
    with pytest.raises(InvalidInput) as refused:
        lora_files.load(saved, MODEL)
    message = str(refused.value)
    assert "\n" not in message
    assert str(saved) in message
    assert all(word in message for word in words), message


def test_another_model_is_refused(saved: Path) -> None:
    deeper = DecoderConfig(97, 16, 24, 4, 4, 2, 4)
    with pytest.raises(InvalidInput, match=r"layers\.3\.self_attn\.q_proj.* is missing"):
        lora_files.load(saved, deeper)


GPT2 = DecoderConfig(
    97, 16, 64, 1, 2, 2, 8, positions="learned", norm="layer", mlp="plain", qkv_bias=True
)


def test_gpt2_has_adapters_but_no_such_files(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="queries, keys and values are one matrix"):
        lora_files.save(tmp_path / "new", {}, EVERY, GPT2, "gpt2")
    with pytest.raises(InvalidInput, match="'gpt2' has no matrix gate, but q, k, v, o, up, down"):
        lora.require_fits("lora_targets", ("q", "gate"), GPT2, "gpt2")
    lora.require_fits("lora_targets", ("q", "down"), GPT2, "gpt2")
    assert not (tmp_path / "new").exists()
