"""From a checked config to the objects it names: environment, bank, prior, algorithm."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
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
from lprl_jax.algorithms.tabular.worked_examples import worked
from lprl_jax.completers import Completer
from lprl_jax.experiments import kept as kept_answers
from lprl_jax.experiments import needs, places, prior_kinds
from lprl_jax.experiments.asking import PLAIN, Asking
from lprl_jax.experiments.config import Experiment
from lprl_jax.experiments.config_fields import BankConfig
from lprl_jax.experiments.kept import Kept
from lprl_jax.judges import Judge
from lprl_jax.lm import named
from lprl_jax.lm.encoder import BertEncoder
from lprl_jax.lm.families import FAMILIES
from lprl_jax.lm.quantised import WHOLE, quantised
from lprl_jax.priors import (
    EncodedPrior,
    FlaxLanguagePrior,
    LanguagePrior,
    Prior,
    TabularPrior,
    UniformPrior,
    calibration,
    degrade,
    shipped,
)
from lprl_jax.priors.everywhere import telling

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
    look: Callable[[Callable[[], Any]], object] | None = None,
    progress: bool = False,
    kept: Kept | None = None,
) -> Prior | None:
    """The prior that the config names, or None.

    Args:
        experiment: Read and checked.
        env: Its environment.
        params: Its instances.
        mesh: Where a model's weights lie, if they are spread.
        look: What a prior is shown to before it is tabulated: it is given what makes the prior,
            which takes long and may not be needed.
        progress: Whether it is shown, on a terminal, what takes long.
        kept: What `kept_of` says.
    """
    config, with_features = experiment.config, reads_features(experiment)
    if config.encoder and not with_features:
        raise InvalidInput(
            f"encoder is {config.encoder!r}, but nothing reads its features; with q_input=features "
            "Q-networks do"
        )
    asking, own = Asking.of(config), (config.prior_dtype, mesh, experiment.bank)
    if not places.asks_model(config.prior):  # what is said of asking is of whoever else is asked
        if policy_name(experiment) != NETWORK:
            asking = dataclasses.replace(asking, wording=PLAIN.wording)
        if places.judge_asks_model(config.judge):
            asking, own = PLAIN, ("float32", None, experiment.bank)

    @functools.cache
    def plain() -> Prior | None:
        """As it is asked, before anything is made of it."""
        reads = progress and places.asks_model(config.prior)
        with telling(f"reading the model {config.prior}", reads):
            prior = named_prior(config.prior, env, params, *own, asking)
        prior = prior_kinds.in_small_chunks(prior, config)
        form = prior_kinds.free_form(config.prior_kind, vars(config))
        return prior_kinds.written_by(prior, form, config.prior)

    def accessed() -> Any:
        """As the algorithm asks it."""
        prior = plain()
        if prior is None:
            return None
        if config.encoder:
            prior = EncodedPrior(prior, BertEncoder.from_pretrained(config.encoder, env))
        return prior_kinds.accessed(prior, env, params, config, with_features, progress)

    if look and config.prior_access == prior_kinds.TABLE:
        look(plain)
    prior = kept.table(accessed) if kept else accessed()
    if (config.prior_temperature, config.prior_epsilon, config.prior_adversarial) != (1, 0, False):
        prior = degrade(
            prior,
            temperature=config.prior_temperature,
            epsilon=config.prior_epsilon,
            adversarial=config.prior_adversarial,
        )
    return prior


def kept_of(
    experiment: Experiment, env: TextEnv[Any, Any], params: TextEnvParams, folder: Path | None
) -> Kept | None:
    """What is kept of an experiment's prior in a folder; None without one, or where nothing is."""
    if folder is None or reads_features(experiment):
        return None
    return kept_answers.of_prior(folder, experiment.config, env, params, drawn_by(experiment.bank))


def named_prior(
    name: str,
    env: TextEnv[Any, Any],
    params: TextEnvParams,
    dtype: str = "float32",
    mesh: Mesh | None = None,
    bank: BankConfig | None = None,
    asking: Asking = PLAIN,
    bits: int = WHOLE,
) -> Prior | None:
    """`none`, `uniform`, `habit`, a table, or a model as `language_prior` takes it.

    Args:
        name: One of these.
        env: The environment.
        params: Its instances.
        dtype: Of a model's weights.
        mesh: Over which these lie.
        bank: How the instances are drawn: a habit is fitted on such, and examples are, in training.
        asking: How a model is asked.
        bits: To which its matrices are rounded; see `lm.quantised`.

    Raises:
        InvalidInput: if it is none of these, has no weights for another dtype or a mesh, or asks
            no model and is told how.
    """
    simple = places.WITHOUT_MODEL
    table = shipped.path_of(name) if name in shipped.TABLES else name
    is_table = str(table).endswith(".npz")
    if not (name in simple or is_table or named.is_model(name)):
        known = f"{', '.join(simple)}, {named.VALID}, a .npz table, or one that `lprl priors` lists"
        raise InvalidInput(f"unknown prior {shown(name)}; valid: {known}")
    require_decoder(name, dtype, mesh)
    if not places.asks_model(name):
        asking.require_plain(name)
    if name == "none":
        return None
    if name == "uniform":
        return UniformPrior(env)
    if name == "habit":
        if bank is None:
            return habits.of_training(env)
        _require_options(env, bank)
        return habits.of_training(env, drawn_by(bank))
    if is_table:
        needs.require_file("prior", str(table))
        return TabularPrior.load(table, env, params)
    drawn = () if bank is None else drawn_by(bank)
    return language_prior(name, env, params, asking, drawn, dtype, mesh, bits)


def require_decoder(name: str, dtype: str, mesh: Mesh | None = None) -> None:
    """Raise InvalidInput if a prior that our own decoder does not run is to be placed otherwise."""
    if (dtype != "float32" or mesh is not None) and not runs_decoder(name):
        raise InvalidInput(
            f"prior_dtype and model_parallel are for models of {', '.join(FAMILIES)}; the prior "
            f"{name!r} has neither"
        )


def runs_decoder(name: str) -> bool:
    """Whether a prior is a model of a family that our own decoder runs."""
    if name in places.WITHOUT_MODEL:  # also where a directory is called so
        return False
    return named.is_model(name) and named.family_of(name) in FAMILIES


def language_prior(
    name: str,
    env: TextEnv[Any, Any],
    params: TextEnvParams,
    asking: Asking = PLAIN,
    drawn: Sequence[tuple[str, Any]] = (),
    dtype: str = "float32",
    mesh: Mesh | None = None,
    bits: int = WHOLE,
) -> LanguagePrior | FlaxLanguagePrior:
    """A model by name or directory: by our own decoder, if that knows its family.

    Examples of its wording are of instances `drawn` with these options. Only of our own decoder's
    models the weights have a `dtype`, a `mesh` and a number of `bits`.
    """
    options = asking.options(env, drawn)
    if runs_decoder(name):
        model = quantised(named.load(name, dtype, mesh), bits)
        options["calibration"] = asking.calibration
        return LanguagePrior.of_model(model, env, params, **options)
    calibration.require_off(asking.calibration, name)
    return FlaxLanguagePrior.from_pretrained(named.path_of(name), env, params, **options)


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
    if not named.is_model(name):
        raise InvalidInput(f"unknown policy {shown(name)}; valid: {NETWORK}, {named.VALID}")
    if not runs_decoder(name):
        raise InvalidInput(
            f"the policy {name!r} is of the family {named.family_of(name)}, which can be a "
            f"prior, but is not trained; valid: {', '.join(FAMILIES)}"
        )
    wording = worked(experiment.config.wording, env, drawn_by(experiment.bank))
    return LanguagePolicy.from_pretrained(name, env, params, mesh, wording)


def policy_name(experiment: Experiment) -> str:
    """What acts; in most algorithms that is a network, or follows from one."""
    return getattr(experiment.algorithm, "policy", NETWORK)


def make_algorithm(
    experiment: Experiment,
    env: TextEnv[Any, Any],
    prior: Prior | None,
    language_policy: LanguagePolicy | None = None,
    completer: Completer | None = None,
    judge: Judge | None = None,
) -> Algorithm:
    """The algorithm that the config names."""
    make = ALGORITHMS[experiment.config.algorithm].make
    own = {"language_policy": language_policy, "completer": completer, "judge": judge}
    given = {name: part for name, part in own.items() if part is not None}
    return make(experiment.algorithm, env, prior, **given)


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
