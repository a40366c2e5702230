"""How the commands about a model are called; see `parser`. Nothing here is slow to import."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

_Add = Callable[..., argparse.ArgumentParser]
"""`(name, help, *examples)`: adds a command."""


def add_commands(add: _Add) -> None:
    """Add them."""
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
        "--model", required=True, help="a model (`lprl priors` lists some), its path, or `habit`"
    )
    _asked(prior)
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
    _asked(measure)
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
        "Train an embedded model from scratch, with its early versions and model card.",
        "lprl pretrain --out my_model",
        "lprl pretrain --model embedded-judge --out my_judge",
    )
    pretrain.add_argument("--out", type=Path, required=True, help="new directory")
    pretrain.add_argument(
        "--model",
        default="embedded",
        help="what it learns: embedded (default), embedded-judge, embedded-home",
    )
    pretrain.add_argument("--steps", type=int, help="optimiser steps")
    pretrain.add_argument("--seed", type=int, help="of weights and instances")
    pretrain.add_argument("--quiet", action="store_true", help="no progress bar")


def _asked(command: argparse.ArgumentParser) -> None:
    """How a model is asked."""
    command.add_argument(
        "--wording",
        default="bare",
        help="what a model reads around a state: bare (default), instruction, few-shot-2, chat, or "
        "a YAML file; to `measure`, several, with commas",
    )
    command.add_argument(
        "--normalization",
        default="sum",
        help="an action's log-likelihood: the sum over its tokens (default), or that by `token` or "
        "by `word`",
    )
    command.add_argument(
        "--end-of-action",
        default="\\n",
        metavar="TEXT",
        help="what ends an action's text (default: \\n, a line break)",
    )
    command.add_argument(
        "--chunk", type=int, default=0, metavar="N", help="states that a model runs at a time"
    )
    command.add_argument(
        "--dtype", default="float32", help="of a model's weights: float32 (default), or bfloat16"
    )
    command.add_argument(
        "--calibration",
        default="none",
        help="of a model's answers: none (default), pmi or contextual; to `measure`, several",
    )
