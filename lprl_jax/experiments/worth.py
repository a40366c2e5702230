"""Whether a language model's prior is worth more than none, before runs learn by it.

A prior that is worse than uniform slows learning down, and nothing in a learning curve says why. So
where a model is asked about all states beforehand, it is first asked about some of a few training
instances, drawn as those of the bank are: what is held out stays so. The package's own models are
not asked again in the worlds that they were taught, unless they are asked otherwise than their card
says: the programs that ask take seconds to compile.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv

from lprl_jax.algorithms.tabular import exams, habits
from lprl_jax.algorithms.tabular.exams import Examiner
from lprl_jax.experiments import build, prior_kinds
from lprl_jax.experiments.asking import PLAIN, Asking
from lprl_jax.experiments.config import Experiment
from lprl_jax.lm import embedded
from lprl_jax.priors import Prior, judging
from lprl_jax.priors.base import normalize

INSTANCES = 16
RECORD = "prior_on_training_instances"
"""What run.json calls it."""
STATES = 32
"""Of an instance, at most."""
ERRORS = 2.0
"""Standard errors by which the mean of the differences must be above 0."""


class Worth(NamedTuple):
    """A prior beside the uniform one; KL(π* ‖ p) in nats, means over instances."""

    prior: str
    """Its name."""
    kl: float
    """Its own."""
    uniform_kl: float
    """The uniform prior's."""
    error: float
    """Standard error of the mean of their differences, which are paired by instance."""
    instances: int
    """That were asked about."""

    @property
    def beats_uniform(self) -> bool:
        """Whether its KL is lower, by more than `ERRORS` standard errors.

        With 16 instances a prior that is like the uniform one seems to beat it in 3 of 100 cases.
        """
        return self.uniform_kl - self.kl > ERRORS * self.error

    def as_dict(self) -> dict[str, Any]:
        """What run.json keeps of it."""
        kept = {"prior": self.prior, "instances": self.instances}
        for name in ("kl", "uniform_kl", "error"):
            kept[name] = round(getattr(self, name), 4)
        return {**kept, "beats_uniform": self.beats_uniform}

    @property
    def warning(self) -> str:
        """A line, where it does not."""
        return (
            f"the prior {self.prior!r} does not beat the uniform one on {self.instances} training "
            f"instances: its KL(π* ‖ p) is {self.kl:.2f}, the uniform one's {self.uniform_kl:.2f}; "
            "`lprl measure` tells more, and a calibration may mend it"
        )


def is_known(experiment: Experiment) -> bool:
    """Whether its prior is one of the package's models, asked as its card has it."""
    config = experiment.config
    plain = Asking.of(config) == PLAIN and config.prior_kind == prior_kinds.P_DIST
    is_ours = config.prior in embedded.MODELS
    return is_ours and config.env in embedded.taught(config.prior) and plain


def of_prior(prior: Prior | None, env: Any, experiment: Experiment) -> Worth | None:
    """What a prior is worth on training instances, at the experiment's `prior_temperature`.

    Args:
        prior: That of a model, of any bank.
        env: The environment.
        experiment: How the bank is drawn.

    Returns:
        None of one of the package's models as their card has it, and where it cannot be known: a
        prior that cannot be moved to another bank, an environment whose states are not numbered,
        that has no training instances, or in which too few can be won.
    """
    if is_known(experiment) or prior is None:
        return None
    if not (hasattr(prior, "with_bank") and isinstance(env, TextEnv) and env.num_states):
        return None
    try:
        taught = habits.training_instances(env, build.drawn_by(experiment.bank), INSTANCES)
    except InvalidInput:
        return None
    exam = exams.draw(env, taught, jax.random.key(habits.SEED), STATES)
    moved: Any = prior
    log_probs = Examiner(prior).ask(moved.with_bank(taught).params, exam, taught)
    log_probs = normalize(log_probs / experiment.config.prior_temperature, exam.legal)
    uniform = normalize(jnp.zeros(exam.legal.shape, jnp.float32), exam.legal)
    own, others = (judging.of_instances(x, exam.right).kl for x in (log_probs, uniform))
    if len(own) < 2:
        return None
    error = float(np.std(others - own, ddof=1)) / math.sqrt(len(own))
    return Worth(prior.name, float(own.mean()), float(others.mean()), error, len(own))
