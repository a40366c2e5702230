"""Texts that a tokenizer is held against: those of our worlds, and other prose.

    python tests/vocabularies/texts.py TEXTS.json

writes 10,000 states of every world, slots drawn at random, each with an action, and 1,000 pieces of
this repository's prose and code, with what tokenizers stumble over put between.
"""

import json
import sys
from pathlib import Path

import lprl_envs
import numpy as np

ROOT = Path(__file__).parents[2]
WORLDS, OTHERS = 10_000, 1_000
PIECE = 240
"""Characters of a piece of prose."""
ODD = (
    "  ", "\n\n", "\t", "\r\n", " 12345", "3.14159", "naïve café", "日本語", "🙂", "'s", "I'LL",
    "...", ",,", "!?", "--", "Ünïcödé", "a1b2", "½", "\u00a0", "ﬁ",
)  # fmt: skip


def worlds() -> list[str]:
    """States with an action."""
    rng = np.random.default_rng(0)
    envs = [lprl_envs.make(env_id)[0] for env_id in lprl_envs.ENVIRONMENTS]
    found = []
    for i in range(WORLDS):
        env = envs[i % len(envs)]
        slots = [int(rng.integers(len(slot.values))) for slot in env.template.slots]
        action = env.action_texts[int(rng.integers(env.num_actions))]
        found.append(env.template.render(slots) + action + "\n")
    return found


def others() -> list[str]:
    """Pieces of what is written here."""
    rng = np.random.default_rng(1)
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("lprl_jax/*/*.py")]
    text = "\n".join(file.read_text() for file in sorted(files))
    found = []
    for _ in range(OTHERS):
        start = int(rng.integers(len(text) - PIECE))
        piece = text[start : start + PIECE]
        for odd in rng.choice(ODD, 3):
            at = int(rng.integers(len(piece)))
            piece = piece[:at] + str(odd) + piece[at:]
        found.append(piece)
    return found


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps({"worlds": worlds(), "others": others()}))
