"""Who judges in an experiment, and what was asked of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
from jax.sharding import Mesh
from lprl_envs import InvalidInput, TextEnv, TextEnvParams
from lprl_envs.errors import NotNumbered, shown

from lprl_jax.algorithms.tabular.perfect_judge import perfect_judge
from lprl_jax.algorithms.tabular.word_calibration import calibrated
from lprl_jax.experiments import build, judge_kinds, needs, places, prior_kinds
from lprl_jax.experiments.asking import Asking
from lprl_jax.experiments.config import Experiment
from lprl_jax.files import archive
from lprl_jax.judges import (
    Judge,
    PriorJudge,
    TabularJudge,
    always_good,
    corrupt,
    tabulate,
    uniform,
)
from lprl_jax.judges.experts import expert_judge, has_expert
from lprl_jax.judges.tabular import num_rows
from lprl_jax.judges.words import WordJudge
from lprl_jax.lm import named
from lprl_jax.lm.families import FAMILIES
from lprl_jax.lm.quantised import WHOLE, quantised
from lprl_jax.priors import Prior, TabularFeaturePrior, TabularPrior
from lprl_jax.priors.everywhere import telling


def make_judge(
    experiment: Experiment,
    env: TextEnv[Any, Any],
    params: TextEnvParams,
    mesh: Mesh | None = None,
    prior: Prior | None = None,
    progress: bool = False,
) -> Judge | None:
    """The judge that the config names, or None; a model's weights on the mesh, if there is one.

    Args:
        experiment: Read and checked.
        env: The environment.
        params: Its instances.
        mesh: Over which weights lie.
        prior: The experiment's own, whose table it shares if both are asked the same.
        progress: Whether a bar is shown, where it takes long to tabulate it.

    Raises:
        InvalidInput: if there is none of that name, or it cannot be asked so.
    """
    config = experiment.config
    if config.judge == "none":
        return None
    judge = _named(experiment, env, params, mesh, prior, progress)
    worse = {
        "accuracy": config.judge_accuracy,
        "lazy": config.judge_lazy,
        "bias": config.judge_bias,
        "adversarial": config.judge_adversarial,
    }
    if worse == {"accuracy": 1, "lazy": 0, "bias": 0, "adversarial": False}:
        return judge
    return corrupt(judge, **worse, errors=config.judge_errors, seed=config.judge_seed, env=env)


def _named(
    experiment: Experiment,
    env: TextEnv[Any, Any],
    params: TextEnvParams,
    mesh: Mesh | None,
    prior: Prior | None,
    progress: bool,
) -> Judge:
    config, name = experiment.config, experiment.config.judge
    if name == "perfect":
        return expert_judge(env, params) if has_expert(env) else perfect_judge(env, params)
    if name == "always-good":
        return always_good(env)
    if name == "uniform":
        return uniform(env)
    if name.endswith(".npz"):
        needs.require_file("judge", name)
        if _holds_verdicts(name):
            return TabularJudge.load(name, env, params)
    if not places.judge_asks_model(name):
        own = build.named_prior(name, env, params, bank=experiment.bank)
        assert own is not None
        return PriorJudge(own, soft=config.judge_soft)
    if not named.is_model(name):
        others = ", ".join(places.JUDGES_WITHOUT_MODEL)
        raise InvalidInput(
            f"unknown judge {shown(name)}; valid: {others}, a .npz table, or what may be a prior"
        )
    if (table := _shared(experiment, prior)) is not None:
        return PriorJudge(table, soft=config.judge_soft)
    if config.judge_access == "live":
        return _of_model(experiment, env, params, mesh)
    _require_rows(env)  # before anything is read
    with telling(f"reading the model {name}", progress):
        live = _of_model(experiment, env, params, mesh)
    return tabulate(live, env, params, progress=progress)


def _of_model(
    experiment: Experiment, env: TextEnv[Any, Any], params: TextEnvParams, mesh: Mesh | None
) -> Judge:
    """The judge that is a language model, which is then asked live."""
    config, name, asking = experiment.config, experiment.config.judge, Asking.of(experiment.config)
    dtype, bits = config.prior_dtype, config.judge_bits
    if not build.runs_decoder(name):
        judge_kinds.require_plain(vars(config), f"models of {', '.join(FAMILIES)}")
    if config.judge_says == judge_kinds.ACTION:
        prior = build.named_prior(name, env, params, dtype, mesh, experiment.bank, asking, bits)
        assert prior is not None
        return PriorJudge(prior, soft=config.judge_soft)
    drawn = build.drawn_by(experiment.bank)
    options = asking.options(env, drawn)
    options = {option: x for option, x in options.items() if option not in judge_kinds.OF_ACTIONS}
    own = {"soft": config.judge_soft, "threshold": config.judge_threshold}
    model = quantised(named.load(name, dtype, mesh), bits)
    judge = WordJudge.of_model(model, env, params, **own, **options)
    return calibrated(judge, drawn) if config.judge_calibrated else judge


def _require_rows(env: TextEnv[Any, Any]) -> None:
    """Raise InvalidInput unless states are numbered, or at least their texts."""
    try:
        num_rows(env)
    except NotNumbered:
        raise InvalidInput(
            f"{env.name} has too many states, and too many texts, for a table of verdicts; right: "
            "judge_access=live"
        ) from None


def _shared(experiment: Experiment, prior: Prior | None) -> TabularPrior | None:
    """The prior's table, where the judge's would be the same one, which counts nothing twice."""
    config, found = experiment.config, prior
    same = config.judge == config.prior and config.judge_access == config.prior_access == "table"
    asked = config.judge_says, config.judge_bits, config.prior_kind
    if not same or asked != (judge_kinds.ACTION, WHOLE, prior_kinds.P_DIST):
        return None
    while (inner := getattr(found, "prior", None)) is not None:  # as it was before it was degraded
        found = inner
    found = found.table if isinstance(found, TabularFeaturePrior) else found
    return dataclasses.replace(found, evaluations=0) if isinstance(found, TabularPrior) else None


def _holds_verdicts(path: str) -> bool:
    """Whether a .npz file is a table of verdicts, and not one of a prior."""
    try:
        archive.read(path, "table", "lprl prior", ["verdicts"])
    except InvalidInput:
        return False
    return True


def asked(state: Any) -> dict[str, int]:
    """What a judge was asked so far, for a line of `metrics.jsonl`; nothing without one."""
    carry = state.advised.carry if hasattr(state, "advised") else ()
    if not carry:
        return {}
    counters = jax.device_get(carry)
    return {
        "judge_queries": int(counters.queries),
        "judge_evaluations": int(counters.evaluations),
    }
