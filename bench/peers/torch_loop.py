"""What a user writes today instead of this library: Gymnasium, transformers on torch, DQN-Prior.

    python bench/peers/torch_loop.py --prior live --steps 200 --threads 1

prints a JSON line. One process, one environment, one learner; every state is written out as text
and its actions' texts are scored in one batched forward pass. "live" asks a model of 3M (random)
weights with prompts of 150 tokens; "live_embedded" the embedded model of 1M with its prompts of
about 45; "cached" has the embedded model's answers in a dictionary from prompt to prior, which is
filled before the clock starts.

It uses nothing of `lprl_jax` but the files of the embedded model. Wording, settings and law are
those of `configs/frozen_lake_dqn_prior.yaml`; tests hold the two together.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch_prior import ACTIONS, Map, PriorFunction, describe, make_prior, write_larger_model

MAP = "SFFFFFFF/FFFFFFFF/FFFHFFFF/FFFFFHFF/FFFHFFFF/FHHFFFHF/FHFFHFHF/FFFHFFFG"
WARM_UP_STEPS = 100


@dataclasses.dataclass(frozen=True)
class Settings:
    """Of the learner."""

    k: int = 5
    """Proposals drawn from the prior in a state."""
    alpha: float = 0.1
    """Temperature of Q in the choice among them."""
    learning_rate: float = 0.003
    """Of Adam."""
    gamma: float = 0.97
    """Discount."""
    tau: float = 0.2
    """Share of the network that enters the target network at each update."""
    hidden: int = 64
    """Width of the two hidden layers."""
    batch_size: int = 64
    """Transitions an update."""
    buffer_size: int = 10_000
    """Transitions that are kept."""
    update_every: int = 10
    """Environment steps between two updates."""
    max_grad_norm: float = 10.0
    """Gradients are clipped to this norm."""


class Replay:
    """The last transitions, as arrays."""

    def __init__(self, capacity: int, k: int):
        self.capacity, self.num_added = capacity, 0
        self.columns = (
            np.zeros(capacity, np.int64),  # position
            np.zeros(capacity, np.int64),  # action
            np.zeros(capacity, np.float32),  # reward
            np.zeros(capacity, np.float32),  # terminated
            np.zeros(capacity, np.int64),  # next position
            np.zeros((capacity, k), np.int64),  # proposals there
        )

    def add(self, *transition: Any) -> None:
        for column, value in zip(self.columns, transition, strict=True):
            column[self.num_added % self.capacity] = value
        self.num_added += 1

    def sample(self, rng: np.random.Generator, batch_size: int) -> list[torch.Tensor]:
        """Uniformly, with replacement."""
        index = rng.integers(min(self.num_added, self.capacity), size=batch_size)
        return [torch.from_numpy(column[index]) for column in self.columns]


class Learner:
    """DQN whose choices and targets are restricted to what the prior proposes."""

    def __init__(self, num_cells: int, settings: Settings):
        self.settings = settings
        self.one_hot = torch.eye(num_cells)
        self.q = nn.Sequential(
            nn.Linear(num_cells, settings.hidden), nn.ReLU(),
            nn.Linear(settings.hidden, settings.hidden), nn.ReLU(),
            nn.Linear(settings.hidden, len(ACTIONS), bias=False),
        )  # fmt: skip
        self.target = copy.deepcopy(self.q)
        self.optimizer = torch.optim.Adam(self.q.parameters(), lr=settings.learning_rate)

    def act(self, rng: np.random.Generator, position: int, proposals: np.ndarray) -> int:
        """One of the proposals, with probability softmax(Q / alpha)."""
        with torch.no_grad():
            q = self.q(self.one_hot[position]).double().numpy()
        preference = q[proposals] / self.settings.alpha
        weights = np.exp(preference - preference.max())
        return int(rng.choice(proposals, p=weights / weights.sum()))

    def update(self, batch: list[torch.Tensor]) -> float:
        """One gradient step on a batch of `Replay`; returns the loss."""
        position, action, reward, terminated, next_position, proposals = batch
        with torch.no_grad():
            best = self.target(self.one_hot[next_position]).gather(1, proposals).amax(1)
            target = reward + self.settings.gamma * (1 - terminated) * best
        value = self.q(self.one_hot[position]).gather(1, action[:, None])[:, 0]
        loss = 0.5 * nn.functional.mse_loss(value, target)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.q.parameters(), self.settings.max_grad_norm)
        self.optimizer.step()
        with torch.no_grad():
            for old, new in zip(self.target.parameters(), self.q.parameters(), strict=True):
                old.lerp_(new, self.settings.tau)
        return loss.item()


def train(
    rows: Map, prior: PriorFunction, seed: int = 0, settings: Settings | None = None
) -> Iterator[float]:
    """Train on a map for as long as one asks; yields the reward of every environment step."""
    settings = settings or Settings()
    limit = 200 if len(rows) == 8 else 100
    env = gymnasium.make(
        "FrozenLake-v1", desc=list(rows), is_slippery=False, max_episode_steps=limit
    )
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    learner = Learner(len(rows) * len(rows[0]), settings)
    replay = Replay(settings.buffer_size, settings.k)

    def propose(probabilities: np.ndarray) -> np.ndarray:
        return rng.choice(len(ACTIONS), settings.k, p=probabilities)

    position, _ = env.reset(seed=seed)
    here = prior(describe(rows, position))
    for step in itertools.count(1):
        action = learner.act(rng, position, propose(here))
        reached, reward, terminated, truncated, _ = env.step(action)
        # Nothing is proposed in a terminal state; what is stored there is multiplied by 0.
        there = here if terminated else prior(describe(rows, reached))
        replay.add(position, action, reward, terminated, reached, propose(there))
        position, here = reached, there
        if terminated or truncated:
            position, _ = env.reset()
            here = prior(describe(rows, position))
        if step % settings.update_every == 0:
            learner.update(replay.sample(rng, settings.batch_size))
        yield float(reward)


def measure(rows: Map, prior: PriorFunction, steps: int, windows: int, seed: int) -> list[float]:
    """Steps a second in each window of `steps` steps, after the first updates."""
    loop = train(rows, prior, seed)
    _play(loop, WARM_UP_STEPS)
    rates = []
    for _ in range(windows):
        start = time.perf_counter()
        _play(loop, steps)
        rates.append(steps / (time.perf_counter() - start))
    return rates


def _play(loop: Iterator[float], steps: int) -> None:
    for _ in range(steps):
        next(loop)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time DQN-Prior in Gymnasium and torch.")
    parser.add_argument("--prior", choices=("live", "live_embedded", "cached"), required=True)
    parser.add_argument("--steps", type=int, default=200, help="environment steps a window")
    parser.add_argument("--windows", type=int, default=10, help="repeats")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--map", default=MAP, help="rows, joined by /")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = tuple(options.map.split("/"))
    with tempfile.TemporaryDirectory() as folder:
        if options.prior == "live":
            path = Path(folder)
            prior = make_prior(rows, False, path, write_larger_model(path))
        else:
            prior = make_prior(rows, cached=options.prior == "cached")
    rates = measure(rows, prior, options.steps, options.windows, options.seed)
    report = {
        "name": f"torch_{options.prior}",
        "steps_per_second": statistics.median(rates),
        "seconds": sum(options.steps / rate for rate in rates),
        "threads": torch.get_num_threads(),
        "rates": rates,
        "prior_at_start": prior(describe(rows, "".join(rows).index("S"))).tolist(),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
