"""Tiny models of transformers' Flax families, whole and spoilt.

They are made by `fixtures/make_flax_fixtures.py`.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from lprl_envs import FrozenLake, InvalidInput

DECODERS = ("gpt2", "gpt_neo", "gptj", "opt", "opt-after", "xglm", "llama", "mistral", "gemma")
TENSORS = "model.safetensors"
LAKE = FrozenLake("4x4", is_slippery=False)
# The map that torch was asked about.
MAP = ("SFFF", "FHFH", "FFFH", "HFFG")


def folder(name: str) -> Path:
    return Path(__file__).parent / "fixtures" / "flax" / name


def torch_results(name: str) -> dict[str, np.ndarray]:
    with np.load(folder(name) / "torch.npz") as file:
        return dict(file)


def spoil(tmp_path: Path, name: str, file: str = "config.json", **fields) -> Path:
    """A copy of a folder with fields of a JSON file changed; `...` leaves one out."""
    path = shutil.copytree(folder(name), tmp_path / name)
    found = json.loads((path / file).read_text()) | fields
    (path / file).write_text(json.dumps({k: v for k, v in found.items() if v is not ...}))
    return path


def retensor(path: Path, change) -> Path:
    """The folder with `change(tensors)` as its weights."""
    tensors = change(safetensors.numpy.load_file(path / TENSORS))
    tensors = {key: np.ascontiguousarray(tensor) for key, tensor in tensors.items()}
    safetensors.numpy.save_file(tensors, path / TENSORS)
    return path


def refusal(call, *args, **options) -> str:
    """The one line with which `call` refuses."""
    with pytest.raises(InvalidInput) as caught:
        call(*args, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message
