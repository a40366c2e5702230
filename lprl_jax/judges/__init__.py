"""Judges: who says of an action whether it is good, so that a learner's reward can be shifted.

`of_prior` takes the verdict that a prior implies, `words` asks a model for one, `tabular` looks
verdicts up and `everywhere` makes its tables; `controls` praise everything, say nothing, or make
another judge worse. `base` says what a judge is. A judge that
knows what is right is planned a floor above: `lprl_jax.algorithms.tabular.perfect_judge`. It may
import `priors` and `lm`, and no algorithm.
"""

from lprl_jax.judges.base import Judge, TextJudge, of_values, reads_text, require_judge
from lprl_jax.judges.controls import ConstantJudge, CorruptJudge, always_good, corrupt, uniform
from lprl_jax.judges.everywhere import tabulate
from lprl_jax.judges.of_prior import PriorJudge
from lprl_jax.judges.tabular import TabularJudge, of_table

__all__ = [
    "ConstantJudge",
    "CorruptJudge",
    "Judge",
    "PriorJudge",
    "TabularJudge",
    "TextJudge",
    "always_good",
    "corrupt",
    "of_table",
    "of_values",
    "reads_text",
    "require_judge",
    "tabulate",
    "uniform",
]
