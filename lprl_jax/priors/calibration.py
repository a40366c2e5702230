"""Calibration: a language model's prior, freed of what it would answer to no question at all.

A model likes some answers whatever stands before them: words that are common, and words that its
instructions put first. Two published remedies measure that liking behind a neutral text, and divide
by it:

* `pmi`: the answer's likelihood behind the bare cue, which is the last line of the template with
  nothing before it ("Move"). What is left is how much more likely the state makes the answer, the
  domain-conditional pointwise mutual information of Holtzman et al. 2021, *Surface Form
  Competition: Why the Highest Probability Answer Isn't Always Right*, arXiv 2104.08315;
* `contextual`: the distribution over all answers behind the whole text with nothing in its slots,
  averaged over a few ways to write nothing (`CONTENT_FREE`), after Zhao et al. 2021, *Calibrate
  Before Use: Improving Few-Shot Performance of Language Models*, arXiv 2102.09690.

Both are one number an action, the same in every state. With the log-likelihoods l [B, A], the
offset o [A], the divisor d [A] (1, or the answer's number of tokens or words) and a temperature T:

    log p(a | s) = log-softmax over the legal actions of (l_a - o_a) / d_a / T

In this order. The offset first, for it is a log-likelihood of the same tokens as l: both have the
same length, and by that they are divided together. The temperature last, for it says how far to
trust what comes of all this, and changes no preference. The softmax at the end, over the legal
actions alone, since which are legal is known.

What divides can help a bare prompt and ruin a good one: `algorithms.tabular.calibrations.choose`
tries it on training instances.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, Literal, Template
from lprl_envs import values as checks
from lprl_envs.errors import require_one_of

from lprl_jax.lm import decoder, scoring
from lprl_jax.lm.checkpoint import LanguageModel, require_fits
from lprl_jax.lm.families import FAMILIES
from lprl_jax.lm.scoring import Trie
from lprl_jax.priors.action_scores import ActionScorer
from lprl_jax.priors.base import normalize

METHODS = ("none", "pmi", "contextual")
CONTENT_FREE = (" N/A", " [MASK]", "")
"""What stands for a state of which nothing is told: the three of Zhao et al., section 5."""


class Calibration(NamedTuple):
    """Arguments of the compiled functions."""

    offset: jax.Array
    """f32[A]: is subtracted from the log-likelihoods of the answers; 0 without a method."""
    temperature: jax.Array
    """f32[]: divides them."""

    def of_scores(self, scores: jax.Array) -> jax.Array:
        """Log-likelihoods `[..., A]`, to be divided by their lengths yet, and normalised."""
        return (scores - _aligned(self.offset, scores)) / self.temperature

    def of_log_probs(self, log_probs: Any, divisor: Any) -> jax.Array:
        """What a table `[..., A]` of an uncalibrated prior becomes: the calibrated prior's.

        A table is `l / d` short of a number a state, which the softmax takes away.

        Args:
            log_probs: Normalised over the legal actions, -inf elsewhere.
            divisor: `f32[A]`: d, of the prior.
        """
        offset = _aligned(self.offset / divisor, log_probs)
        return normalize((log_probs - offset) / self.temperature, log_probs > -jnp.inf)


def _aligned(values: Any, rows: jax.Array) -> jax.Array:
    """`f32[A]` as one row of `[..., A]`."""
    return jnp.expand_dims(jnp.asarray(values), range(rows.ndim - 1))


def none(num_actions: int) -> Calibration:
    """Which changes nothing, to the bit."""
    return Calibration(jnp.zeros(num_actions, jnp.float32), jnp.float32(1.0))


def check(method: str, temperature: float) -> None:
    """Raises InvalidInput if there is no such method, or the temperature is not above 0."""
    require_one_of("calibration", method, METHODS)
    checks.require_above_0("temperature", checks.finite("temperature", temperature))


def require_off(method: str, name: str) -> None:
    """Raise InvalidInput if a prior that cannot be calibrated is to be."""
    require_one_of("calibration", method, METHODS)
    if method != "none":
        raise InvalidInput(
            f"calibration is {method!r}, which is for models of {', '.join(FAMILIES)}; the prior "
            f"{name!r} is none"
        )


def settings_of(method: str, temperature: float) -> dict[str, Any]:
    """What a table records of it, since it tells priors apart; nothing, where it is off."""
    chosen = {"calibration": method} if method != "none" else {}
    return chosen | ({"temperature": float(temperature)} if temperature != 1.0 else {})


def name_of(method: str, temperature: float) -> str:
    """What stands behind a prior's name: ` (pmi, temperature 2)`; nothing, where it is off."""
    parts = [method] * (method != "none") + [f"temperature {temperature:g}"] * (temperature != 1.0)
    return f" ({', '.join(parts)})" if parts else ""


def offset_of(
    method: str, model: LanguageModel, scorer: ActionScorer, template: Template, end_of_action: str
) -> jax.Array:
    """The offset `f32[A]` of a method.

    Args:
        method: One of `METHODS`.
        model: With the weights that are asked.
        scorer: How it is asked.
        template: How a state reads.
        end_of_action: What ends an action's text.

    Raises:
        InvalidInput: as `log_likelihoods`.
    """
    if method == "none":
        return none(len(scorer.table.answers)).offset
    answers = [text + end_of_action for text in scorer.env.action_texts]
    texts = neutral_texts(method, template)
    found = log_likelihoods(model, texts, answers, scorer.table.answers)
    return found[0] if method == "pmi" else contextual_offset(found, scorer.divisor)


def contextual_offset(scores: jax.Array, divisor: Any) -> jax.Array:
    """By what the log-likelihoods are lowered, so that a prior is divided by its mean of nothing.

    With normalisation by length, the prior is a softmax of l / d, and so is what divides it:

        p_cf = mean over the texts of softmax(l / d),    o = d · log p_cf

    Of states with fewer legal actions p_cf is not normalised anew; that would be one factor for
    each text, and they are averaged before.

    Args:
        scores: `f32[T, A]`: l, behind T texts without content.
        divisor: `f32[A]`: d.

    Returns:
        `f32[A]`.
    """
    log_probs = jax.nn.log_softmax(scores / _aligned(divisor, scores), axis=-1)
    return jnp.asarray(divisor) * (jax.nn.logsumexp(log_probs, axis=0) - jnp.log(len(scores)))


def neutral_texts(method: str, template: Template) -> tuple[str, ...]:
    """Behind which a method asks for the answers."""
    if method == "pmi":
        return (cue_of(template),)
    return tuple(dict.fromkeys(_filled(template, nothing) for nothing in CONTENT_FREE))


def cue_of(template: Template) -> str:
    """The last line of the template's last literal on which anything stands, with what follows it.

    >>> cue_of(Template((Literal("At a2\\nMove"),)))
    'Move'
    """
    last = template.segments[-1]
    assert isinstance(last, Literal)  # a template ensures it
    stop = len(last.text.rstrip("\n"))
    return last.text[last.text.rfind("\n", 0, stop) + 1 :] if stop else last.text


def _filled(template: Template, nothing: str) -> str:
    """The text with `nothing` once in the place of all slots that stand side by side."""
    pieces: list[str] = []
    before = None
    for segment in template.segments:
        if isinstance(segment, Literal):
            pieces.append(segment.text)
        elif before is None or isinstance(before, Literal):
            pieces.append(nothing)
        before = segment
    return "".join(pieces)


def log_likelihoods(
    model: LanguageModel,
    texts: Sequence[str],
    answers: Sequence[str],
    tokens_of: Sequence[Sequence[int]],
) -> jax.Array:
    """`f32[T, A]`: of every answer behind texts that the environment does not write.

    Args:
        model: Is asked.
        texts: T of them.
        answers: A of them.
        tokens_of: Those of each answer, behind any text.

    Raises:
        InvalidInput: if the tokenizer does not split a text before an answer, or the two are more
            than the model reads.
    """
    encode = model.tokenizer.encode
    rows = [encode(text) for text in texts]
    for text, row in zip(texts, rows, strict=True):
        for answer, own in zip(answers, tokens_of, strict=True):
            if encode(text + answer) != [*row, *own]:
                raise InvalidInput(
                    f"this tokenizer does not split {text!r} before {answer!r}, so there is no "
                    "calibration by that text; valid: calibration=none"
                )
    shape = (1, len(rows), max(map(len, rows)))
    tokens, valid = np.zeros(shape, np.int32), np.zeros(shape, bool)
    for i, row in enumerate(rows):  # on the right: behind the last column come the answers
        tokens[0, i, -len(row) :], valid[0, i, -len(row) :] = row, True
    c, trie = model.config, Trie.build(tokens_of)
    columns = shape[2] + max(map(len, tokens_of)) - 1
    require_fits(model.name, c.vocab_size, c.max_position_embeddings, columns, tokens)

    @jax.jit
    def score(weights: Any, tokens: jax.Array, valid: jax.Array) -> jax.Array:
        # Whole log-likelihoods, short of nothing.
        found = scoring.score(c, weights, *decoder.no_prefix(c), tokens, valid, trie)
        return found.log_likelihoods[0]

    return score(model.params, jnp.asarray(tokens), jnp.asarray(valid))
