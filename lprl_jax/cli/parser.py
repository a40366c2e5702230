"""How the commands are called: what `lprl --help` says, and the options that come of a call.

What each command does is in `commands`; those that are about a model are in `model_parser`. Nothing
here is slow to import.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from lprl_jax.cli import model_parser
from lprl_jax.version import __version__

SHELLS = "bash", "zsh", "tcsh"
"""Whose scripts can be printed."""
_Add = Callable[..., argparse.ArgumentParser]
"""`(name, help, *examples)`: adds a command."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line instead of usage and message."""
        message = " ".join(message.splitlines())
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; `key=value` may also stand behind or between them."""
    parser = build()
    options, rest = parser.parse_known_args(arguments)
    strays = [text for text in rest if text.startswith("-") or "=" not in text]
    if strays or (rest and not hasattr(options, "overrides")):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if options.command is None:
        parser.print_help()
        parser.exit()
    if rest:
        options.overrides = [*options.overrides, *rest]
    if options.command == "train":
        _require_train(parser, options)
    return options


def _require_train(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """What `lprl train` writes needs a name; where memory is only told, nothing is written."""
    if options.out is None and not options.memory:
        parser.error("train: --out is missing: a directory for the results, or --memory")
    if options.json is not None and not options.memory:
        parser.error("train: --json goes with --memory; `lprl compare` writes a run's figures")


def build() -> argparse.ArgumentParser:
    """The parser of `lprl`, with all commands."""
    parser = _Parser(prog="lprl", description="A language model as a prior for RL.")
    parser.add_argument("--version", action="version", version=f"lprl {__version__}")
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="compile anew, and keep nothing; otherwise compiled programs, and tables of priors "
        "that training makes, are kept in your cache directory, or where JAX_COMPILATION_CACHE_DIR "
        "says",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def add(name: str, help: str, *examples: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=help,
            description=help,
            epilog="\n".join(f"example: {example}" for example in examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    _train(add)
    _plan(add)
    _compare(add)
    _collect(add)
    _others(add)
    model_parser.add_commands(add)
    return parser


def _train(add: _Add) -> None:
    train = add(
        "train",
        "Run an experiment and write its directory.",
        "lprl train frozen_lake_dqn_prior k=3 seed=1 --out results/k3",
        "lprl train frozen_lake_dqn_prior alpha=.01,.1,1 num_runs=8 --out results/alphas",
        "lprl train frozen_lake_dqn_prior num_runs=1024 buffer_size=100000 --memory",
    )
    train.add_argument("config", help="a YAML file, or the name of a config of the package")
    train.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="fields to change; hyper-parameters take several values, which run side by side",
    )
    train.add_argument("--out", type=Path, help="directory for the results")
    train.add_argument(
        "--memory",
        action="store_true",
        help="only tell what each device would hold, part by part, and what is free: the prior's "
        "table is made and the programs are compiled, but no run is begun; status 2 if it cannot "
        "fit; --out is not needed, and left alone",
    )
    train.add_argument(
        "--json", type=Path, help="with --memory: write the figures to this new file too"
    )
    train.add_argument(
        "--resume",
        action="store_true",
        help="continue what was begun in --out, from its newest checkpoint, bit for bit",
    )
    train.add_argument(
        "--log",
        action="append",
        default=[],
        metavar="NAME",
        help="also log to `tensorboard` or `wandb`; repeatable",
    )
    train.add_argument("--quiet", action="store_true", help="no progress bar")

    evaluate = add(
        "eval",
        "Evaluate a trained run, greedily and by sampling, also with another prior or k.",
        "lprl eval results/k3",
        "lprl eval results/k3 --prior embedded,embedded-early-1,habit,uniform k=1,5,exact",
        "lprl eval results/k3 --instances held-out env_params.bank_seed=1",
    )
    evaluate.add_argument("run", type=Path, metavar="RUN", help="a run's directory")
    evaluate.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="k (several, with commas), eval_episodes, seed (of the episodes), prior_epsilon, ..., "
        "env_params.*",
    )
    evaluate.add_argument("--prior", help="as in a config; several, with commas")
    evaluate.add_argument("--instances", help="`train` or `held-out`: a new bank of such")
    evaluate.add_argument("--json", type=Path, help="write the figures to this new file too")


def _plan(add: _Add) -> None:
    plan = add(
        "plan",
        "Search with a model of the world, in every instance of a config's bank.",
        "lprl plan blocks_world_slinvit",
        "lprl plan blocks_world_slinvit depth=1 k=3 prior=uniform --json figures.json",
        "lprl plan blocks_world_slinvit alpha=0,.1,1,10",
    )
    plan.add_argument("config", help="a YAML file, or the name of a config of the package")
    plan.add_argument(
        "overrides", nargs="*", metavar="key=value", help="fields to change; alpha takes several"
    )
    plan.add_argument("--json", type=Path, help="write the figures to this new file too")


def _compare(add: _Add) -> None:
    compare = add(
        "compare",
        "Runs side by side: final success, steps and seconds to a threshold, queries.",
        "lprl compare results/demo",
        "lprl compare results/a results/b --json figures.json",
    )
    plot = add("plot", "Learning curves with bands.", "lprl plot results/demo -o curves.png")
    plot.add_argument("-o", "--out", type=Path, required=True, help="new .png, .svg or .pdf file")
    report = add(
        "report",
        "One page with curves, episodes, tables, settings and commands, to send to someone.",
        "lprl report results/demo -o report.html",
    )
    report.add_argument("-o", "--out", type=Path, required=True, help="new .html file")
    report.add_argument(
        "--episodes",
        type=int,
        default=1,
        metavar="N",
        help="play so many of each result, to be looked at step by step (default 1; 0: none)",
    )
    compare.add_argument("--json", type=Path, help="write the figures to this new file too")
    watch = add(
        "watch",
        "Play an episode of a trained run: what it reads, what its prior says, what it does.",
        "lprl watch results/k3",
        "lprl watch results/k3 --run 4 --seed 1 -o episode.gif",
    )
    watch.add_argument("run", type=Path, metavar="RUN", help="a run's directory")
    watch.add_argument("--run", dest="number", type=int, default=0, help="which of its runs (0)")
    watch.add_argument("--instance", type=int, help="of its bank (default: the run's first)")
    watch.add_argument("--seed", type=int, default=0, help="of all that chance decides (0)")
    watch.add_argument("--policy", help="how it acts (default: the algorithm's own)")
    watch.add_argument("-o", "--out", type=Path, help="new .gif file, instead of the terminal")
    for command in (compare, plot, report):
        command.add_argument(
            "runs", type=Path, nargs="+", metavar="DIR", help="runs, or directories of runs"
        )
        command.add_argument(
            "--threshold", type=float, default=0.8, help="success rate to reach (default .8)"
        )


def _collect(add: _Add) -> None:
    collect = add(
        "collect",
        "Gather transitions for learning offline, with the prior's log-probabilities.",
        "lprl collect frozen_lake_cql_prior --behaviour random:.7,prior:.3 -o data.npz",
        "lprl collect frozen_lake_cql_prior --behaviour results/dqn --epsilon .2 -o data.npz",
        "lprl collect frozen_lake_cql_prior prior=uniform --from data.npz -o uniform.npz",
    )
    collect.add_argument("config", help="whose environment, instances, prior, runs and seed")
    collect.add_argument("overrides", nargs="*", metavar="key=value", help="fields to change")
    collect.add_argument(
        "--behaviour",
        default="random",
        help="random, prior, a DQN run's directory; a mixture by shares of episodes (default: "
        "random)",
    )
    collect.add_argument(
        "--epsilon", type=float, default=0.1, help="random actions of a run (default .1)"
    )
    collect.add_argument(
        "--steps", type=int, default=10_000, help="transitions a run (default 10000)"
    )
    collect.add_argument("--envs", type=int, default=1, help="environments a run (default 1)")
    collect.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE",
        help="a dataset whose transitions are kept, with this prior's log-probabilities",
    )
    collect.add_argument("-o", "--out", type=Path, required=True, help="new .npz file")


def _others(add: _Add) -> None:
    demo = add(
        "demo",
        "DQN, optimistic DQN, DQN-Prior and the same with a habit, on held-out instances.",
        "lprl demo --out results/demo",
        "lprl demo blocks_world --controls",
    )
    demo.add_argument(
        "world",
        nargs="?",
        default="frozen_lake",
        help="frozen_lake (default), frozen_lake_corner, blocks_world or cube_stacking",
    )
    demo.add_argument("--out", type=Path, help="new directory (default: results/demo, or the next)")
    demo.add_argument(
        "--controls", action="store_true", help="also the uniform, degraded and adversarial priors"
    )
    demo.add_argument("--slippery", action="store_true", help="a lake on slippery ice")
    demo.add_argument("--quiet", action="store_true", help="no progress bar")

    shown = add(
        "config",
        "Tell what every field of a config is: its value, its default, its meaning.",
        "lprl config",
        "lprl config frozen_lake_dqn_prior k=3",
    )
    shown.add_argument(
        "config",
        nargs="?",
        help="a YAML file, or the name of a config of the package; without one, list those",
    )
    shown.add_argument("overrides", nargs="*", metavar="key=value", help="fields to change")
    add("envs", "List the environments, with a sample of their text.", "lprl envs")
    completion = add(
        "completion",
        "Print a script that completes commands, options, configs and files in your shell.",
        "lprl completion bash > ~/.local/share/bash-completion/completions/lprl",
        "lprl completion zsh > ~/.zfunc/_lprl",
    )
    completion.add_argument("shell", choices=SHELLS, help="which shell you use")
