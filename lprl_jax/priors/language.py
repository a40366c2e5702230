"""LanguagePrior: a language model scores every action's text, exactly, inside the graph.

The prior of an action is the likelihood of its text behind the state's text ("p_dist" of Efficient
Reinforcement Learning with Large Language Model Priors, arXiv 2410.07927), normalised over the
legal actions. The text is rendered as tokens in the graph; what the states of an instance share is
run through the model once and kept as keys and values.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from lprl_envs import InvalidInput, TextEnv, TextEnvParams
from lprl_envs.short_repr import short_repr

from lprl_jax.lm import named
from lprl_jax.lm.checkpoint import LanguageModel
from lprl_jax.priors import calibration as calibrations
from lprl_jax.priors.action_scores import ActionScorer
from lprl_jax.priors.base import Counters, Stateless, require_world
from lprl_jax.priors.calibration import Calibration
from lprl_jax.priors.fingerprint import Fingerprint
from lprl_jax.priors.options import check_options, fingerprint_of, settings_of
from lprl_jax.priors.reading import Prefix, Width
from lprl_jax.priors.wordings import Wording


class LanguagePriorParams(NamedTuple):
    """Arguments of the compiled functions; M instances in the bank."""

    weights: Any
    """Of the model."""
    prefix: Prefix
    """Keys and values of each instance's text."""
    prefix_valid: jax.Array
    """bool[M, P]"""
    width: Width
    """Of the bank's states."""
    calibration: Calibration
    """What the log-likelihoods are lowered and divided by."""
    fingerprint: Fingerprint
    """What they are of."""


@dataclasses.dataclass(frozen=True, eq=False)
class LanguagePrior:
    """A frozen language model as a prior; make one with `from_pretrained`."""

    __repr__ = short_repr

    model: LanguageModel
    """Scores the texts."""
    scorer: ActionScorer
    """How it is asked."""
    normalization: str
    """`"sum"`, `"token"` or `"word"`."""
    end_of_action: str
    """What ends an action's text."""
    chunk: int
    """States that are run at a time."""
    params: LanguagePriorParams
    """Weights, the prefixes of a bank, and the calibration."""
    calibration: str = "none"
    """`"none"`, `"pmi"` or `"contextual"`; `calibrated` changes it."""
    temperature: float = 1.0
    """Of the calibration."""

    @staticmethod
    def from_pretrained(
        name: str | Path,
        env: TextEnv[Any, Any],
        env_params: TextEnvParams | None = None,
        *,
        wording: Wording | str | Path = "bare",
        normalization: str = "sum",
        end_of_action: str = "\n",
        chunk: int = 256,
        dtype: Any = jnp.float32,
        mesh: Mesh | None = None,
        calibration: str = "none",
        temperature: float = 1.0,
    ) -> LanguagePrior:
        """A prior from a model's name or directory.

        Args:
            name: `"embedded"`, one of its early versions, `"smollm2"` once it was fetched, a
                Hugging Face directory, or a GGUF file.
            env: The environment.
            env_params: Its bank of instances; default, the environment's own.
            wording: What stands around a state: a `Wording`, or the name or YAML file of one. With
                examples by number it is worked out first, by `lprl_jax.worked`.
            normalization: Of an action's log-likelihood: its `"sum"` over tokens, or that divided
                by its number of tokens (`"token"`) or words (`"word"`).
            end_of_action: What ends an action's text. With it, "go" and "go left" are alternatives;
                without (`""`), every answer that starts with "go" counts for "go".
            chunk: States that are run through the model at a time.
            dtype: Of the weights and of the matrix products.
            mesh: Over whose axis `model` the weights are split; see `checkpoint.load`.
            calibration: By what answers are divided that the model likes whatever it reads:
                `"none"`, `"pmi"` or `"contextual"`; see `priors.calibration`.
            temperature: Above 1 it flattens the prior, behind the calibration.

        Raises:
            InvalidInput: if there is no such model or wording, its tokenizer cannot render the
                prompt piece by piece, or an argument is out of range.
        """
        return LanguagePrior.of_model(
            named.load(str(name), dtype, mesh),
            env,
            env_params,
            wording=wording,
            normalization=normalization,
            end_of_action=end_of_action,
            chunk=chunk,
            calibration=calibration,
            temperature=temperature,
        )

    @staticmethod
    def of_model(
        model: LanguageModel,
        env: TextEnv[Any, Any],
        env_params: TextEnvParams | None = None,
        *,
        wording: Wording | str | Path = "bare",
        normalization: str = "sum",
        end_of_action: str = "\n",
        chunk: int = 256,
        calibration: str = "none",
        temperature: float = 1.0,
    ) -> LanguagePrior:
        """As `from_pretrained`, of a model at hand."""
        check_options(normalization, chunk, end_of_action)
        calibrations.check(calibration, temperature)
        require_world(env, env_params)
        scorer = ActionScorer.of(model, env, normalization, end_of_action, wording)
        bank = env.default_params if env_params is None else env_params
        prior = LanguagePrior(
            model=model,
            scorer=scorer,
            normalization=normalization,
            end_of_action=end_of_action,
            chunk=chunk,
            params=encode_bank(model, scorer, bank),
        )
        return prior.calibrated(calibration, temperature)

    def with_bank(self, env_params: TextEnvParams) -> LanguagePrior:
        """The same prior for another bank of instances."""
        require_world(self.env, env_params)
        model = self.model._replace(params=self.params.weights)
        params = encode_bank(model, self.scorer, env_params, self.params.calibration)
        return dataclasses.replace(self, params=params)

    def calibrated(self, method: str = "none", temperature: float = 1.0) -> LanguagePrior:
        """The same prior with this calibration, in the place of the one it had.

        The bank stays encoded, and what is compiled for one calibration runs with any other.

        Args:
            method: One of `calibration.METHODS`.
            temperature: Above 0; above 1 the prior is flattened.

        Raises:
            InvalidInput: if the method is unknown or the temperature out of range, or the tokenizer
                does not split a neutral text before an answer.
        """
        calibrations.check(method, temperature)
        model = self.model._replace(params=self.params.weights)
        asked = model, self.scorer, self.scorer.prompt.template, self.end_of_action
        offset = calibrations.offset_of(method, *asked)
        made = Calibration(offset, jnp.float32(temperature))
        params = self.params._replace(calibration=made)
        own = {"calibration": method, "temperature": float(temperature)}
        return dataclasses.replace(self, params=params, **own)

    @property
    def name(self) -> str:
        """The model's, its own or that of its directory or file; behind it, the calibration."""
        return self.model.name + calibrations.name_of(self.calibration, self.temperature)

    @property
    def env(self) -> TextEnv[Any, Any]:
        """Whose texts it reads."""
        return self.scorer.env

    @property
    def settings(self) -> dict[str, Any]:
        """What a table of this prior records of it."""
        asked = self.scorer.prompt, self.normalization, self.end_of_action
        own = settings_of(self.model, self.env, *asked)
        return own | calibrations.settings_of(self.calibration, self.temperature)

    @property
    def stateless(self) -> Stateless:
        """Equal for two banks of one prior, however it is calibrated."""
        nothing: Any = None
        bare = dataclasses.replace(self, model=self.model._replace(params=None), params=nothing)
        own = (field.name for field in dataclasses.fields(bare))
        arguments = ("model", "params", "calibration", "temperature")  # of what is compiled
        key = tuple(getattr(bare, name) for name in own if name not in arguments)
        return Stateless((LanguagePrior, *key), bare)

    @property
    def feature_shape(self) -> tuple[int]:
        """Size of the model's hidden states."""
        return (self.model.config.hidden_size,)

    def init(self) -> Counters:
        """Nothing asked yet."""
        return Counters.zero()

    def log_probs(
        self,
        params: LanguagePriorParams,
        carry: Counters,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """See `Prior.log_probs`. Every needed row is run: nothing is remembered."""
        scores = self._scores(params, env_state, env_params, needed)
        log_probs = self._normalize(params, scores, env_state, env_params)
        return log_probs, carry.after_running(needed)

    def log_probs_of_slots(
        self,
        params: LanguagePriorParams,
        carry: Counters,
        instance: jax.Array,
        slots: jax.Array,
        needed: jax.Array,
    ) -> tuple[jax.Array, Counters]:
        """See `TextPrior`.

        Raises:
            InvalidInput: if a state has actions that are illegal, which no text tells.
        """
        if self.env.max_legal < self.env.num_actions:
            raise InvalidInput(
                f"at most {self.env.max_legal} of {self.env.num_actions} actions of "
                f"{self.env.name} are legal, and no text tells which; right: ask about states"
            )
        behind = params.prefix, params.prefix_valid
        asked = params.weights, behind, instance, slots, needed, self.chunk
        scores = self.scorer.score_texts(*asked)
        scores = params.calibration.of_scores(scores) / self.scorer.divisor[None]
        return jax.nn.log_softmax(scores, axis=-1), carry.after_running(needed)

    def log_probs_and_features(
        self,
        params: LanguagePriorParams,
        carry: Counters,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[jax.Array, jax.Array, Counters]:
        """See `FeaturePrior`: the hidden state, behind the last norm, at the text's last token.

        It is the one that an action's first token is predicted from: no further run of the model.
        """
        num_actions = self.scorer.env.num_actions
        rows = self._scores(params, env_state, env_params, needed, with_readout=True)
        log_probs = self._normalize(params, rows[:, :num_actions], env_state, env_params)
        return log_probs, rows[:, num_actions:], carry.after_running(needed)

    def _normalize(
        self, params: LanguagePriorParams, scores: jax.Array, states: Any, env_params: Any
    ) -> jax.Array:
        """Log-likelihoods `f32[B, A]` to calibrated log-probabilities."""
        return self.scorer.normalize(params.calibration.of_scores(scores), states, env_params)

    def _scores(
        self,
        params: LanguagePriorParams,
        states: Any,
        env_params: Any,
        needed: jax.Array,
        with_readout: bool = False,
    ) -> jax.Array:
        """See `ActionScorer.evaluate`."""
        behind = params.prefix, params.prefix_valid
        asked = params.weights, behind, states, env_params, needed, self.chunk, params.width
        return self.scorer.evaluate(*asked, with_readout)


def encode_bank(
    model: LanguageModel,
    scorer: ActionScorer,
    env_params: TextEnvParams,
    calibration: Calibration | None = None,
) -> LanguagePriorParams:
    """Run every instance's text through the model.

    Args:
        model: The model.
        scorer: How it is asked.
        env_params: The bank.
        calibration: Of the prior; None for none.

    Raises:
        InvalidInput: as `ActionScorer.render`, or if they take more memory than there is.
    """
    tokens, valid = scorer.render(model.name, env_params)
    made_for = fingerprint_of(model, scorer.env, env_params, scorer.prompt)
    prefix = scorer.reader.keep(model.params, tokens, valid)
    calibration = calibration or calibrations.none(scorer.env.num_actions)
    width = scorer.reader.measure(env_params)
    return LanguagePriorParams(model.params, prefix, valid, width, calibration, made_for)
