"""Priors over actions: language models, tables of them, and the controls that claims need."""

from lprl_jax.priors.base import Counters, Prior, sample_proposals
from lprl_jax.priors.controls import DegradedPrior, UniformPrior, degrade
from lprl_jax.priors.flax_language import FlaxLanguagePrior
from lprl_jax.priors.language import LanguagePrior
from lprl_jax.priors.tabular import TabularPrior, tabulate

__all__ = [
    "Counters",
    "DegradedPrior",
    "FlaxLanguagePrior",
    "LanguagePrior",
    "Prior",
    "TabularPrior",
    "UniformPrior",
    "degrade",
    "sample_proposals",
    "tabulate",
]
