"""SAC against rejax: what the floor counts, and the share of it that is told."""

import importlib
import math
from typing import Any

import jax
import jax.numpy as jnp

from lprl_jax.algorithms.networks import ReluNetwork
from lprl_jax.algorithms.value_based import sac
from lprl_jax.algorithms.value_based.twin_critics import Batch, Critics

suite: Any = importlib.import_module("suites.sac_vs_rejax")


def test_the_share_of_the_floor() -> None:
    about = {"steps": 40, "steps_a_run": 20, "gradient_steps": [5], "matmul_flops": 1e10}
    # 2 runs of 5 gradient steps, 2 · 256 · 69,952 operations each, in half a second: .0716
    assert suite.share_of_floor(about, [0.5]) == "; 7% of the floor's speed"


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
