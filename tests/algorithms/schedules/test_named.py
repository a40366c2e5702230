"""Schedules by name: each is there, bad settings are refused, and runs know nothing of another."""

import dataclasses
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.schedules.worlds import N, R, play, start, world
from lprl_envs import InvalidInput

from lprl_jax.algorithms.schedules import SCHEDULES, ScheduleConfig, schedule_of

NAMES = {
    "never": "never",
    "always": "always",
    "random": "random 0.5",
    "every": "every 10",
    "first": "first 50",
    "on_change": "on change",
    "once": "once a prompt",
    "linear_decay": "linear decay 1000",
    "importance": "importance 0.1",
    "selective_sampling": "selective sampling 0.1",
    "head_variance": "head variance 0.1",
    "adaptive_percentile": "adaptive percentile 70 of margin",
    "seq": "seq thompson, cost 0.5",
    "seq_network": "seq network, cost 0.5",
    "when2ask": "when2ask, price 0.01",
}
"""What each calls itself by default."""
WORLD = world(steps=60)


def test_names():
    assert list(SCHEDULES) == list(NAMES)
    for name, own in NAMES.items():
        assert schedule_of(ScheduleConfig(schedule=name)).name == own
    by_epsilon = ScheduleConfig(schedule="seq", seq_choose="epsilon", query_cost=0.05)
    assert schedule_of(by_epsilon).name == "seq epsilon, cost 0.05"
    assert schedule_of(ScheduleConfig(ask_budget=7)).name == "always, at most 7"


@pytest.mark.parametrize("name", list(NAMES))
def test_runs_are_apart(name):
    """What the second run sees changes no decision of the first, and all that is held leads R."""
    schedule = schedule_of(ScheduleConfig(schedule=name, ask_budget=40))
    here, carry = play(schedule, WORLD)
    other = world(1, steps=60)
    mixed = jax.tree.map(
        lambda a, b: a if a.ndim < 2 else jnp.concatenate([a[:, :1], b[:, 1:]], axis=1),
        WORLD._replace(keys=jax.random.key_data(WORLD.keys)),
        other._replace(keys=jax.random.key_data(other.keys)),
    )
    mixed = mixed._replace(keys=jax.random.wrap_key_data(mixed.keys))
    there, _ = play(schedule, mixed)
    np.testing.assert_array_equal(here[:, 0], there[:, 0])
    assert all(leaf.shape[0] == R for leaf in jax.tree.leaves(carry))
    assert jax.tree.structure(carry) == jax.tree.structure(start(schedule, WORLD))


def test_settings_reach_their_schedules():
    few = world(2, steps=30)
    shared = ScheduleConfig(schedule="seq", seq_choose="epsilon", seq_epsilon_shared=True)
    no_chance = few._replace(seen=few.seen._replace(epsilon=jnp.zeros_like(few.seen.epsilon)))
    assert not play(schedule_of(shared), no_chance)[0].any()
    own = ScheduleConfig(schedule="seq", seq_choose="epsilon", seq_epsilon=1.0)
    assert abs(play(schedule_of(own), no_chance)[0].mean() - 0.5) < 0.2
    budget = ScheduleConfig(ask_budget=4)
    assert (play(schedule_of(budget), few)[0] & np.asarray(few.seen.can_ask)).sum() == 4 * R


def test_settings_among_others():
    """A config of more fields, such as an algorithm's."""
    fields = dataclasses.asdict(ScheduleConfig(schedule="every", ask_every=3))
    config = types.SimpleNamespace(**fields, learning_rate=0.1)
    assert ScheduleConfig.of(config) == ScheduleConfig(schedule="every", ask_every=3)
    assert schedule_of(config).name == "every 3"
    config.ask_every = 0
    with pytest.raises(InvalidInput, match=r"^ask_every is 0; it must be above 0$"):
        schedule_of(config)


def test_indices_need_their_number():
    index = jnp.broadcast_to(jnp.arange(N), (60, R, N))
    indices = WORLD._replace(seen=WORLD.seen._replace(observation=index))
    carry = start(schedule_of(ScheduleConfig(schedule="seq_network"), num_states=5), indices)
    assert carry.params["params"]["Dense_0"]["kernel"].shape == (R, 5, 64)


BAD = [
    ("schedule", "sometimes", "unknown schedule 'sometimes'; valid: never, always, random, every"),
    ("seq_choose", "ucb", "unknown seq_choose 'ucb'; valid: thompson, epsilon"),
    ("ask_uncertainty", "entropy", "unknown ask_uncertainty 'entropy'; valid: heads, margin"),
    ("ask_budget", -1, "ask_budget is -1; it must be 0 or above"),
    ("ask_budget", 1.5, "ask_budget is 1.5; it must be a whole number"),
    ("ask_probability", 1.1, r"ask_probability is 1.1; it must lie in \[0, 1\]"),
    ("ask_every", 0, "ask_every is 0; it must be above 0"),
    ("ask_first", -5, "ask_first is -5; it must be 0 or above"),
    ("ask_decay_steps", 0.0, "ask_decay_steps is 0.0; it must be above 0"),
    ("ask_threshold", -0.1, "ask_threshold is -0.1; it must be 0 or above"),
    ("ask_threshold", float("inf"), "ask_threshold is inf; it must be a finite number"),
    ("ask_scale", 0.0, "ask_scale is 0.0; it must be above 0"),
    ("ask_percentile", 101.0, r"ask_percentile is 101.0; it must lie in \[0, 100\]"),
    ("ask_percentile", float("nan"), r"ask_percentile is nan; it must lie in \[0, 100\]"),
    ("ask_window", 0, "ask_window is 0; it must be above 0"),
    ("ask_least", -1, "ask_least is -1; it must be 0 or above"),
    ("ask_least", 201, "ask_least is 201; it must be ask_window = 200 at most"),
    ("query_cost", 2.0, r"query_cost is 2.0; it must lie in \[0, 1\]"),
    ("seq_bins", 0, "seq_bins is 0; it must be above 0"),
    ("seq_alpha", -1.0, r"seq_alpha is -1.0; it must lie in \[0, 1\]"),
    ("seq_epsilon", 1.5, r"seq_epsilon is 1.5; it must lie in \[0, 1\]"),
    ("seq_epsilon_steps", 0.0, "seq_epsilon_steps is 0.0; it must be above 0"),
    ("seq_epsilon_shared", 1, "seq_epsilon_shared is 1; it must be true or false"),
    ("seq_hidden_sizes", (8, 0), r"seq_hidden_sizes\[1\] is 0; it must be above 0"),
    ("seq_learning_rate", 0.0, "seq_learning_rate is 0.0; it must be above 0"),
    ("query_price", -0.01, "query_price is -0.01; it must be 0 or above"),
]


@pytest.mark.parametrize(
    ("field", "found", "message"), BAD, ids=[f"{name}={found}" for name, found, _ in BAD]
)
def test_bad_settings(field, found, message):
    with pytest.raises(InvalidInput, match=f"^{message}"):
        ScheduleConfig(**{field: found})
