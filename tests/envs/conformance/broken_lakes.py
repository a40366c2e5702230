"""Frozen Lakes broken on purpose: arrays, states and episodes. `broken_laws` has more."""

# pyright: reportIncompatibleMethodOverride=false

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct
from gymnax.environments import spaces
from jax.core import Tracer
from jax.custom_batching import custom_vmap
from lprl_envs import FrozenLake
from lprl_envs.frozen_lake.env import EnvState
from lprl_envs.frozen_lake.maps import HOLE

BROKEN = {}
"""Class to the check that it fails, and a part of the message; `broken_laws` adds to it."""


def breaks(check_name, message):
    """Names the check that the class below fails."""

    def register(cls):
        BROKEN[cls] = (check_name, message)
        return cls

    return register


class Lake(FrozenLake):
    """A 4x4 lake to be broken."""

    slippery = False

    def __init__(self):
        super().__init__("4x4", is_slippery=self.slippery)
        self.calls = 0


# -- broken arrays, values and compilation -------------------------------------------------------


@breaks("avals", "state.time of reset is weak int32[]; right: an explicit dtype")
class WeakTime(Lake):
    def reset_env(self, key, params):
        obs, state = super().reset_env(key, params)
        return obs, dataclasses.replace(state, time=0)


@breaks("avals", "reward is int32[]; right: float32[]")
class IntegerReward(Lake):
    def step_env(self, key, state, action, params):
        obs, state, reward, *rest = super().step_env(key, state, action, params)
        return obs, state, reward.astype(jnp.int32), *rest


@breaks("avals", "info.final_state")
class NoFinalState(Lake):
    def step(self, key, state, action, params=None):
        *out, info = super().step(key, state, action, params)
        del info["final_state"]
        return *out, info


@breaks("same_key", "called again with the same key: step 1.reward is")
class CountsItsCalls(Lake):
    def step_env(self, key, state, action, params):
        self.calls += 1
        obs, state, reward, *rest = super().step_env(key, state, action, params)
        return obs, state, reward + self.calls, *rest


@breaks("copies", "copy.copy makes another environment")
class ComparesByIdentity(Lake):
    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return id(self)


@breaks("copies", "it raises")
class HoldsALambda(Lake):
    def __init__(self):
        super().__init__()
        self.rule = lambda x: x


@breaks("static_argument", "5 uses of equal environments, 4 traces; right: 1")
class GrowsWithUse(Lake):
    def reset_env(self, key, params):
        self.config = (*self.config, "used")
        return super().reset_env(key, params)


@breaks("one_trace", "sample_params.bank.tiles is int8[1, 16]; right: int32[1, 16]")
class SamplesOtherDtypes(Lake):
    def sample_params(self, key, num_instances, split=None):
        params = super().sample_params(key, num_instances, split)
        tiles = params.bank.tiles.astype(jnp.int8)
        return dataclasses.replace(params, bank=params.bank.replace(tiles=tiles))


@breaks("jit", "compiled: step 1.reward is 1.0; right: 0.0")
class LooksWhetherItIsCompiled(Lake):
    def step_env(self, key, state, action, params):
        obs, after, reward, *rest = super().step_env(key, state, action, params)
        return obs, after, reward + isinstance(state.position, Tracer), *rest


@custom_vmap
def unchanged(x):
    return x


@unchanged.def_vmap
def _(axis_size, in_batched, x):
    del axis_size
    return x + 1.0, in_batched[0]


@breaks("vmap", ", in a batch: reward is 1.0; right: 0.0")
class OtherInABatch(Lake):
    def step_env(self, key, state, action, params):
        obs, state, reward, *rest = super().step_env(key, state, action, params)
        return obs, state, unchanged(reward), *rest


# -- broken states and episodes ------------------------------------------------------------------


@breaks("state_index", "state_at(instance 0, index 1): state_index is 4; right: 1")
class Transposed(Lake):
    def state_at(self, instance, index, params):
        return super().state_at(instance, index % 4 * 4 + index // 4, params)


@struct.dataclass(kw_only=True)
class LitState(EnvState):
    lit: jax.Array


@breaks("state_index", "state_at(state_index(state)) of a rollout: state.lit is True; right: False")
class HasMoreStates(Lake):
    """A leaf that the index does not tell."""

    def initial_state(self, key, instance, params):
        return self.lamp(super().initial_state(key, instance, params), jnp.bool(True))

    def state_at(self, instance, index, params):
        return self.lamp(super().state_at(instance, index, params), jnp.bool(True))

    def _land(self, state, direction, params):
        after, *rest = super()._land(state, direction, params)
        return self.lamp(after, after.position % 2 == 0), *rest

    def lamp(self, state, lit):
        return LitState(time=state.time, instance=state.instance, position=state.position, lit=lit)


@breaks("mask", "state 6 of instance 0 at time 0 has 0 legal actions; right: 1 to 4")
class NowhereToGo(Lake):
    def action_mask(self, state, params):
        return jnp.broadcast_to(state.position != 6, (4,))


@breaks("mask", "state 0 of instance 0 at time 0 has 4 legal actions; right: 1 to 3")
class PromisesFewer(Lake):
    @property
    def max_legal(self):
        return 3


@breaks("mask", "action_mask is int32[4]; right: bool[4]")
class MaskOfNumbers(Lake):
    def action_mask(self, state, params):
        return jnp.ones(4, jnp.int32)


@breaks("reset", "reset starts at time 1; right: 0")
class StartsLate(Lake):
    def reset_env(self, key, params):
        obs, state = super().reset_env(key, params)
        return obs, dataclasses.replace(state, time=jnp.int32(1))


@breaks("reset", "2048 of 2048 episodes begin in instance 0; right: 512, by uniform draws")
class AlwaysTheFirst(Lake):
    @property
    def default_params(self):
        return self.sample_params(jax.random.key(0), 4)

    def reset_env(self, key, params):
        return super().reset_env(key, dataclasses.replace(params, instances=params.instances[:1]))


@breaks("reset", "state 0 of instance 0 at time 0: observation of reset is 0.0; right: 1.0")
class BlankAtFirst(Lake):
    def reset_env(self, key, params):
        obs, state = super().reset_env(key, params)
        return jnp.zeros_like(obs), state


@breaks("spaces", "action_space is Discrete(5, dtype=int32); right: 0 to 3")
class FiveActions(Lake):
    def action_space(self, params=None):
        return spaces.Discrete(5)


@breaks("spaces", "observation has ['0.0 to 2.0']; right: in Box(low=0.0, high=1.0")
class OutOfTheBox(Lake):
    def observe(self, key, state, action, params):
        return 2.0 * super().observe(key, state, action, params)


@breaks("spaces", "observation is float32[16]; right: of Box(low=0.0, high=1.0, shape=(4, 4)")
class BoxOfAnotherShape(Lake):
    def observation_space(self, params):
        return spaces.Box(0.0, 1.0, (4, 4))


@breaks("terminated", "terminated is True; right: False, by is_terminated(final_state)")
class TheGoalIsNoEnd(Lake):
    def is_terminated(self, state, params):
        return params.bank.tiles[state.instance, state.position] == HOLE


@breaks("terminated", "at time 7, action 0: terminated is True; right: False, as at time 0")
class TimeTerminates(Lake):
    def is_terminated(self, state, params):
        return super().is_terminated(state, params) | self.is_truncated(state, params)

    def step_env(self, key, state, action, params):
        obs, state, reward, _, info = super().step_env(key, state, action, params)
        return obs, state, reward, self.is_terminated(state, params), info


@breaks("truncated", "at time 7, action 0, limit 8: truncated is False with terminated False")
class OneStepMore(Lake):
    def is_truncated(self, state, params):
        return state.time > params.max_steps_in_episode


@breaks("truncated", "at time 7, action 1, limit 8: truncated is False with terminated True")
class EndsForOneReasonOnly(Lake):
    def step(self, key, state, action, params=None):
        *out, terminated, truncated, info = super().step(key, state, action, params)
        truncated &= ~terminated
        return *out, terminated, truncated, {**info, "truncated": truncated}


@breaks("truncated", "final_state.time is 0 with terminated False; right: 1")
class TimeStandsStill(Lake):
    def step_env(self, key, state, action, params):
        obs, after, *rest = super().step_env(key, state, action, params)
        return obs, dataclasses.replace(after, time=state.time), *rest


@breaks("final", "by step_env")
class ReportsTheReset(Lake):
    def step(self, key, state, action, params=None):
        obs, *out, info = super().step(key, state, action, params)
        return obs, *out, {**info, "final_observation": obs}


@breaks("final", "by observe(final_state)")
class ObservesTooEarly(Lake):
    def step_env(self, key, state, action, params):
        _, *rest = super().step_env(key, state, action, params)
        return self.observe(key, state, action, params), *rest


@breaks("auto_reset", "a reset's")
class GoesOn(Lake):
    def step(self, key, state, action, params=None):
        _, _, *out, info = super().step(key, state, action, params)
        return info["final_observation"], info["final_state"], *out, info


@breaks("auto_reset", "state.position is")
class StaysWhereItEnded(Lake):
    def step(self, key, state, action, params=None):
        obs, state, *out, info = super().step(key, state, action, params)
        return obs, dataclasses.replace(state, position=info["final_state"].position), *out, info
