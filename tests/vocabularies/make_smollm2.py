# pyright: basic, reportMissingImports=false
"""Write smollm2.npz beside this file: torch's logits of SmolLM2, and how its texts are tokens.

Run by hand, in an environment with torch, transformers and gguf; the tests read the file only:

    PYTHONPATH=. python tests/vocabularies/texts.py TEXTS.json
    python tests/vocabularies/make_smollm2.py ~/.cache/lprl-jax/models/smollm2.gguf TEXTS.json

Nothing of the library is used here: the weights are dequantised and put in Hugging Face's order a
second time, and the tokenizer is put together as the model's own tokenizer.json has it, from digits
and GPT-2's bytes.
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFReader, quants
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM

HERE = Path(__file__).parent
HEADS = {"attn_q": 9, "attn_k": 3}
NAMES = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "head_dim": 64,
    "rope_theta": 100000.0,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": True,
    "max_position_embeddings": 8192,
}
PROMPTS = (
    "Cross the frozen lake to the goal and avoid holes. The ice is firm.\nHoles b2 d2 d3 a4\n"
    "Goal d4\nAt a1 left edge down ice right ice up edge\nMove right",
    "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\nThe "
    "capital of France is Paris.",
    "My goal is to have that the red block is on top of the blue block.\nAs initial conditions I "
    "have that, the red block is clear",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return fibonacci(n - 1) + ",
)
EVERY = 128
"""Of the vocabulary, one column in so many is kept; of the whole, the log-sum-exp."""


def convert(file: str, folder: Path) -> None:
    """A Hugging Face directory of the same dequantised weights."""
    out = {}
    for x in GGUFReader(file).tensors:
        shape = tuple(int(size) for size in reversed(x.shape))
        w = quants.dequantize(np.asarray(x.data), x.tensor_type).reshape(shape)
        if x.name == "token_embd.weight":
            key = "model.embed_tokens.weight"
        elif x.name == "output_norm.weight":
            key = "model.norm.weight"
        else:
            _, layer, part, _ = x.name.split(".")
            key = f"model.layers.{layer}.{NAMES[part]}.weight"
            if part in HEADS:
                w = w.reshape(HEADS[part], 32, 2, w.shape[1]).swapaxes(1, 2).reshape(w.shape)
        out[key] = np.ascontiguousarray(w.astype(np.float32))
    save_file(out, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(CONFIG))


def read_tokenizer(file: str) -> Tokenizer:
    """From the file's tokens and merges."""
    fields = GGUFReader(file).fields
    tokens, merges, kinds = (
        fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges", "token_type")
    )
    pairs = [tuple(pair.split(" ")) for pair in merges]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    special = [token for token, kind in zip(tokens, kinds, strict=True) if kind == 3]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    return tokenizer


def digest(tokens: list[int]) -> np.ndarray:
    """Eight bytes of SHA-256."""
    return np.frombuffer(
        hashlib.sha256(np.array(tokens, np.int32).tobytes()).digest()[:8], np.uint64
    )[0]


def main(file: str, texts: str) -> None:
    """Write the file."""
    tokenizer = read_tokenizer(file)

    def tokens_of(text: str) -> list[int]:
        return tokenizer.encode(text).ids

    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        convert(file, Path(folder))
        model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    for i, prompt in enumerate(PROMPTS):
        tokens = tokens_of(prompt)
        with torch.no_grad():
            logits = model(torch.tensor([tokens])).logits[0]
        found |= {
            f"tokens_{i}": np.array(tokens, np.int32),
            f"logits_{i}": logits[:, ::EVERY].numpy(),
            f"lse_{i}": torch.logsumexp(logits, -1).numpy(),
        }
    for group, rows in json.loads(Path(texts).read_text()).items():
        found[f"{group}_texts"] = np.array(json.dumps(rows))
        found[f"{group}_digests"] = np.array([digest(tokens_of(row)) for row in rows])
    np.savez_compressed(HERE / "smollm2.npz", **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
