"""Priors over actions: language models, tables of them, and the controls that claims need."""

from lprl_jax.priors.base import (
    Counters,
    FeaturePrior,
    Prior,
    has_features,
    sample_proposals,
)
from lprl_jax.priors.controls import DegradedPrior, UniformPrior, degrade
from lprl_jax.priors.encoded import EncodedPrior
from lprl_jax.priors.flax_language import FlaxLanguagePrior
from lprl_jax.priors.language import LanguagePrior
from lprl_jax.priors.tabular import TabularPrior, tabulate
from lprl_jax.priors.tabular_features import TabularFeaturePrior, tabulate_features

__all__ = [
    "Counters",
    "DegradedPrior",
    "EncodedPrior",
    "FeaturePrior",
    "FlaxLanguagePrior",
    "LanguagePrior",
    "Prior",
    "TabularFeaturePrior",
    "TabularPrior",
    "UniformPrior",
    "degrade",
    "has_features",
    "sample_proposals",
    "tabulate",
    "tabulate_features",
]
