"""`lprl pretrain`: train an embedded model, and write it with its early versions and its card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
from lprl_envs import InvalidInput
from lprl_envs.errors import require_one_of
from tqdm import tqdm

from lprl_jax.experiments import run_directory
from lprl_jax.experiments.holding import hold
from lprl_jax.files import paths
from lprl_jax.lm import checkpoint, embedded, taught
from lprl_jax.lm.checkpoint import LanguageModel
from lprl_jax.pretraining import model_card
from lprl_jax.pretraining.curriculum import TASKS
from lprl_jax.pretraining.curriculum_of_home import HOME_PHRASES, HOME_TASKS
from lprl_jax.pretraining.curriculum_of_judge import JUDGE_TASKS
from lprl_jax.pretraining.pretrain import PretrainConfig, pretrain
from lprl_jax.pretraining.tasks import Task
from lprl_jax.pretraining.tokenizer import PHRASES

CURRICULA: Mapping[str, Sequence[Task]] = {
    "embedded": TASKS,
    embedded.JUDGE: JUDGE_TASKS,
    embedded.HOME: HOME_TASKS,
}
"""By the name of the model that learns it."""
TOKENIZED: Mapping[str, Sequence[str]] = {embedded.HOME: HOME_PHRASES}
"""Phrases of the tokenizer, where they are not `tokenizer.PHRASES`."""
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    embedded.JUDGE: {"num_steps": 480, "early": ()},
    embedded.HOME: {"num_steps": 1_600, "early": ()},
}
"""Those that are not `PretrainConfig`'s."""


def run(out: Path, progress: bool = True, model: str = "embedded", **settings: Any) -> None:
    """Train, and write the model's folder, `out/final`, `out/early-1` ..., MODEL_CARD.md, its
    figures in MODEL_CARD.json, and loss.jsonl.

    Args:
        out: New directory.
        progress: Whether to show a progress bar, where standard error is a terminal.
        model: Which of `CURRICULA` is learnt.
        settings: Fields of `PretrainConfig`.

    Raises:
        InvalidInput: if the directory cannot be written, is in use or not empty, or a setting is
            wrong.
        CannotWrite: if there is no room for more.
    """
    out = paths.given(out)
    require_one_of("model", model, CURRICULA)
    config = PretrainConfig(**{**SETTINGS.get(model, {}), **settings})
    if config.num_steps < 1:
        raise InvalidInput(f"steps is {config.num_steps}; it must be 1 or more")
    kept: dict[str, LanguageModel] = {}
    with hold(out):
        run_directory.require_empty(out)
        try:
            _train(model, config, out, progress, kept)
        except OSError as error:
            whole = f"{', '.join(kept)} there are whole" if kept else "nothing there is whole"
            raise paths.CannotWrite(
                f"cannot write to {out}: {paths.reason(error)}; {whole}"
            ) from error
    print(f"written to {out}; use it as the prior: {out / embedded.MODELS[model]}")


def _train(
    model: str, config: PretrainConfig, out: Path, progress: bool, kept: dict[str, LanguageModel]
) -> None:
    """Write everything; `kept` takes the models that are whole."""
    with (
        (out / "loss.jsonl").open("w") as log,
        # None is quiet where there is no terminal: a log file would fill with bars.
        tqdm(total=config.num_steps, disable=None if progress else True, unit="step") as bar,
    ):
        phrases = TOKENIZED.get(model, PHRASES)
        for at in pretrain(config, CURRICULA[model], phrases=phrases):
            log.write(json.dumps({"step": at.step, "loss": round(at.loss, 5)}) + "\n")
            bar.update(at.step - bar.n)
            bar.set_postfix(loss=f"{at.loss:.3f}")
            if at.keep:
                name = embedded.MODELS[model] if at.keep == "final" else at.keep
                checkpoint.save(out / name, at.model, jnp.bfloat16)
                kept[name] = checkpoint.load(out / name)  # as it will be used: rounded
    write_card(config, kept, out, model)


def write_card(
    config: PretrainConfig, kept: dict[str, LanguageModel], out: Path, model: str = "embedded"
) -> None:
    """Measure what a training has kept in folders of `out`, and write MODEL_CARD.md and
    MODEL_CARD.json there, and beside each model what stood side by side in the training's lessons.
    """
    named = "" if model == "embedded" else f" --model {model}"
    command = f"lprl pretrain{named} --steps {config.num_steps} --seed {config.seed} --out DIR"
    measured = model_card.measure(config, kept, CURRICULA[model])
    card = model_card.render(config, kept, measured, command, model)
    (out / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    figures = model_card.figures(config, kept, measured, command)
    (out / "MODEL_CARD.json").write_text(json.dumps(figures, indent=1) + "\n")
    for folder in kept:
        taught.write(out / folder, measured.pairs)
    leaked = [row.task for row in measured.taught if not row.is_kept_apart]
    if leaked:
        raise InvalidInput(
            f"what is held out was taught, of {', '.join(leaked)}, as MODEL_CARD.md shows; a split "
            "must keep it apart"
        )
