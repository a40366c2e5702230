"""The peer in torch does the same work as we do: text, prior, settings, update."""

import importlib
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lprl_jax
from lprl_jax import LanguagePrior, tabulate
from lprl_jax.experiments import config

torch: Any = pytest.importorskip("torch")
torch_loop: Any = importlib.import_module("torch_loop")
torch_prior: Any = importlib.import_module("torch_prior")

torch.set_num_threads(1)  # a second one slows matrices this small down on a busy machine

PEERS = Path(__file__).parents[2] / "bench" / "peers"
SMALL, LARGE = ("SFFF", "FHFH", "FFFH", "HFFG"), tuple(torch_loop.MAP.split("/"))

# Prints what the peer's priors are in every state of a map that is not terminal.
ASK = """
import json, sys
from torch_prior import describe, make_prior
rows = tuple(sys.argv[1].split("/"))
cells = [i for i, tile in enumerate("".join(rows)) if tile in "SF"]
live, cached = make_prior(rows, cached=False), make_prior(rows, cached=True)
asked = [prior(describe(rows, i)).tolist() for prior in (live, cached) for i in cells]
print(json.dumps([cells, asked[: len(cells)], asked[len(cells) :]]))
"""


def lake(rows: tuple[str, ...]) -> tuple[Any, Any]:
    name = f"{len(rows)}x{len(rows[0])}"
    env, _ = lprl_jax.make("FrozenLake-lprl", map_name=name, is_slippery=False)
    return env, env.params_of([rows])


@pytest.mark.parametrize("rows", [SMALL, LARGE, ("SFHFF", "FFFFG")])
def test_states_read_alike(rows: tuple[str, ...]) -> None:
    env, params = lake(rows)

    def slots(cell: jax.Array) -> jax.Array:
        return env.slots(env.state_at(jnp.int32(0), cell, params), params)

    for cell, values in enumerate(np.asarray(jax.jit(jax.vmap(slots))(jnp.arange(env.num_states)))):
        assert torch_prior.describe(rows, cell) == env.template.render(values.tolist())


def test_priors_are_alike_live_and_cached() -> None:
    # transformers finds torch or not when it is imported, and these tests have it not find it.
    done = subprocess.run(
        [sys.executable, "-c", ASK, "/".join(SMALL)],
        env={**os.environ, "USE_TORCH": "1"}, cwd=PEERS, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cells, live, cached = json.loads(done.stdout)
    env, params = lake(SMALL)
    table = tabulate(LanguagePrior.from_pretrained("embedded", env, params), env, params)
    expected = jnp.exp(table.table[0, jnp.array(cells)])
    np.testing.assert_allclose(np.array(live), expected, atol=1e-4)
    np.testing.assert_array_equal(live, cached)
    assert np.max(np.abs(expected - 0.25)) > 0.2  # the comparison would not notice uniform ones


def test_settings_are_those_of_the_demo() -> None:
    theirs, ours = torch_loop.Settings(), config.read("frozen_lake_dqn_prior").algorithm
    names = ("k", "alpha", "learning_rate", "gamma", "tau", "batch_size", "buffer_size")
    for name in (*names, "max_grad_norm"):
        assert getattr(theirs, name) == getattr(ours, name), name
    assert (theirs.hidden,) * 2 == ours.hidden_sizes
    assert theirs.update_every == ours.steps_per_update
    assert ours.updates_per_rollout == 1


def constant(network: Any, values: list[float]) -> None:
    """Make a Q-network give these values in every state: its last hidden layer is all ones."""
    with torch.no_grad():
        for layer, bias in ((network[0], 0.0), (network[2], 1.0)):
            layer.weight.zero_()
            layer.bias.fill_(bias)
        network[4].weight.copy_(torch.tensor(values)[:, None].expand(4, 64) / 64)


def test_update_by_hand() -> None:
    learner = torch_loop.Learner(16, torch_loop.Settings(gamma=0.5, tau=0.25, learning_rate=0.01))
    constant(learner.q, [0.0, 1.0, 0.0, 0.0])
    constant(learner.target, [1.0, 2.0, 3.0, 9.0])
    # The first bootstraps from the best proposal, not from action 3; the second is terminal.
    batch = [
        torch.tensor([4, 5]), torch.tensor([1, 0]), torch.tensor([0.0, 1.0]),
        torch.tensor([0.0, 1.0]), torch.tensor([5, 6]), torch.tensor([[0, 1, 1], [3, 3, 3]]),
    ]  # fmt: skip
    # Errors: 0 + .5 * 2 - 1 = 0 and 1 - 0 = 1, so the loss is ½ · (0² + 1²) / 2.
    assert learner.update(batch) == pytest.approx(0.25)
    weight, target = learner.q[4].weight, learner.target[4].weight
    # Adam's first step is the learning rate, against the gradient; only action 0 has one.
    torch.testing.assert_close(weight[0], torch.full((64,), 0.01))
    torch.testing.assert_close(
        weight[1:], torch.tensor([1.0, 0.0, 0.0])[:, None].repeat(1, 64) / 64
    )
    torch.testing.assert_close(target[0], torch.full((64,), 0.75 / 64 + 0.25 * 0.01))


def test_actions_follow_softmax_over_the_proposals() -> None:
    learner = torch_loop.Learner(16, torch_loop.Settings(alpha=0.5))
    constant(learner.q, [0.0, 0.5 * float(np.log(3.0)), 0.0, 9.0])
    rng, proposals = np.random.default_rng(0), np.array([0, 0, 1])
    actions = [learner.act(rng, 0, proposals) for _ in range(1_000)]
    assert np.mean(np.array(actions) == 1) == pytest.approx(3 / 5, abs=0.05)
    assert set(actions) == {0, 1}


def test_it_learns_a_small_map() -> None:
    own = torch_loop.Settings(alpha=0.03, tau=0.05)  # of a uniform prior little is to be heard
    loop = torch_loop.train(SMALL, lambda prompt: np.full(4, 0.25), settings=own)
    rewards = list(itertools.islice(loop, 3_000))
    assert sum(rewards[-500:]) > 30  # at best one in 6 steps
    assert sum(rewards[:300]) < 10


def test_replay_keeps_the_last() -> None:
    replay = torch_loop.Replay(capacity=3, k=2)
    for i in range(5):
        replay.add(i, 0, 0.0, False, i + 1, np.array([i, i]))
    position, *_, reached, proposals = replay.sample(np.random.default_rng(0), 64)
    assert set(position.tolist()) == {2, 3, 4}
    assert (reached == position + 1).all()
    assert (proposals == position[:, None]).all()


def test_start_of_the_clock() -> None:
    asked = []

    def prior(prompt: str) -> np.ndarray:
        asked.append(prompt)
        return np.full(4, 0.25)

    rates = torch_loop.measure(SMALL, prior, steps=20, windows=3, seed=0)
    assert len(rates) == 3
    assert min(rates) > 0
    # A question a step and a reset, none in a terminal state.
    assert len(asked) >= 100 + 3 * 20
