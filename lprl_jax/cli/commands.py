"""What the commands of `cli` do: a function each, from its options to files and lines.

Those that are about a model rather than runs are in `model_commands`. A function imports what it
alone needs: plots, statistics and models take longer to import than some commands to run.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import jax
import lprl_envs
from lprl_envs import InvalidInput, registration

from lprl_jax.algorithms.registry import ALGORITHMS
from lprl_jax.cli.warnings import warn_of_copies
from lprl_jax.experiments import config, runner
from lprl_jax.files import archive, paths

MOST_LISTED = 9
"""Actions of an environment that are listed by name."""


def train(options: argparse.Namespace) -> None:
    """`lprl train`."""
    experiment = _experiment(options)
    if options.memory:
        return _tell_memory(experiment, options)
    runner.run(
        experiment,
        options.out,
        progress=not options.quiet,
        resume=options.resume,
        log=options.log,
        tables=options.tables,
    )
    from lprl_jax.results import comparison, reading

    found = reading.read_all([options.out])
    print(comparison.table(comparison.summarize(found)))
    if registration.class_of(experiment.config.env) is None:
        print("gymnax's own environments know no success; " + comparison.final_returns(found))
    print(f"written to {options.out}")


def _tell_memory(experiment: config.Experiment, options: argparse.Namespace) -> None:
    """`lprl train --memory`."""
    from lprl_jax.experiments import footprint
    from lprl_jax.results import tables

    if options.json:
        paths.require_new(options.json)
    found = footprint.of(experiment, not options.quiet, options.tables)
    print(tables.of_footprint(found))
    if options.json:
        paths.write_json(options.json, found.as_dict())


def plan(options: argparse.Namespace) -> None:
    """`lprl plan`."""
    from lprl_jax.experiments import planning
    from lprl_jax.results import tables

    experiment = _experiment(options)
    if options.json:
        paths.require_new(options.json)
    rows = planning.run(experiment)
    print(tables.of_plans(rows))
    if options.json:
        paths.write_json(options.json, [tables.as_json(row) for row in rows])


def eval(options: argparse.Namespace) -> None:
    """`lprl eval`."""
    from lprl_jax.experiments import evaluate
    from lprl_jax.results import tables

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
        paths.write_json(options.json, [tables.as_json(row) for row in rows])


def compare(options: argparse.Namespace) -> None:
    """`lprl compare`."""
    from lprl_jax.results import comparison, grids, reading

    if options.json:
        paths.require_new(options.json)
    found, threshold = reading.read_all(options.runs), _threshold(options)
    grids.require_resolved(found, threshold)
    summaries = comparison.summarize(found, threshold)
    print(comparison.table(summaries, threshold))
    for line in grids.notes(found, threshold):
        print(line)
    if options.json:
        paths.write_json(options.json, comparison.as_json(summaries))


def plot(options: argparse.Namespace) -> None:
    """`lprl plot`."""
    from lprl_jax.results import grids, plotting, reading

    paths.require_new(options.out, plotting.ENDINGS)
    found = reading.read_all(options.runs)
    curves = {name: plotting.Curve(r.steps, r.success) for name, r in found.items()}
    figure = plotting.draw_learning_curves(
        curves, threshold=_threshold(options), xlabel=f"{grids.step_of(found)} a run"
    )
    with paths.new_file(options.out) as file:
        file.write(plotting.as_image(figure, options.out.suffix))
    print(f"written to {options.out}")


def watch(options: argparse.Namespace) -> None:
    """`lprl watch`."""
    from lprl_jax.results import run, watching

    if options.out:
        paths.require_new(options.out, (".gif",))
    found = run.Run(options.run)
    where = options.number, options.instance, options.seed, options.policy
    episode = watching.play(found, *where)
    if options.out is None:
        print(watching.as_text(episode))
        return
    with paths.new_file(options.out) as file:
        file.write(watching.as_animation(episode).gif())
    print(f"written to {options.out}")


def report_(options: argparse.Namespace) -> None:
    """`lprl report`."""
    from lprl_jax.results import report

    paths.require_new(options.out, report.ENDINGS)
    page = report.render(options.runs, _threshold(options), options.episodes)
    paths.write_new(options.out, page)
    print(f"written to {options.out}")


def demo_(options: argparse.Namespace) -> None:
    """`lprl demo`."""
    from lprl_jax.cli import demo

    demo.run(
        options.out, options.world, options.controls, options.slippery, progress=not options.quiet
    )


def show_config(options: argparse.Namespace) -> None:
    """`lprl config`."""
    from lprl_jax.experiments import config_help

    if options.config is None:
        print("\n".join(config.names()))
        return
    print(config_help.text(config.read(options.config, options.overrides)))


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
    continuous = registration.CONTINUOUS
    discrete = [name for name in registration.of_gymnax() if name not in continuous]
    print(f"gymnax's own, without text: {', '.join(discrete)}")
    print(f"  with continuous actions: {', '.join(continuous)}")


def completion_(options: argparse.Namespace) -> None:
    """`lprl completion`."""
    from lprl_jax.cli import completion

    print(completion.script(options.shell))


def collect(options: argparse.Namespace) -> None:
    """`lprl collect`."""
    from lprl_jax.experiments import gather

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


def _of_model(name: str) -> Callable[[argparse.Namespace], None]:
    """A function of `model_commands`."""

    def run(options: argparse.Namespace) -> None:
        from lprl_jax.cli import model_commands

        getattr(model_commands, name)(options)

    return run


COMMANDS = {
    "train": train,
    "plan": plan,
    "eval": eval,
    "compare": compare,
    "plot": plot,
    "report": report_,
    "watch": watch,
    "demo": demo_,
    "config": show_config,
    "envs": envs,
    "completion": completion_,
    "check": _of_model("check"),
    "prior": _of_model("prior"),
    "priors": _of_model("priors"),
    "fetch": _of_model("fetch"),
    "measure": _of_model("measure"),
    "collect": collect,
    "export": _of_model("export_"),
    "pretrain": _of_model("pretrain"),
}
"""By the name on the command line."""


def _experiment(options: argparse.Namespace) -> config.Experiment:
    """The experiment that a command names; its algorithm must be one that the command runs."""
    experiment = config.read(options.config, options.overrides)
    name = experiment.config.algorithm
    command = ALGORITHMS[name].command
    if command != options.command:
        raise InvalidInput(f"`lprl {options.command}` does not run {name}; `lprl {command}` does")
    warn_of_copies(experiment.config.prior_dtype)
    return experiment


def _threshold(options: argparse.Namespace) -> float:
    if not 0 < options.threshold <= 1:
        raise InvalidInput(f"threshold is {options.threshold}; it must lie in (0, 1]")
    return options.threshold
