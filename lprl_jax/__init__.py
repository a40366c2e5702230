"""A frozen language model as a prior for reinforcement learning, in one compiled program."""

import lprl_envs as envs
from gymnax import make

from lprl_jax.algorithms import dqn
from lprl_jax.algorithms.base import Algorithm, Data
from lprl_jax.priors import (
    LanguagePrior,
    Prior,
    TabularPrior,
    UniformPrior,
    degrade,
    tabulate,
)
from lprl_jax.version import __version__

__all__ = [
    "Algorithm",
    "Data",
    "LanguagePrior",
    "Prior",
    "TabularPrior",
    "UniformPrior",
    "__version__",
    "degrade",
    "dqn",
    "envs",
    "make",
    "tabulate",
]
