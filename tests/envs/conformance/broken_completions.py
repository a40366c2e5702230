"""Cubes broken on purpose, as patterns to complete, besides the lakes of `broken_laws`."""

# pyright: reportIncompatibleMethodOverride=false

import dataclasses

import jax.numpy as jnp
from envs.conformance.broken_lakes import breaks
from envs.conformance.broken_laws import BROKEN
from lprl_envs import CubeStacking, Literal, Template

__all__ = ["BROKEN"]


class Cubes(CubeStacking):
    """Three cubes to be broken."""

    def __init__(self):
        super().__init__(3)


@breaks("completion", "completion_prompt has other segments than template")
class AsksInOtherWords(Cubes):
    @property
    def completion_prompt(self):
        return Template((Literal("Please."), *super().completion_prompt.segments[1:]))


@breaks("completion", "value 3; right: 0 to 2")
class CountsFromOne(Cubes):
    def target(self, instance, params):
        return super().target(instance, params) + 1


@breaks("completion", "target is float32[3]; right: int32[3]")
class TargetsAreFloats(Cubes):
    def target(self, instance, params):
        return super().target(instance, params).astype(jnp.float32)


@breaks("completion", "question.height is float32[]; right: int32[]")
class AsksInFloats(Cubes):
    def question(self, state, params):
        height = state.height.astype(jnp.float32)
        return dataclasses.replace(super().question(state, params), height=height)


@breaks("completion", "state 0 of instance 0 at time 0: question(question).height is 2; right: 1")
class AsksAboutMore(Cubes):
    def question(self, state, params):
        height = jnp.minimum(state.height + 1, 3)
        return dataclasses.replace(super().question(state, params), height=height)


@breaks("completion", "question, a step later.time is 1; right: 0")
class AsksAboutTheTime(Cubes):
    def question(self, state, params):
        return state


@breaks("completion", "state 1 of instance 0 at time 0: question.revealed is 0.0; right: 0.33")
class AsksAboutNothing(Cubes):
    def question(self, state, params):
        return dataclasses.replace(super().question(state, params), height=jnp.int32(0))


@breaks("completion", "accepts(target) is False; right: True")
class AcceptsNothing(Cubes):
    def accepts(self, completion, state, params):
        return jnp.bool(False)


@breaks("completion", "follow is float32[]; right: int32[]")
class FollowsInFloats(Cubes):
    def follow(self, completion, state, params):
        return super().follow(completion, state, params).astype(jnp.float32)


@breaks("completion", "step 1: action 4; right: 0 to 3")
class FollowsOutside(Cubes):
    def follow(self, completion, state, params):
        return super().follow(completion, state, params) * 0 + 4


@breaks("completion", "step 3: revealed falls from 0.666667 to 0.333333; right: never less")
class FollowsBack(Cubes):
    def follow(self, completion, state, params):
        return super().follow(completion, state, params) * (state.height < 2)


@breaks("completion", "following a target for 64 steps reveals nothing of it")
class FollowsNothing(Cubes):
    def follow(self, completion, state, params):
        return super().follow(completion, state, params) * 0
