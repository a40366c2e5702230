"""GFlan-Prior's policy: a language model that is fine-tuned, with values from what it reads.

An action's probability is the likelihood of its text behind the state's, normalised over the legal
actions, as that of a `LanguagePrior`: of the same model it is the policy before any training. The
gradient flows through the actions' tokens, the state's, and the instance's, whose keys and values
are computed once for all states. The value is linear in the hidden state that an action's first
token is predicted from, and 0 at first.

All weights are trained, or only adapters beside some of them (`lm.lora`): then the model's own are
arguments that all runs share, and a run's parameters are its adapters and the values' head.

Reference: Yan et al. 2024, Efficient Reinforcement Learning with Large Language Model Priors, arXiv
2410.07927 (GFlan-Prior), after Carta et al. 2023, Grounding Large Language Models in Interactive
Environments with Online Reinforcement Learning, arXiv 2302.02662 (GLAM).
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

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.policy_based.actor_critic import ActorCritic, Judgement
from lprl_jax.lm import lora, named
from lprl_jax.lm.checkpoint import LanguageModel, load
from lprl_jax.lm.lora import LoraConfig
from lprl_jax.lm.partition import LANGUAGE_MODEL
from lprl_jax.priors.action_scores import ActionScorer
from lprl_jax.priors.base import Prior
from lprl_jax.priors.fingerprint import Fingerprint
from lprl_jax.priors.options import fingerprint_of, settings_of, vocabulary_of
from lprl_jax.priors.reading import Prefix, Width
from lprl_jax.priors.wordings import Wording

END_OF_ACTION = "\n"
"""What ends an action's text."""


class LanguagePolicyParams(NamedTuple):
    """Arguments of the compiled functions; M instances in the bank."""

    start: Any
    """Weights that every run begins with, or which its adapters stand beside."""
    tokens: jax.Array
    """i32[M, P]: of each instance's text."""
    valid: jax.Array
    """bool[M, P]"""
    width: Width
    """Of the bank's states."""
    fingerprint: Fingerprint
    """What they are of."""


class Context(NamedTuple):
    """What all states of a run's instances share while its weights stay."""

    instances: jax.Array
    """i32[m]"""
    prefix: Prefix
    """Keys and values of their texts."""
    prefix_valid: jax.Array
    """bool[m, P]"""


@dataclasses.dataclass(frozen=True, eq=False)
class LanguagePolicy:
    """A language model as a policy to begin with; make one with `from_pretrained`."""

    __repr__ = short_repr

    model: LanguageModel
    """Acts."""
    scorer: ActionScorer
    """How it is asked."""
    params: LanguagePolicyParams
    """Its weights, and the texts of a bank."""

    @staticmethod
    def from_pretrained(
        name: str | Path,
        env: TextEnv[Any, Any],
        env_params: TextEnvParams | None = None,
        mesh: Mesh | None = None,
        wording: Wording | str | Path = "bare",
    ) -> LanguagePolicy:
        """A policy from a model's name or directory; arguments as for `LanguagePrior`.

        Raises:
            InvalidInput: as there.
        """
        model = load(named.path_of(str(name)), mesh=mesh)
        model = model._replace(name=str(name)) if name in named.NAMES else model
        return LanguagePolicy.of_model(model, env, env_params, wording)

    @staticmethod
    def of_model(
        model: LanguageModel,
        env: TextEnv[Any, Any],
        env_params: TextEnvParams | None = None,
        wording: Wording | str | Path = "bare",
    ) -> LanguagePolicy:
        """As `from_pretrained`, of a model at hand."""
        model = model._replace(taught=None)  # these texts will be its lessons
        scorer = ActionScorer.of(model, env, "sum", END_OF_ACTION, wording)
        bank = env.default_params if env_params is None else env_params
        texts = scorer.render(model.name, bank)
        made_for = fingerprint_of(model, env, bank, scorer.prompt)
        params = LanguagePolicyParams(model.params, *texts, scorer.reader.measure(bank), made_for)
        return LanguagePolicy(model, scorer, params)

    @property
    def name(self) -> str:
        """Of the model that runs begin with."""
        return self.model.name

    @property
    def settings(self) -> dict[str, str]:
        """As a prior's."""
        return settings_of(self.model, self.scorer.env, self.scorer.prompt, "sum", END_OF_ACTION)

    def actor_critic(self, adapters: LoraConfig | None = None) -> ActorCritic:
        """Policy and values of one run.

        Args:
            adapters: What is trained of the model; by default all weights are.

        Raises:
            InvalidInput: if the model has no such matrices.
        """
        scorer = self.scorer
        if adapters is not None:
            lora.require_fits("lora_targets", adapters.targets, scorer.config, self.name)

        def init(key: jax.Array, states: Any, data: Data) -> dict[str, Any]:
            del states
            start = data.policy_params.start
            own = start if adapters is None else lora.init(key, adapters, start)
            head = {
                "kernel": jnp.zeros(scorer.config.hidden_size, jnp.float32),
                "bias": jnp.zeros((), jnp.float32),
            }
            return {LANGUAGE_MODEL: own, "value": head}

        def weights(params: Any, data: Data) -> Any:
            own = params[LANGUAGE_MODEL]
            if adapters is None:
                return own
            return lora.join(data.policy_params.start, own, adapters.scale)

        def prepare(params: Any, instances: jax.Array, data: Data) -> Context:
            texts = data.policy_params.tokens[instances], data.policy_params.valid[instances]
            return Context(instances, scorer.reader.encode(weights(params, data), *texts), texts[1])

        def to_prepare(instances: jax.Array, states: Any) -> jax.Array:
            """Few states of many instances: a text a state."""
            return instances if len(instances) <= len(states.instance) else states.instance

        def apply(params: Any, context: Context, states: Any, data: Data) -> Judgement:
            rows = jnp.argmax(context.instances[None] == states.instance[:, None], axis=1)
            prefix = context.prefix, context.prefix_valid, rows
            rest = states, data.env_params, data.policy_params.width
            scores, readout = scorer.score(weights(params, data), *prefix, *rest)
            log_probs = scorer.normalize(scores, states, data.env_params)
            head = params["value"]
            return Judgement(log_probs, readout @ head["kernel"] + head["bias"])

        return ActorCritic(init, prepare, to_prepare, lambda states, data: states, apply)

    def model_of(self, params: Any, adapters: LoraConfig | None = None) -> LanguageModel:
        """The fine-tuned model of one run's parameters; the values' head is left out.

        Args:
            params: As `actor_critic` has them.
            adapters: As it was told; the adapters are merged into the model's own weights.
        """
        own = params[LANGUAGE_MODEL]
        if adapters is not None:
            own = lora.merge(self.params.start, own, adapters.scale)
        return self.model._replace(params=own)


def require_same_vocabulary(policy: LanguagePolicy, prior: Prior | None) -> None:
    """Check that a policy is kept near a prior of its own vocabulary.

    Priors of no model, and tables that do not say whose they are, are near enough.

    Raises:
        InvalidInput: if the prior's model, or that of its table, has another one.
    """
    while hasattr(prior, "prior"):  # what a degraded one wraps
        prior = getattr(prior, "prior")  # noqa: B009
    theirs = getattr(prior, "settings", {})
    if theirs.get("tokenizer", "") not in ("", vocabulary_of(policy.model)):
        raise InvalidInput(
            f"the policy {policy.name!r} has another vocabulary than the prior, which is of the "
            f"model {theirs.get('model')!r}; that model as the policy fits, or one with the same "
            f"tokenizer, or a prior of {policy.name!r}"
        )
