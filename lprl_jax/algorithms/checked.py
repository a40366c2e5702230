"""`checked` stands above every `make`: before anything is compiled it looks at what that is given.

And at what the functions are given that it returns.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
from lprl_envs import InvalidInput

from lprl_jax.algorithms import arguments
from lprl_jax.algorithms.arguments import described
from lprl_jax.algorithms.base import FOR_BOXES, Algorithm, Data, Env
from lprl_jax.algorithms.ties import Ties

P = ParamSpec("P")
Made = TypeVar("Made")


def checked(
    config_type: type[Any],
    bind: Callable[[Any, type[Any], Ties], Any] | None = None,
    *,
    in_boxes: bool = False,
) -> Callable[[Callable[P, Made]], Callable[P, Made]]:
    """A `make(config, env, prior, ...)` whose arguments, and those of what it makes, are checked.

    Args:
        config_type: Of its config.
        bind: `(made, hparams' type, ties) -> made`: the same with functions that check; by
            default, of an `Algorithm`.
        in_boxes: Whether it acts in continuous worlds, and in no others.
    """

    def around(make: Callable[P, Made]) -> Callable[P, Made]:
        signature = inspect.signature(make)

        @functools.wraps(make)
        def call(*args: P.args, **kwargs: P.kwargs) -> Made:
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            config = given.arguments["config"]
            if not isinstance(config, config_type):
                raise InvalidInput(
                    f"config is {described(config)}; right: {config_type.__name__}(...)"
                )
            parts = ("env", "prior", "language_policy", "completer", "judge")
            own = {name: given.arguments[name] for name in parts if name in given.arguments}
            ties = Ties(**own)
            require_actions(ties.env, config, in_boxes)
            made: Any = make(*args, **kwargs)
            made = (bind or of_algorithm)(made, type(config.hparams(1)), ties)
            return made

        return call

    return around


def of_algorithm(algorithm: Algorithm, kind: type[Any], ties: Ties) -> Algorithm:
    """The same algorithm, whose functions check what they are given.

    Args:
        algorithm: As `make` has it.
        kind: Of its hyper-parameters.
        ties: Of what it was made with.
    """

    def require_state(state: Any) -> int:
        if not isinstance(getattr(state, "hparams", None), kind):
            raise InvalidInput(
                f"state is {described(state)}; right: what init, restart or train of this "
                "algorithm returned"
            )
        return arguments.require_keys(state.key)

    def init(keys: Any, hparams: Any, data: Data, run_instances: Any = None) -> Any:
        num_runs = arguments.require_keys(keys)
        arguments.require_hparams(hparams, kind, num_runs)
        ties.data(data)
        return algorithm.init(
            keys, hparams, data, ties.run_instances(run_instances, data, num_runs)
        )

    def restart(state: Any, data: Data, run_instances: Any = None) -> Any:
        num_runs = require_state(state)
        ties.data(data)
        return algorithm.restart(state, data, ties.run_instances(run_instances, data, num_runs))

    def evaluate(
        state: Any, data: Data, num_episodes: int, policy: str = algorithm.policies[0]
    ) -> dict[str, jax.Array]:
        num_runs = require_state(state)
        ties.data(data, algorithm.asks_in_play)
        ties.run_instances(state.run_instances, data, num_runs)
        count = arguments.require_count("num_episodes", num_episodes)
        return algorithm.evaluate(state, data, count, policy)

    def act(
        state: Any, data: Data, env_state: Any, key: Any, policy: str = algorithm.policies[0]
    ) -> jax.Array:
        num_runs = require_state(state)
        ties.data(data, algorithm.asks_in_play)
        lead = env_state.time.shape
        if (lead or (1,))[:1] != (num_runs,) or len(lead) > 2:
            right = f"({num_runs},) or ({num_runs}, N)" + ", or one state" * (num_runs == 1)
            raise InvalidInput(f"states of the environment are {lead}; right: {right}")
        rows = jax.tree.map(lambda x: x.reshape(num_runs, -1, *x.shape[len(lead) :]), env_state)
        keys = arguments.keys_of_runs(key, num_runs)
        actions = algorithm.act(state, data, rows, keys, policy)
        return actions.reshape(*lead, *actions.shape[2:])

    def require(state: Any, data: Data) -> None:
        require_state(state)
        ties.data(data)
        if algorithm.from_data:
            ties.dataset(data)

    return dataclasses.replace(
        algorithm, init=init, restart=restart, evaluate=evaluate, act=act, require=require
    )


def require_actions(env: Env, config: Any, in_boxes: bool) -> None:
    """Raise InvalidInput unless an algorithm's actions are of the environment's kind.

    Args:
        env: The environment.
        config: Of the algorithm.
        in_boxes: Whether the algorithm's are continuous.
    """
    if env.is_continuous == in_boxes:
        return
    kinds, those = ("continuous", "discrete"), ", ".join(FOR_BOXES)
    found, right = kinds if env.is_continuous else kinds[::-1]
    others = f"valid: {those}" if env.is_continuous else f"valid: any but {those}"
    raise InvalidInput(
        f"{env.name} has {found} actions, and {type(config).__name__} is of an algorithm with "
        f"{right} ones; {others}"
    )
