"""The embedded model's tokenizer: a byte-level BPE of the words that the environments write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lprl_jax.pretraining.tasks import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PHRASES = (
    "the hand is currently holding",
    "the hand is empty",
    r"the \w+ block",
    "is on the table",
    "is on top of",
    "from on top of",
    "on top of",
    "is clear",
    "pick up",
    "put down",
    "My goal is to have that",
    "As initial conditions I have that",
    "My next action is to",
)
"""Read as one word each, which makes Blocks World's sentences less than half as long."""


def train_tokenizer(
    tasks: Sequence[Task], phrases: Sequence[str] = PHRASES
) -> PreTrainedTokenizerFast:
    """A byte-level BPE, trained on every text that the tasks' templates are made of.

    Words take the space or newline before them along, letters with digits are one word, and so is
    each of the phrases, which are regular expressions.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    words = Regex(rf"\s?(?:{'|'.join(phrases)})\b|\s?\w+|[^\s\w]+|\s+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(words, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    pieces = [
        piece
        for task in tasks
        for template in task.texts
        for segment in template.segments
        for piece in (getattr(segment, "values", None) or (getattr(segment, "text", ""),))
    ]
    pieces += [word for task in tasks for word in task.words]
    trainer = trainers.BpeTrainer(
        vocab_size=4096,
        min_frequency=1,
        special_tokens=["<|end|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(pieces, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")
