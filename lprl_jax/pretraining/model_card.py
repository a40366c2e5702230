"""MODEL_CARD.md of an embedded model: what `measuring` finds, and how the model was made."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from lprl_jax.files import origin
from lprl_jax.lm import identity
from lprl_jax.lm.checkpoint import LanguageModel
from lprl_jax.pretraining.following import EPISODES, PLAYED
from lprl_jax.pretraining.measuring import (
    BINS,
    INSTANCES,
    Actions,
    Completions,
    measure_actions,
    measure_completions,
)
from lprl_jax.pretraining.measuring_verdicts import OTHERS, STATES, Verdicts, measure_verdicts
from lprl_jax.pretraining.pretrain import PretrainConfig
from lprl_jax.pretraining.replay import Taught, replay
from lprl_jax.pretraining.tasks import ActionTask, CompletionTask, Task
from lprl_jax.pretraining.verdicts import VerdictTask
from lprl_jax.priors.judging import PROPOSALS
from lprl_jax.results.comparison import interval

TITLES = {
    "embedded": "the embedded language model",
    "embedded-judge": "the embedded judge",
    "embedded-home": "the embedded model of a kitchen and a household",
}
RIGHT = {
    "embedded": ("optimal; of patterns: it is what the hidden pattern asks for.",),
    "embedded-home": (
        "in a kitchen a first macro of a shortest plan; in a household what is best by what was",
        "seen: the next action of a shortest plan where one is known, else to look where what",
        "lacks may be. States of a household are those of episodes with more or fewer random",
        "actions.",
    ),
}
"""What is right, by the model's name; what a judge does is optimal."""
SHUFFLED = {
    "embedded-home": (
        "What all instances of a kind share stays as it is: the dish that is held out, the task.",
        "The habit of that dish is that of the others, for it is never taught.",
    )
}
"""What else is to be known of the shuffled rows and of the habit."""
WEIGHED = {
    "embedded": "Top-1 is over all states alike, and most are far from the goal.",
    "embedded-home": "Top-1 is over a kitchen's states alike, and over those of a room's episodes.",
}
"""Of which states the figures are; a judge's are those of `embedded`."""


class Measured(NamedTuple):
    """All that the card shows of a model."""

    actions: list[Actions]
    """A kind of instances of a task each."""
    completions: list[Completions]
    """A task each."""
    verdicts: list[Verdicts]
    """A task and a way to draw states each."""
    taught: list[Taught]
    """A task each."""
    pairs: np.ndarray
    """u16[N, 2]: tokens that stood side by side in the lessons."""


def measure(
    config: PretrainConfig, models: Mapping[str, LanguageModel], tasks: Sequence[Task]
) -> Measured:
    """Measure on all tasks, and draw all lessons again to look for what is held out.

    Args:
        config: Of the training.
        models: The last is the final one, the others early versions.
        tasks: Of the training.
    """
    final = list(models.values())[-1]
    judged = [task for task in tasks if isinstance(task, VerdictTask)]
    acted = [task for task in tasks if isinstance(task, ActionTask)]
    acted += [task.as_actions() for task in judged]
    return Measured(
        [
            measure_actions(models, task, population)
            for task in acted
            for population in task.measured
        ],
        [measure_completions(final, task) for task in tasks if isinstance(task, CompletionTask)],
        [row for task in judged for row in measure_verdicts(final, task)],
        *replay(config, tasks, final.tokenizer),
    )


def figures(
    config: PretrainConfig, models: Mapping[str, LanguageModel], measured: Measured, command: str
) -> dict[str, Any]:
    """The card's figures as JSON takes them, and of which models they are, by digest."""
    final = list(models.values())[-1]
    told = measured._asdict()
    del told["pairs"]  # they lie beside the models
    return {
        "made": {
            "model": {name: identity.of_model(model) for name, model in models.items()},
            "command": command,
            "commit": origin.commit(Path(__file__).parents[2]) or "not a checkout",
            "machine": origin.machine(),
        },
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(final.params)),
        "vocabulary": len(final.tokenizer),
        "settings": dataclasses.asdict(config),
        **_plain(told),
    }


def _plain(value: Any) -> Any:
    """What has named fields as objects, arrays and NumPy's numbers as Python's."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(field) for name, field in value._asdict().items()}  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(value, dict):
        return {name: _plain(field) for name, field in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def render(
    config: PretrainConfig,
    models: Mapping[str, LanguageModel],
    measured: Measured,
    command: str,
    name: str = "embedded",
) -> str:
    """The page; the last of `models` is the final one, the others its early versions."""
    final = list(models.values())[-1]
    num_params = sum(leaf.size for leaf in jax.tree.leaves(final.params))
    settings = [f"{f.name} = {getattr(config, f.name)}" for f in dataclasses.fields(config)]
    parts = [
        f"# Model card: {TITLES[name]}",
        "",
        f"A Llama-architecture decoder of {num_params:,} parameters with its own byte-level BPE of",
        f"{len(final.tokenizer)} tokens, trained from scratch on text written by the environments'",
        "templates. It reads tokens and nothing else. This page is generated by",
        "",
        f"    {command}",
        "",
        *_actions(measured.actions, name),
        *_completions(measured.completions),
        *_verdicts(measured.verdicts),
        *_ladder(list(models), measured.actions),
        *_taught(measured.taught),
        "## How it was made",
        "",
        "Random instances of the training's side of the split (`docs/environments.md` says what it",
        "keeps apart). A demonstrator knows what is right, and of actions takes a random one now",
        "and then; the model learns to continue the state's text with its answer. Settings:",
        "; ".join(settings) + ".",
        "",
        "## What it is not",
        "",
        "It knows no world but these texts and cannot hold a conversation. Other sizes, densities",
        "and wordings are outside what was measured. It imitates a noisy demonstrator, so its",
        "probabilities are flatter than an expert's on purpose.",
        "",
    ]
    return "\n".join(parts)


def _actions(measured: Sequence[Actions], name: str) -> list[str]:
    lines = [
        "## What it knows: the next action",
        "",
        f"{INSTANCES} held-out instances of each kind, random states with something to be right.",
        "Top-1: the most likely action is right, that is",
        *RIGHT.get(name, RIGHT["embedded"]),
        f"Covered: {PROPOSALS} proposals hold a right action. KL(π* ‖ p) in nats. All are",
        "normalised over the legal actions.",
        "",
        "| task | instances | | top-1 | covered | KL |",
        "|---|---|---|---|---|---|",
    ]
    for m in measured:
        rows = {"words shuffled": m.shuffled, "habit": m.habit, "uniform": m.uniform}
        for who, s in {"model": m.model, **rows}.items():
            figures = f"{s.top1:.3f} | {s.covered:.3f} | {s.kl:.3f}"
            lines.append(f"| {m.task} | {m.population} | {who} | {figures} |")
    lines += [
        "",
        "In the shuffled rows every word is that of another instance or state: what the model then",
        "still gets right it does not get from the text. The habit is the best that one can answer",
        f"without looking at the state, fitted on {INSTANCES} training instances of the same kind:",
        "what the model is ahead of it, it owes to reading.",
        *SHUFFLED.get(name, ()),
        "",
        "## Followed by itself",
        "",
        f"Success rate of episodes on {PLAYED} held-out instances of each kind, {EPISODES} an",
        "instance, with 95 % intervals over the instances (Clopper and Pearson's).",
        "",
        "| task | instances | drawn from it | its most likely action | habit | uniform |",
        "|---|---|---|---|---|---|",
    ]
    for m in measured:
        if m.success is not None:
            cells = " | ".join(interval(rate) for rate in m.success)
            lines.append(f"| {m.task} | {m.population} | {cells} |")
    return [
        *lines,
        "",
        "A way takes many actions, so that few errors a step fail many episodes; a greedy follower",
        "may repeat one for ever, which a drawn action breaks.",
        WEIGHED.get(name, WEIGHED["embedded"]),
        "Which of these makes the difference was not measured.",
        "",
    ]


def _completions(measured: Sequence[Completions]) -> list[str]:
    if not measured:
        return []
    edges = [f"{100 * i // BINS}–{100 * (i + 1) // BINS} %" for i in range(BINS)]
    lines = [
        "## What it knows: the whole pattern",
        "",
        f"{INSTANCES} held-out instances a task, random states of each. The model writes the",
        "pattern, the most likely token each time, and the task's evaluator accepts it or not:",
        "share accepted, by how much of the pattern the state shows.",
        "",
        "| task | " + " | ".join(edges) + " | no pattern |",
        "|---" * (BINS + 2) + "|",
    ]
    for m in measured:
        cells = [
            f"{share:.3f} ({count})" if count else "–"
            for share, count in zip(m.accepted, m.shown, strict=True)
        ]
        lines.append(f"| {m.task} | " + " | ".join(cells) + f" | {m.malformed:.3f} |")
    return [*lines, "", "In brackets the number of states.", ""]


def _verdicts(measured: Sequence[Verdicts]) -> list[str]:
    if not measured:
        return []
    lines = [
        "## What it knows: verdicts",
        "",
        f"{INSTANCES} draws of held-out instances a task, {STATES} states of each, drawn in three",
        "ways; how many instances differ is told below. Of the verdicts that are good or bad: the",
        "share on which it holds the right one of the two for likelier, and that by itself for the",
        "good and the bad ones; on how many it says one of them, and not that it is unsure; how",
        "right it is there; and the expected error of its confidence. Last, how often it says one",
        "where nothing is to be said. Good and bad count for half each: who always says the same",
        "is at a half.",
        "",
        "| task | states | decided | | right | of good | of bad | says | right there | error "
        "| says of others |",
        "|---" * 11 + "|",
    ]
    for m in measured:
        rows = {"model": m.model, "words shuffled": m.shuffled}
        rows |= {"blind to the instance": m.blind, "habit": m.habit}
        for name, j in rows.items():
            cells = " | ".join(f"{x:.3f}" for x in j)
            lines.append(f"| {m.task} | {m.way} | {m.decided:.2f} | {name} | {cells} |")
    return [
        *lines,
        "",
        "Who is blind to the instance says what is right in the same state of most of",
        f"{OTHERS} training instances. The habit is the best verdict on each action that does not",
        "look at the state, fitted on as many training instances as are measured.",
        "",
    ]


def _taught(measured: Sequence[Taught]) -> list[str]:
    lines = [
        "## What was held out",
        "",
        "All lessons of this training were drawn once more, and searched for held-out instances of",
        "another seed: for their texts, of all states where these are numbered. Where the text",
        "carries the instance none may be found. Where it hides it no held-out pattern may be, and",
        "some texts, such as that of an empty grid, are equal. Of very many states, only as many",
        "were looked for as a lesson has.",
        "",
        "| task | different texts taught | held-out texts | of them taught | held-out instances "
        "| of them taught |",
        "|---|---|---|---|---|---|",
    ]
    for m in measured:
        share = f"{m.taught_texts:,} ({100 * m.taught_texts / m.texts:.1f} %)"
        lines.append(
            f"| {m.task} | {m.lesson_texts:,} | {m.texts:,} | {share if m.taught_texts else 0} "
            f"| {m.instances:,} | {m.taught_instances:,} |"
        )
    return [*lines, ""]


def _ladder(versions: Sequence[str], measured: Sequence[Actions]) -> list[str]:
    if len(versions) < 2:
        return []
    lines = [
        "## Early versions",
        "",
        "The same training stopped sooner: top-1.",
        "",
        "| task | instances | " + " | ".join(versions) + " |",
        "|---" * (len(versions) + 2) + "|",
    ]
    for m in measured:
        cells = " | ".join(f"{m.ladder[version]:.3f}" for version in versions)
        lines.append(f"| {m.task} | {m.population} | {cells} |")
    return [*lines, ""]
