"""Our scorer, to be timed: behind one prompt, or behind a prompt an instance.

    python bench/tools/scorers.py FOLDER --windows 10

times it in a process of its own, which may be pinned: FOLDER holds a Hugging Face GPT-2 and
`work.npz`; a JSON line is printed. Prompts are run once and their keys and values are kept, as a
prior keeps them: they are not in the rates.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lprl_jax.lm import decoder, families, scoring, weights
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.lm.scoring import Trie
from lprl_jax.lm.tensor_files import TensorFiles

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.scoring_work import Work
from tools.timing import Contender, compiled, print_windows


def load_gpt2(folder: Path) -> tuple[DecoderConfig, Any]:
    """Shape and weights; the directory needs no tokenizer."""
    config = families.parse(json.loads((folder / "config.json").read_text()))
    with TensorFiles(folder) as files:
        return config, weights.load(files, folder, "gpt2", config, jnp.float32, None)


def shared_prefix(config: DecoderConfig, params: Any, work: Work, note: str = "") -> Contender:
    """Scores `f32[B, A]` of states that all begin alike."""
    trie = Trie.build(work.answers.tolist())
    prompt, suffixes = jnp.asarray(work.prompt)[None], jnp.asarray(work.suffixes)
    prefix = _encode(config, params, prompt)

    def score(params: Any, prefix: Any, suffixes: jax.Array) -> jax.Array:
        there, here = jnp.ones(prompt.shape, bool), jnp.ones((1, *suffixes.shape), bool)
        scores = scoring.score(config, params, prefix, there, suffixes[None], here, trie)
        return scores.log_likelihoods[0]

    return compiled(
        score, params, prefix, suffixes, amount=len(suffixes), unit="states/s", note=note
    )


def instance_prefix(
    config: DecoderConfig,
    params: Any,
    work: Work,
    prompts: np.ndarray,
    instances: np.ndarray,
    note: str = "",
) -> Contender:
    """The same, of states that begin with the `prompts [M, P]` of their `instances [B]`."""
    trie = Trie.build(work.answers.tolist())
    bank = _encode(config, params, jnp.asarray(prompts))

    def score(params: Any, bank: Any, instances: jax.Array, suffixes: jax.Array) -> jax.Array:
        own = jax.tree.map(lambda x: x[:, instances], bank)
        there = jnp.ones((len(instances), prompts.shape[1]), bool)
        suffixes = suffixes[:, None]
        here = jnp.ones(suffixes.shape, bool)
        scores = scoring.score(config, params, own, there, suffixes, here, trie)
        return scores.log_likelihoods[:, 0]

    arguments = params, bank, jnp.asarray(instances), jnp.asarray(work.suffixes)
    return compiled(score, *arguments, amount=len(instances), unit="states/s", note=note)


def _encode(config: DecoderConfig, params: Any, prompts: jax.Array) -> Any:
    encode = jax.jit(decoder.encode_prefix, static_argnums=0)
    return encode(config, params, prompts, jnp.ones(prompts.shape, bool))


def main() -> None:
    parser = argparse.ArgumentParser(description="Time our scorer.")
    parser.add_argument("folder", type=Path, help="model.safetensors, config.json, work.npz")
    parser.add_argument("--windows", type=int, default=10, help="repeats")
    options = parser.parse_args()
    work = Work.load(options.folder / "work.npz")
    contender = shared_prefix(*load_gpt2(options.folder), work)
    print_windows(contender, options.windows)


if __name__ == "__main__":
    main()
