"""What the checks of `check_env` share: the environment under test, and evidence about it.

A check is a function `Subject -> str | None`: None where all is right, otherwise one line that says
what was found and what would be right. Evidence that several checks look at (the states, a rollout)
belongs to the subject and is made once. N counts states, P legal pairs of state and action, B rows
of the rollout, A actions. In a continuous world a pair's action is a point f32[d], drawn uniformly.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.banks import NoInstance, content_hash
from lprl_envs.bridges.gymnax_env import GymnaxEnv
from lprl_envs.conformance.acting import action_of, num_weights, walk
from lprl_envs.conformance.compare import num_rows, take
from lprl_envs.errors import InvalidInput
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import TextEnvParams

LIMIT = 8
"""Steps of an episode while checking, so that some episodes end by time."""
NUM_INSTANCES, NUM_STATES = 8, 256
"""Looked at: so many of the bank, and so many states of each; all, where there are fewer."""
NUM_WALKS = 8
"""Walks an instance that look for states, where they are not numbered."""
NUM_ROLLOUTS, NUM_STEPS = 256, 12
"""Rollouts, and steps of each: B is their product."""
NUM_TIMED = 512
"""Pairs that are stepped from early and from late times."""
NUM_SAMPLED = 16
"""Instances drawn of each split."""
NUM_UNSPLIT, MOST_ALIKE = 64, 32
"""Where a split is empty: instances drawn without one. Of as many different ones as the second
number, all on one side, more should exist: that one in five is held out happens by chance."""


class CheckFailed(InvalidInput):
    """An environment breaks its contract. The message is one line: check, found, right."""

    def __init__(self, env: str, check: str, finding: str):
        super().__init__(env, check, finding)
        self.check = check

    def __str__(self) -> str:
        return "{} fails the check {}: {}".format(*self.args)


class Steps(NamedTuple):
    """Steps of a rollout: what went in, what came out; leaves are `[B, ...]`."""

    key: jax.Array
    before: Any
    """States acted in."""
    action: jax.Array
    observation: Any
    state: Any
    """With the observation: after auto-reset."""
    reward: jax.Array
    terminated: jax.Array
    truncated: jax.Array
    info: dict[str, Any]


class Timed(NamedTuple):
    """Steps of P pairs, each from T times."""

    times: np.ndarray
    """i32[T]"""
    states: Any
    """`[P]`, at time 0."""
    actions: jax.Array
    """i32[P], or f32[P, d]"""
    terminated: np.ndarray
    """bool[P, T], like the following."""
    truncated: np.ndarray
    info_terminated: np.ndarray
    info_truncated: np.ndarray
    is_terminated: np.ndarray
    """Of the final state."""
    final_time: np.ndarray
    """i32[P, T]"""

    def state(self, place: tuple[int, ...]) -> Any:
        """The state of a pair, at one of the times."""
        return dataclasses.replace(
            take(self.states, place[0]), time=jnp.asarray(self.times[place[1]])
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """An environment under test."""

    env: TextEnv[Any, Any]
    chosen: TextEnvParams | None = None
    """Parameters to check with; None for the environment's own."""
    seed: int = 0
    """Of samples and rollouts."""

    @functools.cached_property
    def given(self) -> TextEnvParams:
        """The parameters to check with, as they are."""
        return self.env.default_params if self.chosen is None else self.chosen

    @functools.cached_property
    def params(self) -> TextEnvParams:
        """The same with `LIMIT` steps an episode."""
        return dataclasses.replace(self.given, max_steps_in_episode=jnp.int32(LIMIT))

    @property
    def has_text(self) -> bool:
        """Whether a state reads as text; gymnax's own do not."""
        return not isinstance(self.env, GymnaxEnv)

    @property
    def rng(self) -> np.random.Generator:
        """Draws samples on the host."""
        return np.random.default_rng(self.seed)

    def keys(self, num: int) -> jax.Array:
        """Keys `[num]`, drawn on the host: `split` would be compiled for every number."""
        words = jax.random.key_data(jax.random.key(self.seed)).shape[-1]
        drawn = self.rng.integers(0, 2**32, (num, words), np.uint32)
        return jax.random.wrap_key_data(jnp.asarray(drawn))

    def keys_of(self, keys: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Of keys `[N]` of `step`, those that its step and its reset draw by, `[N]` each."""
        if isinstance(self.env, GymnaxEnv):
            halves = jax.vmap(jax.random.split)(keys)
            return halves[:, 0], halves[:, 1]
        return keys, keys

    def each(self, function: Callable[..., Any], *rows: Any) -> Any:
        """`function(*row, params)` of every row, in one compiled program; all leaves `[N, ...]`."""
        axes = (*(0 for _ in rows), None)
        return jax.jit(jax.vmap(function, axes))(*rows, self.params)

    @functools.cached_property
    def rows(self) -> np.ndarray:
        """`i32[]`: the instances looked at."""
        return _some(self.rng, num_rows(self.given.bank), NUM_INSTANCES)

    @functools.cached_property
    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Instance and index, both `i32[N]`, of the states looked at, where they are numbered."""
        indices = _some(self.rng, self.env.numbered_states, NUM_STATES)
        return np.repeat(self.rows, len(indices)), np.tile(indices, len(self.rows))

    @functools.cached_property
    def states(self) -> Any:
        """The states `[N]` looked at, at time 0, each once."""
        if self.env.num_states is not None:
            return self.each(self.env.state_at, *self.cells)
        met = self._met
        numbers = np.asarray(self.each(self.number, met))
        _, once = np.unique(np.stack([met.instance, numbers]), axis=1, return_index=True)
        return take(met, np.sort(once))

    @property
    def _met(self) -> Any:
        """States that random legal actions meet on their way through the instances."""
        instances = np.repeat(self.rows, NUM_WALKS)
        keys = self.keys(len(instances) * (NUM_STATES + 1)).reshape(len(instances), -1)
        walks = self.each(functools.partial(walk, self.env), keys, instances)
        sparse = jax.tree.map(lambda x: x[:, ::NUM_WALKS], walks)
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), sparse)

    def number(self, state: Any, params: Any) -> jax.Array:
        """`i32[]`: tells the states of an instance apart; a hash where they are not numbered."""
        if self.env.num_states is not None:
            return self.env.state_index(state, params)
        whole, real = self.numbers(state)
        bits = jax.lax.bitcast_convert_type(real, jnp.int32)
        return content_hash(jnp.concatenate([whole, bits])).astype(jnp.int32)

    def numbers(self, state: Any) -> tuple[jax.Array, jax.Array]:
        """A state but for its time: its whole numbers `i32[n]`, and its real ones `f32[m]`."""
        leaves = jax.tree.leaves(dataclasses.replace(state, time=jnp.int32(0)))
        leaves = [jnp.ravel(x) for x in leaves]
        real = [x.astype(jnp.float32) for x in leaves if jnp.issubdtype(x.dtype, jnp.floating)]
        whole = [x.astype(jnp.int32) for x in leaves if not jnp.issubdtype(x.dtype, jnp.floating)]
        return jnp.concatenate(whole), jnp.concatenate([jnp.zeros(0, jnp.float32), *real])

    @functools.cached_property
    def masks(self) -> np.ndarray:
        """Legal actions `[N, A]`."""
        return np.asarray(self.each(self.env.action_mask, self.states))

    @functools.cached_property
    def slots(self) -> np.ndarray:
        """Slots `[N, num_slots]` of the states."""
        return np.asarray(self.each(self.env.slots, self.states))

    def pairs(self, most: int) -> tuple[np.ndarray, Any, jax.Array]:
        """Legal pairs, `most` of them at most: rows `[P]` of `states`, these states, actions."""
        if self.env.is_continuous:
            row = np.resize(_some(self.rng, num_rows(self.states), most), most)
            weights = self.rng.random((most, num_weights(self.env)), np.float32)
            states = take(self.states, row)
            return (
                row,
                states,
                self.each(functools.partial(action_of, self.env), jnp.asarray(weights), states),
            )
        row, action = np.nonzero(self.masks)
        some = _some(self.rng, len(row), most)
        row, action = row[some], action[some]
        return row, take(self.states, row), jnp.asarray(action, jnp.int32)

    @functools.cached_property
    def steps(self) -> Steps:
        """Random legal actions from all states, at all times, and on through every auto-reset."""
        env = self.env

        def play(keys: jax.Array, weights: jax.Array, state: Any, params: Any) -> Steps:
            def step(state: Any, now: tuple[jax.Array, jax.Array]) -> tuple[Any, Steps]:
                key, weight = now
                action = action_of(env, weight, state, params)
                out = env.step(key, state, action, params)
                return out[1], Steps(key, state, action, *out)

            return jax.lax.scan(step, state, (keys, weights))[1]

        shape = NUM_ROLLOUTS, NUM_STEPS
        rows = np.resize(self.rng.permutation(num_rows(self.states)), NUM_ROLLOUTS)
        start = take(self.states, rows)
        time = jnp.asarray(self.rng.integers(0, LIMIT, NUM_ROLLOUTS), jnp.int32)
        weights = jnp.asarray(self.rng.random((*shape, num_weights(env))), jnp.float32)
        keys = self.keys(NUM_ROLLOUTS * NUM_STEPS).reshape(shape)
        rollouts = self.each(play, keys, weights, dataclasses.replace(start, time=time))
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), rollouts)

    @functools.cached_property
    def timed(self) -> Timed:
        """One step of legal pairs, from early and from late times."""
        env, times = self.env, np.array([0, LIMIT - 2, LIMIT - 1, LIMIT], np.int32)

        def step(key: jax.Array, state: Any, action: jax.Array, params: Any) -> Any:
            def at(time: jax.Array) -> Any:
                now = dataclasses.replace(state, time=time)
                _, _, _, terminated, truncated, info = env.step(key, now, action, params)
                final = info["final_state"]
                told = info["terminated"], info["truncated"]
                return terminated, truncated, *told, env.is_terminated(final, params), final.time

            return jax.vmap(at)(jnp.asarray(times))

        _, states, actions = self.pairs(NUM_TIMED)
        found = self.each(step, self.keys(len(actions)), states, actions)
        return Timed(times, states, actions, *map(np.asarray, found))

    @functools.cached_property
    def samples(self) -> dict[str | None, list[TextEnvParams]]:
        """Two draws of `sample_params`, compiled, of each split that it does not refuse.

        Without a split as many instances as the bank has, otherwise `NUM_SAMPLED`.
        """
        found: dict[str | None, list[TextEnvParams]] = {}
        for split in (None, "train", "held-out"):
            num = num_rows(self.given.bank) if split is None else NUM_SAMPLED
            draw = jax.jit(
                functools.partial(self.env.sample_params, num_instances=num, split=split)
            )
            try:
                found[split] = [draw(key) for key in self.keys(2)]
            except NoInstance:
                if split is None or self._are_many():
                    raise
            except InvalidInput:  # some instances are too small to be split
                if split is None:
                    raise
        return found

    def _are_many(self) -> bool:
        """Whether random instances are of so many kinds that both splits should have some."""
        draw = functools.partial(self.env.sample_params, num_instances=NUM_UNSPLIT)
        bank = jax.jit(draw)(self.keys(1)[0]).bank
        identities = np.asarray(jax.vmap(self.env.identity)(bank)).reshape(NUM_UNSPLIT, -1)
        return len(np.unique(identities, axis=0)) >= MOST_ALIKE

    def name_of(self, state: Any, action: Any = None) -> str:
        """How a message names a state, and what is done there."""
        number = int(self.number(state, self.params))
        step = "" if action is None else f", action {np.asarray(action).tolist()}"
        return f"state {number} of instance {int(state.instance)} at time {int(state.time)}{step}"

    def name_of_step(self, row: int) -> str:
        """The same for a row of `steps`."""
        return self.name_of(take(self.steps.before, row), self.steps.action[row])


def _some(rng: np.random.Generator, num: int, most: int) -> np.ndarray:
    """All of `0 .. num - 1`, or a sorted sample: `i32[min(num, most)]`."""
    return np.sort(rng.choice(num, min(num, most), replace=False)).astype(np.int32)
