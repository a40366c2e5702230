"""SAC against rejax: why it is not measured, what is counted, and equal settings on both sides."""

import importlib
import math
import sys
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from lprl_jax.algorithms.networks import ReluNetwork
from lprl_jax.algorithms.value_based import sac
from lprl_jax.algorithms.value_based.twin_critics import Batch, Critics

suite: Any = importlib.import_module("suites.sac_vs_rejax")
turns: Any = importlib.import_module("tools.turns")
peer: Any = importlib.import_module("peers.rejax_sac")
own: Any = importlib.import_module("tools.sac_training")


@pytest.mark.parametrize(
    ("python", "words"),
    [
        ("", "REJAX_PYTHON is not set"),
        ("/no/such/python", "REJAX_PYTHON is /no/such/python, which does not exist"),
        (sys.executable, "REJAX_PYTHON has rejax not, not 0.1.3"),
    ],
)
def test_what_is_absent_is_said(monkeypatch: pytest.MonkeyPatch, python: str, words: str) -> None:
    monkeypatch.setenv("REJAX_PYTHON", python)
    rows, ratios = suite.run(quick=False)
    assert [row.name for row in rows] == [
        "training/rejax_sac",
        "training/rejax_sac/with_replacement",
        "training/sac",
        "training/rejax_sac/32_runs",
        "training/sac/32_runs",
    ]
    assert all(row.value is None and words in row.note for row in rows)
    assert ratios == {
        "training/sac_vs_rejax": None,
        "training/sac_vs_rejax/with_replacement": None,
        "training/sac_vs_rejax/32_runs": None,
    }


def served(monkeypatch: pytest.MonkeyPatch, returns: float, version: str) -> list[str]:
    """Programs that end a turn at once, theirs after 2 seconds and ours after .5; their order."""
    order = []

    class Served:
        def __init__(self, command: list[str], **environment: str):
            assert environment == {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
            self.kind = "theirs" if "rejax_sac" in command[1] else "ours"
            self.kind += "+" * ("--with-replacement" in command)
            self.about: dict[str, Any] = {"steps": 100, "compile_seconds": 1.0}
            self.about |= {"returns": [returns], "versions": {"jax": version}}
            self.about |= {"gradient_steps": 10, "matmul_flops": 1e10}

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def turn(self) -> float:
            order.append(self.kind)
            return {"theirs": 2.0, "theirs+": 1.0, "ours": 0.5}[self.kind]

    monkeypatch.setattr(turns, "Program", Served)
    monkeypatch.setenv("REJAX_PYTHON", "python")
    return order


def test_rates_and_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    order = served(monkeypatch, -150.0, jax.__version__)
    rows, ratios = suite.measure("", 1, ("", "/with_replacement"), 2)
    assert order == ["theirs", "theirs+", "ours"] * 2
    assert [row.value for row in rows] == [50.0, 100.0, 200.0]
    assert ratios == {"training/sac_vs_rejax": 4.0, "training/sac_vs_rejax/with_replacement": 2.0}
    assert rows[0].note.startswith(f"1 run, return -150; jax {jax.__version__}, commit d751095")
    # 10 gradient steps of 2 · 256 · 69,952 operations in half a second, of 1e10 a second: .0716
    assert rows[2].note == "1 run, return -150; 7% of the floor's speed"


@pytest.mark.parametrize("returns", [-1200.0, math.nan])
def test_speed_without_learning_is_not_reported(
    monkeypatch: pytest.MonkeyPatch, returns: float
) -> None:
    served(monkeypatch, returns, jax.__version__)
    rows, ratios = suite.measure("/32_runs", 32, ("",), 1)
    assert all(row.value is None and "not learnt" in row.note for row in rows)
    assert ratios == {"training/sac_vs_rejax/32_runs": None}


def test_another_jax_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    served(monkeypatch, -150.0, "0.0.1")
    with pytest.raises(RuntimeError, match=r"REJAX_PYTHON has jax 0\.0\.1"):
        suite.measure("", 1, ("",), 1)


def test_settings_are_the_same_on_both_sides() -> None:
    theirs, ours = peer.SETTINGS, own.SETTINGS
    same = {
        "num_envs": "num_envs",
        "num_epochs": "updates_per_rollout",
        "total_timesteps": "total_steps",
        "buffer_size": "buffer_size",
        "batch_size": "batch_size",
        "learning_rate": "learning_rate",
        "gamma": "gamma",
    }
    assert {name: theirs[name] for name in same} == {name: ours[x] for name, x in same.items()}
    assert theirs["fill_buffer"] == ours["learning_starts"] - 1  # theirs begin beyond, ours at it
    assert theirs["polyak"] == pytest.approx(1 - ours["tau"])
    assert str(list(theirs["hidden_layer_sizes"])) == ours["hidden_sizes"]
    assert theirs["eval_freq"] == theirs["total_timesteps"]
    assert theirs["agent_kwargs"] == {"activation": "relu"}


def products(jaxpr: Any) -> int:
    """Multiplications of all matrix products in a traced program."""
    total = 0
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "dot_general":
            (contracted, _), _ = eqn.params["dimension_numbers"]
            inner = math.prod(eqn.invars[0].aval.shape[i] for i in contracted)
            total += inner * math.prod(eqn.outvars[0].aval.shape)
        for sub in jax.tree.leaves(eqn.params, is_leaf=lambda x: hasattr(x, "eqns")):
            sub = getattr(sub, "jaxpr", sub)
            total += products(sub) if hasattr(sub, "eqns") else 0
    return total


def test_the_floor_counts_what_a_gradient_step_multiplies() -> None:
    nets = sac.Networks(ReluNetwork((64, 64), 2), Critics(ReluNetwork((64, 64), 1)))
    key, count = jax.random.key(0), suite.BATCH
    obs, action, number = jnp.ones((count, 3)), jnp.ones((count, 1)), jnp.ones(count)
    batch = Batch(obs, action, number, number, obs)
    critics = nets.critics.init(key, obs, action)
    params = sac.Params(nets.policy.init(key, obs), critics, jnp.float32(0.0))

    def gradients(params: sac.Params, targets: Any) -> Any:
        def of_critics(own: Any) -> jax.Array:
            return sac.critics_loss(nets, own, params, targets, key, batch)

        def of_policy(own: Any) -> jax.Array:
            return sac.policy_loss(nets, own, params, key, batch)[0]

        return jax.grad(of_critics)(params.critics), jax.grad(of_policy)(params.policy)

    traced = jax.make_jaxpr(gradients)(params, critics)
    assert products(traced.jaxpr) == suite.MACS * count
