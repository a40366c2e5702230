"""Completers: who writes a whole pattern at once, shown a part of it.

`language` lets a language model write, `recorded` is as often right as somebody was, `controls` are
always or never right, or make another one worse; `named` finds them by name. `memory` tells questions
apart and remembers answers. `base` says what a completer is. It may import `priors` and `lm`, and no
algorithm.
"""

from lprl_jax.completers.base import Answers, Completer, require_completable
from lprl_jax.completers.controls import DegradedCompleter, degrade, never_right, perfect
from lprl_jax.completers.language import LanguageCompleter
from lprl_jax.completers.named import completer_of
from lprl_jax.completers.recorded import Recorded

__all__ = [
    "Answers",
    "Completer",
    "DegradedCompleter",
    "LanguageCompleter",
    "Recorded",
    "completer_of",
    "degrade",
    "never_right",
    "perfect",
    "require_completable",
]
