"""The training suite: what stands beside DQN under a shift really is shifted, by this table."""

import importlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import lprl_jax
from lprl_jax import judges

suite: Any = importlib.import_module("suites.training")
training_floor: Any = importlib.import_module("tools.training_floor")


def test_a_contender_with_a_judge_keeps_its_verdicts_and_learns_from_them() -> None:
    env, _ = lprl_jax.make(
        "FrozenLake-lprl", map_name="4x4", is_slippery=False, observation="index"
    )
    params = env.sample_params(jax.random.key(0), 2)
    shape = 2, env.numbered_states, env.num_actions
    table = jax.random.choice(jax.random.key(1), jnp.array([-1.0, 0.0, 1.0]), shape)
    judge = judges.of_table(env, params, table, "drawn")
    contenders = [suite.training(env, params, None, 2, 2, judge=x) for x in (None, judge)]
    assert contenders[0].amount == contenders[1].amount == 2 * 10 * 2
    (plain, _), (shifted, metrics) = (contender.call() for contender in contenders)
    kept = jax.tree.map(lambda x: np.asarray(x[:, : shifted.num_steps]), shifted.replay.items)
    states = jax.vmap(jax.vmap(lambda s: env.state_index(s, params)))(kept.state)
    said = np.asarray(table)[np.asarray(kept.state.instance), np.asarray(states), kept.action]
    np.testing.assert_array_equal(kept.advice.now, said)
    assert np.abs(said).sum() > 0
    assert np.asarray(metrics["good"]).sum() == (said > 0).sum()
    weights = zip(jax.tree.leaves(plain.params), jax.tree.leaves(shifted.params), strict=True)
    assert any(not np.array_equal(a, b) for a, b in weights)
    np.testing.assert_array_equal(shifted.hparams.shift_scale, np.array([0.1, 0.1], np.float32))


def test_the_floor_counts_what_an_update_multiplies_and_keeps() -> None:
    """3 states, 2 hidden units, 5 actions: 3·2 + 2 + 2·5 weights, and a product of 2 x 5."""
    assert training_floor.weights((3, 2, 5)) == 18
    costs = training_floor.dqn_update((3, 2, 5), steps=7, batch=11, transition=13)
    assert costs.flops == 7 * 20 + 11 * (20 + 20 + 20 + 20)
    assert costs.bytes == 4 * 2 * 4 * 18 + 13 * (7 + 11)


def test_the_floor_knows_the_network_and_the_transitions_of_the_rows() -> None:
    env, _ = lprl_jax.make(
        "FrozenLake-lprl", map_name="4x4", is_slippery=False, observation="index"
    )
    params = env.sample_params(jax.random.key(0), 2)
    (state, _) = suite.training(env, params, None, 1, 2).call()
    sizes = (16, *suite.CONFIG.hidden_sizes, 4)
    arrays = jax.tree.leaves((state.params, state.target_params, state.opt_state))
    assert sum(x.nbytes for x in arrays if x.ndim > 1) == 2 * 4 * 4 * training_floor.weights(sizes)
    kept = sum(x.nbytes for x in jax.tree.leaves(state.replay.items)) / (2 * 10_000)
    moved = suite.least(sizes, env, params).bytes - 2 * 4 * 4 * training_floor.weights(sizes)
    assert moved == kept * (10 + 64)
