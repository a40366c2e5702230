"""That what an algorithm is given belongs together: prior, environment, bank, model, arguments.

Looked at on the host, before anything is compiled; inside a trace, where arrays have no values yet,
at their shapes alone. Who looks: `checked`.
"""

from __future__ import annotations

import functools
import weakref
from typing import Any

import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput, TextEnv, TextEnvParams

from lprl_jax.algorithms import arguments
from lprl_jax.algorithms.arguments import described, is_concrete
from lprl_jax.algorithms.base import Data, Env
from lprl_jax.judges import require_judge
from lprl_jax.priors import fingerprint
from lprl_jax.priors.base import Prior
from lprl_jax.priors.fingerprint import Here
from lprl_jax.priors.tabular import require_shape

RIGHT = "right: Data(prior.params, env_params), or Data((), env_params) without a prior"


class Ties:
    """Of one algorithm, or of whatever else takes `Data`."""

    def __init__(
        self,
        env: Env,
        prior: Prior | None,
        language_policy: Any = None,
        completer: Any = None,
        judge: Any = None,
    ):
        """Of an environment, and what was made for it.

        Raises:
            InvalidInput: if one is not what it should be, or was made for another environment.
        """
        if not isinstance(env, TextEnv):
            raise InvalidInput(
                f"env is {described(env)}; right: an environment, the first of what "
                "lprl_jax.make(...) returns"
            )
        require_prior(prior)
        require_judge(judge)
        if prior is not None and not env.num_actions:
            raise InvalidInput(
                f"{env.name} has continuous actions and no words for them, so that no prior can "
                f"weigh any; prior is {prior.name!r}, right: None"
            )
        if judge is not None and not env.num_actions:
            raise InvalidInput(
                f"{env.name} has continuous actions and no words for them, so that no judge can "
                f"speak of any; judge is {judge.name!r}, right: None"
            )
        self.env, self.world = env, fingerprint.world_of(env)
        self.prior = _Part(prior, "prior", self.world)
        self.policy = _Part(language_policy, "policy", self.world)
        self.completer = _Part(completer, "completer", self.world)
        self.judge = _Part(judge, "judge", self.world)
        self._seen: tuple[Any, list[weakref.ref[Any]]] = jax.tree.structure(0), []

    def data(self, data: Any, asks: bool = True) -> None:
        """Check that parameters, bank and environment belong together.

        Args:
            data: `Data`.
            asks: Whether the prior will be asked; if not, its parameters may be ().

        Raises:
            InvalidInput: if they do not; the message names both sides.
        """
        leaves, structure = jax.tree.flatten(data)
        before, refs = self._seen
        if len(refs) == len(leaves) and all(map(_refers, refs, leaves)) and before == structure:
            return
        lacks = not asks and isinstance(data, Data) and _is_nothing(data.prior_params)
        self._data(data, lacks)
        if (
            not lacks
            and all(isinstance(leaf, jax.Array) for leaf in leaves)
            and is_concrete(leaves)
        ):
            self._seen = structure, [weakref.ref(leaf) for leaf in leaves]

    def _data(self, data: Any, lacks_prior: bool) -> None:
        if not isinstance(data, Data):
            raise InvalidInput(f"data is {described(data)}; {RIGHT}")
        params = data.env_params
        if isinstance(data.prior_params, TextEnvParams):
            raise InvalidInput(
                f"Data's first field, prior_params, is the parameters of an environment; {RIGHT}"
            )
        self._bank(params)
        if not lacks_prior:
            self.prior.require_kind(data.prior_params)
        others = (
            (self.policy, data.policy_params),
            (self.completer, data.completer_params),
            (self.judge, data.judge_params),
        )
        for part, own in others:
            if part.made is not None:
                part.require_kind(own)
        asked = (self.prior, data.prior_params), *others
        if is_concrete((*(own for _, own in asked), params.bank)):
            for part, own in asked:
                if fingerprint.all_of(own):
                    here = Here(self.world, fingerprint.bank_of(params), part.models)
                    fingerprint.require(own, here, part.name)
        require_shape(data.prior_params, self.env, params, self.prior.name)
        size = size_of(params)
        arguments.require_instances("env_params.instances", params.instances, ("m",), size)

    def _bank(self, params: Any) -> None:
        """Check that an environment's parameters are of this one."""
        own = _default_params(self.env)
        if type(params) is not type(own):
            theirs = f"{type(params).__module__}.{type(params).__name__}"
            found = theirs if isinstance(params, TextEnvParams) else described(params)
            raise InvalidInput(
                f"Data's second field, env_params, is {found}; right: parameters of "
                f"{self.env.name}, {type(own).__module__}.{type(own).__name__}"
            )
        if (found := _rows(params)) != (right := _rows(own)):
            raise InvalidInput(
                f"an instance of the bank is {found}, of another environment than this "
                f"{self.env.name}, whose instances are {right}"
            )

    def dataset(self, data: Data) -> None:
        """Check that there are transitions to learn from, of instances of the bank.

        Raises:
            InvalidInput: if not.
        """
        found = data.dataset
        if not hasattr(found, "next_log_probs"):
            shown = "none" if isinstance(found, tuple) and not found else described(found)
            raise InvalidInput(
                f"the algorithm learns from a dataset, and Data's is {shown}; right: "
                "Data(prior_params, env_params, dataset), one of lprl_jax.datasets"
            )
        if self.prior.made is not None and isinstance(found.log_probs, tuple):
            raise InvalidInput(
                f"the dataset holds no log-probabilities, and {self.prior.name} needs its own; "
                "collect with the prior, or label the dataset"
            )
        actions = found.action.shape[:2]
        if found.state.instance.shape[:2] != actions:
            raise InvalidInput(f"the dataset's states are not [runs, T] as its actions: {actions}")

    def run_instances(self, found: Any, data: Data, num_runs: int) -> Any:
        """The instances that each run plays, checked; None stays None.

        Raises:
            InvalidInput: if shape, type or range is another one.
        """
        if found is None:
            return None
        found = jnp.asarray(found) if isinstance(found, list) else found
        size = size_of(data.env_params)
        arguments.require_instances("run_instances", found, (num_runs, "m"), size)
        return found


class _Part:
    """A prior, or a policy: what an algorithm was made with, for messages and comparison."""

    def __init__(self, made: Any, kind: str, world: str):
        self.made, self.kind = made, kind
        self.name = f"the {kind} {made.name!r}" if made is not None else f"no {kind}"
        own = () if made is None else made.params
        self.structure = jax.tree.structure(fingerprint.without(own))
        self.params = described(own)
        self.models = fingerprint.models_of(own) if is_concrete(own) else ()
        while made is not None:  # a wrapper, then what it wraps
            if isinstance(env := getattr(made, "env", None), TextEnv):
                fingerprint.require_same_world(fingerprint.world_of(env), world, self.name)
            made = getattr(made, "prior", getattr(made, "judge", None))
        if is_concrete(own):
            fingerprint.require(own, Here(world), self.name)

    def require_kind(self, params: Any) -> None:
        """Raise InvalidInput unless parameters are built like those of what was made."""
        if jax.tree.structure(fingerprint.without(params)) == self.structure:
            return
        field = f"Data's {self.kind}_params"
        if self.made is None:
            raise InvalidInput(
                f"{field} are {described(params)}, and the algorithm was made with "
                f"{self.kind} None; right: Data((), env_params), or make it with the {self.kind}"
            )
        raise InvalidInput(
            f"{field} are {described(params)}, and those of {self.name} are {self.params}; "
            f"right: {self.kind}.params"
        )


def require_prior(prior: Any) -> None:
    """Raise InvalidInput unless this is a prior, or None."""
    if prior is None or (not isinstance(prior, type) and hasattr(prior, "log_probs")):
        return
    raise InvalidInput(
        f"prior is {described(prior)}; right: None, or a prior, as LanguagePrior.from_pretrained("
        '"embedded", env, env_params) or UniformPrior(env)'
    )


def _is_nothing(params: Any) -> bool:
    return isinstance(params, tuple) and not params


def _refers(ref: weakref.ref[Any], leaf: Any) -> bool:
    return ref() is leaf


def size_of(env_params: TextEnvParams) -> int:
    """M, of a bank."""
    return jax.tree.leaves(env_params.bank)[0].shape[0]


@functools.lru_cache(maxsize=64)
def _default_params(env: Env) -> TextEnvParams:
    """Parameters of an environment: how its banks are built."""
    return jax.eval_shape(lambda: env.default_params)


def _rows(params: TextEnvParams) -> str:
    """What one instance of a bank is made of."""
    rows = jax.tree.map(lambda x: f"{x.dtype}[{', '.join(map(str, x.shape[1:]))}]", params.bank)
    return " ".join(
        f"{jax.tree_util.keystr(path, simple=True)} {row}".strip()
        for path, row in jax.tree_util.tree_leaves_with_path(rows)
    )
