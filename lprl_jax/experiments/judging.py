"""Who judges in an experiment, and what was asked of it."""

from __future__ import annotations

from typing import Any

import jax
from jax.sharding import Mesh
from lprl_envs import InvalidInput, TextEnv, TextEnvParams
from lprl_envs.errors import shown

from lprl_jax.algorithms.tabular.perfect_judge import perfect_judge
from lprl_jax.experiments import build, needs, places, prior_kinds
from lprl_jax.experiments.asking import PLAIN, Asking
from lprl_jax.experiments.config import Experiment
from lprl_jax.files import archive
from lprl_jax.judges import Judge, PriorJudge, TabularJudge, always_good, corrupt, uniform
from lprl_jax.judges.experts import expert_judge, has_expert


def make_judge(
    experiment: Experiment,
    env: TextEnv[Any, Any],
    params: TextEnvParams,
    mesh: Mesh | None = None,
) -> Judge | None:
    """The judge that the config names, or None; a model's weights on the mesh, if there is one.

    Raises:
        InvalidInput: if there is none of that name.
    """
    config = experiment.config
    if config.judge == "none":
        return None
    judge = _named(experiment, env, params, mesh)
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
    experiment: Experiment, env: TextEnv[Any, Any], params: TextEnvParams, mesh: Mesh | None
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
    try:
        asks = places.judge_asks_model(name)
        how = Asking.of(config) if asks else PLAIN
        dtype, over = (config.prior_dtype, mesh) if asks else ("float32", None)
        prior = build.named_prior(name, env, params, dtype, over, experiment.bank, how)
    except InvalidInput as error:
        if not str(error).startswith("unknown prior"):
            raise
        others = ", ".join(places.JUDGES_WITHOUT_MODEL)
        raise InvalidInput(
            f"unknown judge {shown(name)}; valid: {others}, a .npz table, or what may be a prior"
        ) from None
    assert prior is not None
    if config.judge_access == "table" and places.asks_model(name):
        prior = prior_kinds.tabulated(prior, env, params, False)
    return PriorJudge(prior, soft=config.judge_soft)


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
