"""Frozen Lake as text and a language model as a prior, the way one does it with transformers.

Nothing here is taken from the library but the files of the embedded model.
"""

from __future__ import annotations

import functools
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

MODEL = Path(__file__).parents[2] / "lprl_jax" / "lm" / "embedded_models" / "final"
ACTIONS = (" left", " down", " right", " up")
MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))
TILE_NAMES = {"S": "ice", "F": "ice", "H": "hole", "G": "goal"}

Map = tuple[str, ...]
"""Rows of tiles."""
PriorFunction = Callable[[str], np.ndarray]
"""A state's text to probabilities `f64[4]`."""


@functools.cache
def introduce(rows: Map) -> str:
    """What the texts of a map's states begin with."""
    cells = [(tile, name_cell(r, c)) for r, row in enumerate(rows) for c, tile in enumerate(row)]
    holes = "".join(f" {cell}" for tile, cell in cells if tile == "H")
    goal = next(cell for tile, cell in cells if tile == "G")
    return (
        "Cross the frozen lake to the goal and avoid holes. The ice is firm.\n"
        f"Holes{holes}\nGoal {goal}\n"
    )


def name_cell(row: int, column: int) -> str:
    """As on a chess board, but rows are numbered from the top."""
    return f"{string.ascii_lowercase[column]}{row + 1}"


def describe(rows: Map, position: int) -> str:
    """The text of a state; the model continues it with an action."""
    r, c = divmod(position, len(rows[0]))

    def lies(move: tuple[int, int]) -> str:
        y, x = r + move[0], c + move[1]
        inside = 0 <= y < len(rows) and 0 <= x < len(rows[0])
        return TILE_NAMES[rows[y][x]] if inside else "edge"

    around = "".join(f"{action} {lies(move)}" for action, move in zip(ACTIONS, MOVES, strict=True))
    return f"{introduce(rows)}At {name_cell(r, c)}{around}\nMove"


class LanguagePrior:
    """A causal language model that scores the four actions' texts behind a state's.

    A preface, if there is one, stands before every prompt.
    """

    def __init__(self, path: Path = MODEL, preface: str = ""):
        self.preface = preface
        self.tokenizer: Any = AutoTokenizer.from_pretrained(path)
        self.tokenizer.pad_token = self.tokenizer.eos_token
        self.model: Any = LlamaForCausalLM.from_pretrained(path).eval()

    @torch.no_grad()
    def __call__(self, prompt: str) -> np.ndarray:
        """Probabilities `f64[4]`: one forward pass of four sequences."""
        prompt = self.preface + prompt
        texts = [f"{prompt}{action}\n" for action in ACTIONS]
        batch = self.tokenizer(texts, padding=True, return_tensors="pt")
        ids, mask = batch.input_ids, batch.attention_mask
        logits = self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        start = len(self.tokenizer(prompt).input_ids)
        log_probs = logits[:, start - 1 : -1].log_softmax(-1)
        chosen = log_probs.gather(-1, ids[:, start:, None])[..., 0] * mask[:, start:]
        return chosen.sum(1).double().softmax(0).numpy()


def write_larger_model(folder: Path, tokens: int = 150) -> str:
    """Write a model of 3M random weights; returns a preface that makes prompts so many tokens long.

    What a model and a prompt cost that are small, but not as small as the embedded ones.
    """
    tokenizer: Any = AutoTokenizer.from_pretrained(MODEL)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=192, intermediate_size=512, num_hidden_layers=6,
        num_attention_heads=6, num_key_value_heads=6, tie_word_embeddings=True,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    prompt = describe(("SFFFFFFF", *["FFFFFFFF"] * 6, "FFFFFFFG"), 0)
    sentence = "Cross the frozen lake to the goal and avoid holes.\n"
    missing = tokens - len(tokenizer(prompt).input_ids)
    return sentence * max(0, round(missing / len(tokenizer(sentence).input_ids)))


def make_prior(rows: Map, cached: bool, path: Path = MODEL, preface: str = "") -> PriorFunction:
    """The model, or a dictionary before it that already holds every state of the map."""
    live = LanguagePrior(path, preface)
    if not cached:
        return live
    remembered = functools.cache(live)
    for position, tile in enumerate("".join(rows)):
        if tile in "SF":
            remembered(describe(rows, position))
    return remembered
