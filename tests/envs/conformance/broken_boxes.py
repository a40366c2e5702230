"""Tracks broken on purpose: continuous actions, besides all of `broken_completions`."""

# pyright: reportIncompatibleMethodOverride=false

import dataclasses

import jax.numpy as jnp
import numpy as np
from envs.conformance.broken_completions import BROKEN
from envs.conformance.broken_lakes import breaks
from envs.track import Track
from gymnax.environments import spaces

__all__ = ["BROKEN"]


@breaks("mask", "word 1 is illegal; right: none, where actions are continuous")
class ForbidsAWord(Track):
    def action_mask(self, state, params):
        return jnp.arange(3) != 1


@breaks("spaces", "right: float32[d], finite, the lowest below the highest")
class HasNoBounds(Track):
    def action_space(self, params=None):
        return spaces.Box(-jnp.inf, 1.0, (2,), jnp.float32)


@breaks("spaces", "action_words are float64[3, 2]; right: float32[3, 2]")
class WordsOfTwiceTheBits(Track):
    @property
    def action_words(self):
        return super().action_words.astype(np.float64)


@breaks("spaces", "action_words are float32[3, 1]; right: float32[3, 2]")
class WordsForHalf(Track):
    @property
    def action_words(self):
        return super().action_words[:, :1]


@breaks("spaces", "action_words[2] is [2.0, 0.0]; right: in Box(low=-1.0")
class AWordOutside(Track):
    @property
    def action_words(self):
        return super().action_words * np.float32(2) * (np.arange(3) == 2)[:, None]


@breaks("spaces", "right: a point each")
class TwoWordsForOne(Track):
    @property
    def action_words(self):
        return super().action_words[[0, 0, 2]]


class Line(Track):
    """With one number an action."""

    words = (-1.0, 0.0, 1.0)

    def action_space(self, params=None):
        return spaces.Box(-1.0, 1.0, (1,), jnp.float32)

    @property
    def action_words(self):
        return np.array(self.words, np.float32)[:, None]

    def transitions(self, state, action, params):
        return super().transitions(state, jnp.append(action, 0.0), params)


@breaks("spaces", "action_words are [[1.0], [0.0], [-1.0]]; right: ascending")
class WordsDescend(Line):
    words = (1.0, 0.0, -1.0)


@breaks("law_is_step", "right: an outcome of the law")
class StepsALittleFurther(Track):
    def step_env(self, key, state, action, params):
        obs, after, *rest = super().step_env(key, state, action, params)
        return obs, dataclasses.replace(after, at=after.at + 1e-3), *rest


@breaks("law_is_step", "by the law")
class IsStuckMoreOften(Track):
    def transitions(self, state, action, params):
        prob, *rest = super().transitions(state, action, params)
        return prob[::-1], *rest

    def step_env(self, key, state, action, params):
        return Track().step_env(key, state, action, params)
