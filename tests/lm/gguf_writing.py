"""A Hugging Face directory written as a GGUF file, by hand: what llama.cpp's converter would write.

Independent of what reads it: names, shapes and the order of rows stand here a second time.
"""

import json
from pathlib import Path

import gguf
import numpy as np
from gguf import quants
from safetensors.numpy import load_file

FIXTURES = Path(__file__).parent / "fixtures"
Q = gguf.GGMLQuantizationType
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
    "ln_1": "attn_norm",
    "ln_2": "ffn_norm",
}
TOP = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "transformer.wte": "token_embd",
    "transformer.wpe": "position_embd",
    "transformer.ln_f": "output_norm",
}


def tensors_of(folder: Path) -> dict[str, np.ndarray]:
    """Every tensor of a directory, f32."""
    found: dict[str, np.ndarray] = {}
    for file in sorted(folder.glob("*.safetensors")):
        found |= load_file(file)
    return {key: value.astype(np.float32) for key, value in found.items()}


def write(
    path: Path,
    folder: Path,
    kind=Q.F32,
    metadata=(),
    without=(),
    tokenizer=True,
    arch=None,
) -> dict[str, np.ndarray]:
    """Write a file; returns the directory's tensors as they come back from their quantisation.

    Args:
        path: The file.
        folder: The directory.
        kind: Of the matrices whose rows are whole blocks; the others are f32.
        metadata: More entries, or others in their place; (key, value).
        without: Keys that are left out.
        tokenizer: Whether a small one is written too.
        arch: Under another name.
    """
    config = json.loads((folder / "config.json").read_text())
    own = "llama" if config["model_type"] in ("llama", "mistral") else config["model_type"]
    arch = arch or own
    entries = _metadata(config, own, arch)
    if tokenizer:
        entries |= TOKENIZER
    entries |= dict(metadata)
    entries = {key: value for key, value in entries.items() if key not in without}
    writer = gguf.GGUFWriter(path, arch)
    for key, value in entries.items():
        _add(writer, key, value)
    back: dict[str, np.ndarray] = {}
    for key, value in tensors_of(folder).items():
        stem, _, end = key.rpartition(".")
        name = f"{_name(stem)}.{end}"
        stored = value
        if own == "gpt2" and ".c_" in key and end == "weight":
            stored = value.T
        heads = _heads(config, key) if own == "llama" else 0
        if heads:
            stored = _interleave(value, heads)
        whole = stored.ndim == 2 and stored.shape[1] % 32 == 0
        packed = quants.quantize(np.ascontiguousarray(stored), kind if whole else Q.F32)
        writer.add_tensor(name, packed, raw_dtype=kind if whole else Q.F32)
        if whole:
            stored = quants.dequantize(packed, kind)
        if heads:
            stored = _interleave(stored, heads, back=True)
        back[key] = stored.T if own == "gpt2" and ".c_" in key and end == "weight" else stored
    scaling = config.get("rope_scaling") or {}
    if scaling.get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", _factors(config, scaling))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return back


TOKENIZER = {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "gpt-2",
    "tokenizer.ggml.tokens": ["<|end|>", *"abcdefghijklmnopqrstuvwxyz", "ab", "Ġ", "Ċ"],
    "tokenizer.ggml.token_type": [3, *[1] * 29],
    "tokenizer.ggml.merges": ["a b"],
    "tokenizer.ggml.eos_token_id": np.uint32(0),
}


def _metadata(config, own: str, arch: str) -> dict:
    if own == "gpt2":
        names = {
            "embedding_length": config["n_embd"],
            "feed_forward_length": config.get("n_inner") or 4 * config["n_embd"],
            "block_count": config["n_layer"],
            "attention.head_count": config["n_head"],
            "context_length": config["n_positions"],
        }
        floats = {"attention.layer_norm_epsilon": config["layer_norm_epsilon"]}
    else:
        heads = config["num_attention_heads"]
        head_dim = config.get("head_dim") or config["hidden_size"] // heads
        names = {
            "embedding_length": config["hidden_size"],
            "feed_forward_length": config["intermediate_size"],
            "block_count": config["num_hidden_layers"],
            "attention.head_count": heads,
            "attention.head_count_kv": config["num_key_value_heads"],
            "context_length": config["max_position_embeddings"],
            "rope.dimension_count": head_dim,
        }
        if head_dim * heads != config["hidden_size"]:
            names |= {"attention.key_length": head_dim, "attention.value_length": head_dim}
        if config["model_type"] == "mistral":
            names["attention.sliding_window"] = config["sliding_window"]
        floats = {
            "attention.layer_norm_rms_epsilon": config["rms_norm_eps"],
            "rope.freq_base": config["rope_theta"],
        }
    found = {f"{arch}.{name}": np.uint32(value) for name, value in names.items()}
    return found | {f"{arch}.{name}": np.float32(value) for name, value in floats.items()}


def _add(writer: gguf.GGUFWriter, key: str, value) -> None:
    if isinstance(value, str):
        writer.add_string(key, value)
    elif isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, list):
        writer.add_array(key, value)
    elif type(value) is np.float32:
        writer.add_float32(key, float(value))
    else:
        writer.add_uint32(key, int(value))


def _name(stem: str) -> str:
    if stem in TOP:
        return TOP[stem]
    parts = stem.split(".")
    at = next(i for i, part in enumerate(parts) if part.isdigit())
    return f"blk.{parts[at]}.{NAMES['.'.join(parts[at + 1 :])]}"


def _heads(config, key: str) -> int:
    if ".q_proj." in key:
        return config["num_attention_heads"]
    return config["num_key_value_heads"] if ".k_proj." in key else 0


def _interleave(rows: np.ndarray, heads: int, back: bool = False) -> np.ndarray:
    """Of each head first half and second half, row by row in turn; or back again."""
    out = np.empty_like(rows)
    size = len(rows) // heads
    for head in range(heads):
        for i in range(size):
            theirs, ours = head * size + i, head * size + (i % 2) * (size // 2) + i // 2
            out[ours if back else theirs] = rows[theirs if back else ours]
    return out


def _factors(config, scaling) -> np.ndarray:
    """By what Llama 3's frequencies are divided."""
    size = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    original, found = scaling["original_max_position_embeddings"], []
    for i in range(0, size, 2):
        wave = 2 * np.pi * config["rope_theta"] ** (i / size)
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        if wave < original / high:
            found.append(1.0)
        elif wave > original / low:
            found.append(scaling["factor"])
        else:
            smooth = (original / wave - low) / (high - low)
            found.append(1 / ((1 - smooth) / scaling["factor"] + smooth))
    return np.array(found, np.float32)
