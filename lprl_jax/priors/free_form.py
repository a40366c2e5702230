"""FreeFormPrior: what a language model writes freely, projected to actions ("p_map").

Efficient Reinforcement Learning with Large Language Model Priors (arXiv 2410.07927) compares two
priors: p_dist scores every action's text (`LanguagePrior`), p_map lets the model answer as it
likes, and projects the answer to a legal action by a rule (`lm.projection`):

    p(a | s) = Σ_o P(a | o) LLM(o | s)

The sum over answers o is estimated from k samples. One that names no legal action counts for each
of them alike, which is the mean over the action that the rule then draws. Since k samples cannot
say that an action is impossible, a share of the uniform distribution is mixed in, as if it had been
sampled besides (`FreeForm.smoothing`).

A prior's answer is a function of the state, so the samples' keys are made from a seed and the
state's text: a table holds what a prior that is asked at every step says, and a run that is resumed
goes on as it was.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv, TextEnvParams, values
from lprl_envs.short_repr import short_repr

from lprl_jax import memory
from lprl_jax.lm import generation, projection
from lprl_jax.lm.checkpoint import require_fits
from lprl_jax.lm.generation import Behind
from lprl_jax.lm.projection import Projection
from lprl_jax.priors.base import Counters, evaluate_where_needed, normalize
from lprl_jax.priors.everywhere import ask_everywhere
from lprl_jax.priors.language import LanguagePrior, LanguagePriorParams
from lprl_jax.priors.tabular import TabularPrior, fingerprint_of, require_of

FIGURES: tuple[str, ...] = ("exact", "contained", "none", "tokens")
"""Of a state: shares of the answers that are an action's text, contain one, and name none; and
tokens written for an answer, on average, with the one that ends it."""


@dataclasses.dataclass(frozen=True)
class FreeForm:
    """How a model is let answer."""

    samples: int = 5
    """k: answers a state."""
    max_tokens: int = 10
    """Of an answer; it ends earlier with the end of an action, or a special token."""
    temperature: float = 1.0
    """Of the tokens' probabilities."""
    top_p: float = 1.0
    """Tokens are drawn among the likeliest that have this probability together; 1 is all."""
    smoothing: float = 1.0
    """Weight of the uniform distribution, where a sample's is 1. With 0, an action that was not
    named has probability 0, which a table in a file must not hold, nor a divergence meet."""
    seed: int = 0
    """Of the samples; the same state gets the same ones."""

    def __post_init__(self) -> None:
        """Raises InvalidInput if a field is of another type, or out of range."""
        values.check_fields(self)
        for name in ("samples", "max_tokens"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} is {getattr(self, name)}; it must be 1 or more")
        for name in ("temperature", "smoothing"):
            values.finite(name, getattr(self, name))
        values.require_above_0("temperature", self.temperature)
        if not 0 < self.top_p <= 1:
            raise InvalidInput(f"top_p is {self.top_p:g}; it must lie in (0, 1]")
        if self.smoothing < 0:
            raise InvalidInput(f"smoothing is {self.smoothing:g}; it must be 0 or more")


@dataclasses.dataclass(frozen=True, eq=False)
class FreeFormPrior:
    """The p_map prior of a language model; make one with `of`."""

    __repr__ = short_repr

    language: LanguagePrior
    """The model, how the states are worded, and what ends an action."""
    form: FreeForm
    """How it is let answer."""
    projection: Projection
    """From answers to actions."""

    @staticmethod
    def of(language: LanguagePrior, form: FreeForm | None = None) -> FreeFormPrior:
        """Of a model that is asked by `language`, which weighs no actions' texts.

        Args:
            language: Its `chunk` is the answers that are written at a time.
            form: How the model is let answer; default, `FreeForm()`.

        Raises:
            InvalidInput: as `require_unweighed`, or if an action cannot be named by free text, the
                model's tokens cannot be read, or an answer may be longer than its context.
        """
        form = form or FreeForm()
        require_unweighed(language.calibration, language.normalization)
        texts, model = language.env.action_texts, language.model
        made = Projection.of(
            texts, model.tokenizer, model.config.vocab_size, language.end_of_action
        )
        ended = [text + language.end_of_action for text in texts]
        made.table.prove(ended, language.scorer.table.answers)
        prior = FreeFormPrior(language, form, made)
        prior._require_room()
        return prior

    def with_bank(self, env_params: TextEnvParams) -> FreeFormPrior:
        """The same prior for another bank of instances."""
        prior = dataclasses.replace(self, language=self.language.with_bank(env_params))
        prior._require_room()
        return prior

    def _require_room(self) -> None:
        """Raise InvalidInput if the longest answer does not fit, in the context or in memory."""
        config, form, table = self.language.model.config, self.form, self.language.scorer.table
        before = self.params.prefix_valid.shape[1] + len(table.suffix.slot)
        # The last token is not run.
        columns, context = before + form.max_tokens - 1, config.max_position_embeddings
        require_fits(self.language.name, config.vocab_size, context, columns, np.zeros(1, int))
        heads = config.num_hidden_layers * config.num_key_value_heads * config.head_dim
        rows = self.chunk * form.samples
        shared = self.params.prefix.shared.keys.shape[1]
        parts = [
            # Of a text's prefix and own tokens, apart and joined.
            memory.Part(("chunk",), 2 * 8 * self.chunk * (before - shared) * heads),
            memory.Part(("samples", "max_tokens"), 8 * rows * form.max_tokens * heads),
            memory.Part(("samples",), 4 * rows * config.vocab_size),
        ]
        memory.require(
            "the answers", parts, dataclasses.asdict(form) | {"chunk": self.language.chunk}
        )

    @property
    def name(self) -> str:
        """The model's, and how it is asked."""
        return f"{self.language.name} (p_map)"

    @property
    def env(self) -> TextEnv[Any, Any]:
        """Whose texts it reads."""
        return self.language.env

    @property
    def params(self) -> LanguagePriorParams:
        """Weights, and the prefixes of a bank."""
        return self.language.params

    @property
    def chunk(self) -> int:
        """States that are run at a time."""
        return max(1, self.language.chunk // self.form.samples)

    @property
    def settings(self) -> dict[str, Any]:
        """What a table of this prior records of it."""
        own = self.language.settings
        del own["normalization"]
        return {**own, "kind": "p_map", **dataclasses.asdict(self.form)}

    def init(self) -> Counters:
        """Nothing asked yet."""
        return self.language.init()

    def log_probs(
        self,
        params: LanguagePriorParams,
        carry: Counters,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """See `Prior.log_probs`. Counted are states, not samples."""
        log_probs, _, carry = self.log_probs_and_figures(
            params, carry, env_state, env_params, needed
        )
        return log_probs, carry

    def log_probs_and_figures(
        self,
        params: LanguagePriorParams,
        carry: Counters,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, jax.Array, Counters]:
        """As `log_probs`, and `f32[B, 4]`: `FIGURES` of every state, 0 where not needed."""
        num_actions = self.env.num_actions

        def evaluate(states: Any) -> jax.Array:
            return self._answers(params, states, env_params)

        width = num_actions + len(FIGURES)
        rows = evaluate_where_needed(evaluate, env_state, needed, self.chunk, width)
        counts, figures = rows[:, :num_actions], rows[:, num_actions:]
        legal = jax.vmap(self.env.action_mask, in_axes=(0, None))(env_state, env_params)
        named_none = self.form.samples - jnp.sum(counts, axis=1, keepdims=True)
        alike = (named_none + self.form.smoothing) / jnp.sum(legal, axis=1, keepdims=True)
        log_probs = normalize(jnp.log(counts + alike), legal)
        return log_probs, figures, carry.after_running(needed)

    def _answers(self, params: LanguagePriorParams, states: Any, env_params: Any) -> jax.Array:
        """Samples for each action, then `FIGURES`, `f32[B, A + 4]`, of B states.

        As in `ActionScorer.score`, of a text that is longer than the bank's the samples are NaN.
        """
        form, scorer = self.form, self.language.scorer
        tokens, valid, fits = scorer.reader.read_states(states, env_params, params.width)
        slots = jax.vmap(self.env.slots, in_axes=(0, None))(states, env_params)
        legal = jax.vmap(self.env.action_mask, in_axes=(0, None))(states, env_params)
        keys = jax.vmap(lambda own: jax.random.split(_key_of(form.seed, own), form.samples))(slots)
        own = params.prefix_valid[:, params.prefix.shared.keys.shape[1] :]
        behind = Behind(params.prefix.own, own, states.instance, params.prefix.shared)
        written = generation.sample(
            self.language.model.config,
            params.weights,
            behind,
            tokens,
            valid,
            keys,
            form.max_tokens,
            generation.sampled(form.temperature, form.top_p),
            self.projection.ends,
        )
        project = jax.vmap(jax.vmap(self.projection.project, (0, None)))
        action, how = project(written, legal)
        counts = jnp.sum(jax.nn.one_hot(action, self.env.num_actions), axis=1)
        counts = jnp.where(fits[:, None], counts, jnp.nan)
        kinds = (projection.EXACT, projection.CONTAINED, projection.NONE)
        shares = [jnp.mean(how == kind, axis=1) for kind in kinds]
        length = jnp.mean(self.projection.num_read(written).astype(jnp.float32), axis=1)
        return jnp.concatenate([counts, jnp.stack([*shares, length], axis=1)], axis=1)


def require_unweighed(calibration: str, normalization: str) -> None:
    """Raise InvalidInput if the texts of actions are to be weighed otherwise than by default."""
    given = ("calibration", calibration, "none"), ("normalization", normalization, "sum")
    for field, found, plain in given:
        if found != plain:
            raise InvalidInput(
                f"{field} is {found!r}, which weighs the texts of actions, and by p_map none is "
                f"weighed; valid: {plain}"
            )


def tabulate_free_form(
    prior: FreeFormPrior,
    env: TextEnv[Any, Any],
    env_params: TextEnvParams,
    *,
    progress: bool = False,
    **settings: Any,
) -> TabularPrior:
    """As `tabulate`; the table's `figures` are means of `FIGURES` over the states that were asked.

    Raises:
        NotNumbered: if the environment has too many states.
        InvalidInput: if the prior is of another environment or bank.
    """
    require_of(prior.params, env, env_params, f"the prior {prior.name!r}")
    log_probs, figures, asked = ask_everywhere(
        prior, env, env_params, method="log_probs_and_figures", progress=progress
    )
    means: Any = np.sum(figures, axis=(0, 1), dtype=np.float64) / max(asked, 1)
    made_for = fingerprint_of(prior, env, env_params)
    measured: dict[str, float] = dict(zip(FIGURES, means.round(4).tolist(), strict=True))
    table = jnp.asarray(log_probs)
    return TabularPrior(env, table, prior.name, asked, settings, made_for, measured)


def _key_of(seed: int, slots: jax.Array) -> chex.PRNGKey:
    """A key of a state's text, by a hash of its `slots i32[num_slots]`."""
    place = jnp.arange(1, 1 + slots.shape[0], dtype=jnp.uint32)
    own = _mixed(slots.astype(jnp.uint32) + _mixed(place))
    parts = jnp.sum(own, dtype=jnp.uint32), jnp.sum(_mixed(own ^ place), dtype=jnp.uint32)
    key = jax.random.key(seed)
    for part in parts:
        key = jax.random.fold_in(key, part)
    return key


def _mixed(x: jax.Array) -> jax.Array:
    """Every bit of `u32[...]` depends on every other: the last step of MurmurHash3."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = (x ^ (x >> shift)) * jnp.uint32(factor)
    return x ^ (x >> 16)
