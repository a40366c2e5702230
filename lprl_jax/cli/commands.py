"""What the commands of `cli` do: a function each, from its options to files and lines."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import jax
import lprl_envs
import lprl_envs.registration
from lprl_envs import InvalidInput
from lprl_envs.conformance.check import passing
from lprl_envs.errors import require_one_of

from lprl_jax.algorithms.registry import ALGORITHMS
from lprl_jax.cli import demo as demonstration
from lprl_jax.experiments import (
    asking,
    build,
    config,
    evaluate,
    export,
    gather,
    measuring,
    places,
    planning,
    prior_kinds,
    runner,
)
from lprl_jax.files import archive, paths
from lprl_jax.lm import embedded, fetched, hugging_face, named
from lprl_jax.lm.check import check_tokens
from lprl_jax.pretraining import pretrain_run
from lprl_jax.priors import drafts, tabular
from lprl_jax.results import comparison, grids, measured, plotting, reading, report, tables

HABIT = "habit"
"""Of which a table can be made too: it needs no model, and stands beside those of models."""
MOST_LISTED = 9
"""Actions of an environment that are listed by name."""


def train(options: argparse.Namespace) -> None:
    """`lprl train`."""
    experiment = _experiment(options)
    runner.run(
        experiment,
        options.out,
        progress=not options.quiet,
        resume=options.resume,
        log=options.log,
    )
    found = reading.read_all([options.out])
    print(comparison.table(comparison.summarize(found)))
    if experiment.config.env not in lprl_envs.ENVIRONMENTS:
        print("gymnax's own environments know no success; " + comparison.final_returns(found))
    print(f"written to {options.out}")


def plan(options: argparse.Namespace) -> None:
    """`lprl plan`."""
    experiment = _experiment(options)
    if options.json:
        paths.require_new(options.json)
    rows = planning.run(experiment)
    print(tables.of_plans(rows))
    if options.json:
        _write_json(options.json, [tables.as_json(row) for row in rows])


def eval(options: argparse.Namespace) -> None:
    """`lprl eval`."""
    if options.json:
        paths.require_new(options.json)
    ks = [text.removeprefix("k=") for text in options.overrides if text.startswith("k=")]
    rows = evaluate.run(
        options.run,
        [text for text in options.overrides if not text.startswith("k=")],
        options.prior.split(",") if options.prior else (),
        ks[-1].split(",") if ks else (),
        options.instances,
    )
    print(tables.of_evaluations(rows))
    if options.json:
        _write_json(options.json, [tables.as_json(row) for row in rows])


def compare(options: argparse.Namespace) -> None:
    """`lprl compare`."""
    if options.json:
        paths.require_new(options.json)
    found, threshold = reading.read_all(options.runs), _threshold(options)
    grids.require_resolved(found, threshold)
    summaries = comparison.summarize(found, threshold)
    print(comparison.table(summaries, threshold))
    for line in grids.notes(found, threshold):
        print(line)
    if options.json:
        _write_json(options.json, comparison.as_json(summaries))


def plot(options: argparse.Namespace) -> None:
    """`lprl plot`."""
    paths.require_new(options.out, plotting.ENDINGS)
    found = reading.read_all(options.runs)
    curves = {name: plotting.Curve(r.steps, r.success) for name, r in found.items()}
    figure = plotting.draw_learning_curves(
        curves, threshold=_threshold(options), xlabel=f"{grids.step_of(found)} a run"
    )
    with paths.new_file(options.out) as file:
        file.write(plotting.as_image(figure, options.out.suffix))
    print(f"written to {options.out}")


def report_(options: argparse.Namespace) -> None:
    """`lprl report`."""
    paths.require_new(options.out, report.ENDINGS)
    paths.write_new(options.out, report.render(options.runs, _threshold(options)))
    print(f"written to {options.out}")


def demo(options: argparse.Namespace) -> None:
    """`lprl demo`."""
    demonstration.run(
        options.out, options.world, options.controls, options.slippery, progress=not options.quiet
    )


def envs(options: argparse.Namespace) -> None:
    """`lprl envs`."""
    del options
    for env_id, factory in lprl_envs.ENVIRONMENTS.items():
        env = factory()
        params = env.default_params
        _, state = env.reset(jax.random.key(0), params)
        summary = (factory.__doc__ or "").strip().splitlines()[0]
        print(f"{env_id}  (version {env.version}): {summary}")
        actions = [text.strip() for text in env.action_texts]
        more = f", ... ({len(actions)})" if len(actions) > MOST_LISTED else ""
        print(f"  actions: {', '.join(actions[:MOST_LISTED])}{more}")
        print(f"  states an instance: {env.num_states or 'not numbered'}; a state reads:")
        print("".join(f"    {line}\n" for line in env.describe(state, params).splitlines()), end="")
    print(f"gymnax's own, without text: {', '.join(lprl_envs.registration.of_gymnax())}")


def check(options: argparse.Namespace) -> None:
    """`lprl check`."""
    tokenizer = _tokenizer(options)
    env, params, _ = _env(options)
    for name in passing(env, params):
        description = (lprl_envs.CHECKS[name].__doc__ or "").strip().splitlines()[0]
        print(f"ok  {name}: {description}", flush=True)
    check_tokens(env, params, tokenizer)
    print(f"ok  tokens: {(check_tokens.__doc__ or '').strip().splitlines()[0]}")
    print(f"{options.env} keeps the contract: {len(lprl_envs.CHECKS) + 1} checks passed")


def prior(options: argparse.Namespace) -> None:
    """`lprl prior`."""
    paths.require_new(options.out, archive.ENDINGS)
    require_one_of("precision", options.precision, tabular.PRECISIONS)
    how = asking.Asking(**_asking(options))
    form = prior_kinds.free_form(options.kind, vars(options))
    _warn_of_copies(options.dtype)
    env, params, bank = _env(options)
    build.require_decoder(_model(options), options.dtype)
    if options.model == HABIT:
        asked: Any = build.named_prior(HABIT, env, params, bank=bank, asking=how)
    else:
        drawn = build.drawn_by(bank)
        dtype = {} if options.dtype == "float32" else {"dtype": options.dtype}
        asked = build.language_prior(_model(options), env, params, how, drawn, **dtype)
    asked = prior_kinds.written_by(asked, form, options.model)
    follow = {"progress": not options.quiet, "resume": options.out}
    table = prior_kinds.tabulated(asked, env, params, **follow)
    table.save(options.out, params, options.precision)
    drafts.remove(options.out)
    print(f"{options.out}: {len(table.table)} instances, {table.evaluations} evaluations")
    if table.figures:
        print("answers: " + ", ".join(f"{name} {x:.3g}" for name, x in table.figures.items()))


def fetch(options: argparse.Namespace) -> None:
    """`lprl fetch`."""
    path, now = fetched.fetch(options.model)
    print(f"{options.model}: {fetched.MODELS[options.model].about}")
    print(f"{'fetched to' if now else 'already at'} {path}; use it as prior={options.model}")


def priors(options: argparse.Namespace) -> None:
    """`lprl priors`."""
    del options
    print("models, for `prior=NAME` and `--model NAME`:")
    print(f"  {', '.join(embedded.MODELS)}: come with the package")
    for name, model in fetched.MODELS.items():
        here = fetched.path_of(name).is_file()
        print(f"  {name}: {model.about}; {'fetched' if here else f'`lprl fetch {name}` brings it'}")


def measure(options: argparse.Namespace) -> None:
    """`lprl measure`."""
    if options.json:
        paths.require_new(options.json)
    fields = config.override({}, options.overrides)
    given = options.env, *config.parse_env_params(options.env, fields)
    models = [places.placed({"prior": name})["prior"] for name in options.model.split(",")]
    asked = models, options.calibration.split(","), options.states, options.seed
    found = measuring.run(*given, *asked)
    print(measured.caption(found))
    print(measured.table(found))
    for line in measured.verdicts(found):
        print(line)
    if options.json:
        _write_json(options.json, measured.as_json(found))


def collect(options: argparse.Namespace) -> None:
    """`lprl collect`."""
    paths.require_new(options.out, archive.ENDINGS)
    experiment = config.read(options.config, options.overrides)
    if options.source:
        written = gather.relabel(experiment, options.source, options.out)
    else:
        written = gather.run(
            experiment,
            options.out,
            options.behaviour,
            num_steps=options.steps,
            num_envs=options.envs,
            epsilon=options.epsilon,
        )
    print(gather.summary(*written))
    print(f"written to {options.out}")


def export_(options: argparse.Namespace) -> None:
    """`lprl export`."""
    steps = export.run(options.run, options.out, options.number, options.adapter)
    print(f"run {options.number} of {options.run}, after {steps:,} steps, written to {options.out}")


def pretrain(options: argparse.Namespace) -> None:
    """`lprl pretrain`."""
    chosen = {"num_steps": options.steps, "seed": options.seed}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    pretrain_run.run(options.out, progress=not options.quiet, **chosen)


COMMANDS = {
    "train": train,
    "plan": plan,
    "eval": eval,
    "compare": compare,
    "plot": plot,
    "report": report_,
    "demo": demo,
    "envs": envs,
    "check": check,
    "prior": prior,
    "priors": priors,
    "fetch": fetch,
    "measure": measure,
    "collect": collect,
    "export": export_,
    "pretrain": pretrain,
}
"""By the name on the command line."""


def _experiment(options: argparse.Namespace) -> config.Experiment:
    """The experiment that a command names; its algorithm must be one that the command runs."""
    experiment = config.read(options.config, options.overrides)
    name = experiment.config.algorithm
    command = ALGORITHMS[name].command
    if command != options.command:
        raise InvalidInput(f"`lprl {options.command}` does not run {name}; `lprl {command}` does")
    _warn_of_copies(experiment.config.prior_dtype)
    return experiment


def _warn_of_copies(dtype: str) -> None:
    """Say that on a CPU half the bytes are none saved: XLA multiplies copies of them in f32."""
    if dtype == "bfloat16" and jax.default_backend() == "cpu":
        print(
            "lprl: on a CPU, weights in bfloat16 are held in float32 too, as a copy; float32 takes "
            "less memory and time",
            file=sys.stderr,
        )


def _model(options: argparse.Namespace) -> str:
    """The model that a command names, as a config would."""
    return places.placed({"prior": options.model})["prior"]


def _asking(options: argparse.Namespace) -> dict[str, Any]:
    """How a command says that a model is asked, as a config would."""
    end = options.end_of_action.replace("\\n", "\n")
    own = {name: getattr(options, name) for name in asking.FIELDS}
    return {**places.placed(own), "end_of_action": end}


def _tokenizer(options: argparse.Namespace) -> Any:
    """The tokenizer that a command names, alone or as a model's."""
    if options.tokenizer is None:
        return named.tokenizer_of(_model(options))
    if not (options.tokenizer / hugging_face.TOKENIZER).is_file():
        raise InvalidInput(
            f"no {hugging_face.TOKENIZER} in {options.tokenizer}; --tokenizer names a directory "
            "with one (a fast tokenizer's)"
        )
    return hugging_face.read_tokenizer(options.tokenizer)


def _env(options: argparse.Namespace) -> tuple[Any, Any, config.BankConfig]:
    """The environment and the bank that a command names, and how the bank is drawn."""
    fields = config.override({}, options.overrides)
    arguments, bank = config.parse_env_params(options.env, fields)
    return *build.make_env(options.env, arguments, bank), bank


def _threshold(options: argparse.Namespace) -> float:
    if not 0 < options.threshold <= 1:
        raise InvalidInput(f"threshold is {options.threshold}; it must lie in (0, 1]")
    return options.threshold


def _write_json(path: Path, figures: Any) -> None:
    paths.write_new(path, json.dumps(figures, indent=1) + "\n")
