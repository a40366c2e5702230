"""Behaviours by name: `random`, `prior`, or the directory of a DQN run; mixtures with shares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput

from lprl_jax.algorithms import asking, policies
from lprl_jax.algorithms.base import Env
from lprl_jax.algorithms.shift_config import LOOK_AHEAD
from lprl_jax.algorithms.value_based import q_learning
from lprl_jax.datasets.collect import Behaviour, at_random, by_the_prior
from lprl_jax.experiments import config, evaluate, run_directory
from lprl_jax.experiments.config import Experiment
from lprl_jax.files import paths

RANDOM, PRIOR = "random", "prior"


def parse(text: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """`random:.7,results/dqn:.3` to names and shares; one that stands alone needs no share.

    Raises:
        InvalidInput: if a share is missing or not above 0, or they do not add up to 1.
    """
    if paths.given(text).is_dir():  # also where its name has a comma or a colon
        return (text,), (1.0,)
    names, shares = [], []
    for part in text.split(","):
        name, _, share = part.rpartition(":") if "," in text or ":" in part else (part, "", "1")
        try:
            shares.append(float(share))
        except ValueError:
            name = ""
        if not name:
            raise InvalidInput(
                f"the behaviour {part!r} has no share; write NAME:SHARE, as in random:.7,prior:.3"
            )
        names.append(name)
    if not all(share > 0 for share in shares) or abs(sum(shares) - 1) > 1e-6:
        raise InvalidInput(f"the shares of {text!r} are not above 0 and 1 together")
    return tuple(names), tuple(shares)


def make(names: Sequence[str], experiment: Experiment, env: Env, epsilon: float) -> list[Behaviour]:
    """What the names mean in an experiment.

    Args:
        names: Of `parse`.
        experiment: Whose environment is acted in.
        env: The environment.
        epsilon: Probability of a random action of a run's networks.

    Raises:
        InvalidInput: if there is no such behaviour, or it does not belong to the experiment.
    """
    if not 0 <= epsilon <= 1:
        raise InvalidInput(f"epsilon is {epsilon}; it must lie in [0, 1]")
    behaviours = []
    for name in names:
        if name == RANDOM:
            behaviours.append(at_random())
        elif name == PRIOR:
            if experiment.config.prior == "none":
                raise InvalidInput("the behaviour is 'prior', but the prior is none; name one")
            behaviours.append(by_the_prior())
        elif paths.given(name).is_dir():
            behaviours.append(_of_run(paths.given(name), experiment, env, epsilon))
        else:
            raise InvalidInput(
                f"unknown behaviour {name!r}; valid: {RANDOM}, {PRIOR}, a DQN run's directory"
            )
    return behaviours


def _of_run(directory: Path, experiment: Experiment, env: Env, epsilon: float) -> Behaviour:
    """ε-greedy by the newest networks of a run, its run r in our run r."""
    trained = config.parse(run_directory.read_config(directory))
    if trained.config.algorithm != "dqn" or trained.algorithm.reads_features:
        raise InvalidInput(
            f"{directory} is a run of {trained.config.algorithm}; a behaviour is a run of dqn, "
            "whose networks read observations"
        )
    if trained.config.judge != "none" and trained.algorithm.shift_form == LOOK_AHEAD:
        raise InvalidInput(
            f"{directory} acts by its values and a judge's verdicts (shift_form: look_ahead); a "
            "behaviour is a run that acts by its values alone"
        )
    here, there = experiment.as_dict(), trained.as_dict()
    for name in run_directory.differing(
        {field: there[field] for field in ("env", "env_params")},
        {field: here[field] for field in ("env", "env_params")},
    ):
        raise InvalidInput(f"{directory} was trained with another {name}; it must be the same")
    num_runs = experiment.config.num_runs
    if trained.num_runs < num_runs or trained.sweep:
        raise InvalidInput(
            f"{directory} has {trained.num_runs} runs of {len(trained.settings)} settings; valid: "
            f"one setting, with {num_runs} runs or more"
        )
    own = trained.algorithm
    network = q_learning.q_function(env, asking.of(None), own.hidden_sizes, own.optimism)
    state = evaluate.newest_state(directory, trained)

    def act(params: Any, keys: Any, states: Any, log_probs: Any, legal: Any, data: Any) -> Any:
        q = jax.vmap(lambda p, s: network.apply(p, s, (), data))(params, states)
        return jax.vmap(lambda k, q, l: policies.epsilon_greedy(k, q, l, epsilon))(keys, q, legal)

    return Behaviour(act, jax.tree.map(lambda x: jnp.asarray(x)[:num_runs], state.params))
