"""Schedules that learn nothing, decision by decision against their rules in plain Python."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.schedules.worlds import N, R, T, play, uniforms, untaught, world

from lprl_jax.algorithms.schedules import fixed, queried

WORLD = world()
RULES = {
    # `(time, changed, known, uniform) -> bool`, of one environment at one step.
    "never": (fixed.never(), lambda t, changed, known, u: False),
    "always": (fixed.always(), lambda t, changed, known, u: True),
    "random_0": (fixed.random(0.0), lambda t, changed, known, u: False),
    "random_.3": (fixed.random(0.3), lambda t, changed, known, u: u < 0.3),
    "random_1": (fixed.random(1.0), lambda t, changed, known, u: True),
    "every_1": (fixed.every(1), lambda t, changed, known, u: True),
    "every_7": (fixed.every(7), lambda t, changed, known, u: (t + 1) % 7 == 0),
    "first_0": (fixed.first(0), lambda t, changed, known, u: False),
    "first_50": (fixed.first(50), lambda t, changed, known, u: t < 50),
    "on_change": (fixed.on_change(), lambda t, changed, known, u: changed),
    "once": (fixed.once(), lambda t, changed, known, u: not known),
    "linear_decay": (
        fixed.linear_decay(400.0),
        lambda t, changed, known, u: known or u < max(0.0, 1 - t / 400),
    ),
}


@pytest.mark.parametrize("name", list(RULES))
def test_against_its_rule(name):
    schedule, rule = RULES[name]
    wanted, _ = play(schedule, WORLD)
    changed, known = np.asarray(WORLD.seen.changed), np.asarray(WORLD.seen.known)
    drawn = uniforms(WORLD.keys)
    expected = [
        [
            [rule(t, changed[t, r, n], known[t, r, n], drawn[t, r, n]) for n in range(N)]
            for r in range(R)
        ]
        for t in range(T)
    ]
    np.testing.assert_array_equal(wanted, np.array(expected, bool))


def test_every_asks_in_the_last_of_its_steps():
    asked = np.flatnonzero(play(fixed.every(7), WORLD)[0][:, 0, 0])
    assert asked[:3].tolist() == [6, 13, 20]


def test_what_was_learnt_changes_nothing():
    ignorant = untaught(WORLD, "alike")
    for schedule in (RULES["random_.3"][0], RULES["linear_decay"][0], RULES["on_change"][0]):
        np.testing.assert_array_equal(play(schedule, WORLD)[0], play(schedule, ignorant)[0])


def test_answers_that_are_reused_are_no_queries():
    seen = jax.tree.map(lambda x: x[0], WORLD.seen)
    known, everywhere = np.asarray(seen.known), jnp.ones((R, N), bool)
    assert known.any()
    assert not known.all()
    decay, always = RULES["linear_decay"][0], RULES["always"][0]
    np.testing.assert_array_equal(queried(decay, seen, everywhere), ~known)
    np.testing.assert_array_equal(queried(always, seen, everywhere), everywhere)
