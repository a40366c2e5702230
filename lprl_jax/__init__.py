"""A frozen language model as a prior for reinforcement learning, in one compiled program.

Names are imported on first use: `import lprl_jax` costs nothing, and the command line can choose
the number of CPU devices before JAX starts.

The packages, from the top down; an import goes down only (`docs/architecture.md`):

    cli           the command line
    pretraining   how the embedded model is made
    results       reading runs: statistics, tables, plots
    experiments   from a config to a run's directory
    datasets      transitions in files
    algorithms    what learns
    completers    who writes a whole pattern
    judges        who says of an action whether it is good
    priors        who is asked
    lm            the language model
    envs          the environments: `lprl_envs` by another name
"""

import importlib
from typing import TYPE_CHECKING, Any

from lprl_jax import _moved
from lprl_jax.version import __version__

if TYPE_CHECKING:
    from lprl_envs import make

    from lprl_jax import envs
    from lprl_jax.algorithms.base import Algorithm, Data
    from lprl_jax.algorithms.policy_based import ppo
    from lprl_jax.algorithms.policy_based.language_policy import LanguagePolicy
    from lprl_jax.algorithms.search import slinvit
    from lprl_jax.algorithms.tabular import linvit, value_iteration
    from lprl_jax.algorithms.tabular.worked_examples import worked
    from lprl_jax.algorithms.value_based import bc, cql, discrete_sac, dqn, lagr, sac, td3
    from lprl_jax.experiments import sharding
    from lprl_jax.experiments.agent_file import load, save
    from lprl_jax.priors.base import FeaturePrior, Prior
    from lprl_jax.priors.controls import UniformPrior, degrade
    from lprl_jax.priors.encoded import EncodedPrior
    from lprl_jax.priors.flax_language import FlaxLanguagePrior
    from lprl_jax.priors.free_form import FreeForm, FreeFormPrior
    from lprl_jax.priors.habit import HabitPrior
    from lprl_jax.priors.language import LanguagePrior
    from lprl_jax.priors.tabular import TabularPrior, tabulate
    from lprl_jax.priors.tabular_features import TabularFeaturePrior, tabulate_features
    from lprl_jax.priors.wordings import Example, Shown, Wording
    from lprl_jax.results.run import Run

_MODULES = {
    "bc": "lprl_jax.algorithms.value_based.bc",
    "cql": "lprl_jax.algorithms.value_based.cql",
    "dqn": "lprl_jax.algorithms.value_based.dqn",
    "discrete_sac": "lprl_jax.algorithms.value_based.discrete_sac",
    "envs": "lprl_jax.envs",
    "lagr": "lprl_jax.algorithms.value_based.lagr",
    "linvit": "lprl_jax.algorithms.tabular.linvit",
    "ppo": "lprl_jax.algorithms.policy_based.ppo",
    "sharding": "lprl_jax.experiments.sharding",
    "sac": "lprl_jax.algorithms.value_based.sac",
    "slinvit": "lprl_jax.algorithms.search.slinvit",
    "td3": "lprl_jax.algorithms.value_based.td3",
    "value_iteration": "lprl_jax.algorithms.tabular.value_iteration",
}
_NAMES = {
    "Algorithm": "lprl_jax.algorithms.base",
    "Data": "lprl_jax.algorithms.base",
    "EncodedPrior": "lprl_jax.priors.encoded",
    "Example": "lprl_jax.priors.wordings",
    "FeaturePrior": "lprl_jax.priors.base",
    "FlaxLanguagePrior": "lprl_jax.priors.flax_language",
    "FreeForm": "lprl_jax.priors.free_form",
    "FreeFormPrior": "lprl_jax.priors.free_form",
    "HabitPrior": "lprl_jax.priors.habit",
    "LanguagePolicy": "lprl_jax.algorithms.policy_based.language_policy",
    "LanguagePrior": "lprl_jax.priors.language",
    "Prior": "lprl_jax.priors.base",
    "Run": "lprl_jax.results.run",
    "Shown": "lprl_jax.priors.wordings",
    "TabularFeaturePrior": "lprl_jax.priors.tabular_features",
    "TabularPrior": "lprl_jax.priors.tabular",
    "UniformPrior": "lprl_jax.priors.controls",
    "Wording": "lprl_jax.priors.wordings",
    "degrade": "lprl_jax.priors.controls",
    "load": "lprl_jax.experiments.agent_file",
    "make": "lprl_envs",
    "save": "lprl_jax.experiments.agent_file",
    "tabulate": "lprl_jax.priors.tabular",
    "tabulate_features": "lprl_jax.priors.tabular_features",
    "worked": "lprl_jax.algorithms.tabular.worked_examples",
}

__all__ = [
    "Algorithm",
    "Data",
    "EncodedPrior",
    "Example",
    "FeaturePrior",
    "FlaxLanguagePrior",
    "FreeForm",
    "FreeFormPrior",
    "HabitPrior",
    "LanguagePolicy",
    "LanguagePrior",
    "Prior",
    "Run",
    "Shown",
    "TabularFeaturePrior",
    "TabularPrior",
    "UniformPrior",
    "Wording",
    "__version__",
    "bc",
    "cql",
    "degrade",
    "discrete_sac",
    "dqn",
    "envs",
    "lagr",
    "linvit",
    "load",
    "make",
    "ppo",
    "sac",
    "save",
    "sharding",
    "slinvit",
    "tabulate",
    "tabulate_features",
    "td3",
    "value_iteration",
    "worked",
]


_moved.install()


def __dir__() -> list[str]:
    """What there is, for completion; nothing is imported."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'lprl_jax' has no attribute {name!r}")
