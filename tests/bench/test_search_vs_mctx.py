"""SLINVIT against mctx: the model that mctx is given, how it plays, what is counted and said."""

import importlib
import sys
from typing import Any

import jax
import jax.numpy as jnp
import lprl_envs
import numpy as np
import pytest

suite: Any = importlib.import_module("suites.search_vs_mctx")
search: Any = importlib.import_module("suites.search")
throughput: Any = importlib.import_module("throughput")
timing: Any = importlib.import_module("tools.timing")
turns: Any = importlib.import_module("tools.turns")
peer: Any = importlib.import_module("peers.mctx_blocks_world")


@pytest.mark.parametrize(
    ("python", "words"),
    [
        ("", "MCTX_PYTHON is not set"),
        ("/no/such/python", "MCTX_PYTHON is /no/such/python, which does not exist"),
        (sys.executable, "MCTX_PYTHON has mctx not, not 0.0.71"),
    ],
)
def test_what_is_absent_is_said(monkeypatch: pytest.MonkeyPatch, python: str, words: str) -> None:
    monkeypatch.setenv("MCTX_PYTHON", python)
    rows, ratios = suite.run(quick=True)
    assert [(row.name, row.unit) for row in rows] == [
        ("search/slinvit_beside_mctx", "nodes/s"),
        ("search/mctx", "nodes/s"),
        ("search/mctx/uniform_prior", "nodes/s"),
    ]
    assert all(row.value is None and words in row.note for row in rows)
    assert ratios == {
        "search/slinvit_vs_mctx": None,
        "search/slinvit_vs_mctx/uniform_prior": None,
    }
    assert len(suite.run(quick=False)[1]) == 4
    assert throughput.SUITES["mctx"] is suite.run


@pytest.mark.parametrize("prior", peer.PRIORS)
def test_the_model_is_the_environment(prior: str) -> None:
    """Moves at random, by the environment's own step and heuristic, a state at a time."""
    env = lprl_envs.BlocksWorld(peer.BLOCKS)
    params, rng, key = env.suite(peer.SUITE), np.random.default_rng(0), jax.random.key(0)
    count = 256
    rows = jnp.asarray(rng.integers(0, 602, count), jnp.int32)
    states = jax.vmap(env.initial_state, in_axes=(None, 0, None))(key, rows, params)
    own = states
    look, move = peer.model(env, prior), jax.jit(lambda *given: peer.move(env, *given))
    step = jax.jit(jax.vmap(env.step_env, in_axes=(None, 0, 0, None)))
    mask = jax.jit(jax.vmap(env.action_mask, in_axes=(0, None)))
    listed = jax.jit(jax.vmap(env.legal_actions, in_axes=(0, None)))
    value = jax.jit(jax.vmap(env.heuristic, in_axes=(0, None)))
    playing, ended = np.ones(count, bool), 0
    for _ in range(12):
        node, (actions, is_any) = look(params, states), listed(own, params)
        logits = np.asarray(node.logits)
        there = logits > np.finfo(np.float32).min
        np.testing.assert_array_equal(there, is_any)
        np.testing.assert_array_equal(there.sum(1), mask(own, params).sum(1))
        np.testing.assert_allclose(node.value, value(own, params) / 1000, rtol=1e-6)
        place = np.argmax(there * rng.random(there.shape), axis=1).astype(np.int32)
        action = np.asarray(actions)[np.arange(count), place]
        edge, states = move(params, states, jnp.asarray(place))
        _, own, reward, terminated, _ = step(key, own, action, params)
        for found, expected in (
            (states.on, own.on),
            (edge.reward, reward),
            (edge.discount, 1.0 - terminated),
        ):
            np.testing.assert_array_equal(np.asarray(found)[playing], np.asarray(expected)[playing])
        chosen = logits[np.arange(count), place]
        after = value(own, params) if prior == "heuristic" else np.zeros(count)
        np.testing.assert_array_equal(chosen[playing], np.asarray(after)[playing])
        ended += int(np.sum(np.asarray(terminated)[playing]))
        playing &= ~np.asarray(terminated)
    assert 0 < ended < count


def greedy(env: Any) -> Any:
    """The move to the highest heuristic, of equals the first: a search of depth 1 and k = 1."""
    look = peer.model(env, "heuristic")
    return lambda params, key, states: jnp.argmax(look(params, states).logits, axis=-1)


def test_it_plays_as_slinvit_does_where_both_choose_alike() -> None:
    _, (solved, length, _) = search.ours(1, 1, copies=1)
    env, data, instances, budgets = search.bank(1)
    assert not np.any(jax.vmap(env.is_solved, (0, None))(
        jax.vmap(env.initial_state, (None, 0, None))(jax.random.key(0), instances, data.env_params),
        data.env_params,
    ))  # fmt: skip
    given = jax.random.key(0), instances, budgets, data.env_params
    for lanes in (7, 1024):  # fewer and more than there are instances
        found = peer.over_devices(env, greedy(env), lanes, len(instances))(*given)
        np.testing.assert_array_equal(found.solved, solved)
        np.testing.assert_array_equal(found.length, length)
    assert 0 < np.mean(solved) < 1


def test_decisions_by_hand() -> None:
    # b on a, c beside them; a shall lie on c. b up, b down, a up, a on c: four searches.
    env = lprl_envs.BlocksWorld(3)
    params = env.params_of([{"init": ["ab", "c"], "goal": ["ca"]}])
    budgets = jnp.array([5, 3, 4], jnp.int32)
    found = peer.play(
        env, greedy(env), 2, jax.random.key(0), jnp.zeros(3, jnp.int32), budgets, params
    )
    assert found.solved.tolist() == [True, False, True]
    assert found.length.tolist() == [4, 3, 4]


def test_nodes_a_decision_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two instances, of 4 and 6 decisions, with 30 and 55 nodes: 8.5 a decision, to even.
    found = None, (None, np.array([4, 6]), np.array([30, 55]))
    monkeypatch.setattr(search, "ours", lambda depth, k, copies: found)
    assert suite.nodes_a_decision(2, 3) == 8


def test_settings_that_take_least() -> None:
    seconds = {(32, False): 3.0, (64, False): 2.0, (64, True): 2.5, (32, True): 1.0}
    few, many = (peer.Settings(lanes, False) for lanes in (32, 64))
    assert peer.fastest([few, many], lambda one: seconds[tuple(one)]) == many
    seconds[64, True] = 1.5
    assert peer.fastest([few, many], lambda one: seconds[tuple(one)]) == (64, True)


def served(monkeypatch: pytest.MonkeyPatch, version: str) -> list[list[str]]:
    """Programs that end a turn at once; what they were started with."""
    started: list[list[str]] = []

    class Served:
        def __init__(self, command: list[str], **environment: str):
            assert environment["JAX_PLATFORMS"] == "cpu"
            assert "xla_force_host_platform_device_count" in environment["XLA_FLAGS"]
            started.append(command[1:])
            kind = "ours" if "slinvit" in command[1] else command[-1]
            self.seconds = iter({"ours": [1, 1], "heuristic": [4, 2], "uniform": [2, 2]}[kind])
            self.about: dict[str, Any] = {"nodes": 200 if kind == "ours" else 100}
            self.about |= {"decisions": 20, "instances": 1000, "solved": 0.25}
            self.about |= {"compile_seconds": 1.0, "versions": {"jax": version}}
            self.about |= {"settings": {"lanes": 64, "is_wide": True}}

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def turn(self) -> float:
            return next(self.seconds)

    monkeypatch.setattr(turns, "Program", Served)
    monkeypatch.setattr(suite, "nodes_a_decision", lambda depth, k: 10 * depth + k)
    monkeypatch.setenv("MCTX_PYTHON", "python")
    return started


def test_rates_and_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    started = served(monkeypatch, jax.__version__)
    rows, ratios = suite.measure("/N3_k5", copies=7, pairs=2)
    assert [command[1:] for command in started] == [
        ["--copies", "7", "--depth", "3", "--k", "5"],
        ["--copies", "7", "--simulations", "35", "--prior", "heuristic"],
        ["--copies", "7", "--simulations", "35", "--prior", "uniform"],
    ]
    # Ours makes 200 nodes a second, twice; theirs 25 and 50, and 50 twice.
    assert [(row.name, row.value) for row in rows] == [
        ("search/slinvit_beside_mctx/N3_k5", 200),
        ("search/mctx/N3_k5", 37.5),
        ("search/mctx/N3_k5/uniform_prior", 50),
    ]
    assert ratios == {
        "search/slinvit_vs_mctx/N3_k5": (6, 5, 7),
        "search/slinvit_vs_mctx/N3_k5/uniform_prior": (4, 4, 4),
    }
    played = "25.0% of 1,000 instances solved"
    assert rows[0].note == f"depth 3, k = 5; {played}, 200 nodes, 10.0 a decision"
    assert rows[1].note == (
        f"jax {jax.__version__}; prior heuristic, 64 lanes a device, wide vectors; "
        f"{played}, 100 nodes, 5.0 a decision"
    )


def test_another_jax_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    served(monkeypatch, "0.0.1")
    with pytest.raises(RuntimeError, match=r"MCTX_PYTHON has jax 0\.0\.1"):
        suite.measure("", copies=1, pairs=2)
