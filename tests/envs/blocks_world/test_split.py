"""What Blocks World holds out: goals as they are written, or their shapes; in plain Python."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import BlocksWorld, BlocksWorldSubgoals, InvalidInput
from lprl_envs.blocks_world.instances import Problems
from lprl_envs.blocks_world.rules import NONE
from lprl_envs.blocks_world.split import SPLITS_BY, has_towers


def goals_of(n):
    """Every goal of n blocks: for each block the one that it lies on, or None; plain Python."""

    def is_goal(below):
        used = [y for y in below if y is not None]
        if not used or len(set(used)) < len(used):
            return False
        for x in range(n):
            seen = set()
            while x is not None and x not in seen:
                seen.add(x)
                x = below[x]
            if x is not None:
                return False  # a circle
        return True

    return [g for g in itertools.product([None, *range(n)], repeat=n) if is_goal(g)]


def towers_of(goal) -> int:
    """Blocks that carry one and lie on none."""
    return sum(goal[x] is None and x in goal for x in range(len(goal)))


def problems_of(goals):
    wanted = jnp.array([[NONE if y is None else y for y in goal] for goal in goals], jnp.int32)
    return Problems(jnp.zeros_like(wanted), wanted)


def held_out_of(n, goals):
    return np.asarray(jax.vmap(BlocksWorld(n).held_out)(problems_of(goals)))


@functools.cache
def sampler(n, split, split_by):
    draw = functools.partial(BlocksWorld(n).sample_params, num_instances=256)
    return jax.jit(functools.partial(draw, split=split, split_by=split_by))


def drawn(n, split, split_by="goal", seed=0):
    """The goals of a bank, as `goals_of` writes them."""
    bank = sampler(n, split, split_by)(jax.random.key(seed)).bank
    return [
        tuple(None if y == NONE else y for y in goal) for goal in np.asarray(bank.goal).tolist()
    ]


@pytest.mark.parametrize(("n", "num", "out"), [(3, 12, 2), (4, 72, 14), (5, 500, 93)])
def test_about_a_fifth_of_all_goals_is_held_out(n, num, out):
    goals = goals_of(n)
    assert len(goals) == num
    assert held_out_of(n, goals).sum() == out


def test_a_goal_is_on_one_side_whatever_the_start_and_the_number_of_blocks():
    goals = goals_of(3)
    among_3 = held_out_of(3, goals)
    np.testing.assert_array_equal(among_3, held_out_of(5, [(*goal, None, None) for goal in goals]))
    on = jnp.tile(jnp.array([[1, -1, -1]], jnp.int32), (12, 1))
    started = dataclasses.replace(problems_of(goals), on=on)
    np.testing.assert_array_equal(among_3, jax.vmap(BlocksWorld(3).held_out)(started))
    assert 0 < among_3.sum() < len(goals)


@pytest.mark.parametrize("n", [4, 5])
def test_no_goal_is_on_both_sides(n):
    train, test = set(drawn(n, "train")), set(drawn(n, "held-out"))
    assert train
    assert test
    assert not train & test
    assert test <= {
        g for g, out in zip(goals_of(n), held_out_of(n, goals_of(n)), strict=True) if out
    }


@pytest.mark.parametrize("n", [4, 5])
def test_towers(n):
    goals = goals_of(n)
    found = np.asarray(jax.vmap(has_towers)(problems_of(goals)))
    np.testing.assert_array_equal(found, [towers_of(goal) >= 2 for goal in goals])
    assert 0 < found.sum() < len(goals)


def test_by_shape_all_goals_of_two_towers_are_held_out_and_training_leaves_both_kinds_out():
    train, test = drawn(5, "train", "shape"), drawn(5, "held-out", "shape")
    assert {towers_of(goal) for goal in train} == {1}
    assert {towers_of(goal) for goal in test} == {2}
    assert not held_out_of(5, sorted(set(train), key=str)).any()


def test_sub_goals_hold_out_the_same():
    ours = BlocksWorldSubgoals(4).sample_params(jax.random.key(1), 16, "train", split_by="shape")
    theirs = BlocksWorld(4).sample_params(jax.random.key(1), 16, "train", split_by="shape")
    np.testing.assert_array_equal(ours.bank.goal, theirs.bank.goal)


@pytest.mark.parametrize(
    ("blocks", "split_by", "says"),
    [
        (4, "colour", ["unknown split_by 'colour'", "goal, shape"]),
        (3, "shape", ["3 blocks are too few to split by shape", "4 or more"]),
        (2, "goal", ["2 blocks are too few to split by goal", "3 or more"]),
    ],
)
def test_splits_that_there_are_not(blocks, split_by, says):
    with pytest.raises(InvalidInput) as caught:
        BlocksWorld(4).sample_params(
            jax.random.key(0), 1, "train", num_blocks=blocks, split_by=split_by
        )
    assert all(part in str(caught.value) for part in says), caught.value
    assert set(SPLITS_BY) == {"goal", "shape"}


def test_published_instances_of_both_sides():
    # How many of PlanBench's customary suites are held out; results name them.
    env = BlocksWorld(5)
    counts = [
        int(jax.vmap(env.held_out)(env.suite(name).bank).sum())
        for name in ("planbench-4", "planbench-6")
    ]
    assert counts == [11, 24]
