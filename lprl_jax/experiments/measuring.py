"""What a prior knows of a world, measured beside what needs no knowledge of it.

Of a prior: how often its most likely action is right (top-1), how often five proposals hold a right
one, and KL(π* ‖ p) in nats, where π* is uniform over the right actions, which are planned exactly.
Beside it stand

* its own habit: the best answer that does not look at the state, fitted to the prior's answers;
* its answers to the same texts with every word exchanged for that of another instance or state;
* the habit: the best answer that does not look, fitted to what is right;
* the uniform prior.

Habits are fitted on training instances, drawn as the bank is. All numbers are means over the states
of each instance, so that intervals are over instances; `results.measured` makes them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv, TextEnvParams, registration, values
from lprl_envs.errors import require_one_of

from lprl_jax.algorithms.tabular import exams, habits
from lprl_jax.algorithms.tabular.exams import Exam, Examiner
from lprl_jax.experiments import build, places
from lprl_jax.experiments.asking import PLAIN, Asking
from lprl_jax.experiments.config_fields import BankConfig
from lprl_jax.priors import (
    FlaxLanguagePrior,
    LanguagePrior,
    Prior,
    habit,
    judging,
    wordings,
)
from lprl_jax.priors.base import normalize
from lprl_jax.priors.calibration import METHODS, require_off
from lprl_jax.priors.judging import Scores

INSTANCES = 32
"""Of a fresh held-out bank, where none is described."""
ITSELF, OWN_HABIT, SHUFFLED = "", "its own habit", "its words exchanged"
HABIT, UNIFORM = "habit", "uniform"


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One distribution over actions, on all instances."""

    prior: str
    """As it was asked for."""
    options: Mapping[str, str]
    """How it is asked: its `wording` and `calibration`; empty, where nothing can be chosen."""
    what: str
    """`ITSELF`, `OWN_HABIT` or `SHUFFLED`."""
    scores: Scores
    """f64[M] each: a mean an instance."""


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """Priors on one bank."""

    env: str
    """A registered id."""
    split: str
    """`train`, `held-out`, or empty for both, or for a bank by hand."""
    instances: int
    """M, of those in which something can be won."""
    states: int
    """Asked about, in all instances together."""
    rows: tuple[Row, ...]
    """Of the priors, then of the habit and the uniform one, where these are not among them."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Paper:
    """What is asked, and the instances it is of."""

    env: TextEnv[Any, Any]
    params: TextEnvParams
    exam: Exam

    def judge(self, log_probs: jax.Array) -> Scores:
        return judging.of_instances(log_probs, self.exam.right)


def run(
    env_id: str,
    arguments: Mapping[str, Any],
    bank: BankConfig,
    models: Sequence[str],
    askings: Sequence[Asking] = (PLAIN,),
    num_states: int = exams.STATES,
    seed: int = 0,
    dtype: str = "float32",
) -> Measured:
    """Measure priors on the instances of a bank; one alone with the controls that are made of it.

    Args:
        env_id: A registered environment.
        arguments: Of the environment.
        bank: Its instances; a held-out one of `INSTANCES`, where it describes none.
        models: As a config's `prior`.
        askings: How every model is asked, each in its turn.
        num_states: Of an instance, at most; where it has more, so many are drawn.
        seed: Of the states, and of the exchange of words.
        dtype: Of the weights of models.

    Raises:
        NotNumbered: if the environment has too many states.
        InvalidInput: if it has no texts, no training instances or nothing that can be won in it; or
            a prior is none, or not asked so.
    """
    if values.whole("states", num_states) < 1:
        raise InvalidInput(f"states is {num_states}; at least 1 of an instance is asked about")
    values.whole("seed", seed)
    for asking in askings:
        require_one_of("calibration", asking.calibration, METHODS)
        wordings.of(asking.wording)
        for name in models:
            if not places.asks_model(name):
                dataclasses.replace(asking, calibration="none").require_plain(name)
                require_off(asking.calibration, name)
    if env_id in registration.of_gymnax():
        raise InvalidInput(f"{env_id} is gymnax's own and has no text: a prior knows nothing of it")
    if not (bank.instances or bank.suite or bank.num_instances):
        bank = dataclasses.replace(bank, num_instances=INSTANCES, split=bank.split or "held-out")
    env, params = build.make_env(env_id, arguments, bank)
    key = jax.random.key(seed)
    paper = _Paper(env, params, exams.draw(env, params, key, num_states))
    counts = np.asarray(paper.exam.asked).sum(1)
    if not counts.any():
        raise InvalidInput(f"no reward can be reached in any instance of {env.name}")
    rows = []
    alone = len(models) == len(askings) == 1
    for name, prior, own, examiner in _priors(models, askings, paper, bank, dtype):
        answers = {ITSELF: examiner.ask(prior.params, paper.exam, params)}
        if alone and isinstance(prior, LanguagePrior):
            answers[OWN_HABIT] = _own_habit(prior, examiner, paper, bank, num_states, key)
            answers[SHUFFLED] = _shuffled(prior, paper, key)
        rows += [Row(name, own, what, paper.judge(found)) for what, found in answers.items()]
    beside = [name for name in (HABIT, UNIFORM) if name not in models]
    for name, prior, own, examiner in _priors(beside, (PLAIN,), paper, bank):
        found = examiner.ask(prior.params, paper.exam, params)
        rows.append(Row(name, own, ITSELF, paper.judge(found)))
    of_won = int((counts > 0).sum()), int(counts.sum())
    return Measured(env_id, bank.split, *of_won, tuple(rows))


def _priors(
    names: Sequence[str],
    askings: Sequence[Asking],
    paper: _Paper,
    bank: BankConfig,
    dtype: str = "float32",
) -> Iterator[tuple[str, Prior, dict[str, str], Examiner]]:
    """Every prior, asked in every way; those that differ in their calibration by one program."""
    for name in names:
        made: dict[Asking, tuple[Prior, Examiner]] = {}
        for asking in askings:
            plain = dataclasses.replace(asking, calibration="none")
            if plain not in made:
                how: Any = {"bank": bank, "asking": plain}
                prior = build.named_prior(name, paper.env, paper.params, dtype, **how)
                if prior is None:
                    raise InvalidInput(f"the prior {name!r} says nothing that could be measured")
                made = {plain: (prior, Examiner(prior))}
            prior, examiner = made[plain]
            if isinstance(prior, LanguagePrior):
                own = {"wording": prior.scorer.prompt.wording, "calibration": asking.calibration}
                yield name, prior.calibrated(asking.calibration), own, examiner
            else:
                require_off(asking.calibration, name)
                own = {}
                if isinstance(prior, FlaxLanguagePrior):
                    own = {"wording": prior.prompt.wording}
                yield name, prior, own, examiner


def _own_habit(
    prior: LanguagePrior,
    examiner: Examiner,
    paper: _Paper,
    bank: BankConfig,
    num_states: int,
    key: chex.PRNGKey,
) -> jax.Array:
    """Log-probabilities `f32[M, S, A]` of what a prior says in the mean of training instances."""
    options = build.drawn_by(bank)
    num_instances = len(paper.exam.right)
    taught = habits.training_instances(paper.env, options, num_instances)
    lesson = exams.draw(paper.env, taught, jax.random.fold_in(key, 1), num_states)
    found = examiner.ask(prior.with_bank(taught).params, lesson, taught)
    asked = np.asarray(lesson.asked)
    weights = habit.fit(np.exp(np.asarray(found)[asked]), np.asarray(lesson.legal)[asked])
    return normalize(weights[None, None], paper.exam.legal)


def _shuffled(prior: LanguagePrior, paper: _Paper, key: chex.PRNGKey) -> jax.Array:
    """Log-probabilities `f32[M, S, A]` behind texts whose words were exchanged."""
    states, scorer = paper.exam.states, prior.scorer
    slots = jax.jit(jax.vmap(jax.vmap(paper.env.slots, (0, None)), (0, None)))(states, paper.params)
    mixed = judging.shuffle(paper.env.template, jax.random.fold_in(key, 2), slots)
    scores = judging.make_scorer(scorer.config, scorer.table)(prior.params.weights, mixed)
    scores = prior.params.calibration.of_scores(scores) / jnp.asarray(scorer.divisor)[None, None]
    return normalize(scores, paper.exam.legal)
