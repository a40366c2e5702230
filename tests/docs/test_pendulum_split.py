"""The program of pendulums that nobody was taught: how right verdicts are counted."""

import importlib
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import Pendulum

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "experiments"))
split: Any = importlib.import_module("pendulum_split")


def test_good_and_bad_count_for_half_each() -> None:
    seen = np.zeros((1, 2, 1, 5, 2))
    seen[0, 0, 0, 0] = 9, 0  # nine good ones of one torque
    seen[0, 0, 0, 1] = 1, 4  # of another one good, four bad
    says = np.zeros((2, 1, 5), bool)
    assert split.right(says, seen, [0]) == [0.5]
    says[0, 0, 0] = True
    assert split.right(says, seen, [0]) == [pytest.approx((0.9 + 1.0) / 2)]
    # In halves the one good verdict of the second torque is .1, its four bad ones 1.
    assert split.most_often(seen)[0, 0].tolist() == [True, False, False, False, False]


def test_texts_are_numbered_as_the_world_writes_them() -> None:
    env = Pendulum()
    bank = env.params_of([dict(zip(split.QUANTITIES.drawn, x, strict=True)) for x in split.PHYSICS])
    for pendulum in (0, 5, 26):
        state = env.initial_state(jax.random.key(pendulum), jnp.int32(pendulum), bank)
        words = np.asarray(env.slots(state, bank))
        text = np.ravel_multi_index(tuple(words[3:]), split.WORDS[3:])
        np.testing.assert_array_equal(split.every_text()[pendulum, text], words)


def test_the_package_keeps_seven_pendulums() -> None:
    taught, held = split.split_of_package()
    assert len(held) == split.HELD_OUT
    assert sorted([*taught, *held]) == list(range(len(split.PHYSICS)))


def test_networks_learn_what_all_pendulums_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "STEPS", 100)
    seen = np.zeros((2, 27, 144, 5, 2))
    turns = split.every_text()[..., 4] < 4
    seen[..., 0, 0], seen[..., 0, 1] = turns[None], ~turns[None]
    taught, held = split.split_of_package()
    (curve,) = split.learn(split.inputs("order"), seen, np.array([[*taught, *held]]))
    assert curve.shape == (4, 2)
    assert np.all(curve[-1] > 0.95)
