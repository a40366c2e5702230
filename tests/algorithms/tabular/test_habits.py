"""The habit of an environment, against what can be counted by hand on its maps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import TabularMDP
from lprl_envs import BlocksWorld, CubeStacking, FrozenLake, InvalidInput
from lprl_envs.errors import NotNumbered
from lprl_envs.patterns import ImageCompletion

from lprl_jax.algorithms.tabular import habits

LAKE = FrozenLake("3x3", is_slippery=False)


class Open(FrozenLake):
    """Of which nothing is held out."""

    def held_out(self, instance):
        return jnp.bool_(False)


class Still(TabularMDP):
    """Likewise."""

    held_out = Open.held_out


LEFT, DOWN, RIGHT, UP = range(4)


def shares(env, params):
    return np.exp(np.asarray(habits.fitted(env, params).log_weights))


def test_two_maps_by_hand():
    """Without holes: right or down in four cells, down in the last column, right in the last row.

    With two: down beside them, right in the last row, nothing in them. On the goal it is over.
    """
    env = Open("3x3", is_slippery=False)
    params = env.params_of([("SFF", "FFF", "FFG"), ("SHF", "FHF", "FFG")])
    down, right = (4 / 2 + 2) + 4, (4 / 2 + 2) + 2
    found = shares(env, params)
    np.testing.assert_allclose(found, [0, down / 14, right / 14, 0], atol=2e-6)
    assert (found > 0).all()


def test_a_corner_is_a_habit_and_anywhere_is_none():
    corner, anywhere = (
        shares(LAKE, LAKE.sample_params(jax.random.key(0), 64, "train", goal=goal))
        for goal in ("corner", "anywhere")
    )
    assert corner[DOWN] + corner[RIGHT] > 0.8
    assert np.abs(anywhere - 0.25).max() < 0.1


def test_reading_the_cubes_habit():
    """Some cube is right in every state; no habit knows which."""
    env = CubeStacking(4)
    found = shares(env, env.sample_params(jax.random.key(0), 64, "train"))
    assert found.sum() == pytest.approx(1, abs=1e-5)
    assert found.shape == (env.num_actions,)


def test_in_blocks_world_what_is_legal_counts():
    """With a hand that holds a block, other actions are legal than with an empty one."""
    env = BlocksWorld(3)
    found = shares(env, env.sample_params(jax.random.key(0), 32, "train"))
    words = [text.strip().split()[0] for text in env.action_texts]
    by_word = {w: float(sum(found[i] for i, x in enumerate(words) if x == w)) for w in set(words)}
    assert len(by_word) == 4
    assert min(by_word["unstack"], by_word["stack"], by_word["put"]) > 0.01


def test_where_the_world_itself_knows_what_is_right_nothing_is_planned():
    """Here: to the left, which no plan does."""

    class Shown(Open):
        def right_actions(self, state, params):
            legal = self.action_mask(state, params)
            return legal & (jnp.arange(4) == LEFT) & ~self.is_terminated(state, params)

    env = Shown("3x3", is_slippery=False)
    params = env.params_of([("SFF", "FFF", "FFG")] * 64)
    found = shares(env, params)
    assert found[LEFT] > 0.99


def test_it_is_fitted_on_training_instances_of_numbered_states():
    bank = LAKE.sample_params(jax.random.key(0), 2, "held-out")
    with pytest.raises(InvalidInput, match="on training instances; instance 0 is held out; draw"):
        habits.fitted(LAKE, bank)
    image = ImageCompletion("10x10")
    with pytest.raises(NotNumbered):
        habits.fitted(image, image.sample_params(jax.random.key(0), 1, "train"))


def test_where_nothing_is_ever_gained_there_is_no_habit():
    env = Still(2, 2)
    with pytest.raises(InvalidInput, match="nothing is right in any of 3 states"):
        habits.fitted(env, env.default_params)
