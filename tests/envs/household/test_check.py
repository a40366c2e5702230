"""Household keeps the contract: all of it in one room, and in the others what a room decides."""

import jax
import pytest
from lprl_envs import CHECKS, Household, check_env
from lprl_envs.conformance import subject
from lprl_envs.conformance.check import require

SOME = ("parameters", "avals", "mask", "slots", "distinct_texts", "action_texts")
"""Checks that take little time, of fewer states."""


def test_check():
    env = Household("bedroom", illegal_reward=-0.1)
    assert check_env(env, env.sample_params(jax.random.key(1), 4)) == tuple(CHECKS)


@pytest.mark.parametrize(
    ("room", "arguments"),
    [
        ("kitchen", {}),
        ("bathroom", {"observation": "tokens"}),
        ("kitchen-small", {"commands": "all"}),
        ("livingroom", {"split_by": "content"}),
    ],
)
def test_other_rooms(room, arguments, monkeypatch):
    monkeypatch.setattr(subject, "NUM_STATES", 64)
    env = Household(room, **arguments)
    looked_at = subject.Subject(env, env.sample_params(jax.random.key(1), 2))
    for name in SOME:
        require(looked_at, name)
