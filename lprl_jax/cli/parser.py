"""How the commands are called: what `lprl --help` says, and the options that come of a call.

What each command does is in `commands`. Nothing here is slow to import.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from lprl_jax.version import __version__

_Add = Callable[..., argparse.ArgumentParser]
"""`(name, help, *examples)`: adds a command."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line instead of usage and message."""
        message = " ".join(message.splitlines())
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; `key=value` may also stand behind or between them."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    strays = [text for text in rest if text.startswith("-") or "=" not in text]
    if strays or (rest and not hasattr(options, "overrides")):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if options.command is None:
        parser.print_help()
        parser.exit()
    if rest:
        options.overrides = [*options.overrides, *rest]
    return options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="lprl", description="A language model as a prior for RL.")
    parser.add_argument("--version", action="version", version=f"lprl {__version__}")
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
    return parser


def _train(add: _Add) -> None:
    train = add(
        "train",
        "Run an experiment and write its directory.",
        "lprl train frozen_lake_dqn_prior k=3 seed=1 --out results/k3",
        "lprl train frozen_lake_dqn_prior alpha=.01,.1,1 num_runs=8 --out results/alphas",
    )
    train.add_argument("config", help="a YAML file, or the name of a config of the package")
    train.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="fields to change; hyper-parameters take several values, which run side by side",
    )
    train.add_argument("--out", type=Path, required=True, help="directory for the results")
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
        "One page with curves, tables, settings, versions and commands, to send to someone.",
        "lprl report results/demo -o report.html",
    )
    report.add_argument("-o", "--out", type=Path, required=True, help="new .html file")
    compare.add_argument("--json", type=Path, help="write the figures to this new file too")
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

    add("envs", "List the environments, with a sample of their text.", "lprl envs")

    check = add(
        "check",
        "Hold an environment against the contract: gymnax's, and its text's.",
        "lprl check FrozenLake-lprl map_name=4x4",
        "lprl check BlocksWorld-lprl num_blocks=4 --tokenizer my_tokenizer",
    )
    check.add_argument("env", help="a registered id")
    check.add_argument("overrides", nargs="*", metavar="key=value", help="fields of env_params")
    reader = check.add_mutually_exclusive_group()
    reader.add_argument(
        "--model", default="embedded", help="whose tokenizer reads the texts (default: embedded)"
    )
    reader.add_argument(
        "--tokenizer",
        type=Path,
        metavar="DIR",
        help="or a tokenizer without a model: a directory with tokenizer.json",
    )

    prior = add(
        "prior",
        "Ask a model about every state of a bank, and write the answers as a table.",
        "lprl prior FrozenLake-lprl map_name=8x8 is_slippery=false num_instances=32 "
        "split=held-out --model embedded -o table.npz",
        "lprl prior BlocksWorld-lprl num_instances=32 --model DIR --wording few-shot-2 -o few.npz",
        "lprl prior BlocksWorld-lprl --model my_model --kind p_map --samples 15 -o p_map.npz",
    )
    prior.add_argument("env", help="a registered id")
    prior.add_argument("overrides", nargs="*", metavar="key=value", help="fields of env_params")
    prior.add_argument(
        "--model", required=True, help="`embedded`, a Hugging Face directory, or `habit`"
    )
    prior.add_argument(
        "--wording",
        default="bare",
        help="what a model reads around a state: bare (default), instruction, few-shot-2, chat, or "
        "a YAML file",
    )
    prior.add_argument(
        "--normalization",
        default="sum",
        help="an action's log-likelihood: the sum over its tokens (default), or that by `token` or "
        "by `word`",
    )
    prior.add_argument(
        "--end-of-action",
        default="\\n",
        metavar="TEXT",
        help="what ends an action's text (default: \\n, a line break)",
    )
    prior.add_argument(
        "--chunk", type=int, default=0, metavar="N", help="states that a model runs at a time"
    )
    prior.add_argument(
        "--dtype", default="float32", help="of a model's weights: float32 (default), or bfloat16"
    )
    prior.add_argument(
        "--calibration", default="none", help="none (default), pmi or contextual, of a model"
    )
    prior.add_argument(
        "--kind",
        default="p_dist",
        help="p_dist scores every action (default), p_map finds an action in what the model writes",
    )
    prior.add_argument("--samples", type=int, default=5, help="of p_map: answers a state (5)")
    prior.add_argument("--max-tokens", type=int, default=10, help="of an answer, at most (10)")
    prior.add_argument("--sample-temperature", type=float, default=1.0, help="of its tokens (1)")
    prior.add_argument(
        "--top-p",
        type=float,
        default=1.0,
        help="probability of the likeliest tokens, that are drawn (1)",
    )
    prior.add_argument(
        "--smoothing", type=float, default=1.0, help="weight of the uniform beside the samples (1)"
    )
    prior.add_argument("-o", "--out", type=Path, required=True, help="new .npz file")
    prior.add_argument(
        "--precision",
        default="float32",
        help="of the file: float32 (default), or float16, which is half as large",
    )
    prior.add_argument("--quiet", action="store_true", help="no progress bar")

    add("priors", "List the models and the tables of answers that can be a prior.", "lprl priors")

    fetch = add(
        "fetch",
        "Bring a published language model into the user's cache.",
        "lprl fetch smollm2",
    )
    fetch.add_argument("model", help="its name; `lprl priors` lists them")

    measure = add(
        "measure",
        "What a prior knows of held-out instances, beside a habit, chance, and words exchanged.",
        "lprl measure FrozenLake-lprl map_name=4x4 is_slippery=false --model embedded",
        "lprl measure BlocksWorld-lprl num_blocks=4 --model embedded --calibration none,pmi",
        "lprl measure FrozenLake-lprl num_instances=16 split=train --model table.npz",
    )
    measure.add_argument("env", help="a registered id")
    measure.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="fields of env_params; without any instances, 32 that are held out",
    )
    measure.add_argument(
        "--model", required=True, help="a model, table, `habit` or `uniform`; several, with commas"
    )
    measure.add_argument(
        "--calibration",
        default="none",
        help="none (default), pmi or contextual, of models; several, with commas",
    )
    measure.add_argument(
        "--states", type=int, default=64, help="of an instance, at most, drawn (default 64)"
    )
    measure.add_argument(
        "--seed", type=int, default=0, help="of the states and the words (default 0)"
    )
    measure.add_argument("--json", type=Path, help="write the figures to this new file too")

    export = add(
        "export",
        "Write the language model that a run has fine-tuned as a Hugging Face directory.",
        "lprl export results/gflan --out my_model",
        "lprl export results/gflan --run 3 --out my_model",
        "lprl export results/gflan_lora --adapter --out my_adapter",
    )
    export.add_argument("run", type=Path, metavar="RUN", help="a run's directory")
    export.add_argument(
        "--run",
        dest="number",
        type=int,
        default=0,
        metavar="R",
        help="which of its runs, from 0, setting by setting (default 0)",
    )
    export.add_argument(
        "--adapter",
        action="store_true",
        help="only the adapters (lora_rank), as a directory of peft's; without it they are merged",
    )
    export.add_argument("--out", type=Path, required=True, help="new directory")

    pretrain = add(
        "pretrain",
        "Train the embedded model from scratch, with its early versions and model card.",
        "lprl pretrain --out my_model",
    )
    pretrain.add_argument("--out", type=Path, required=True, help="new directory")
    pretrain.add_argument("--steps", type=int, help="optimiser steps")
    pretrain.add_argument("--seed", type=int, help="of weights and instances")
    pretrain.add_argument("--quiet", action="store_true", help="no progress bar")
