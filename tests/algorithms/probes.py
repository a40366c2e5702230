"""TabularMDP: a finite decision process written down as tables, with a text for every state."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from lprl_envs import Literal, Scope, Slot, Template, TextEnv, TextEnvParams, TextEnvState

from lprl_jax.algorithms.base import Algorithm, Data

END = -1
"""As a next state: the episode terminates."""
FAST_TO_COMPILE: dict[str, str | bool] = {"xla_backend_optimization_level": "0"}
"""Small programs take longer to compile than to run: compiled so, they run half as fast."""
NUMBERS = (" one", " two", " three", " four", " five", " six")
# Of one, two, three and four words; the first is the beginning of the second.
ACTION_TEXTS = (" go", " go left", " stay right here", " wait for the goal")
Rows = Sequence[Sequence[float]] | np.ndarray


class Tables(NamedTuple):
    """One process of S states and A actions, without chance."""

    next_state: np.ndarray
    """i32[S, A]; `END` terminates."""
    reward: np.ndarray
    """f32[S, A]"""
    legal: np.ndarray
    """bool[S, A]"""
    starts: np.ndarray
    """i32[2]: an episode starts on either."""


def tables(
    next_state: Rows,
    reward: Rows,
    legal: Rows | None = None,
    starts: tuple[int, int] = (0, 0),
) -> Tables:
    follows = np.array(next_state, np.int32)
    allowed = np.ones(follows.shape, bool) if legal is None else np.array(legal, bool)
    return Tables(follows, np.array(reward, np.float32), allowed, np.array(starts, np.int32))


@struct.dataclass(kw_only=True)
class State(TextEnvState):
    place: jax.Array
    """i32[] in [0, S]; S is where an episode has terminated."""


class TabularMDP(TextEnv[State, TextEnvParams]):
    """A bank of processes of one size; observations are one-hot."""

    version = 1
    observation = "features"

    def __init__(self, num_places: int, num_actions: int):
        self.config = (num_places, num_actions)
        self.num_places = num_places

    @property
    def name(self) -> str:
        return "TabularMDP"

    @property
    def num_actions(self) -> int:
        return self.config[1]

    @property
    def default_params(self) -> TextEnvParams:
        return self.params_of([tables(np.zeros(self.config), np.zeros(self.config))])

    def params_of(self, instances: Sequence[Tables], max_steps: int = 100) -> TextEnvParams:
        return TextEnvParams(
            max_steps_in_episode=jnp.int32(max_steps),
            bank=jax.tree.map(lambda *x: jnp.stack([jnp.asarray(leaf) for leaf in x]), *instances),
            instances=jnp.arange(len(instances), dtype=jnp.int32),
        )

    def sample_params(self, key: Any, num_instances: int, split: str | None = None) -> Any:
        raise NotImplementedError

    def identity(self, instance: Any) -> jax.Array:
        return instance.next_state

    def initial_state(self, key: Any, instance: Any, params: TextEnvParams) -> State:
        start = params.bank.starts[instance, jax.random.randint(key, (), 0, 2)]
        return State(time=jnp.int32(0), instance=instance, place=start)

    def step_env(self, key: Any, state: State, action: Any, params: TextEnvParams) -> Any:
        _, outcomes, reward, terminated = self.transitions(state, action, params)
        after = jax.tree.map(lambda x: x[0], outcomes)
        after = dataclasses.replace(after, time=state.time + 1)
        return self.observe(key, after, action, params), after, reward[0], terminated[0], {}

    def transitions(self, state: State, action: Any, params: TextEnvParams) -> Any:
        bank, ended = params.bank, self.is_terminated(state, params)
        place = bank.next_state[state.instance, state.place, action]
        over = ended | (place == END)
        reward = jnp.where(ended, 0.0, bank.reward[state.instance, state.place, action])
        after = dataclasses.replace(state, place=jnp.where(over, self.num_places, place))
        return jnp.ones(1), jax.tree.map(lambda x: x[None], after), reward[None], over[None]

    @property
    def num_features(self) -> int:
        return self.num_states

    def features(self, state: State, params: TextEnvParams) -> jax.Array:
        return jax.nn.one_hot(state.place, self.num_states)

    def is_terminated(self, state: State, params: TextEnvParams) -> jax.Array:
        return state.place == self.num_places

    def is_solved(self, state: State, params: TextEnvParams) -> jax.Array:
        return self.is_terminated(state, params)

    def action_mask(self, state: State, params: TextEnvParams) -> jax.Array:
        legal = params.bank.legal[state.instance, state.place]
        return legal | self.is_terminated(state, params)

    @property
    def template(self) -> Template:
        places = Slot("place", (*NUMBERS[: self.num_places], " over"))
        return Template((Literal("Stand at"), places, Literal("\nMove", Scope.STATE)))

    @property
    def action_texts(self) -> tuple[str, ...]:
        return ACTION_TEXTS[: self.num_actions]

    def slots(self, state: State, params: TextEnvParams) -> jax.Array:
        return state.place[None]

    @property
    def num_states(self) -> int:
        return self.num_places + 1

    def state_index(self, state: State, params: TextEnvParams) -> jax.Array:
        return state.place

    def state_at(self, instance: Any, index: Any, params: TextEnvParams) -> State:
        return State(time=jnp.int32(0), instance=jnp.int32(instance), place=jnp.int32(index))


# Two places, three actions: what a learner of values must be able to do, each in its own process.
_OVER = [[END] * 3] * 2
_ON = [[1] * 3, [END] * 3]
PROBES = {
    "a constant": tables(_OVER, [[1, 1, 1], [0, 0, 0]]),
    "by observation": tables(_OVER, [[1, 1, 1], [-1, -1, -1]], starts=(0, 1)),
    "discounting": tables(_ON, [[0, 0, 0], [1, 1, 1]]),
    "by action": tables(_OVER, [[-1, 1, 0], [0, 0, 0]]),
    "by both": tables(_OVER, [[1, -1, -1], [-1, 1, -1]], starts=(0, 1)),
    "which bootstrap": tables(_ON, [[0, 0, 0], [1, 0, 0]]),
    "illegal actions": tables(_ON, [[0, 0, 5], [5, 1, 0]], [[1, 1, 0], [0, 1, 1]]),
    "time limit": tables([[0] * 3, [END] * 3], [[1, 1, 1], [0, 0, 0]]),
}


def begin(
    algorithm: Algorithm,
    config: Any,
    data: Data,
    seeds: Sequence[int],
    run_instances: Any = None,
    **hparams: Any,
) -> Any:
    """Fresh runs with these seeds; `hparams` are numbers, or one a run."""
    num_runs = len(seeds)
    given = {n: jnp.broadcast_to(jnp.float32(x), (num_runs,)) for n, x in hparams.items()}
    keys = jax.vmap(jax.random.key)(jnp.array(seeds))
    init = jax.jit(algorithm.init, compiler_options=FAST_TO_COMPILE)
    return init(keys, config.hparams(num_runs)._replace(**given), data, run_instances)


@functools.cache
def trainer(algorithm: Algorithm, num_updates: int) -> Any:
    """`algorithm.train` of so many updates, compiled in a third of the time."""
    return jax.jit(
        lambda state, data: algorithm.train(state, data, num_updates),
        compiler_options=FAST_TO_COMPILE,
    )
