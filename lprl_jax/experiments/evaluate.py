"""Evaluate a trained run: greedily and by sampling, with its own prior and k or with others.

Training and acting need not ask the same model, nor ask it equally often: what a run has learnt is
its Q-values, and any prior can propose among them. Every combination of prior, k and way of acting
is a row.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from lprl_envs import InvalidInput

from lprl_jax.algorithms import streams
from lprl_jax.algorithms.policy_based.ppo_config import NETWORK
from lprl_jax.algorithms.registry import ALGORITHMS
from lprl_jax.algorithms.shift_config import LOOK_AHEAD
from lprl_jax.experiments import (
    build,
    checkpoint,
    config,
    judge_kinds,
    places,
    prior_kinds,
    run_directory,
    runner,
    sharding,
)
from lprl_jax.experiments.asking import PLAIN
from lprl_jax.experiments.config import Experiment
from lprl_jax.files import paths

MAY_CHANGE = (
    "prior", "prior_access", "memo_slots", "prior_temperature", "prior_epsilon",
    "prior_adversarial", "prior_dtype", "model_parallel", "wording", "normalization",
    "end_of_action", "chunk", "calibration", "prior_kind", *prior_kinds.FIELDS, "k",
    "eval_episodes", "seed",
)  # fmt: skip
"""Fields of the config that may differ from the training's, besides those of its instances."""


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One way of acting, of all runs of one setting."""

    setting: str
    """The swept values; empty without a sweep."""
    prior: str
    """What proposes; behind a name that two of them have, what each was asked for by."""
    k: int | str
    """How often it is drawn from."""
    policy: str
    """`posterior` or `greedy`."""
    runs: int
    """R."""
    episodes: int
    """Of each run."""
    success: np.ndarray
    """f32[R]: share of a run's episodes that succeed."""
    returns: np.ndarray
    """f32[R]: a run's mean return."""
    queries: int
    """Prompts sent to the model while playing, one a step; none by a uniform prior or a habit."""


def run(
    directory: Path,
    overrides: Sequence[str] = (),
    priors: Sequence[str] = (),
    ks: Sequence[str] = (),
    instances: str | None = None,
) -> list[Row]:
    """Evaluate the newest state of a run.

    Args:
        directory: The run's.
        overrides: `key=value` for the fields of MAY_CHANGE and for `env_params` of the instances.
        priors: As in a config; default, the run's own.
        ks: Numbers, or "exact"; default, the run's own.
        instances: `train` or `held-out` for a new bank of such, as many as the run had;
            default, the run's own.

    Raises:
        InvalidInput: if there is no such run or no checkpoint yet, or it cannot be evaluated so.
    """
    directory = paths.given(directory)
    fields = places.placed(run_directory.read_config(directory))
    trained = config.parse(fields)
    changed = [*overrides, *_bank_overrides(trained, instances)]
    changed = places.placed(config.override(fields, changed))
    priors = [places.placed({"prior": prior})["prior"] for prior in priors]
    _refuse_other_fields(fields, changed)
    _refuse_other_instances(trained, fields, changed)
    priors = priors or [changed["prior"]]
    _refuse_other_features(trained, priors)
    _refuse_other_wording(trained, changed.get("wording", trained.config.wording))
    state = newest_state(directory, trained)
    same_bank = changed["env_params"] == fields["env_params"]
    found: list[tuple[str, Row]] = []
    for prior, k in itertools.product(priors, ks or [None]):
        chosen = changed if k is None else config.override(changed, [f"k={k}"])
        rows = _rows(config.parse(_with_prior(chosen, prior)), state, same_bank)
        found += [(prior, row) for row in rows]
    return told_apart(found)


def told_apart(found: Sequence[tuple[str, Row]]) -> list[Row]:
    """Rows, each with what its prior was asked for by: which stands behind a name that two have.

    So `x/checkpoint-500` and `y/checkpoint-500`, both named checkpoint-500, are two.
    """
    asked_by: dict[str, set[str]] = {}
    for prior, row in found:
        asked_by.setdefault(row.prior, set()).add(prior)
    return [
        dataclasses.replace(row, prior=f"{row.prior} from {prior}")
        if len(asked_by[row.prior]) > 1 and prior != row.prior
        else row
        for prior, row in found
    ]


def _with_prior(fields: dict[str, Any], prior: str) -> dict[str, Any]:
    """The fields with another prior, placed as they say if it can be.

    What is said of asking and placing a model stays where it is the judge's, too: of a learner that
    looks ahead, which alone is judged in evaluation.
    """
    if prior == fields["prior"]:
        return fields
    ahead = fields.get("shift_form") == LOOK_AHEAD
    judged = ahead and places.judge_asks_model(fields.get("judge", "none"))
    if not build.runs_decoder(prior):
        own = ("prior_kind", *prior_kinds.FIELDS)
        fields = {x: value for x, value in fields.items() if x not in own}
        if not judged:
            fields |= {"prior_dtype": "float32", "model_parallel": 1}
    if not places.asks_model(prior):
        if not judged:
            plain = dataclasses.asdict(PLAIN)
            if fields.get("policy", NETWORK) != NETWORK:
                del plain["wording"]  # it is the policy's
            fields = {**fields, **plain}
        elif fields.get("judge_says") == judge_kinds.WORDS:
            fields = {**fields, **judge_kinds.OF_ACTIONS}  # they were the prior's
    return {**fields, "prior": prior}


def _bank_overrides(trained: Experiment, instances: str | None) -> list[str]:
    if instances is None:
        return []
    count = trained.bank.num_instances or trained.config.num_runs
    bank = {"instances": [], "suite": '""', "num_instances": count, "split": instances}
    return [f"env_params.{name}={value}" for name, value in bank.items()]


def _refuse_other_fields(fields: dict[str, Any], changed: dict[str, Any]) -> None:
    bank = [field.name for field in dataclasses.fields(config.BankConfig)]
    valid = [*MAY_CHANGE, *(f"env_params.{name}" for name in bank)]
    for name in run_directory.differing(fields, changed):
        if name not in valid:
            raise InvalidInput(
                f"{name} cannot differ from the training's; valid: {', '.join(valid)}"
            )


def _refuse_other_instances(
    trained: Experiment, fields: dict[str, Any], changed: dict[str, Any]
) -> None:
    """Tables of instances say nothing of others."""
    name = trained.config.algorithm
    other = [x for x in run_directory.differing(fields, changed) if x.startswith("env_params.")]
    if other and ALGORITHMS[name].of_instances:
        raise InvalidInput(
            f"{', '.join(other)} cannot differ from the training's: what {name} learns is a table "
            "of its own instances, and says nothing of others"
        )


def _refuse_other_features(trained: Experiment, priors: Sequence[str]) -> None:
    """Q-networks that read a model's features read no other's; an encoder stays the same."""
    if build.reads_features(trained) and not trained.config.encoder:
        for prior in priors:
            if prior != trained.config.prior:
                raise InvalidInput(
                    f"prior is {prior!r}, but the Q-networks read features of the training's; "
                    f"valid: {trained.config.prior}"
                )


def _refuse_other_wording(trained: Experiment, wording: str) -> None:
    """Neither a policy that is a model nor networks on its features know another text."""
    own = trained.config.wording
    is_policy = build.policy_name(trained) != NETWORK
    if wording != own and (is_policy or build.reads_features(trained)):
        what = "the policy was trained" if is_policy else "the Q-networks read features"
        raise InvalidInput(f"wording is {wording!r}, but {what} in another; valid: {own}")


def newest_state(directory: Path, trained: Experiment) -> Any:
    """The state that a run's newest checkpoint holds.

    Raises:
        InvalidInput: if there is none, it is damaged, or it was trained with another prior or other
            instances.
    """
    _require_checkpoint(directory)
    setup = runner.set_up(trained)
    here = run_directory.provenance(setup.data, trained.settings, setup.env)
    run_directory.require_same(directory, here)
    return _newest(directory, setup)


def state_in(directory: Path, trained: Experiment, setup: runner.Setup) -> Any:
    """The same for whoever has built the experiment, on whatever devices, and only acts.

    Raises:
        InvalidInput: as `newest_state`.
    """
    _require_checkpoint(directory)
    here = run_directory.provenance(setup.data, trained.settings, setup.env)
    same = {name: here[name] for name in ("state_format", "world", "data") if name in here}
    run_directory.require_same(directory, same)
    return _newest(directory, setup)


def _require_checkpoint(directory: Path) -> None:
    if checkpoint.newest(directory / run_directory.CHECKPOINTS) is None:
        raise InvalidInput(f"{directory} holds no checkpoint yet")


def _newest(directory: Path, setup: runner.Setup) -> Any:
    like = setup.initial_state()
    kept = directory / run_directory.CHECKPOINTS
    newest = checkpoint.newest(kept)  # a run that goes on may have written another meanwhile
    assert newest is not None
    return checkpoint.restore(kept, newest, like)


def _rows(experiment: Experiment, trained: Any, same_bank: bool) -> list[Row]:
    """The trained networks, played in an experiment that may have another prior and k.

    What a run holds of its instances, as an accepted completion, it holds in the same bank only. A
    judge is there where values are acted by with its verdicts; otherwise nobody would ask it.
    """
    if getattr(experiment.algorithm, "shift_form", None) != LOOK_AHEAD:
        experiment = _unjudged(experiment)
    setup = runner.set_up(experiment)
    state = setup.initial_state()
    # Episodes that training has not played: they are drawn for this purpose, by the seed.
    key = streams.of(build.keys(experiment), "evaluation of a finished run")
    state = state._replace(
        params=_placed_like(state.params, trained.params), key=_placed_like(state.key, key)
    )
    if hasattr(state, "num_steps"):  # a shift that falls stands where it stood
        state = state._replace(num_steps=_placed_like(state.num_steps, trained.num_steps))
    if same_bank and hasattr(state, "guide"):
        state = state._replace(guide=_placed_like(state.guide, trained.guide))
    rows = []
    for policy in setup.algorithm.policies:
        play = sharding.compile_evaluation(
            setup.algorithm, setup.mesh, experiment.config.eval_episodes, policy, state, setup.data
        )
        played = jax.device_get(play(state, setup.data))
        rows += _of_settings(experiment, policy, played, setup)
    return rows


def _unjudged(experiment: Experiment) -> Experiment:
    """Without its judge, and what was said of asking it, if nobody else is asked so."""
    none: dict[str, Any] = {"judge": "none", **judge_kinds.PLAIN}
    nobody = build.policy_name(experiment) == NETWORK
    if nobody and not places.asks_model(experiment.config.prior):
        none |= {**dataclasses.asdict(PLAIN), "prior_dtype": "float32", "model_parallel": 1}
    return dataclasses.replace(experiment, config=dataclasses.replace(experiment.config, **none))


def _placed_like(there: Any, tree: Any) -> Any:
    """Arrays on the devices where those of another tree lie: the meshes may differ."""
    return jax.tree.map(lambda x, like: jax.device_put(x, like.sharding), tree, there)


def _of_settings(
    experiment: Experiment, policy: str, played: dict[str, np.ndarray], setup: runner.Setup
) -> list[Row]:
    settings, prior = experiment.settings, setup.prior
    parts = {name: np.split(values, len(settings)) for name, values in played.items()}
    episodes = experiment.config.eval_episodes
    asks = setup.algorithm.asks_in_play and experiment.config.prior not in places.WITHOUT_MODEL
    return [
        Row(
            setting=config.name_of(setting),
            prior=experiment.config.prior if prior is None else prior.name,
            k="–" if prior is None else getattr(experiment.algorithm, "k", "–"),
            policy=policy,
            runs=experiment.config.num_runs,
            episodes=episodes,
            success=parts["success"][i],
            returns=parts["return"][i],
            queries=round(float(parts["length"][i].sum()) * episodes) * asks,
        )
        for i, setting in enumerate(settings)
    ]
