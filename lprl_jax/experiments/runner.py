"""Run an experiment: chunks of a compiled scan, and between them the host's work.

A chunk trains every run for `eval_every` environment steps and evaluates it, on all devices, each
with its share of the runs. The last chunk is as long as is left of `total_steps`. Between chunks:
progress, a line of `metrics.jsonl`, a line of `timing.jsonl`, a checkpoint. A run that was killed
continues from its newest checkpoint, to the same bytes as if it had never been; so does one that is
now to go on for longer, and then not from its short last chunk, which the longer run does not have.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from lprl_envs import InvalidInput, TextEnvParams

from lprl_jax.algorithms.base import Algorithm, Data, Env
from lprl_jax.algorithms.policy_based.language_policy import LanguagePolicy
from lprl_jax.experiments import (
    build,
    checkpoint,
    completing,
    judging,
    loggers,
    needs,
    places,
    prior_kinds,
    run_directory,
    sharding,
    transitions,
    worth,
)
from lprl_jax.experiments.checkpoint import Checkpoints
from lprl_jax.experiments.chunks import Chunks
from lprl_jax.experiments.config import Experiment
from lprl_jax.experiments.holding import hold
from lprl_jax.experiments.journal import Journal
from lprl_jax.experiments.worth import Worth
from lprl_jax.files import paths
from lprl_jax.judges import Judge
from lprl_jax.priors import Prior
from lprl_jax.priors.everywhere import telling


class Diverged(RuntimeError):
    """A loss that is not a number; says where the last good checkpoint lies."""


@dataclasses.dataclass(frozen=True, eq=False)
class Setup:
    """An experiment's objects, on their devices."""

    env: Env
    """The environment."""
    params: TextEnvParams
    """Its instances."""
    prior: Prior | None
    """Tabulated, if the experiment says so."""
    policy: LanguagePolicy | None
    """The language model that acts, before any training; None where none does."""
    judge: Judge | None
    """Whose verdicts shift the reward."""
    algorithm: Algorithm
    """Compiled by nobody yet."""
    data: Data
    """On the mesh; without the dataset, which only training needs."""
    mesh: Mesh
    """Runs and weights over devices."""
    state_shapes: Callable[[], Any]
    """What fresh runs are made of, before they are spread; refuses what does not fit."""
    initial_state: Callable[[], Any]
    """Fresh runs, spread over the mesh."""
    worth: Worth | None
    """Of a prior that was judged."""


def set_up(
    experiment: Experiment,
    judges: bool = False,
    progress: bool = False,
    tables: Path | None = None,
) -> Setup:
    """Build what an experiment names.

    Args:
        experiment: Read and checked.
        judges: Whether a model's prior is judged first.
        progress: Whether it is shown, on a terminal, what takes long.
        tables: Where what a model was asked is kept, see `kept`; None: nowhere.
    """
    env, params = build.make_env(experiment.config.env, experiment.env_arguments, experiment.bank)
    mesh = sharding.make_mesh(experiment.num_runs, experiment.config.model_parallel)
    # A model of which every device has the whole makes its table on one of them.
    shared = mesh if experiment.config.model_parallel > 1 else None
    policy = build.make_policy(experiment, env, params, shared)
    if policy is not None and not build.runs_decoder(experiment.config.prior):
        shared = None  # the policy's weights are split, and the prior has none
    kept = build.kept_of(experiment, env, params, tables)
    worths: list[Worth | None] = []

    def judge(plain: Callable[[], Prior | None]) -> None:
        def find() -> Worth | None:
            prior = plain()
            asks = progress and places.asks_model(experiment.config.prior)
            with telling("trying the prior on training instances", asks):
                return worth.of_prior(prior, env, experiment)

        if not worth.is_known(experiment):
            found: Any = kept.note(worth.RECORD, find) if kept else find()
            worths.append(found and Worth(*found))

    look = judge if judges else None
    prior = build.make_prior(experiment, env, params, shared, look, progress, kept)
    completer = completing.make_completer(experiment, env, params)
    own_judge = judging.make_judge(experiment, env, params, shared, prior, progress)
    algorithm = build.make_algorithm(experiment, env, prior, policy, completer, own_judge)
    own = (() if x is None else x.params for x in (prior, policy, completer, own_judge))
    prior_params, *others = own
    names = "policy_params", "completer_params", "judge_params"
    data = Data(prior_params, params, **dict(zip(names, others, strict=True)))
    data = sharding.place(mesh, data)

    def arguments() -> tuple[Any, ...]:
        own = build.keys(experiment), build.hparams(experiment)
        keys, hparams, runs = sharding.place(mesh, (*own, build.run_instances(experiment, params)))
        return keys, hparams, data, runs

    def shapes_of(given: tuple[Any, ...]) -> Any:
        shapes = jax.eval_shape(algorithm.init, *given)
        needs.require_state(experiment, shapes, mesh)
        return shapes

    def initial_state() -> Any:
        given = arguments()
        shapes_of(given)
        return sharding.spread(mesh, algorithm.init(*given))

    judged = next(iter(worths), None)
    parts = env, params, prior, policy, own_judge, algorithm, data, mesh
    return Setup(*parts, lambda: shapes_of(arguments()), initial_state, judged)


def run(
    experiment: Experiment,
    out: Path,
    *,
    progress: bool = True,
    resume: bool = False,
    log: Sequence[str] = (),
    tables: Path | None = None,
) -> Path:
    """Run an experiment and write its directory.

    Args:
        experiment: What to run.
        out: New directory; with `resume`, also that of the same experiment, begun before.
        progress: Whether to show a progress bar.
        resume: Whether to continue from the newest checkpoint.
        log: Names of `loggers.LOGGERS`.
        tables: Where what a model was asked is kept from run to run, see `kept`; None: nowhere.

    Returns:
        The directory; `results.reading.read` reads it.

    Raises:
        InvalidInput: if the directory cannot be written, is in use, or holds something else, a
            logger does not work here, the newest checkpoint is damaged, or the experiment cannot be
            built.
        Diverged: if a loss is not finite.
        CannotWrite: if there is no room for more; what was written is resumed from.
    """
    out = paths.given(out)
    needs.require_least(experiment)
    loggers.require_usable(log)
    with hold(out):
        _run(experiment, out, progress, resume, log, tables)
    return out


def _run(
    experiment: Experiment,
    out: Path,
    progress: bool,
    resume: bool,
    log: Sequence[str],
    tables: Path | None,
) -> None:
    """`run`, in a directory that is held."""
    resume = resume and run_directory.can_resume(out, experiment)
    if not resume:
        run_directory.require_empty(out)
    started = time.perf_counter()
    setup = set_up(experiment, judges=not resume, progress=progress, tables=tables)
    dataset = transitions.load(experiment, setup.env, setup.params, setup.prior)
    data = setup.data._replace(dataset=sharding.place(setup.mesh, dataset))
    provenance = run_directory.provenance(data, experiment.settings, setup.env)
    provenance |= prior_kinds.figures_of(setup.prior)
    judged = setup.worth.as_dict() if setup.worth else None
    if resume:
        run_directory.require_same(out, provenance)
        judged = run_directory.read_provenance(out).get(worth.RECORD)
    provenance |= {worth.RECORD: judged} if judged else {}
    with telling(f"{out.name}, making the first states", progress):
        state = setup.initial_state()  # may refuse what the experiment asks for
    if setup.worth and not setup.worth.beats_uniform:
        print(f"lprl: warning: {setup.worth.warning}", file=sys.stderr)
    kept = out / run_directory.CHECKPOINTS
    config, algorithm = experiment.config, setup.algorithm
    chunks = Chunks.of(experiment)
    done = checkpoint.newest(kept) if resume else None
    finished = done is not None and done >= chunks.total
    if done is not None and not finished:
        done = checkpoint.newest(kept, multiple_of=chunks.steps)
    if done is not None:
        state = checkpoint.restore(kept, done, state)
    first = 0 if done is None else done // chunks.steps + 1
    with _writing(out):
        run_directory.begin(out, experiment, provenance)
        if finished:
            return run_directory.rewind(out, done)
        try:  # before anything is compiled
            fields, settings = experiment.as_dict(), experiment.settings
            others = loggers.make(log, out, fields, settings, done or 0)
        except InvalidInput:
            if not resume:
                run_directory.forget(out)
            raise
        run_directory.rewind(out, done)
        checkpoint.forget(kept, after=done)
    with (
        _writing(out),
        Checkpoints(kept) as checkpoints,
        Journal(out, others, first, chunks.number, progress) as journal,
    ):
        prepared = time.perf_counter()
        with journal.telling("compiling"):
            train = {
                updates: sharding.compile_chunk(algorithm, setup.mesh, updates, state, data)
                for updates in chunks.lengths(first)
            }
            evaluate = sharding.compile_evaluation(
                algorithm, setup.mesh, config.eval_episodes, algorithm.policies[0], state, data
            )
        compiled = time.perf_counter()
        journal.time(prepare_seconds=prepared - started, compile_seconds=compiled - prepared)
        warned = False
        for chunk in range(first, chunks.number + 1):
            step = chunks.step_after(chunk)
            started = time.perf_counter()
            training: dict[str, Any] = {}
            if chunk:  # the first evaluation is of the untrained runs
                program = train[chunks.updates_of(chunk)]
                state, training = jax.block_until_ready(program(state, data))
                require_finite(experiment, training["loss"], step, checkpoints)
                if not warned and (unread := completing.warning(experiment, training)):
                    print(f"lprl: warning: {unread}", file=sys.stderr)
                    warned = True
            trained = time.perf_counter()
            played = jax.device_get(evaluate(state, data))
            evaluated = time.perf_counter()
            record = summarize(step, state, training, played)
            steps = (step - chunks.step_after(chunk - 1)) * experiment.num_runs if chunk else 0
            journal.record(record, trained - started, evaluated - trained, steps)
            if chunk and (chunk % config.checkpoint_every == 0 or chunks.ends_with(chunk)):
                checkpoints.save(step, state)


@contextlib.contextmanager
def _writing(out: Path) -> Iterator[None]:
    """What the system refuses to write is one line, with what is left of the run."""
    try:
        yield
    except OSError as error:
        if error.errno not in paths.NO_ROOM:
            raise
        last = checkpoint.newest(out / run_directory.CHECKPOINTS)
        kept = "no checkpoint was written before"
        if last is not None:
            kept = f"the checkpoint of step {last} is whole"
        raise paths.CannotWrite(
            f"cannot write to {out}: {paths.reason(error)}; {kept}; once that is mended, --resume "
            "continues the run"
        ) from error


def require_finite(
    experiment: Experiment, loss: jax.Array, step: int, checkpoints: Checkpoints
) -> None:
    """Raise Diverged, naming the runs and the last good checkpoint, unless all are finite."""
    bad = np.flatnonzero(~np.isfinite(np.asarray(loss)))
    if not bad.size:
        return
    runs = experiment.config.num_runs
    settings = {json.dumps(experiment.settings[r // runs]) for r in bad} - {"{}"}
    where = f" of {', '.join(sorted(settings))}" if settings else ""
    last = checkpoints.latest()
    kept = "no checkpoint was written before"
    if last is not None:
        kept = f"the last good checkpoint is {checkpoints.directory / str(last)}"
    raise Diverged(
        f"the loss of {bad.size} of {experiment.num_runs} runs{where} is not finite, "
        f"somewhere in the chunk that ends at step {step}; {kept}"
    )


def summarize(step: int, state: Any, training: Any, played: Any) -> dict[str, Any]:
    """A line of `metrics.jsonl`: `[R]` values rounded, counters as they stand."""
    asked = state.prior_carry  # a memory is not fetched for its two counters
    rows = {**jax.device_get(training), **played}
    return {
        "step": step,
        **{name: [round(float(v), 5) for v in values] for name, values in rows.items()},
        "queries": int(asked.queries),
        "evaluations": int(asked.evaluations),
        **judging.asked(state),
    }
