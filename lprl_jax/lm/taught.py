"""Whether a model was taught such words: a prompt far from its lessons is told of.

Beside an embedded model lies which tokens stood side by side in the texts of its training's
lessons, of an early version too. The fixed words of a prompt are held against that: of its own
worlds, in the sizes that were taught, all are known, of another world most are not. What stands in
a prompt's slots is not looked at, nor what is to be answered: that a prompt passes says nothing of
how well it is answered.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from lprl_envs import InvalidInput

from lprl_jax.files import archive

if TYPE_CHECKING:
    from lprl_jax.lm.token_table import TokenTable

FILE = "taught_pairs.npy"
"""In a model's directory."""
MOST_STRANGE = 0.1
"""Share of strange neighbours up to which a prompt is not told of."""


class StrangeText(UserWarning):
    """A model is asked about texts that are far from those of its lessons."""


def read(folder: Path) -> np.ndarray | None:
    """`u16[N, 2]`: tokens that stood side by side; None where lessons are not known.

    Raises:
        InvalidInput: if the file is damaged.
    """
    if not (folder / FILE).is_file():
        return None
    try:
        with (folder / FILE).open("rb") as file:
            pairs = np.lib.format.read_array(file)
        if pairs.dtype != np.uint16 or pairs.shape[1:] != (2,):
            raise ValueError(f"{pairs.dtype}{list(pairs.shape)}")
    except archive.UNREADABLE as error:
        raise InvalidInput(
            f"{folder / FILE}: {error}; right: pairs of tokens, uint16[N, 2], or no such file"
        ) from None
    return pairs


def write(folder: Path, pairs: np.ndarray) -> None:
    """Put `u16[N, 2]` beside a model."""
    np.save(folder / FILE, pairs)


def strange_share(pairs: np.ndarray, table: TokenTable) -> float:
    """Of the fixed neighbours in a prompt, the share that is not among `pairs` `u16[N, 2]`."""
    parts = table.prefix, table.suffix
    tokens = np.concatenate([part.tokens[:, 0] for part in parts])
    slot = np.concatenate([part.slot for part in parts])
    fixed = slot == slot[-1]  # the last column is of a literal
    both = fixed[:-1] & fixed[1:]
    asked = zip(tokens[:-1][both].tolist(), tokens[1:][both].tolist(), strict=True)
    known = set(map(tuple, pairs.tolist()))
    strange = [pair not in known for pair in asked]
    return sum(strange) / max(1, len(strange))


def warn_if_strange(name: str, pairs: np.ndarray | None, table: TokenTable, text: str) -> None:
    """Warn with `StrangeText`, where a model's lessons are known.

    Args:
        name: The model's.
        pairs: `u16[N, 2]`, of its lessons; None where they are not known.
        table: The prompt.
        text: What the prompt is of, for the message.
    """
    if pairs is None or (share := strange_share(pairs, table)) <= MOST_STRANGE:
        return
    warnings.warn(
        f"{name} is asked about {text}: {100 * share:.0f} % of what stands side by side in "
        "the fixed words there never did in its lessons, so it may answer by habit, whatever the "
        "state; `lprl measure` tells what it is worth",
        StrangeText,
        stacklevel=1,  # Python keeps by the place what it has shown: once, whoever asks
    )
