"""From a checked config to the objects it names: environment, bank, prior, algorithm."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import lprl_envs
from jax.sharding import Mesh
from lprl_envs import InvalidInput, TextEnv, TextEnvParams
from lprl_envs.errors import shown

from lprl_jax.algorithms import streams
from lprl_jax.algorithms.base import Algorithm
from lprl_jax.algorithms.policy_based.language_policy import LanguagePolicy
from lprl_jax.algorithms.policy_based.ppo_config import NETWORK
from lprl_jax.algorithms.registry import ALGORITHMS
from lprl_jax.algorithms.tabular import habits
from lprl_jax.datasets import dataset
from lprl_jax.datasets.dataset import Dataset
from lprl_jax.experiments import needs, places
from lprl_jax.experiments.config import BankConfig, Experiment
from lprl_jax.lm import embedded, hugging_face
from lprl_jax.lm.encoder import BertEncoder
from lprl_jax.lm.families import FAMILIES
from lprl_jax.priors import (
    EncodedPrior,
    FlaxLanguagePrior,
    LanguagePrior,
    Prior,
    TabularPrior,
    UniformPrior,
    degrade,
    has_features,
    tabulate,
    tabulate_features,
)
from lprl_jax.priors import calibration as calibrations

OPTIONS = ("families", "goal", "split_by")
"""Fields of a bank that some environments' `sample_params` take, and others do not."""


def make_env(
    env_id: str, arguments: Mapping[str, Any], bank: BankConfig
) -> tuple[TextEnv[Any, Any], TextEnvParams]:
    """The environment and its bank of instances."""
    env, params = lprl_envs.make(env_id, **arguments)
    _require_options(env, bank)
    if bank.instances:
        return env, env.params_of(bank.instances)
    if bank.suite:
        return env, env.suite(bank.suite)
    if not bank.num_instances:
        return env, params
    return env, _drawn(env, bank.bank_seed, bank.num_instances, bank.split, drawn_by(bank))


def drawn_by(bank: BankConfig) -> tuple[tuple[str, Any], ...]:
    """What `sample_params` takes besides number and split, as far as the config says it."""
    named = ((name, getattr(bank, name)) for name in OPTIONS)
    return tuple((name, value) for name, value in named if value)


def _require_options(env: TextEnv[Any, Any], bank: BankConfig) -> None:
    """Raises InvalidInput if the environment cannot be drawn so."""
    takes = inspect.signature(env.sample_params).parameters
    for name, value in drawn_by(bank):
        if name not in takes:
            raise InvalidInput(f"{name} is {shown(value)}; {env.name} has none")


@functools.lru_cache(maxsize=16)
def _drawn(
    env: TextEnv[Any, Any],
    seed: int,
    num_instances: int,
    split: str,
    options: tuple[tuple[str, Any], ...],
) -> TextEnvParams:
    """Random instances; kept, since evaluating asks for those of the training again."""
    return env.sample_params(jax.random.key(seed), num_instances, split or None, **dict(options))


def reads_features(experiment: Experiment) -> bool:
    """Whether its networks read the prior's features; not every algorithm can."""
    return getattr(experiment.algorithm, "reads_features", False)


def make_prior(
    experiment: Experiment,
    env: TextEnv[Any, Any],
    params: TextEnvParams,
    mesh: Mesh | None = None,
    look: Callable[[Prior], object] | None = None,
) -> Prior | None:
    """The prior that the config names, or None; a model's weights on the mesh, if there is one.

    One that is to be tabulated is first given to `look`.
    """
    config, with_features = experiment.config, reads_features(experiment)
    if config.encoder and not with_features:
        raise InvalidInput(
            f"encoder is {config.encoder!r}, but nothing reads its features; with q_input=features "
            "Q-networks do"
        )
    how = config.prior_dtype, mesh, experiment.bank, config.calibration
    prior = named_prior(config.prior, env, params, *how)
    if prior is None:
        return None
    if look and config.prior_access == "table":
        look(prior)
    if config.encoder:
        prior = EncodedPrior(prior, BertEncoder.from_pretrained(config.encoder, env))
    if config.prior_access == "table":
        prior = _tabulated(prior, env, params, with_features)
    if (config.prior_temperature, config.prior_epsilon, config.prior_adversarial) != (1, 0, False):
        prior = degrade(
            prior,
            temperature=config.prior_temperature,
            epsilon=config.prior_epsilon,
            adversarial=config.prior_adversarial,
        )
    return prior


def _tabulated(
    prior: Prior, env: TextEnv[Any, Any], params: TextEnvParams, with_features: bool
) -> Prior:
    """A table in the place of what a model computes."""
    settings = getattr(prior, "settings", {})
    if with_features and has_features(prior):
        return tabulate_features(prior, env, params, **settings)
    if isinstance(prior, LanguagePrior | FlaxLanguagePrior):
        return tabulate(prior, env, params, **settings)
    return prior


def named_prior(
    name: str,
    env: TextEnv[Any, Any],
    params: TextEnvParams,
    dtype: str = "float32",
    mesh: Mesh | None = None,
    bank: BankConfig | None = None,
    calibration: str = "none",
) -> Prior | None:
    """`none`, `uniform`, `habit`, a .npz table, or a model as `language_prior` takes it.

    Args:
        name: One of these.
        env: The environment.
        params: Its instances.
        dtype: Of a model's weights.
        mesh: Over which these lie.
        bank: How the instances are drawn: a habit is fitted on such, in training.
        calibration: Of a model's answers.

    Raises:
        InvalidInput: if it is none of these, or has nothing that these options are for.
    """
    simple, table = places.WITHOUT_MODEL, name.endswith(".npz")
    if not (name in simple or table or name in embedded.MODELS or os.path.isdir(name)):
        known = ", ".join([*simple, *embedded.MODELS])
        raise InvalidInput(
            f"unknown prior {shown(name)}; valid: {known}, a Hugging Face directory, a .npz table"
        )
    if (dtype != "float32" or mesh is not None) and not runs_decoder(name):
        raise InvalidInput(
            f"prior_dtype and model_parallel are for models of {', '.join(FAMILIES)}; the prior "
            f"{name!r} has neither"
        )
    if not runs_decoder(name):
        calibrations.require_off(calibration, name)
    if name == "none":
        return None
    if name == "uniform":
        return UniformPrior(env)
    if name == "habit":
        if bank is None:
            return habits.of_training(env)
        _require_options(env, bank)
        return habits.of_training(env, drawn_by(bank))
    if table:
        needs.require_file("prior", name)
        return TabularPrior.load(name, env, params)
    return language_prior(name, env, params, dtype=dtype, mesh=mesh, calibration=calibration)


def runs_decoder(name: str) -> bool:
    """Whether a prior is a model of a family that our own decoder runs."""
    if name in places.WITHOUT_MODEL:  # also where a directory is called so
        return False
    if name not in embedded.MODELS and not os.path.isdir(name):
        return False
    return hugging_face.model_type(embedded.path_of(name)) in FAMILIES


def language_prior(
    name: str, env: TextEnv[Any, Any], params: TextEnvParams, **placement: Any
) -> LanguagePrior | FlaxLanguagePrior:
    """A model by name or directory: by our own decoder, if that knows its family.

    Only for our own decoder there is a `placement`: `dtype`, `mesh` and `calibration`.
    """
    path = embedded.path_of(name)
    if runs_decoder(name):
        return LanguagePrior.from_pretrained(name, env, params, **placement)
    calibrations.require_off(placement.get("calibration", "none"), name)
    return FlaxLanguagePrior.from_pretrained(path, env, params)


def make_policy(
    experiment: Experiment,
    env: TextEnv[Any, Any],
    params: TextEnvParams,
    mesh: Mesh | None = None,
) -> LanguagePolicy | None:
    """The language model that acts, or None; its weights on the mesh, if there is one.

    Raises:
        InvalidInput: if there is no such model, or our own decoder does not run it.
    """
    name = policy_name(experiment)
    if name == NETWORK:
        return None
    if not (name in embedded.MODELS or os.path.isdir(name)):
        known = ", ".join([NETWORK, *embedded.MODELS])
        raise InvalidInput(
            f"unknown policy {shown(name)}; valid: {known}, a Hugging Face directory"
        )
    if not runs_decoder(name):
        raise InvalidInput(
            f"the policy {name!r} is of the family {hugging_face.model_type(name)}, which can be a "
            f"prior, but is not trained; valid: {', '.join(FAMILIES)}"
        )
    return LanguagePolicy.from_pretrained(name, env, params, mesh)


def policy_name(experiment: Experiment) -> str:
    """What acts; in most algorithms that is a network, or follows from one."""
    return getattr(experiment.algorithm, "policy", NETWORK)


def make_algorithm(
    experiment: Experiment,
    env: TextEnv[Any, Any],
    prior: Prior | None,
    language_policy: LanguagePolicy | None = None,
) -> Algorithm:
    """The algorithm that the config names."""
    make = ALGORITHMS[experiment.config.algorithm].make
    own = () if language_policy is None else (language_policy,)
    return make(experiment.algorithm, env, prior, *own)


def load_dataset(
    experiment: Experiment, env: TextEnv[Any, Any], params: TextEnvParams, prior: Prior | None
) -> Dataset | tuple[()]:
    """The transitions that the experiment's runs learn from; () where they learn from acting.

    Raises:
        InvalidInput: if one is named that is not used or none that is needed, if it does not belong
            to this environment, bank or prior, or holds too little.
    """
    config, path = experiment.config, experiment.config.dataset
    if not ALGORITHMS[config.algorithm].from_data:
        if path:
            able = [name for name, entry in ALGORITHMS.items() if entry.from_data]
            raise InvalidInput(
                f"dataset is {path!r}, but {config.algorithm} does not learn from one; valid: "
                f"{', '.join(able)}"
            )
        return ()
    if not path:
        raise InvalidInput(
            f"{config.algorithm} learns from a dataset, and none is named; write dataset=FILE, a "
            f"file of `{dataset.COMMAND}`"
        )
    needs.require_file("dataset", path)
    found, origin = dataset.load(path, env, params)
    if found.num_runs < config.num_runs:
        raise InvalidInput(
            f"num_runs is {config.num_runs}; the dataset {path} has {found.num_runs} runs"
        )
    largest = max([experiment.algorithm.dataset_size, *experiment.sweep.get("dataset_size", ())])
    if largest > found.size:
        raise InvalidInput(
            f"dataset_size is {largest:g}; the dataset {path} has {found.size} transitions a run"
        )
    found = jax.tree.map(lambda leaf: leaf[: config.num_runs], found)
    if prior is None:
        return found._replace(log_probs=(), next_log_probs=())
    dataset.require_prior(path, origin, prior)
    return found


def keys(experiment: Experiment) -> jax.Array:
    """`[R]`: a key a run; the settings of a sweep have the same ones."""
    own = streams.runs(experiment.config.seed, experiment.config.num_runs)
    return jnp.tile(own, len(experiment.settings))


def hparams(experiment: Experiment) -> Any:
    """Hyper-parameters `[R]`, setting by setting."""
    runs, settings = experiment.config.num_runs, experiment.settings
    swept = {
        name: jnp.repeat(jnp.array([s[name] for s in settings], jnp.float32), runs)
        for name in experiment.sweep
    }
    return experiment.algorithm.hparams(experiment.num_runs)._replace(**swept)


def run_instances(experiment: Experiment, params: TextEnvParams) -> jax.Array:
    """`i32[R, m]`: the instances that each run plays; the same in every setting."""
    own = jnp.arange(experiment.config.num_runs, dtype=jnp.int32)[:, None]
    if experiment.bank.instance_per_run:
        own = own % params.instances.shape[0]
    else:
        own = jnp.broadcast_to(params.instances, (own.shape[0], params.instances.shape[0]))
    return jnp.tile(own, (len(experiment.settings), 1))
