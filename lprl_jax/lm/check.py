"""check_tokens: what a language model reads in the graph is what the environment says on the host.

`lprl_envs.check_env` checks all that needs no tokenizer; this is the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from lprl_envs import CheckFailed, InvalidInput, TextEnv, TextEnvParams
from lprl_envs.conformance.compare import take
from lprl_envs.conformance.subject import Subject

from lprl_jax.lm import token_table

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def check_tokens(
    env: TextEnv[Any, Any],
    params: TextEnvParams | None,
    tokenizer: PreTrainedTokenizerFast,
    end_of_action: str = "\n",
) -> None:
    """Tokens in the graph equal `tokenizer(describe(state))`.

    Of the states that `check_env` looks at: all of some instances, where there are not too many.

    Args:
        env: The environment; it passes `check_env`.
        params: The bank; None for the default one.
        tokenizer: Of the model that is to read the states.
        end_of_action: Ends every answer, as for a `LanguagePrior`.

    Raises:
        CheckFailed: if the tokenizer does not suit the template, or reads a state otherwise.
    """
    subject = Subject(env, params)
    check_texts(subject, texts_of(subject), tokenizer, end_of_action)


def texts_of(subject: Subject) -> list[str]:
    """What the environment says of each of the states looked at, `[N]`."""
    num = len(np.asarray(subject.slots))
    return [subject.env.describe(take(subject.states, i), subject.params) for i in range(num)]


def check_texts(
    subject: Subject, texts: list[str], tokenizer: PreTrainedTokenizerFast, end_of_action: str
) -> None:
    """`check_tokens` of states whose `texts_of` are known: of one environment, many tokenizers.

    Raises:
        CheckFailed: as `check_tokens`.
    """
    env = subject.env
    try:
        answers = [text + end_of_action for text in env.action_texts]
        table = token_table.compile(env.template, answers, tokenizer)
    except InvalidInput as error:
        raise CheckFailed(env.name, "tokens", str(error)) from error
    # `[N, columns]`: in the graph, states without their texts
    tokens, valid = map(np.asarray, jax.jit(jax.vmap(table.render))(subject.slots))
    for row, (ids, mask, text) in enumerate(zip(tokens, valid, texts, strict=True)):
        found = ids[mask].tolist()
        if found != tokenizer.encode(text):
            rendered = tokenizer.decode(found, skip_special_tokens=True)
            name = subject.name_of(take(subject.states, row))
            where = f"{name}: the graph renders the tokens of {rendered!r}"
            raise CheckFailed(env.name, "tokens", f"{where}; right: {text!r}, which describe says")
