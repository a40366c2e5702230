"""The command line: `lprl train | demo | envs | prior | pretrain`.

Bad input is answered in one line on stderr, with exit status 2.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

# Before JAX starts: one device a core, so that the run axis can use them all.
os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={os.cpu_count() or 1}")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line instead of usage and message."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    from lprl_envs import InvalidInput

    try:
        options.run(options)
    except InvalidInput as error:
        print(f"lprl: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="lprl", description="A language model as a prior for RL.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)

    def add(name: str, help: str, example: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=help,
            description=help,
            epilog=f"example: {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    train = add(
        "train",
        "Run an experiment and write its directory.",
        "lprl train frozen_lake_dqn_prior k=3 seed=1 --out results/k3",
    )
    train.add_argument("config", help="a YAML file, or the name of a config of the package")
    train.add_argument("overrides", nargs="*", metavar="key=value", help="fields to change")
    train.add_argument("--out", type=Path, required=True, help="new directory for the results")
    train.add_argument("--quiet", action="store_true", help="no progress bar")
    train.set_defaults(run=_train)

    demo = add(
        "demo",
        "DQN, optimistic DQN and DQN-Prior on held-out maps.",
        "lprl demo --out results/demo",
    )
    demo.add_argument("--out", type=Path, help="new directory (default: results/demo, or the next)")
    demo.add_argument(
        "--controls", action="store_true", help="also the uniform, degraded and adversarial priors"
    )
    demo.add_argument("--slippery", action="store_true", help="on slippery ice")
    demo.add_argument("--quiet", action="store_true", help="no progress bar")
    demo.set_defaults(run=_demo)

    envs = add("envs", "List the environments, with a sample of their text.", "lprl envs")
    envs.set_defaults(run=_envs)

    prior = add(
        "prior",
        "Ask a model about every state of a bank, and write the answers as a table.",
        "lprl prior FrozenLake-lprl map_name=8x8 is_slippery=false num_instances=32 "
        "split=held-out --model embedded -o table.npz",
    )
    prior.add_argument("env", help="a registered id")
    prior.add_argument("overrides", nargs="*", metavar="key=value", help="fields of env_params")
    prior.add_argument("--model", required=True, help="`embedded`, or a Hugging Face directory")
    prior.add_argument("-o", "--out", type=Path, required=True, help="new .npz file")
    prior.set_defaults(run=_prior)

    pretrain = add(
        "pretrain",
        "Train the embedded model from scratch, with its early versions and model card.",
        "lprl pretrain --out my_model",
    )
    pretrain.add_argument("--out", type=Path, required=True, help="new directory")
    pretrain.add_argument("--steps", type=int, help="optimiser steps")
    pretrain.add_argument("--seed", type=int, help="of weights and instances")
    pretrain.add_argument("--quiet", action="store_true", help="no progress bar")
    pretrain.set_defaults(run=_pretrain)
    return parser


def _train(options: argparse.Namespace) -> None:
    from lprl_jax import config, demo, runner

    experiment = config.read(options.config, options.overrides)
    result = runner.run(experiment, options.out, progress=not options.quiet)
    print(demo.table({options.out.name: result}))
    print(f"written to {options.out}")


def _demo(options: argparse.Namespace) -> None:
    from lprl_jax import demo

    demo.run(options.out, options.controls, options.slippery, progress=not options.quiet)


def _envs(options: argparse.Namespace) -> None:
    del options
    import jax
    import lprl_envs

    for env_id, factory in lprl_envs.ENVIRONMENTS.items():
        env = factory()
        params = env.default_params
        _, state = env.reset(jax.random.key(0), params)
        summary = (factory.__doc__ or "").strip().splitlines()[0]
        print(f"{env_id}  (version {env.version}): {summary}")
        print(f"  actions: {', '.join(text.strip() for text in env.action_texts)}")
        print(f"  states an instance: {env.num_states}; a state reads:")
        print("".join(f"    {line}\n" for line in env.describe(state, params).splitlines()), end="")


def _prior(options: argparse.Namespace) -> None:
    from lprl_envs import InvalidInput

    from lprl_jax import build, config
    from lprl_jax.priors import LanguagePrior, tabulate

    if options.out.exists():
        raise InvalidInput(f"{options.out} exists; name another file, or remove it")
    fields = config.override({}, options.overrides)
    arguments, bank = config.parse_env_params(options.env, fields)
    env, params = build.make_env(options.env, arguments, bank)
    prior = LanguagePrior.from_pretrained(options.model, env, params)
    table = tabulate(prior, env, params, **prior.settings)
    table.save(options.out, params)
    print(f"{options.out}: {table.params.shape[0]} instances, {table.evaluations} evaluations")


def _pretrain(options: argparse.Namespace) -> None:
    from lprl_jax.lm import pretrain_run

    chosen = {"num_steps": options.steps, "seed": options.seed}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    pretrain_run.run(options.out, progress=not options.quiet, **chosen)


if __name__ == "__main__":
    sys.exit(main())
