"""The prior over sub-goals that the experiment makes of one over actions, against plain Python."""

import importlib
import math
import sys
from pathlib import Path
from typing import Any

import envs.blocks_world.subgoals_twin as subgoals_twin
import envs.blocks_world.twin as twin
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.blocks_world.facts import facts

from lprl_jax import TabularPrior

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "experiments"))
experiment: Any = importlib.import_module("subgoals")


def test_a_prior_over_actions_becomes_one_over_sub_goals():
    """p(take x) p(lay x there), normalised over what changes something."""
    world, env = experiment.HAND_ENV, experiment.ENV
    instances = [{"init": ["abcde"], "goal": ["ab"]}, {"init": ["cb", "ad"], "goal": ["ab"]}]
    params = world.params_of(instances)
    instance, number = (x.ravel() for x in np.indices((2, world.numbered_states)))
    states = jax.vmap(world.state_at, (0, 0, None))(instance, number, params)
    legal = jax.vmap(world.action_mask, (0, None))(states, params)
    draws = jax.random.normal(jax.random.key(0), legal.shape)
    log_probs = jax.nn.log_softmax(jnp.where(legal, draws, -jnp.inf)).reshape(2, -1, 50)
    prior = TabularPrior(world, log_probs, "drawn", 7)
    made = experiment.through_actions(prior)
    assert made.evaluations == 7

    place = {facts(on): i for i, on in enumerate(states.on[: world.numbered_states].tolist())}
    names = {text: i for i, text in enumerate(world.action_texts)}
    table, found = np.exp(np.asarray(log_probs[0], np.float64)), np.asarray(made.table[0])
    own = jax.vmap(env.state_at, (None, 0, None))(0, jnp.arange(env.numbered_states), params)
    for i, on in list(enumerate(own.on.tolist()))[::17]:
        state, weights = facts(on), {}
        for child in subgoals_twin.in_order(state, "abcde"):
            take, lay = child.step
            held = twin.apply(state, take)
            prob = table[place[state], names[twin.action_text(take)]]
            prob *= table[place[held], names[twin.action_text(lay)]]
            weights[env.action_texts.index(subgoals_twin.text(lay))] = prob
        total = sum(weights.values())
        for action in range(env.num_actions):
            expected = math.log(weights[action] / total) if action in weights else -math.inf
            assert found[i, action] == pytest.approx(expected, abs=1e-4)
