"""What a user writes without JAX: CQL's updates of many runs at once, in NumPy, gradients by hand.

Runs are the leading axis of every array, so that a product of matrices is one call for all of them.
The network reads a one-hot vector and has two hidden layers, as in `configs/frozen_lake_cql.yaml`.
It uses nothing of `lprl_jax`; a test and the suite `offline` hold the two together.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

Parameters = dict[str, np.ndarray]
"""`w1 [R, S, H]`, `b1 [R, H]`, `w2 [R, H, H]`, `b2 [R, H]`, `w3 [R, H, A]`."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Of the learner."""

    learning_rate: float = 0.003
    gamma: float = 0.97
    tau: float = 0.05
    beta: float = 1.0
    """Weight of the penalty."""
    max_grad_norm: float = 10.0
    """Gradients are clipped to this norm."""


class Batch(NamedTuple):
    """Transitions `[R, B]`; every action is legal everywhere."""

    state: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    next_state: np.ndarray


class Learner:
    """R networks with their targets and Adam's moments."""

    def __init__(self, params: Parameters, settings: Settings):
        self.settings = settings
        self.params = {name: x.copy() for name, x in params.items()}
        self.target = {name: x.copy() for name, x in params.items()}
        self.first = {name: np.zeros_like(x) for name, x in params.items()}
        self.second = {name: np.zeros_like(x) for name, x in params.items()}
        self.count = 0
        self.one_hot = np.eye(params["w1"].shape[1], dtype=np.float32)

    def update(self, batch: Batch) -> np.ndarray:
        """One gradient step of every run; the losses before, `[R]`."""
        x = self.one_hot[batch.state]
        first, second, q = forward(self.params, x)
        *_, q_next = forward(self.target, self.one_hot[batch.next_state])
        alive = self.settings.gamma * (1 - batch.terminated.astype(np.float32))
        y = batch.reward + alive * q_next.max(-1)
        taken = batch.action[..., None]
        q_taken = np.take_along_axis(q, taken, -1)[..., 0]
        top = q.max(-1, keepdims=True)
        weight = np.exp(q - top)
        total = weight.sum(-1, keepdims=True)
        penalty = (top + np.log(total))[..., 0] - q_taken
        beta = self.settings.beta
        loss = (0.5 * (y - q_taken) ** 2 + beta * penalty).mean(1)
        # d loss / d q: β softmax(q), and q - y - β for the action of the data.
        to_q = beta * weight / total
        np.put_along_axis(
            to_q, taken, np.take_along_axis(to_q, taken, -1) + (q_taken - y - beta)[..., None], -1
        )
        self._descend(backward(self.params, x, first, second, to_q / q.shape[1]))
        return loss

    def _descend(self, gradient: Parameters) -> None:
        """Clip, Adam, and the target's share."""
        squares = sum(np.square(g).reshape(len(g), -1).sum(1) for g in gradient.values())
        norm = np.sqrt(squares)
        scale = np.minimum(1.0, self.settings.max_grad_norm / np.maximum(norm, 1e-30))
        self.count += 1
        for name, g in gradient.items():
            g = g * scale.reshape(-1, *[1] * (g.ndim - 1)).astype(np.float32)
            self.first[name] += 0.1 * (g - self.first[name])
            self.second[name] += 0.001 * (g * g - self.second[name])
            first = self.first[name] / np.float32(1 - 0.9**self.count)
            second = self.second[name] / np.float32(1 - 0.999**self.count)
            self.params[name] -= self.settings.learning_rate * first / (np.sqrt(second) + 1e-8)
            self.target[name] += self.settings.tau * (self.params[name] - self.target[name])


def forward(params: Parameters, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both hidden layers and the values, of `x [R, B, S]`."""
    first = np.maximum(x @ params["w1"] + params["b1"][:, None], 0)
    second = np.maximum(first @ params["w2"] + params["b2"][:, None], 0)
    return first, second, second @ params["w3"]


def backward(
    params: Parameters, x: np.ndarray, first: np.ndarray, second: np.ndarray, to_q: np.ndarray
) -> Parameters:
    """The gradient of every parameter from that of the values `[R, B, A]`."""
    to_second = (to_q @ params["w3"].swapaxes(1, 2)) * (second > 0)
    to_first = (to_second @ params["w2"].swapaxes(1, 2)) * (first > 0)
    return {
        "w1": x.swapaxes(1, 2) @ to_first,
        "b1": to_first.sum(1),
        "w2": first.swapaxes(1, 2) @ to_second,
        "b2": to_second.sum(1),
        "w3": second.swapaxes(1, 2) @ to_q,
    }
