"""Priors over actions: who is asked, and what claims about it need beside it.

`language` has our decoder score the actions, `free_form` lets it answer freely, `flax_language`
asks transformers' Flax models, `tabular` a table of answers, `memo` remembers
them; `controls` are the uniform prior and
degraded ones, `habit` is one that does not look at the state, `encoded` adds an encoder's features.
`wordings` says what a model reads around a state, `reading` has it read that, `options` says how
its answers are weighed, `calibration` by what they are divided.
`base` says what a prior is, `sampling` draws from what it says, `fingerprint` what its parameters
belong to. It may import `lm`, and no algorithm.
"""

from lprl_jax.priors.base import Counters, FeaturePrior, Prior, TextPrior, has_features
from lprl_jax.priors.controls import DegradedPrior, UniformPrior, degrade
from lprl_jax.priors.encoded import EncodedPrior
from lprl_jax.priors.flax_language import FlaxLanguagePrior
from lprl_jax.priors.free_form import FreeForm, FreeFormPrior, tabulate_free_form
from lprl_jax.priors.habit import HabitPrior
from lprl_jax.priors.language import LanguagePrior
from lprl_jax.priors.memo import MemoPrior, remember
from lprl_jax.priors.sampling import sample_proposals
from lprl_jax.priors.tabular import TabularPrior, tabulate
from lprl_jax.priors.tabular_features import TabularFeaturePrior, tabulate_features
from lprl_jax.priors.wordings import Example, Shown, Wording

__all__ = [
    "Counters",
    "DegradedPrior",
    "EncodedPrior",
    "Example",
    "FeaturePrior",
    "FlaxLanguagePrior",
    "FreeForm",
    "FreeFormPrior",
    "HabitPrior",
    "LanguagePrior",
    "MemoPrior",
    "Prior",
    "Shown",
    "TabularFeaturePrior",
    "TabularPrior",
    "TextPrior",
    "UniformPrior",
    "Wording",
    "degrade",
    "has_features",
    "remember",
    "sample_proposals",
    "tabulate",
    "tabulate_features",
    "tabulate_free_form",
]
