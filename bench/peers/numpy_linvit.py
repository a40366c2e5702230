"""LINVIT in NumPy, vectorised over runs: what one would write without JAX.

The algorithm is that of `lprl_jax.algorithms.tabular.linvit` with Hoeffding's bonus, and with
the same sparse counts (outcomes of the law instead of next states). Steps of the horizon are
Python's loop; everything in a step is one array operation over all runs.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np


@dataclasses.dataclass
class Runs:
    """R runs of one problem each, all of one size."""

    prob: np.ndarray
    """f32[R, S, A, K]"""
    next_state: np.ndarray
    """i64[R, S, A, K]"""
    reward: np.ndarray
    """f32[R, S, A, K]"""
    legal: np.ndarray
    """bool[R, S, A]"""
    ended: np.ndarray
    """bool[R, S]"""
    start: np.ndarray
    """i64[R]"""
    log_prior: np.ndarray
    """f32[R, S, A]"""
    temperature: float
    bonus_scale: float
    delta: float
    counts: np.ndarray
    """f32[H, R, S, A, K]: what a step reads lies together."""
    rng: np.random.Generator

    @classmethod
    def of(cls, problem: Any, counts: np.ndarray, hp: Any, seed: int = 0) -> Runs:
        """From our problem `[R]`, counts and hyper-parameters (one for all)."""
        law = problem.law
        return cls(
            prob=np.asarray(law.prob),
            next_state=np.asarray(law.next_state).astype(np.int64),
            reward=np.asarray(law.reward),
            legal=np.asarray(law.legal),
            ended=np.asarray(problem.ended),
            start=np.asarray(problem.start).argmax(axis=1),
            log_prior=np.asarray(problem.log_prior),
            temperature=float(hp.temperature),
            bonus_scale=float(hp.bonus_scale),
            delta=float(hp.delta),
            counts=np.ascontiguousarray(np.swapaxes(counts, 0, 1)),
            rng=np.random.default_rng(seed),
        )


def bounds(runs: Runs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Q⁺ and Q⁻ `f32[H, R, S, A]`, and the gap at the start `[R]`."""
    horizon, num_runs, size, actions, _ = runs.counts.shape
    following = runs.next_state + size * np.arange(num_runs)[:, None, None, None]
    reward = np.sum(runs.prob * runs.reward, axis=-1)
    v = [np.zeros((num_runs, size), np.float32) for _ in range(2)]
    q = np.empty((2, horizon, num_runs, size, actions), np.float32)
    for h in reversed(range(horizon)):
        seen = runs.counts[h]
        visits = seen.sum(axis=-1)
        log_term = np.log(np.float32(size * actions * horizon / runs.delta) * (1 + visits))
        at_least_1 = np.maximum(visits, 1)
        bonus = np.minimum(horizon, runs.bonus_scale * horizon * np.sqrt(log_term / at_least_1))
        for side, sign in ((0, 1), (1, -1)):
            mean = np.sum(seen * v[side].take(following), axis=-1) / at_least_1
            anywhere = v[side].mean(axis=1)[:, None, None]
            mean = np.where(visits > 0, mean, anywhere) + reward + sign * bonus
            q[side, h] = np.clip(mean, 0, horizon)
            logits = runs.log_prior + q[side, h] / np.float32(runs.temperature)
            top = logits.max(axis=-1)
            total = np.exp(logits - top[..., None]).sum(axis=-1)
            v[side] = np.where(runs.ended, 0, runs.temperature * (top + np.log(total)))
            v[side] = v[side].astype(np.float32)
    row = np.arange(num_runs)
    return q[0], q[1], v[0][row, runs.start] - v[1][row, runs.start]


def episode(runs: Runs) -> np.ndarray:
    """One more of every run, counted; the gaps before it `[R]`."""
    q_upper, q_lower, gap = bounds(runs)
    horizon, num_runs = runs.counts.shape[:2]
    row = np.arange(num_runs)
    explore_at = runs.rng.integers(0, horizon + 1, num_runs) - 1
    draws = runs.rng.random((horizon, 2, num_runs), np.float32)
    state = runs.start
    for h in range(horizon):
        logits = runs.log_prior[row, state] + q_upper[h, row, state] / runs.temperature
        action = _pick(np.exp(logits - logits.max(axis=-1, keepdims=True)), draws[h, 0])
        wide = np.where(
            runs.legal[row, state], q_upper[h, row, state] - q_lower[h, row, state], -1
        ).argmax(axis=-1)
        action = np.where(explore_at == h, wide, action)
        outcome = _pick(runs.prob[row, state, action], draws[h, 1])
        runs.counts[h, row, state, action, outcome] += ~runs.ended[row, state]
        state = runs.next_state[row, state, action, outcome]
    return gap


def _pick(weights: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """An index a row of `weights [R, n]`."""
    cdf = weights.cumsum(axis=-1)
    return (cdf > draws[:, None] * cdf[:, -1:]).argmax(axis=-1)
