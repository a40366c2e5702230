"""Scores worked by hand, and words that are exchanged."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import Literal, Scope, Slot, Template

from lprl_jax.priors import judging

PROBS = jnp.array([[[0.5, 0.25, 0.25], [0.5, 0.5, 0.0], [0.1, 0.2, 0.7], [1.0, 0.0, 0.0]]])
RIGHT = jnp.array([[[1, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0]]], bool)
LOG_PROBS = jnp.log(jnp.maximum(PROBS, 1e-30))


def test_scores_worked_by_hand():
    """Half, all and none of the mass on what is right; a state that is not asked about."""
    found = judging.judge(LOG_PROBS, RIGHT)
    assert found.top1 == pytest.approx(2 / 3)
    assert found.covered == pytest.approx((1 - 0.5**5 + 1 + 1 - 0.9**5) / 3, abs=1e-5)
    assert found.kl == pytest.approx((np.log(2) + 0 + np.log(10)) / 3, abs=1e-5)


def test_instances_count_alike_and_one_without_anything_right_does_not():
    """Three states of the first, one of the last."""
    log_probs = jnp.concatenate([LOG_PROBS] * 3)
    right = np.array(np.concatenate([RIGHT] * 3))
    right[1] = False
    right[2, 1:] = False
    found = judging.of_instances(log_probs, right)
    np.testing.assert_allclose(found.top1, [2 / 3, 1])
    np.testing.assert_allclose(found.kl, [(np.log(2) + np.log(10)) / 3, np.log(2)], rtol=1e-5)


def test_words_are_exchanged_slot_by_slot():
    """Among instances, the same in all their states; or among all states."""
    template = Template(
        (
            Slot("map", tuple(f" m{i}" for i in range(9)), Scope.INSTANCE),
            Slot("cell", tuple(f" c{i}" for i in range(99))),
            Literal(" go", Scope.STATE),
        )
    )
    maps = np.broadcast_to(np.arange(9)[:, None], (9, 11))
    slots = np.stack([maps, np.arange(99).reshape(9, 11)], axis=-1)
    found = np.asarray(judging.shuffle(template, jax.random.key(0), jnp.asarray(slots)))
    assert (found[..., 0] == found[:, :1, 0]).all()
    for i in range(2):
        np.testing.assert_array_equal(
            np.sort(found[..., i], axis=None), np.sort(slots[..., i], None)
        )
        assert (found[..., i] != slots[..., i]).mean() > 0.5
    # An instance's new words are of no one instance.
    assert len(np.unique(found[0, :, 1] // 11)) > 3
