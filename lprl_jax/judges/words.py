"""WordJudge: a language model is asked what it thinks of every action, and answers in one word.

Behind a state's text stands an action, a colon and a verdict:

    At a1 left edge down ice right ice up edge
    Move left: good

All actions and words are scored in one forward pass, as a trie: the action's part is common to its
three words and cancels, so that

    p(v | s, a) = softmax over v of log P(action : v | s)

costs what the prior of the same model costs, and is exact. Where one action alone is legal there is
nothing to choose: it is not asked, and unsure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv, TextEnvParams, values
from lprl_envs.short_repr import short_repr

from lprl_jax.judges.base import BAD, GOOD, UNSURE, among_legal, has_choice
from lprl_jax.lm import named, taught, token_table
from lprl_jax.lm.checkpoint import LanguageModel
from lprl_jax.lm.scoring import Trie
from lprl_jax.priors import wordings
from lprl_jax.priors.action_scores import ActionScorer
from lprl_jax.priors.base import Counters, require_world
from lprl_jax.priors.fingerprint import Fingerprint
from lprl_jax.priors.options import fingerprint_of
from lprl_jax.priors.reading import Prefix, Reader, Width
from lprl_jax.priors.wordings import Wording

WORDS = (" good", " unsure", " bad")
"""Good, neither, bad: in this order wherever there are three of something."""
SEPARATOR = ":"
"""Between an action and the verdict on it."""


class WordJudgeParams(NamedTuple):
    """Arguments of the compiled functions; M instances in the bank."""

    weights: Any
    """Of the model."""
    prefix: Prefix
    """Keys and values of each instance's text."""
    prefix_valid: jax.Array
    """bool[M, P]"""
    width: Width
    """Of the bank's states."""
    bias: jax.Array
    """f32[3]: what the model likes to say of anything, taken from log p(v | s, a)."""
    threshold: jax.Array
    """f32[]: what the likeliest word must have, or the judge is unsure."""
    fingerprint: Fingerprint
    """What they are of."""


@dataclasses.dataclass(frozen=True, eq=False)
class WordJudge:
    """A frozen language model as a judge; make one with `from_pretrained`."""

    __repr__ = short_repr

    model: LanguageModel
    """Scores the texts."""
    scorer: ActionScorer
    """How it is asked: 3 A answers, an action's three words behind each other."""
    soft: bool
    """Whether δ is p(good) - p(bad), or the likeliest word's."""
    chunk: int
    """States that are run at a time."""
    params: WordJudgeParams
    """Weights, the prefixes of a bank, the calibration."""

    @staticmethod
    def from_pretrained(
        name: str | Path,
        env: TextEnv[Any, Any],
        env_params: TextEnvParams | None = None,
        **options: Any,
    ) -> WordJudge:
        """As `of_model`, of a model by its name, as `LanguagePrior.from_pretrained` takes it.

        Raises:
            InvalidInput: as `of_model`, or if there is no such model.
        """
        return WordJudge.of_model(named.load(str(name)), env, env_params, **options)

    @staticmethod
    def of_model(
        model: LanguageModel,
        env: TextEnv[Any, Any],
        env_params: TextEnvParams | None = None,
        *,
        soft: bool = False,
        threshold: float = 0.0,
        bias: Sequence[float] = (0.0, 0.0, 0.0),
        wording: Wording | str | Path = "bare",
        words: Sequence[str] = WORDS,
        separator: str = SEPARATOR,
        chunk: int = 256,
    ) -> WordJudge:
        """A judge from a model at hand.

        Args:
            model: Is asked.
            env: The environment.
            env_params: Its bank of instances; default, the environment's own.
            soft: Whether δ is p(good) - p(bad); otherwise that of the likeliest word.
            threshold: In [0, 1]: what the likeliest word must have, or the judge is unsure.
            bias: Log-probabilities that are taken off good, unsure and bad; see `calibrated`.
            wording: What stands around a state.
            words: Good, unsure, bad, each with the space before it.
            separator: Between an action and a word.
            chunk: States that are run through the model at a time.

        Raises:
            InvalidInput: if its tokenizer begins two of the words alike, or an argument is out of
                range.
        """
        require_world(env, env_params)
        soft, chunk = values.truth("soft", soft), values.whole("chunk", chunk)
        if chunk < 1:
            raise InvalidInput(f"chunk is {chunk}; at least 1 state is run at a time")
        scorer = _scorer_of(model, env, wording, words, separator)
        bank = env.default_params if env_params is None else env_params
        judge = WordJudge(model, scorer, soft, chunk, _encoded(model, scorer, bank))
        return judge.calibrated(bias, threshold)

    def with_bank(self, env_params: TextEnvParams) -> WordJudge:
        """The same judge for another bank of instances."""
        require_world(self.env, env_params)
        own = {"bias": self.params.bias, "threshold": self.params.threshold}
        params = _encoded(self.model, self.scorer, env_params)._replace(**own)
        return dataclasses.replace(self, params=params)

    def calibrated(self, bias: Sequence[float], threshold: float = 0.0) -> WordJudge:
        """The same judge with this bias `[3]` and threshold; nothing is compiled anew.

        Raises:
            InvalidInput: if there are not three, or a number is out of range.
        """
        own = values.sequence("bias", bias, values.finite)
        if len(own) != 3:
            raise InvalidInput(f"bias has {len(own)} numbers; right: 3, of good, unsure and bad")
        threshold = values.number("threshold", threshold)
        if not 0 <= threshold <= 1:
            raise InvalidInput(f"threshold is {threshold:g}; it must lie in [0, 1]")
        params = self.params._replace(bias=jnp.array(own), threshold=jnp.float32(threshold))
        return dataclasses.replace(self, params=params)

    @property
    def name(self) -> str:
        """The model's."""
        return f"{self.model.name} in words"

    @property
    def env(self) -> TextEnv[Any, Any]:
        """Whose texts it reads."""
        return self.scorer.env

    def init(self) -> Counters:
        """Nothing asked yet."""
        return Counters.zero()

    def verdicts(
        self,
        params: WordJudgeParams,
        carry: Counters,
        keys: chex.PRNGKey,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """See `Judge.verdicts`. Every needed row is run: nothing is remembered."""
        del keys
        needed = needed & has_choice(self.env, env_state, env_params)
        log_probs = self.log_probs(params, env_state, env_params, needed)
        found, carry = self._told(params, carry, log_probs, needed)
        return among_legal(self.env, found, env_state, env_params), carry

    def verdicts_of_slots(
        self,
        params: WordJudgeParams,
        carry: Counters,
        instance: jax.Array,
        slots: jax.Array,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """See `TextJudge`."""
        needed = needed & (self.env.num_actions > 1)
        log_probs = self._log_probs(params, instance, slots, needed)
        return self._told(params, carry, log_probs, needed)

    def log_probs(
        self, params: WordJudgeParams, env_state: Any, env_params: Any, needed: jax.Array
    ) -> jax.Array:
        """Log p(v | s, a), less the bias, normalised: `f32[B, A, 3]`."""
        slots = self.scorer.reader.slots_of(env_state, env_params)
        return self._log_probs(params, env_state.instance, slots, needed, params.width)

    def _log_probs(
        self,
        params: WordJudgeParams,
        instance: jax.Array,
        slots: jax.Array,
        needed: jax.Array,
        width: Width | None = None,
    ) -> jax.Array:
        """See `log_probs`."""
        behind = params.prefix, params.prefix_valid
        asked = params.weights, behind, instance, slots, needed, self.chunk, width
        of_words = self.scorer.score_texts(*asked).reshape(-1, self.env.num_actions, 3)
        plain = jax.nn.log_softmax(of_words, axis=-1)
        return jax.nn.log_softmax(plain - params.bias[None, None], axis=-1)

    def _told(
        self, params: WordJudgeParams, carry: Counters, log_probs: jax.Array, asked: jax.Array
    ) -> tuple[jax.Array, Counters]:
        """Verdicts `f32[B, A]`, unsure in rows that were not asked, and the new carry."""
        found = verdict_of(log_probs, params.threshold, self.soft)
        return jnp.where(asked[:, None], found, UNSURE), carry.after_running(asked)


def verdict_of(log_probs: jax.Array, threshold: jax.Array | float, soft: bool) -> jax.Array:
    """δ `f32[...]` of log-probabilities of good, unsure and bad, `f32[..., 3]`."""
    p = jnp.exp(log_probs)
    if soft:
        return p[..., 0] - p[..., 2]
    said = jnp.array([GOOD, UNSURE, BAD])[jnp.argmax(p, axis=-1)]
    return jnp.where(jnp.max(p, axis=-1) >= threshold, said, UNSURE)


def _encoded(
    model: LanguageModel, scorer: ActionScorer, env_params: TextEnvParams
) -> WordJudgeParams:
    """Of a bank, whose texts are run through the model; without a bias or a threshold."""
    tokens, valid = scorer.render(model.name, env_params)
    return WordJudgeParams(
        model.params,
        scorer.reader.keep(model.params, tokens, valid),
        valid,
        scorer.reader.measure(env_params),
        jnp.zeros(3, jnp.float32),
        jnp.float32(0.0),
        fingerprint_of(model, scorer.env, env_params, scorer.prompt),
    )


def _scorer_of(
    model: LanguageModel,
    env: TextEnv[Any, Any],
    wording: Wording | str | Path,
    words: Sequence[str],
    separator: str,
) -> ActionScorer:
    """How 3 A answers are scored.

    Raises:
        InvalidInput: if there are not three words, or two of them begin with the same token.
    """
    words = values.sequence("words", words, values.text)
    if len(words) != 3:
        raise InvalidInput(f"words are {words}; right: three, for good, unsure and bad")
    prompt = wordings.prompt_of(wording, env, model.tokenizer)
    texts = [text + separator + word for text in env.action_texts for word in words]
    table = token_table.compile(prompt.template, texts, model.tokenizer)
    of = f"{env.name}, wording {prompt.wording!r}"
    taught.warn_if_strange(model.name, model.taught, table, of)
    for i in range(env.num_actions):
        answers = table.answers[3 * i : 3 * i + 3]
        common = min(map(len, answers)) - 1
        shared = next((n for n in range(common) if len({a[n] for a in answers}) > 1), common)
        if len({answer[shared] for answer in answers}) < 3:
            raise InvalidInput(
                f"the tokenizer of {model.name!r} begins two of the words {', '.join(words)} with "
                "the same token; name three that begin differently"
            )
    divisor = np.ones(len(texts), np.float32)
    reader = Reader(env, model.config, prompt, table)
    return ActionScorer(reader, Trie.build(table.answers), divisor)


def bias_of(log_probs: jax.Array, counted: jax.Array) -> tuple[float, float, float]:
    """What a model likes to say of anything: the mean log p(v | s, a) of a bank, less their mean.

    Args:
        log_probs: `f32[B, A, 3]`, without a bias, of *training* instances.
        counted: `bool[B, A]`: legal actions of states that were asked about.
    """
    mean = jnp.mean(log_probs, axis=(0, 1), where=counted[..., None])
    good, unsure, bad = (float(x) for x in mean - jnp.mean(mean))
    return good, unsure, bad
