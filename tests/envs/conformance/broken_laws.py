"""Frozen Lakes broken on purpose: instances, text and law, besides `broken_lakes`."""

# pyright: reportIncompatibleMethodOverride=false

import dataclasses

import jax
import jax.numpy as jnp
from envs.conformance.broken_lakes import BROKEN, Lake, breaks
from lprl_envs.frozen_lake.maps import START

__all__ = ["BROKEN"]


# -- broken instances ----------------------------------------------------------------------------


@breaks("parameters", "instances are [1]; right: rows of the bank, 0 to 0")
class DrawsOutsideTheBank(Lake):
    @property
    def default_params(self):
        return dataclasses.replace(super().default_params, instances=jnp.array([1], jnp.int32))


@breaks("parameters", "params.max_steps_in_episode is int; right: an array")
class LimitIsPython(Lake):
    @property
    def default_params(self):
        return dataclasses.replace(super().default_params, max_steps_in_episode=100)


@breaks("held_out", "held_out of instance 0, asked again is True; right: False as before")
class ForgetsTheSplit(Lake):
    def held_out(self, instance):
        self.calls += 1
        return jnp.bool(self.calls % 2 == 0)


@breaks("sample_params", "sample_params(key, 16, 'train'): held_out of instance")
class IgnoresTheSplit(Lake):
    def sample_params(self, key, num_instances, split=None):
        return super().sample_params(key, num_instances)


@breaks("sample_params", "it raises ConcretizationTypeError")
class SamplesOnTheHost(Lake):
    def sample_params(self, key, num_instances, split=None):
        seed = int(jax.random.key_data(key)[1])
        return super().sample_params(jax.random.key(seed), num_instances, split)


@breaks("split", "an instance that is held out reads 'Cross the frozen lake")
class HoldsOutByTheStart(Lake):
    def sample_params(self, key, num_instances, split=None):
        return super().sample_params(key, num_instances, split, 0.99, "anywhere")

    def split_hash(self, instance):
        return jnp.argmax(self.identity(instance) == START)


@breaks("split", "held_out_as is 'prompt'; right: 'text' or 'content'")
class KeepsSomethingElseApart(Lake):
    held_out_as = "prompt"


# -- broken text ---------------------------------------------------------------------------------


@breaks("slots", "it raises ConcretizationTypeError")
class SlotsOnTheHost(Lake):
    def slots(self, state, params):
        return super().slots(dataclasses.replace(state, position=int(state.position)), params)


@breaks("slots", "state 0 of instance 0 at time 0, slot 'up': value 4; right: 0 to 3")
class AWordTooFar(Lake):
    def slots(self, state, params):
        return super().slots(state, params).at[-1].add(1)


@breaks("slots", "slots is float32[22]; right: int32[22]")
class SlotsAreFloats(Lake):
    def slots(self, state, params):
        return super().slots(state, params).astype(jnp.float32)


@breaks("describe", "by the template")
class SaysSomethingElse(Lake):
    def describe(self, state, params):
        return super().describe(state, params).replace("Move", "Go")


@breaks("distinct_texts", "states 0 and 1 of instance 0 both read")
class ReadsTheMapOnly(Lake):
    def slots(self, state, params):
        return super().slots(dataclasses.replace(state, position=jnp.int32(0)), params)


@breaks("distinct_texts", "texts_alias is True, and no two states read alike; right: False")
class DeclaresWhatIsNotSo(Lake):
    texts_alias = True


@breaks("action_texts", "right: 4 distinct texts, none empty")
class TwoActionsAlike(Lake):
    @property
    def action_texts(self):
        return (" left", " down", " right", " left")


# -- broken laws ---------------------------------------------------------------------------------


class BrokenLaw(Lake):
    """Changes what `transitions` says."""

    slippery = True

    def transitions(self, state, action, params):
        return self.change(*super().transitions(state, action, params))

    def change(self, prob, state, reward, terminated):
        raise NotImplementedError


@breaks("law", "has 0.9")
class SomethingIsMissing(BrokenLaw):
    def change(self, prob, *rest):
        return prob * 0.9, *rest


@breaks("law", "outcome 0 has -0.1")
class NegativeProbability(BrokenLaw):
    def change(self, prob, *rest):
        return jnp.array([-0.1, 0.5, 0.6]), *rest


@breaks("law", "right: terminated as is_terminated says of the next state")
class TheLawNeverEnds(BrokenLaw):
    def change(self, prob, state, reward, terminated):
        return prob, state, reward, terminated & False


@breaks("law", "transitions.3 is float32[3]; right: bool[3]")
class EndsAreFloats(BrokenLaw):
    def change(self, prob, state, reward, terminated):
        return prob, state, reward, terminated.astype(jnp.float32)


@breaks("law_is_step", "by the law")
class LessSlippery(BrokenLaw):
    def change(self, prob, *rest):
        return jnp.array([0.3, 0.4, 0.3]), *rest


@breaks("law_is_step", "reward 1.0, terminated True; right: an outcome of the law")
class RewardsMore(BrokenLaw):
    def change(self, prob, state, reward, terminated):
        return prob, state, reward * 2.0, terminated


@breaks("law_is_step", "right: an outcome of the law")
class Teleports(Lake):
    def step_env(self, key, state, action, params):
        _, after, *rest = super().step_env(key, state, action, params)
        lucky = jax.random.uniform(key) < 0.01
        there = jnp.where(lucky & (state.position == 0), 2, after.position)
        after = dataclasses.replace(after, position=there)
        return self.observe(key, after, action, params), after, *rest


class Noisy(Lake):
    """Every reward is drawn."""

    slippery = True
    reward_noise = True
    excess = 0.0
    spread = 1.0

    def step_env(self, key, state, action, params):
        obs, after, reward, *rest = super().step_env(key, state, action, params)
        noise = self.excess + self.spread * jax.random.normal(jax.random.fold_in(key, 1))
        return obs, after, reward + noise, *rest


@breaks("law_is_step", "right: an outcome of the law")
class DoesNotSayThatItIsNoisy(Noisy):
    reward_noise = False


@breaks("law_is_step", "; right: 0 by the law, give or take 0.0")
class MeansLess(Noisy):
    excess = 0.2


@breaks("law_is_step", "; right: 0 by the law, give or take ")
class MeansLessOfWhatHardlyIsNoise(Noisy):
    excess, spread = 0.001, 0.0001


@breaks("law_is_step", "action 0: the reward of a step that ends in state 0 is -0.49")
class MeansWhatOtherOutcomesPay(Noisy):
    """Where two of three moves stay, the mean over all outcomes is right."""

    def step_env(self, key, state, action, params):
        obs, after, reward, *rest = super().step_env(key, state, action, params)
        turned = jnp.where(after.position == state.position + 4, 1.0, 0.0)
        turned = jnp.where(after.position == state.position, -0.5, turned)
        return obs, after, reward + turned, *rest


@breaks("law_is_step", "right: an outcome of the law")
class RewardsHaste(Lake):
    """The law knows no time."""

    def step_env(self, key, state, action, params):
        obs, after, reward, *rest = super().step_env(key, state, action, params)
        return obs, after, reward / (1 + state.time), *rest
