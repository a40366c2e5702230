"""What the commands about a model do: it is fetched, checked, asked, measured, written, trained."""

from __future__ import annotations

import argparse
import itertools
from typing import Any

from lprl_envs import InvalidInput, registration
from lprl_envs.conformance.check import description, passing
from lprl_envs.errors import require_one_of

from lprl_jax.cli.warnings import warn_of_copies
from lprl_jax.experiments import (
    asking,
    build,
    config,
    export,
    measuring,
    places,
    prior_kinds,
)
from lprl_jax.experiments.config_fields import BankConfig
from lprl_jax.files import archive, paths
from lprl_jax.lm import embedded, fetched, hugging_face, named
from lprl_jax.lm.check import check_tokens
from lprl_jax.pretraining import pretrain_run
from lprl_jax.priors import drafts, shipped, tabular
from lprl_jax.results import measured


def check(options: argparse.Namespace) -> None:
    """`lprl check`."""
    tokenizer = _tokenizer(options)
    env, params, _ = _env(options)
    passed = 0
    for name in passing(env, params):
        print(f"ok  {name}: {description(env, name)}", flush=True)
        passed += 1
    if registration.class_of(options.env):
        check_tokens(env, params, tokenizer)
        print(f"ok  tokens: {(check_tokens.__doc__ or '').strip().splitlines()[0]}")
        passed += 1
    print(f"{options.env} keeps the contract: {passed} checks passed")


def prior(options: argparse.Namespace) -> None:
    """`lprl prior`."""
    paths.require_new(options.out, archive.ENDINGS)
    require_one_of("precision", options.precision, tabular.PRECISIONS)
    how = asking.Asking(**_asking(options))
    form = prior_kinds.free_form(options.kind, vars(options))
    if options.model != measuring.HABIT:
        named.path_of(_model(options))
    env, params, bank = _env(options)
    build.require_decoder(_model(options), options.dtype)
    warn_of_copies(options.dtype)
    if options.model == measuring.HABIT:
        asked: Any = build.named_prior(options.model, env, params, bank=bank, asking=how)
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
    print("tables of answers, for `prior=NAME`, which need no model:")
    for name, world in shipped.TABLES.items():
        env, env_params = shipped.WORLDS[world]
        chosen = " ".join(f"{key}={value}" for key, value in env_params.items())
        print(f"  {name}: {env} {chosen}".rstrip())


def measure(options: argparse.Namespace) -> None:
    """`lprl measure`."""
    if options.json:
        paths.require_new(options.json)
    fields = config.override({}, options.overrides)
    given = options.env, *config.parse_env_params(options.env, fields)
    models = [places.placed({"prior": name})["prior"] for name in options.model.split(",")]
    several = itertools.product(options.wording.split(","), options.calibration.split(","))
    askings = []
    for wording, calibration in several:
        own = {**vars(options), "wording": wording, "calibration": calibration}
        askings.append(asking.Asking(**_asking(argparse.Namespace(**own))))
    warn_of_copies(options.dtype)
    found = measuring.run(*given, models, askings, options.states, options.seed, options.dtype)
    print(measured.caption(found))
    print(measured.table(found))
    for line in measured.verdicts(found):
        print(line)
    if options.json:
        paths.write_json(options.json, measured.as_json(found))


def export_(options: argparse.Namespace) -> None:
    """`lprl export`."""
    steps = export.run(options.run, options.out, options.number, options.adapter)
    print(f"run {options.number} of {options.run}, after {steps:,} steps, written to {options.out}")


def pretrain(options: argparse.Namespace) -> None:
    """`lprl pretrain`."""
    chosen = {"num_steps": options.steps, "seed": options.seed}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    pretrain_run.run(options.out, progress=not options.quiet, model=options.model, **chosen)


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


def _env(options: argparse.Namespace) -> tuple[Any, Any, BankConfig]:
    """The environment and the bank that a command names, and how the bank is drawn."""
    fields = config.override({}, options.overrides)
    arguments, bank = config.parse_env_params(options.env, fields)
    return *build.make_env(options.env, arguments, bank), bank
