"""The package's models and what their cards say, loaded once."""

import functools
import json
from typing import Any

from lprl_jax.lm import checkpoint, embedded
from lprl_jax.lm.checkpoint import LanguageModel


@functools.cache
def model(name: str) -> LanguageModel:
    """A model of the package."""
    return checkpoint.load(embedded.path_of(name))


@functools.cache
def card(name: str) -> Any:
    """Its MODEL_CARD.json."""
    return json.loads(embedded.card_of(name).with_suffix(".json").read_text())
